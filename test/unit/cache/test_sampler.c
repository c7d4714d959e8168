#include "cache/sampler.h"

#include <math.h>

#include "../unit.h"

#define RUNS 200000

static void
chances_are_those_of_bytes_that_each_may_be_the_one(void **state)
{
	(void)state;
	for (uint64_t period = 2; period < (uint64_t)1 << 40; period *= 8)
		for (size_t usable = 8; usable < 1 << 30; usable *= 3) {
			double expected = -expm1((double)usable *
			    log1p(-1 / (double)period));

			assert_true(fabs(sampler_chance(period, usable) /
					    expected -
					1) < 1e-7);
		}
	assert_true(sampler_chance(1, 8) == 1);
}

/* The mean of what is drawn, and of how often a single one is hit. */
static void
draws_have_the_mean_that_the_chance_demands(void **state)
{
	static const size_t size[] = { 8, 112, 4096, 100000 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(size); i++) {
		struct sampler sampler = { .state = i, .period = 8192 };
		double p = sampler_chance(8192, size[i]), sum = 0, hits = 0;
		double mean = (1 - p) / p, error = sqrt(1 - p) / p;

		for (unsigned run = 0; run < RUNS; run++) {
			sum += (double)sampler_draw(&sampler, size[i]);
			hits += sampler_pick(&sampler, size[i]) ==
			    SAMPLER_PROFILE;
		}
		assert_true(fabs(sum / RUNS - mean) <
		    5 * error / sqrt(RUNS) + 1e-12);
		assert_true(fabs(hits / RUNS - p) <
		    5 * sqrt(p * (1 - p) / RUNS) + 1e-12);
	}
}

static void
every_object_is_one_where_every_byte_is(void **state)
{
	struct sampler sampler = { .state = 1, .period = 1 };

	(void)state;
	for (unsigned run = 0; run < 1000; run++) {
		assert_int_equal(sampler_draw(&sampler, 8), 0);
		assert_int_equal(sampler_pick(&sampler, 8), SAMPLER_PROFILE);
	}
}

static void
the_longest_period_is_never_reached_but_drawn(void **state)
{
	struct sampler sampler = { .state = 1, .period = (uint64_t)1 << 63 };

	(void)state;
	for (unsigned run = 0; run < 1000; run++)
		assert_true(sampler_draw(&sampler, 8) > 1000000);
}

/* How often something was to happen, and how often it did. */
struct tally {
	double expected;
	double variance;
	double seen;
};

static void
tally_add(struct tally *tally, double chance, bool seen)
{
	tally->expected += chance;
	tally->variance += chance * (1 - chance);
	tally->seen += seen;
}

static void
tally_verify(const struct tally *tally)
{
	assert_true(fabs(tally->seen - tally->expected) <=
	    5 * sqrt(tally->variance) + 1e-9);
}

/* Of two independent events, one at least has happened: which? */
static void
a_picked_object_is_for_one_of_the_two_at_least(void **state)
{
	struct tally profile = { 0 }, guard = { 0 }, both = { 0 };
	struct sampler sampler = { .state = 1 };
	uint64_t seed = 7;

	(void)state;
	for (unsigned run = 0; run < 2 * RUNS; run++) {
		size_t usable = 8 + random_below(&seed, 20000);
		double p, g, any;
		unsigned pick;

		sampler.period = 1 + random_below(&seed, 20000);
		sampler.every = 1 + random_below(&seed, 50);
		p = sampler_chance(sampler.period, usable);
		g = 1 / (double)sampler.every;
		any = p + g - p * g;
		pick = sampler_purpose(&sampler, usable);
		assert_true(pick == SAMPLER_PROFILE || pick == SAMPLER_GUARD ||
		    pick == (SAMPLER_PROFILE | SAMPLER_GUARD));
		tally_add(&profile, p / any, pick & SAMPLER_PROFILE);
		tally_add(&guard, g / any, pick & SAMPLER_GUARD);
		tally_add(&both, p * g / any,
		    pick == (SAMPLER_PROFILE | SAMPLER_GUARD));
	}
	tally_verify(&profile);
	tally_verify(&guard);
	tally_verify(&both);
}

static void
what_is_off_is_never_the_purpose(void **state)
{
	struct sampler guard = { .state = 1, .every = 10 };
	struct sampler profile = { .state = 1, .period = 4096 };
	struct sampler none = { .state = 1 };

	(void)state;
	assert_true(sampler_is_on(&guard) && sampler_is_on(&profile));
	assert_false(sampler_is_on(&none));
	for (unsigned run = 0; run < 1000; run++) {
		size_t usable = (size_t)8 << run % 20;

		assert_int_equal(sampler_purpose(&guard, usable),
		    SAMPLER_GUARD);
		assert_int_equal(sampler_purpose(&profile, usable),
		    SAMPLER_PROFILE);
		assert_int_equal(sampler_pick(&none, usable), SAMPLER_NOTHING);
		assert_true((sampler_pick(&guard, usable) & SAMPLER_PROFILE) ==
		    0);
		assert_true((sampler_pick(&profile, usable) & SAMPLER_GUARD) ==
		    0);
	}
	guard.every = 1;
	assert_int_equal(sampler_pick(&guard, 8), SAMPLER_GUARD);
	assert_int_equal(sampler_draw(&guard, 8), 0);
	assert_int_equal(
	    sampler_draw(&(struct sampler){ .period = 4096, .every = 1 }, 8),
	    0);
}

#define BINS 6

/*
 * Objects of several sizes, each size with a countdown of its own, as in a
 * cache. At random moments countdowns are drawn again and settings change. The
 * model: each object is picked for each purpose with the chance that the
 * contract names, whatever came before.
 */
static void
countdowns_pick_as_if_each_object_was_drawn(void **state)
{
	static const size_t usable[BINS] = { 8, 48, 320, 2048, 16384, 100000 };
	struct sampler sampler = { .state = 99, .period = 4096, .every = 20 };
	struct tally profile[BINS] = { 0 }, guard[BINS] = { 0 };
	struct tally both = { 0 }, pair = { 0 };
	uint64_t left[BINS], seed = 3;
	bool before = false;

	(void)state;
	for (unsigned bin = 0; bin < BINS; bin++)
		left[bin] = sampler_draw(&sampler, usable[bin]);
	for (unsigned step = 0; step < 2000000; step++) {
		unsigned bin = (unsigned)random_below(&seed, BINS);
		unsigned pick = SAMPLER_NOTHING;
		double p, g = 1 / (double)sampler.every;

		if (random_below(&seed, 1000) == 0) {
			sampler.period = 512 + random_below(&seed, 50000);
			sampler.every = 2 + random_below(&seed, 100);
			g = 1 / (double)sampler.every;
			for (unsigned i = 0; i < BINS; i++)
				left[i] = sampler_draw(&sampler, usable[i]);
		} else if (random_below(&seed, 10) == 0) {
			left[bin] = sampler_draw(&sampler, usable[bin]);
		}
		p = sampler_chance(sampler.period, usable[bin]);
		if (left[bin]-- == 0) {
			pick = sampler_purpose(&sampler, usable[bin]);
			left[bin] = sampler_draw(&sampler, usable[bin]);
		}
		tally_add(&profile[bin], p, pick & SAMPLER_PROFILE);
		tally_add(&guard[bin], g, pick & SAMPLER_GUARD);
		tally_add(&both, p * g,
		    pick == (SAMPLER_PROFILE | SAMPLER_GUARD));
		/* One guard makes another one neither likelier nor rarer. */
		if (before)
			tally_add(&pair, g, pick & SAMPLER_GUARD);
		before = (pick & SAMPLER_GUARD) != 0;
	}
	for (unsigned bin = 0; bin < BINS; bin++) {
		tally_verify(&profile[bin]);
		tally_verify(&guard[bin]);
	}
	tally_verify(&both);
	tally_verify(&pair);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    chances_are_those_of_bytes_that_each_may_be_the_one),
		cmocka_unit_test(draws_have_the_mean_that_the_chance_demands),
		cmocka_unit_test(every_object_is_one_where_every_byte_is),
		cmocka_unit_test(the_longest_period_is_never_reached_but_drawn),
		cmocka_unit_test(
		    a_picked_object_is_for_one_of_the_two_at_least),
		cmocka_unit_test(what_is_off_is_never_the_purpose),
		cmocka_unit_test(countdowns_pick_as_if_each_object_was_drawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
