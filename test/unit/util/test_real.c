#include "util/real.h"

#include <float.h>
#include <math.h>

#include "../unit.h"

static void
assert_near(double got, double expected)
{
	if (fabs(got - expected) > 1e-14 * fabs(expected) &&
	    fabs(got - expected) > DBL_MIN)
		fail_msg("%.17g, not %.17g", got, expected);
}

static void
logarithms_are_right_over_the_whole_range(void **state)
{
	uint64_t seed = 1;

	(void)state;
	assert_true(real_ln(1) == 0);
	for (int e = -1000; e <= 1000; e++)
		assert_near(real_ln(ldexp(1.37, e)), log(ldexp(1.37, e)));
	for (unsigned i = 0; i < 100000; i++) {
		/* As they are drawn: 53 bits above 0, up to 1. */
		double u = (double)((random_next(&seed) >> 11) + 1) * 0x1p-53;

		assert_near(real_ln(u), log(u));
	}
}

static void
shares_are_right_from_tiny_to_all(void **state)
{
	(void)state;
	assert_true(real_share(0) == 0);
	for (double x = 1e-18; x < 1000; x *= 1.01)
		assert_near(real_share(x), -expm1(-x));
	assert_true(real_share(1e300) == 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logarithms_are_right_over_the_whole_range),
		cmocka_unit_test(shares_are_right_from_tiny_to_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
