#include "cache/sampler.h"

#include <math.h>

#include "../unit.h"

#define RUNS	200000

static void
chances_are_those_of_bytes_that_each_may_be_the_one(void **state)
{
	(void)state;
	for (uint64_t period = 2; period < (uint64_t)1 << 40; period *= 8)
		for (size_t usable = 8; usable < 1 << 30; usable *= 3) {
			double expected = -expm1((double)usable *
			    log1p(-1 / (double)period));

			assert_true(fabs(sampler_chance(period, usable) /
			    expected - 1) < 1e-7);
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
		assert_true(fabs(sum / RUNS - mean) < 5 * error /
		    sqrt(RUNS) + 1e-12);
		assert_true(fabs(hits / RUNS - p) < 5 * sqrt(p * (1 - p) /
		    RUNS) + 1e-12);
	}
}

static void
every_object_is_one_where_every_byte_is(void **state)
{
	struct sampler sampler = { .state = 1, .period = 1 };

	(void)state;
	for (unsigned run = 0; run < 1000; run++) {
		assert_int_equal(sampler_draw(&sampler, 8), 0);
		assert_int_equal(sampler_pick(&sampler, 8),
		    SAMPLER_PROFILE);
	}
}

static void
the_longest_period_is_never_reached_but_drawn(void **state)
{
	struct sampler sampler = { .state = 1,
		.period = (uint64_t)1 << 63 };

	(void)state;
	for (unsigned run = 0; run < 1000; run++)
		assert_true(sampler_draw(&sampler, 8) > 1000000);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
