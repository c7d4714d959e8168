#include "pages/decay.h"

#include "../unit.h"
#include "conf/options.h"

#define MS UINT64_C(1000000)
#define MB ((size_t)1 << 20)

static void
nothing_is_due_without_a_time(void **state)
{
	struct decay decay;

	(void)state;
	decay_init(&decay, -1, 5 * MS);
	assert_false(decay_is_due(&decay, UINT64_C(1) << 60));
	decay_init(&decay, 0, 5 * MS);
	assert_false(decay_is_due(&decay, UINT64_C(1) << 60));
}

static void
a_step_is_a_hundredth_of_the_time(void **state)
{
	struct decay decay;

	(void)state;
	decay_init(&decay, 1000, 5 * MS);
	assert_false(decay_is_due(&decay, 5 * MS));
	assert_false(decay_is_due(&decay, 15 * MS - 1));
	assert_true(decay_is_due(&decay, 15 * MS));
	/* Also where the whole time is a single millisecond. */
	decay_init(&decay, 1, 0);
	assert_false(decay_is_due(&decay, MS / 100 - 1));
	assert_true(decay_is_due(&decay, MS / 100));
}

static void
what_was_unused_at_the_start_may_stay_for_the_whole_time(void **state)
{
	struct decay decay;

	(void)state;
	decay_init(&decay, 1000, 0);
	assert_int_equal(decay_advance(&decay, 10 * MS, 100 * MB), 100 * MB);
	assert_int_equal(decay_advance(&decay, 1010 * MS, 100 * MB), 0);
}

/* Freed at once, never used again: the limit's whole course. */
static void
one_burst_falls_smoothly_to_nothing(void **state)
{
	static const int64_t times[] = { 1, 10, 100, 1000, 10000, 3600000,
		DECAY_MS_MAX };

	(void)state;
	for (unsigned i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct decay decay;
		uint64_t step;
		size_t last;

		decay_init(&decay, times[i], 0);
		step = decay.step_ns;
		last = decay_advance(&decay, step, 1000 * MB);
		assert_int_equal(last, 1000 * MB);
		for (uint64_t n = 2; n <= DECAY_STEPS; n++) {
			size_t now = decay_advance(&decay, n * step, last);

			assert_true(now <= last);
			/* The steepest step of the curve takes 1.5 %. */
			assert_true(last - now <= 16 * MB);
			assert_int_equal(decay_owed(&decay, last), last - now);
			decay_purged(&decay, last - now);
			last = now;
		}
		assert_true(last < MB);
		assert_int_equal(decay_advance(&decay, (DECAY_STEPS + 1) * step,
				     last),
		    0);
	}
}

static void
half_is_left_after_half_of_the_time(void **state)
{
	struct decay decay;
	size_t left;

	(void)state;
	decay_init(&decay, 1000, 0);
	decay_advance(&decay, 0, 1000 * MB);
	left = decay_advance(&decay, 500 * MS, 1000 * MB);
	assert_in_range(left, 499 * MB, 501 * MB);
}

/*
 * A naive model: each byte remembers when it was first seen, and may stay to
 * its share. The limit must lie between that with all bytes a step younger
 * and that with all a step older.
 */
static double
curve(double age)
{
	double x = age <= 0 ? 1 : age >= 1 ? 0 : 1 - age;

	return x * x * (3 - 2 * x);
}

static void
the_limit_is_the_sum_of_what_each_free_may_keep(void **state)
{
	struct {
		uint64_t when;
		double size;
	} freed[400];
	struct decay decay;
	uint64_t seed = 1, now = 0;
	size_t size = 0;
	unsigned n = 0;

	(void)state;
	decay_init(&decay, 1000, 0);
	while (n < 400) {
		double low = 0, high = 0;
		size_t more = random_below(&seed, 3) == 0
		    ? random_below(&seed, 10 * MB)
		    : 0;
		size_t limit;

		now += 10 * MS + random_below(&seed, 40 * MS);
		size += more;
		freed[n].when = now;
		freed[n++].size = (double)more;
		limit = decay_advance(&decay, now, size);
		for (unsigned i = 0; i < n; i++) {
			double age = (double)(now - freed[i].when) / 1e9;

			low += freed[i].size * curve(age + 0.011);
			high += freed[i].size * curve(age - 0.011);
		}
		assert_true((double)limit >= low * 0.999 - 4096);
		assert_true((double)limit <= high * 1.001 + 4096);
		if (size > limit) {
			decay_purged(&decay, size - limit);
			size = limit;
		}
	}
}

/* Of 1000 MB, 500 have to go, in pieces, while others come and go. */
static void
what_is_owed_goes_in_pieces(void **state)
{
	struct decay decay;
	size_t owed, limit;

	(void)state;
	decay_init(&decay, 1000, 0);
	decay_advance(&decay, 0, 1000 * MB);
	limit = decay_advance(&decay, 500 * MS, 1000 * MB);
	owed = 1000 * MB - limit;
	assert_int_equal(decay_owed(&decay, 1000 * MB), owed);
	decay_purged(&decay, 100 * MB);
	assert_int_equal(decay_owed(&decay, 900 * MB), owed - 100 * MB);
	/* What is freed now is not owed; it counts from the next step on. */
	assert_int_equal(decay_owed(&decay, 1200 * MB), owed - 100 * MB);
	assert_in_range(decay_advance(&decay, 510 * MS, 1200 * MB),
	    limit + 284 * MB, limit + 286 * MB);
	/* What is taken need not be purged. */
	assert_int_equal(decay_owed(&decay, 100 * MB), 0);
	assert_int_equal(decay_owed(&decay, 1000 * MB), 0);
	decay_purged(&decay, 2000 * MB);
	assert_int_equal(decay.last_size, 0);
}

static void
what_is_freed_counts_from_when_it_is_seen(void **state)
{
	struct decay decay;

	(void)state;
	decay_init(&decay, 1000, 0);
	/* A burst after a long silence may stay like any other. */
	assert_int_equal(decay_advance(&decay, 50000 * MS, 10 * MB), 10 * MB);
	assert_int_equal(decay_advance(&decay, 50500 * MS, 30 * MB) / MB,
	    20 + 5);
	assert_int_equal(decay_advance(&decay, 51010 * MS, 20 * MB) / MB, 9);
	assert_int_equal(decay_advance(&decay, 51510 * MS, 10 * MB), 0);
}

static void
reuse_makes_no_room_for_more(void **state)
{
	struct decay decay;

	(void)state;
	decay_init(&decay, 1000, 0);
	decay_advance(&decay, 0, 10 * MB);
	/* All used again, and nothing freed until the end of the time. */
	decay_advance(&decay, 300 * MS, 0);
	assert_int_equal(decay_advance(&decay, 1300 * MS, 0), 0);
	assert_int_equal(decay_advance(&decay, 1400 * MS, 3 * MB), 3 * MB);
	assert_int_equal(decay_advance(&decay, 2400 * MS, 3 * MB), 0);
}

static void
a_clock_that_goes_back_forgets_nothing(void **state)
{
	struct decay decay;

	(void)state;
	decay_init(&decay, 1000, 0);
	decay_advance(&decay, 1000 * MS, 10 * MB);
	assert_int_equal(decay_advance(&decay, 300 * MS, 10 * MB), 10 * MB);
	assert_in_range(decay_advance(&decay, 800 * MS, 10 * MB), 4 * MB,
	    6 * MB);
	assert_int_equal(decay_advance(&decay, 1310 * MS, 10 * MB), 0);
}

/*
 * Wherever a clock stands, and wherever it jumps, time counts off from there.
 */
static void
any_clock_brings_the_limit_to_nothing(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct decay decay;
		uint64_t now = random_next(&seed) >> random_below(&seed, 60);
		size_t limit = 0;

		decay_init(&decay, 1000, now);
		for (unsigned jump = 0; jump < 5; jump++) {
			now = random_next(&seed) >> random_below(&seed, 60);
			limit = decay_advance(&decay, now, 10 * MB);
			assert_true(limit <= 50 * MB);
			if (now > UINT64_MAX - 2000 * MS)
				continue;
			assert_true(decay_advance(&decay, now + 100 * MS,
					10 * MB) <= 50 * MB);
		}
		now = random_next(&seed) / 4;
		decay_advance(&decay, now, 10 * MB);
		for (unsigned n = 1; n <= DECAY_STEPS + 1; n++) {
			size_t less = decay_advance(&decay, now + n * 10 * MS,
			    10 * MB);

			assert_true(n == 1 || less <= limit);
			limit = less;
		}
		assert_int_equal(limit, 0);
	}
}

static void
all_of_an_address_space_is_not_too_much(void **state)
{
	struct decay decay;
	size_t space = (size_t)1 << (WORD_BITS == 64 ? 47 : 31);

	(void)state;
	decay_init(&decay, 1000, 0);
	assert_int_equal(decay_advance(&decay, 0, space), space);
	assert_in_range(decay_advance(&decay, 500 * MS, space),
	    space / 2 - space / 100, space / 2 + space / 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_due_without_a_time),
		cmocka_unit_test(a_step_is_a_hundredth_of_the_time),
		cmocka_unit_test(
		    what_was_unused_at_the_start_may_stay_for_the_whole_time),
		cmocka_unit_test(one_burst_falls_smoothly_to_nothing),
		cmocka_unit_test(half_is_left_after_half_of_the_time),
		cmocka_unit_test(
		    the_limit_is_the_sum_of_what_each_free_may_keep),
		cmocka_unit_test(what_is_owed_goes_in_pieces),
		cmocka_unit_test(what_is_freed_counts_from_when_it_is_seen),
		cmocka_unit_test(reuse_makes_no_room_for_more),
		cmocka_unit_test(a_clock_that_goes_back_forgets_nothing),
		cmocka_unit_test(any_clock_brings_the_limit_to_nothing),
		cmocka_unit_test(all_of_an_address_space_is_not_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
