#include "os/clock.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "../unit.h"

static bool broken;
static const struct timespec *told;	/* unless it is NULL */

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);

int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	if (told != NULL && !broken) {
		ts->tv_sec = told->tv_sec + (id == CLOCK_REALTIME);
		ts->tv_nsec = told->tv_nsec +
		    (id == CLOCK_MONOTONIC_COARSE);
		return 0;
	}
	if (!broken)
		return __real_clock_gettime(id, ts);
	errno = EINVAL;
	return -1;
}

static void
time_never_goes_back(void **state)
{
	uint64_t last = clock_now_ns(), coarse = clock_coarse_ns();

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
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

	assert_int_equal(__real_clock_gettime(id, &now), 0);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Between two readings of the kernel's, however late they come. */
static void
both_clocks_are_those_of_the_kernel(void **state)
{
	uint64_t start = ask(CLOCK_MONOTONIC_COARSE), before, got;

	(void)state;
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
seconds_and_nanoseconds_are_one_number(void **state)
{
	static const struct timespec times[] = { { 0, 0 }, { 1, 0 }, { 3, 7 },
		{ 4000000000, 999999998 } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(times); i++) {
		uint64_t expected = (uint64_t)times[i].tv_sec * 1000000000 +
		    (uint64_t)times[i].tv_nsec;

		told = &times[i];
		assert_true(clock_now_ns() == expected);
		assert_true(clock_coarse_ns() == expected + 1);
		assert_true(clock_wall_ns() == expected + 1000000000);
		told = NULL;
	}
}

static void
a_clock_that_cannot_be_read_stands_still_and_errno_is_kept(void **state)
{
	(void)state;
	broken = true;
	errno = 77;
	assert_int_equal(clock_now_ns(), 0);
	assert_int_equal(clock_coarse_ns(), 0);
	assert_int_equal(errno, 77);
	broken = false;
	assert_int_not_equal(clock_now_ns(), 0);
	assert_int_equal(errno, 77);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_never_goes_back),
		cmocka_unit_test(seconds_and_nanoseconds_are_one_number),
		cmocka_unit_test(both_clocks_are_those_of_the_kernel),
		cmocka_unit_test(
		    a_clock_that_cannot_be_read_stands_still_and_errno_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
