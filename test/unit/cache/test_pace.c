#include "cache/pace.h"

#include "../unit.h"
#include "util/size_class.h"

#define MS  UINT64_C(1000000)
#define KIB ((size_t)1 << 10)
/* An event every so often is right. */
#define LEAST_NS (10 * MS)
#define MOST_NS  (100 * MS)

static const size_t sizes[] = { 8, 16, 48, 64, 112, 512, 640, 4096, 14336,
	16384, 262144 };

static uint32_t
larger(size_t a, size_t b)
{
	return (uint32_t)(a > b ? a : b);
}

static void
a_bin_begins_with_64_kib_or_128_objects(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
		assert_int_equal(pace_first(sizes[i]),
		    larger(64 * KIB / sizes[i], 128));
}

/* Until nothing changes any more; each stride takes `since_ns`. */
static uint32_t
settle(uint32_t stride, size_t usable, uint64_t since_ns, bool much)
{
	for (unsigned i = 0; i < 10; i++)
		stride = pace_stride(stride, stride, usable, since_ns, much);
	return stride;
}

static void
a_busy_bin_goes_no_further_than_that(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		uint32_t first = pace_first(sizes[i]);

		assert_int_equal(settle(1, sizes[i], 1, true), first);
		assert_int_equal(settle(1, sizes[i], LEAST_NS - 1, false),
		    first);
		assert_int_equal(pace_stride(2, 2, sizes[i], 1, true), 16);
	}
}

/* How soon a thread begins to take samples, for example, is said in these. */
static void
while_the_clock_stands_it_goes_four_times_as_far(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		uint32_t most = 4 * pace_first(sizes[i]);

		assert_true(most <= larger(256 * KIB / sizes[i], 512));
		assert_int_equal(settle(1, sizes[i], 0, true), most);
		for (uint32_t stride = most - 2; stride <= most; stride++)
			assert_int_equal(pace_stride(stride, stride, sizes[i],
					     0, true),
			    most);
		/* When it goes on, it comes back. */
		assert_int_equal(pace_stride(most, most, sizes[i], 1, true),
		    pace_first(sizes[i]));
	}
}

static void
events_in_time_change_nothing(void **state)
{
	(void)state;
	for (uint32_t stride = 1; stride <= 128; stride++) {
		assert_int_equal(pace_stride(stride, stride, 64, LEAST_NS,
				     true),
		    stride);
		assert_int_equal(pace_stride(stride, stride, 64, MOST_NS / 2,
				     true),
		    stride);
		assert_int_equal(pace_stride(stride, stride, 64, MOST_NS, true),
		    stride);
		/* Late ones don't matter while little is unused. */
		assert_int_equal(pace_stride(stride, stride, 64, 50 * MOST_NS,
				     false),
		    stride);
	}
}

static void
while_much_is_unused_late_events_come_sooner(void **state)
{
	(void)state;
	assert_int_equal(pace_stride(1000, 1000, 64, 2 * MOST_NS, true), 500);
	assert_int_equal(pace_stride(1000, 1000, 64, 4 * MOST_NS, true), 250);
	assert_int_equal(pace_stride(1000, 1000, 64, 5000 * MOST_NS, true), 1);
}

/* It was called for: by a sample, or by a look at all bins. */
static void
an_early_event_counts_for_the_part_that_was_done(void **state)
{
	(void)state;
	/* A whole stride would have taken twice as long: in time. */
	assert_int_equal(pace_stride(100, 50, 64, LEAST_NS / 2, true), 100);
	assert_int_equal(pace_stride(100, 50, 64, LEAST_NS / 2 - 1, true), 800);
	/* Four times as long, which is too late. */
	assert_int_equal(pace_stride(100, 25, 64, MOST_NS, true), 25);
	assert_int_equal(pace_stride(100, 25, 64, MOST_NS, false), 100);
	/* It is late already, and nobody knows what comes. */
	assert_int_equal(pace_stride(100, 25, 64, 2 * MOST_NS, true), 50);
	/* In no time nothing can be known. */
	assert_int_equal(pace_stride(100, 50, 64, 0, true), 100);
	/* A bin that was granted none has done all of it. */
	assert_int_equal(pace_stride(100, 0, 64, LEAST_NS / 2, true), 800);
	assert_int_equal(pace_stride(100, 0, 64, 0, true), 800);
}

static void
soon_is_when_the_next_purge_may_be(void **state)
{
	(void)state;
	assert_int_equal(pace_soon(1000, LEAST_NS), 1000);
	assert_int_equal(pace_soon(1000, 2 * LEAST_NS), 500);
	assert_int_equal(pace_soon(1000, MOST_NS), 100);
	assert_int_equal(pace_soon(1000, MOST_NS + 1), 1);
	assert_int_equal(pace_soon(1000, 1), INT32_MAX);
	assert_int_equal(pace_soon(100, 1000 * 1000), 1000);
	assert_int_equal(pace_soon(1000, 0), 8000);
	assert_int_equal(pace_soon(UINT32_MAX, 0), INT32_MAX);
	/* At least one, as the event is over. */
	assert_int_equal(pace_soon(1, MOST_NS), 1);
	assert_int_equal(pace_soon(0, 0), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bin_begins_with_64_kib_or_128_objects),
		cmocka_unit_test(a_busy_bin_goes_no_further_than_that),
		cmocka_unit_test(
		    while_the_clock_stands_it_goes_four_times_as_far),
		cmocka_unit_test(events_in_time_change_nothing),
		cmocka_unit_test(while_much_is_unused_late_events_come_sooner),
		cmocka_unit_test(
		    an_early_event_counts_for_the_part_that_was_done),
		cmocka_unit_test(soon_is_when_the_next_purge_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
