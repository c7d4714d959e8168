#include "extent/extent_hooks.h"

#include <pthread.h>
#include <stdlib.h>

#include "../unit.h"
#include "extent/limit.h"

#define MB ((size_t)1 << 20)

static struct {
	unsigned told;
	size_t in_memory;
	size_t soft;
	void *context;
} heard;

static void
hear(size_t in_memory, size_t soft, void *context)
{
	heard.told++;
	heard.in_memory = in_memory;
	heard.soft = soft;
	heard.context = context;
}

/* NULL: the thread is inside of another such function, and not the first. */
static struct {
	bool inside;
	unsigned nentered, nleft;
} guard;

static void *
enter(void)
{
	guard.nentered++;
	return guard.inside ? NULL : &guard;
}

static void
leave(void *before)
{
	assert_ptr_equal(before, guard.inside ? NULL : &guard);
	guard.nleft += before != NULL;
}

static int
start(void **state)
{
	(void)state;
	limit_init();
	limit_give(limit.in_memory);
	limit_set_soft(0);
	limit_set_hard(0);
	limit_set_room(0);
	limit_set_callback(hear, &heard);
	(void)limit_was_crossed();
	heard.told = 0;
	return 0;
}

/* What the slow paths do after they took memory. */
static void
see_to_it(void)
{
	if (limit_was_crossed())
		limit_tell();
}

static void
the_listener_hears_once_for_each_crossing(void **state)
{
	(void)state;
	limit_set_soft(10 * MB);
	assert_true(limit_take(10 * MB));
	see_to_it();
	assert_int_equal(heard.told, 0);
	assert_true(limit_take(MB));
	see_to_it();
	assert_int_equal(heard.told, 1);
	assert_int_equal(heard.in_memory, 11 * MB);
	assert_int_equal(heard.soft, 10 * MB);
	assert_ptr_equal(heard.context, &heard);
	/* It grows on: that is the same crossing. */
	assert_true(limit_take(MB));
	assert_false(limit_was_crossed());
	/* Less, but not below: as well. */
	limit_give(MB);
	assert_true(limit_take(MB));
	see_to_it();
	assert_int_equal(heard.told, 1);
	/* Below, and above once more. */
	limit_give(2 * MB);
	assert_true(limit_take(2 * MB));
	see_to_it();
	assert_int_equal(heard.told, 2);
}

static void
who_is_told_is_guarded_as_functions_of_the_program_are(void **state)
{
	(void)state;
	for (unsigned inside = 0; inside < 2; inside++) {
		guard.inside = inside;
		guard.nentered = guard.nleft = 0;
		limit_set_soft(0);
		limit_set_soft(MB);
		/* Just at the limit it is not crossed. */
		limit_give(limit.in_memory);
		(void)limit_was_crossed();
		limit_add(MB);
		assert_false(limit_was_crossed());
		limit_tell();
		assert_int_equal(guard.nentered, 0);
		limit_add(1);
		assert_int_equal(limit.in_memory, MB + 1);
		see_to_it();
		assert_int_equal(heard.told, inside + 1);
		assert_int_equal(heard.in_memory, MB + 1);
		assert_int_equal(guard.nentered, 1);
		assert_int_equal(guard.nleft, !inside);
	}
	guard.inside = false;
}

static void
purging_that_helps_leaves_nothing_to_tell(void **state)
{
	(void)state;
	limit_set_soft(10 * MB);
	assert_true(limit_take(12 * MB));
	assert_true(limit_was_crossed());
	assert_false(limit_was_crossed());
	limit_give(3 * MB);
	limit_tell();
	assert_int_equal(heard.told, 0);
	assert_true(limit_take(3 * MB));
	see_to_it();
	assert_int_equal(heard.told, 1);
}

static void
a_soft_limit_below_what_there_is_is_crossed_at_once(void **state)
{
	(void)state;
	assert_true(limit_take(8 * MB));
	limit_set_soft(8 * MB);
	see_to_it();
	assert_int_equal(heard.told, 0);
	limit_set_soft(4 * MB);
	see_to_it();
	assert_int_equal(heard.told, 1);
	/* Another limit is another crossing. */
	limit_set_soft(5 * MB);
	see_to_it();
	assert_int_equal(heard.told, 2);
}

static void
without_a_listener_or_a_limit_nobody_is_told(void **state)
{
	(void)state;
	assert_true(limit_take(8 * MB));
	limit_tell();
	assert_int_equal(heard.told, 0);
	limit_set_callback(NULL, NULL);
	limit_set_soft(MB);
	see_to_it();
	assert_int_equal(heard.told, 0);
	/* It was not told then, so it is now. */
	limit_set_callback(hear, NULL);
	limit_tell();
	assert_int_equal(heard.told, 1);
	assert_null(heard.context);
}

static void
the_hard_limit_is_reached_and_not_exceeded(void **state)
{
	(void)state;
	limit_set_hard(10 * MB);
	assert_true(limit_take(9 * MB));
	assert_false(limit_is_exceeded());
	assert_false(limit_take(MB + 1));
	assert_int_equal(limit.in_memory, 9 * MB);
	assert_true(limit_take(MB));
	assert_false(limit_is_exceeded());
	assert_false(limit_take(1));
	assert_false(limit_take(SIZE_MAX));
	limit_give(1);
	assert_true(limit_take(1));
	/* Below what there is: nothing more, and nothing wraps. */
	limit_set_hard(MB);
	assert_true(limit_is_exceeded());
	assert_false(limit_take(1));
	assert_int_equal(limit.in_memory, 10 * MB);
	limit_set_hard(0);
	assert_false(limit_is_exceeded());
	assert_true(limit_take(100 * MB));
}

static void
little_room_asks_for_a_purge_and_again_when_more_is_taken(void **state)
{
	(void)state;
	limit_set_room(128 * MB);
	assert_true(limit_take(112 * MB));
	assert_false(limit_was_crossed());
	assert_true(limit_take(1));
	assert_true(limit_was_crossed());
	/* The purge was in vain. Not at each call, then. */
	assert_true(limit_take(2 * MB));
	assert_false(limit_was_crossed());
	assert_true(limit_take(1));
	assert_true(limit_was_crossed());
	/* It is no limit: nothing is refused, and nobody is told. */
	assert_true(limit_take(100 * MB));
	see_to_it();
	assert_int_equal(heard.told, 0);
	/* This time it frees something. */
	limit_give(101 * MB);
	assert_true(limit_take(2 * MB));
	assert_false(limit_was_crossed());
	assert_true(limit_take(MB));
	assert_true(limit_was_crossed());
	/* And now so much that there is room as at first. */
	limit_give(60 * MB);
	assert_true(limit_take(112 * MB - limit.in_memory));
	assert_false(limit_was_crossed());
	assert_true(limit_take(1));
	assert_true(limit_was_crossed());
}

static void
room_that_is_used_up_already_asks_at_once(void **state)
{
	(void)state;
	limit_add(8 * MB);
	limit_set_room(8 * MB);
	assert_true(limit_was_crossed());
	limit_set_room(0);
	assert_true(limit_take(100 * MB));
	assert_false(limit_was_crossed());
}

/* All that is taken, given and purged, against the rule itself. */
static void
no_purge_comes_too_early_or_too_late(void **state)
{
	size_t in_memory = 0, at_purge = 0;
	bool purged = false;

	(void)state;
	limit_set_room(64 * MB);
	srandom(1);
	for (unsigned i = 0; i < 20000; i++) {
		size_t size = (size_t)random() % (2 * MB);
		bool less = in_memory > size && random() % 9 < 4;

		if (less)
			limit_give(size);
		else
			assert_true(limit_take(size));
		in_memory = less ? in_memory - size : in_memory + size;
		if (in_memory < at_purge)
			at_purge = in_memory;
		if (limit_was_crossed()) {
			assert_true(in_memory > 56 * MB);
			assert_true(!purged || in_memory > at_purge + MB);
			at_purge = in_memory;
			purged = true;
		} else {
			assert_true(in_memory <= 56 * MB ||
			    in_memory <= at_purge + MB);
		}
		if (in_memory > 90 * MB) {
			limit_give(in_memory);
			in_memory = at_purge = 0;
		}
	}
	assert_true(purged);
}

static void *
take_and_give(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 20000; i++)
		if (limit_take(MB)) {
			if (limit.in_memory > 3 * MB)
				abort();
			limit_give(MB);
		}
	return NULL;
}

static void
threads_at_once_stay_below_the_hard_limit(void **state)
{
	pthread_t thread[4];

	(void)state;
	limit_set_hard(3 * MB);
	for (unsigned i = 0; i < ARRAY_LEN(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL, take_and_give,
				     NULL),
		    0);
	for (unsigned i = 0; i < ARRAY_LEN(thread); i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(limit.in_memory, 0);
}

static _Atomic bool stop;

static void *
change_listener(void *arg)
{
	(void)arg;
	while (!stop) {
		limit_set_callback(hear, &heard);
		limit_set_callback(NULL, &stop);
	}
	return NULL;
}

static void
a_listener_gets_its_own_context(void **state)
{
	pthread_t thread;

	(void)state;
	assert_true(limit_take(2 * MB));
	assert_int_equal(pthread_create(&thread, NULL, change_listener, NULL),
	    0);
	for (unsigned i = 0; i < 20000; i++) {
		heard.context = NULL;
		limit_set_soft(MB);
		limit_tell();
		assert_ptr_not_equal(heard.context, &stop);
	}
	stop = true;
	pthread_join(thread, NULL);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_listener_hears_once_for_each_crossing),
		TEST(who_is_told_is_guarded_as_functions_of_the_program_are),
		TEST(purging_that_helps_leaves_nothing_to_tell),
		TEST(a_soft_limit_below_what_there_is_is_crossed_at_once),
		TEST(without_a_listener_or_a_limit_nobody_is_told),
		TEST(the_hard_limit_is_reached_and_not_exceeded),
		TEST(little_room_asks_for_a_purge_and_again_when_more_is_taken),
		TEST(room_that_is_used_up_already_asks_at_once),
		TEST(no_purge_comes_too_early_or_too_late),
		TEST(threads_at_once_stay_below_the_hard_limit),
		TEST(a_listener_gets_its_own_context),
	};

	extent_hooks_guard = (struct extent_hooks_guard){ enter, leave };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
