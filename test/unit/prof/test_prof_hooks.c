#include "prof/prof_hooks.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "../unit.h"
#include "cache/thread.h"
#include "os/system.h"
#include "prof/prof_stats.h"
#include "util/size_class.h"

/* --- hooks ---------------------------------------------------------------- */

static struct thread self;
static unsigned calls;
static bool was_busy;

static int
start(void **state)
{
	(void)state;
	system_init();
	memset(&self, 0, sizeof(self));
	thread_self = &self;
	calls = 0;
	for (unsigned i = 0; i < PROF_HOOKS; i++)
		prof_hooks_set((enum prof_hook)i, NULL);
	return 0;
}

static void
note(void)
{
	calls++;
	was_busy = self.prof_busy;
	errno = EDOM;
}

static void
too_many(void **vec, unsigned *length, unsigned max)
{
	note();
	for (unsigned i = 0; i < max; i++)
		vec[i] = (void *)(uintptr_t)(i + 1);
	*length = max + 5;
}

static void
on_dump(const char *path)
{
	note();
	assert_string_equal(path, "name");
}

static void
on_sample(const void *object, size_t requested, void **stack, unsigned depth,
    size_t usable)
{
	note();
	assert_ptr_equal(object, &calls);
	assert_int_equal(requested, 100);
	assert_int_equal(usable, 112);
	assert_int_equal(depth, 3);
	assert_ptr_equal(stack, &self);
	/* What it does itself is not told. */
	prof_hooks_freed(object, usable);
}

static void
on_free(const void *object, size_t usable)
{
	note();
	assert_ptr_equal(object, &calls);
	assert_int_equal(usable, 112);
}

static void
all_four(void)
{
	void *vec[3];

	errno = 0;
	prof_hooks_backtrace(vec, 3);
	prof_hooks_dumped("name");
	prof_hooks_sampled(&calls, 100, (void **)&self, 3, 112);
	prof_hooks_freed(&calls, 112);
	assert_int_equal(errno, 0);
}

static void
without_hooks_nothing_is_called(void **state)
{
	prof_backtrace_hook *walk;
	void *vec[2] = { NULL, NULL };
	unsigned length = 7;

	(void)state;
	all_four();
	assert_int_equal(calls, 0);
	for (unsigned i = 1; i < PROF_HOOKS; i++)
		assert_null(prof_hooks_get((enum prof_hook)i));
	walk = (prof_backtrace_hook *)prof_hooks_get(PROF_HOOK_BACKTRACE);
	assert_non_null(walk);
	walk(vec, &length, 1);
	assert_int_equal(length, 1);
	assert_non_null(vec[0]);
	assert_null(vec[1]);
}

static void
hooks_are_called_with_the_thread_busy(void **state)
{
	(void)state;
	prof_hooks_set(PROF_HOOK_DUMP, (prof_any_hook *)on_dump);
	prof_hooks_set(PROF_HOOK_SAMPLE, (prof_any_hook *)on_sample);
	prof_hooks_set(PROF_HOOK_FREE, (prof_any_hook *)on_free);
	for (unsigned i = 1; i <= 2; i++) {
		was_busy = false;
		all_four();
		assert_int_equal(calls, 3 * i);
		assert_true(was_busy);
		assert_false(self.prof_busy);
	}
	/* Not inside of another one, but without a record of the thread. */
	self.prof_busy = true;
	all_four();
	assert_int_equal(calls, 6);
	thread_self = &thread_dead;
	prof_hooks_freed(&calls, 112);
	assert_int_equal(calls, 7);
}

static void
a_stack_that_is_too_long_is_cut(void **state)
{
	void *vec[4] = { NULL, NULL, NULL, NULL };

	(void)state;
	prof_hooks_set(PROF_HOOK_BACKTRACE, (prof_any_hook *)too_many);
	assert_ptr_equal(prof_hooks_get(PROF_HOOK_BACKTRACE), too_many);
	errno = 0;
	assert_int_equal(prof_hooks_backtrace(vec, 3), 3);
	assert_int_equal(errno, 0);
	assert_ptr_equal(vec[2], (void *)(uintptr_t)3);
	assert_null(vec[3]);
}

/* A program that puts back what it found wants our unwinder again. */
static void
the_first_backtrace_hook_can_be_put_back(void **state)
{
	prof_any_hook *first = prof_hooks_get(PROF_HOOK_BACKTRACE);

	(void)state;
	assert_true(prof_hooks_unwind_is_own());
	prof_hooks_set(PROF_HOOK_BACKTRACE, (prof_any_hook *)too_many);
	assert_false(prof_hooks_unwind_is_own());
	prof_hooks_set(PROF_HOOK_BACKTRACE, first);
	assert_true(prof_hooks_unwind_is_own());
	assert_ptr_equal(prof_hooks_get(PROF_HOOK_BACKTRACE), first);
}

/* --- figures by size class ------------------------------------------------ */

static void
samples_count_in_their_class(void **state)
{
	struct prof_class_stats small, large;

	(void)state;
	size_class_init(4096, NULL);
	prof_stats_init();
	prof_stats_begin(100, 112);
	prof_stats_begin(112, 112);
	prof_stats_begin(60000, 61440);
	prof_stats_end(100, 112);
	small = prof_stats_read(size_class_of(112));
	large = prof_stats_read(size_class_of(61440));
	assert_int_equal(small.live.count, 1);
	assert_int_equal(small.live.requested, 112);
	assert_int_equal(small.ever.count, 2);
	assert_int_equal(small.ever.requested, 212);
	assert_int_equal(large.live.count, 1);
	assert_int_equal(large.live.requested, 60000);
	assert_int_equal(prof_stats_read(0).ever.count, 0);
	prof_stats_begin(LARGE_MAXCLASS, LARGE_MAXCLASS);
	assert_int_equal(prof_stats_read(SIZE_CLASSES - 1).live.count, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_hooks_nothing_is_called),
		TEST(hooks_are_called_with_the_thread_busy),
		TEST(a_stack_that_is_too_long_is_cut),
		TEST(the_first_backtrace_hook_can_be_put_back),
		TEST(samples_count_in_their_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
