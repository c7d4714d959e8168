#include "os/clock.h"

#include <errno.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

#include "os/loaded_symbol.h"

#include "../unit.h"

/* Where the time comes from: the kernel's function, its call, or this test. */
static enum { FUNCTION, CALL, TEST } source;
static bool broken;
static struct timespec told;

struct kernel_time {
	int64_t seconds, nanoseconds;
};

static int
tell(clockid_t id, struct kernel_time *time)
{
	if (broken)
		return -EINVAL;
	time->seconds = told.tv_sec + (id == CLOCK_REALTIME);
	time->nanoseconds = told.tv_nsec + (id == CLOCK_MONOTONIC_COARSE);
	return 0;
}

uintptr_t __real_loaded_symbol(uintptr_t object, const char *name);
uintptr_t __wrap_loaded_symbol(uintptr_t object, const char *name);
unsigned long __real_getauxval(unsigned long type);
unsigned long __wrap_getauxval(unsigned long type);

uintptr_t
__wrap_loaded_symbol(uintptr_t object, const char *name)
{
	return source == TEST ? (uintptr_t)tell
			      : __real_loaded_symbol(object, name);
}

unsigned long
__wrap_getauxval(unsigned long type)
{
	if (type != AT_SYSINFO_EHDR || source == FUNCTION)
		return __real_getauxval(type);
	errno = ENOENT;
	return source == TEST ? (unsigned long)&source : 0;
}

static void
use(unsigned new_source)
{
	source = new_source;
	errno = 77;
	clock_init();
	assert_int_equal(errno, 77);
}

static void
time_never_goes_back(void **state)
{
	uint64_t last = clock_now_ns(), coarse = clock_coarse_ns();

	(void)state;
	/* Also if one source takes over from the other. */
	for (unsigned i = 0; i < 100000; i++) {
		if (i % 10000 == 0)
			use(i / 10000 % 2 ? FUNCTION : CALL);
		uint64_t now = clock_now_ns(), now_coarse = clock_coarse_ns();

		assert_true(now >= last);
		assert_true(now_coarse >= coarse);
		last = now;
		coarse = now_coarse;
	}
}

static uint64_t
ask(clockid_t id)
{
	struct timespec now;

	assert_int_equal(clock_gettime(id, &now), 0);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Between two readings of the kernel's, however late they come. */
static void
expect_clocks_of_the_kernel(void)
{
	uint64_t start = ask(CLOCK_MONOTONIC_COARSE), before, got;

	/* At one moment, and when the coarse clock has gone on. */
	for (unsigned i = 0; i < 2; i++) {
		before = ask(CLOCK_MONOTONIC);
		got = clock_now_ns();
		assert_in_range(got, before, ask(CLOCK_MONOTONIC));
		before = ask(CLOCK_MONOTONIC_COARSE);
		got = clock_coarse_ns();
		assert_in_range(got, before, ask(CLOCK_MONOTONIC_COARSE));
		while (ask(CLOCK_MONOTONIC_COARSE) == start)
			usleep(1000);
	}
}

static void
both_clocks_are_those_of_the_kernel(void **state)
{
	(void)state;
	use(FUNCTION);
	expect_clocks_of_the_kernel();
	use(CALL);
	expect_clocks_of_the_kernel();
}

static void
seconds_and_nanoseconds_are_one_number(void **state)
{
	static const struct timespec times[] = { { 0, 0 }, { 1, 0 }, { 3, 7 },
		{ 4000000000, 999999998 } };

	(void)state;
	use(TEST);
	for (unsigned i = 0; i < ARRAY_LEN(times); i++) {
		uint64_t expected = (uint64_t)times[i].tv_sec * 1000000000 +
		    (uint64_t)times[i].tv_nsec;

		told = times[i];
		assert_true(clock_now_ns() == expected);
		assert_true(clock_coarse_ns() == expected + 1);
		assert_true(clock_wall_ns() == expected + 1000000000);
	}
}

static void
a_clock_that_cannot_be_read_stands_still_and_errno_is_kept(void **state)
{
	(void)state;
	use(TEST);
	told = (struct timespec){ 1, 0 };
	broken = true;
	errno = 77;
	assert_int_equal(clock_now_ns(), 0);
	assert_int_equal(clock_coarse_ns(), 0);
	assert_int_equal(errno, 77);
	broken = false;
	assert_int_not_equal(clock_now_ns(), 0);
	assert_int_equal(errno, 77);
}

/* It runs while it works, and not while it sleeps. */
static void
the_time_of_a_thread_is_that_which_it_runs(void **state)
{
	uint64_t begin_ns, wall_ns;

	(void)state;
	use(FUNCTION);
	begin_ns = clock_thread_ns();
	wall_ns = clock_now_ns();
	nanosleep(&(struct timespec){ 0, 200000000 }, NULL);
	assert_true(clock_thread_ns() - begin_ns < clock_now_ns() - wall_ns);
	while (clock_thread_ns() - begin_ns < 10000000)
		;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_never_goes_back),
		cmocka_unit_test(seconds_and_nanoseconds_are_one_number),
		cmocka_unit_test(the_time_of_a_thread_is_that_which_it_runs),
		cmocka_unit_test(both_clocks_are_those_of_the_kernel),
		cmocka_unit_test(
		    a_clock_that_cannot_be_read_stands_still_and_errno_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
