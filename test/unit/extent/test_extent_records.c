#include "extent/extent_records.h"

#include <pthread.h>

#include "../unit.h"
#include "extent/extent.h"
#include "extent/metadata.h"
#include "os/system.h"

static struct fault metadata;

void *__real_metadata_take(size_t size, size_t align);
void *__wrap_metadata_take(size_t size, size_t align);

void *
__wrap_metadata_take(size_t size, size_t align)
{
	if (metadata.at != 0 && fault_hits(&metadata))
		return NULL;
	return __real_metadata_take(size, align);
}

/* Marks each record of a chain by `mark`; how many. None may bear it yet. */
static unsigned
mark_chain(struct extent *chain, size_t mark)
{
	unsigned n = 0;

	for (struct extent *e = chain; e != NULL; e = e->next, n++) {
		assert_int_equal((uintptr_t)e % CACHELINE, 0);
		assert_int_not_equal(e->size, mark);
		e->size = mark;
	}
	return n;
}

static void
as_many_as_asked_for_are_added_to_the_chain(void **state)
{
	struct extent *chain = NULL;
	unsigned sum = 0;

	(void)state;
	for (unsigned count = 0; count < 70; count += 7) {
		assert_int_equal(extent_records_take(&chain, count), count);
		sum += count;
	}
	assert_int_equal(mark_chain(chain, 1), sum);
	extent_records_give(chain);
}

static void
what_was_given_is_taken_before_new_ones(void **state)
{
	struct extent *chain = NULL, *again = NULL;
	size_t used;

	(void)state;
	extent_records_take(&chain, 200);
	mark_chain(chain, 2);
	extent_records_give(chain);
	used = metadata_stats().used;
	assert_int_equal(extent_records_take(&again, 200), 200);
	assert_int_equal(metadata_stats().used, used);
	assert_int_equal(mark_chain(again, 3), 200);
	extent_records_give(again);
	extent_records_give(NULL);
}

static void
short_of_memory_there_are_fewer_and_none_is_lost(void **state)
{
	struct extent *all = NULL, *chain = NULL;
	unsigned got;

	(void)state;
	/* Hold all that are free, so that each taking needs memory. */
	fault_set(&metadata, 1, true);
	while (extent_records_take(&all, 1) == 1)
		;
	assert_int_equal(extent_records_take(&chain, 40), 0);
	assert_null(chain);
	for (unsigned at = 2; at < 6; at++) {
		fault_set(&metadata, at, true);
		got = extent_records_take(&chain, 40);
		assert_int_equal(mark_chain(chain, 100 + at), got);
		extent_records_give(chain);
		chain = NULL;
		fault_set(&metadata, 1, true);
		assert_int_equal(extent_records_take(&chain, 40), got);
		extent_records_give(chain);
		chain = NULL;
	}
	fault_set(&metadata, 0, false);
	assert_int_equal(extent_records_take(&chain, 40), 40);
	extent_records_give(chain);
	extent_records_give(all);
}

static _Atomic unsigned wrong;

static void *
take_and_give(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	for (unsigned i = 0; i < 3000; i++) {
		struct extent *chain = NULL;
		unsigned n = 1 + (unsigned)random_below(&seed, 30);

		if (extent_records_take(&chain, n) != n)
			wrong++;
		for (struct extent *e = chain; e != NULL; e = e->next)
			e->addr = arg;
		for (struct extent *e = chain; e != NULL; e = e->next)
			if (e->addr != arg)
				wrong++;
		extent_records_give(chain);
	}
	return NULL;
}

static void
threads_never_hold_the_same_record(void **state)
{
	pthread_t thread[4];

	(void)state;
	for (uintptr_t i = 0; i < ARRAY_LEN(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL,
		    take_and_give, (void *)i), 0);
	for (unsigned i = 0; i < ARRAY_LEN(thread); i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_as_asked_for_are_added_to_the_chain),
		cmocka_unit_test(what_was_given_is_taken_before_new_ones),
		cmocka_unit_test(
		    short_of_memory_there_are_fewer_and_none_is_lost),
		cmocka_unit_test(threads_never_hold_the_same_record),
	};

	system_init();
	metadata_init();
	extent_records_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
