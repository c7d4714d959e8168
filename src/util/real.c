#include "util/real.h"

#include <stdint.h>
#include <string.h>

#define LN2           0.693147180559945309417
#define SQRT2         1.414213562373095048802
#define EXPONENT_BIAS 1023
#define FRACTION_BITS 52
#define LN_TERMS      12
#define EXP_TERMS     20
/* Above this, e^-x is so small that 1 - e^-x is 1. */
#define X_MOST 40.0

static double
power_of_two(int n)
{
	uint64_t bits = (uint64_t)(n + EXPONENT_BIAS) << FRACTION_BITS;
	double result;

	memcpy(&result, &bits, sizeof(result));
	return result;
}

double
real_ln(double x)
{
	uint64_t bits;
	double m, t, t2, term, sum = 0;
	int exponent;

	memcpy(&bits, &x, sizeof(bits));
	exponent = (int)(bits >> FRACTION_BITS) - EXPONENT_BIAS;
	m = x * power_of_two(-exponent);
	if (m > SQRT2) {
		m /= 2;
		exponent++;
	}
	/* ln m = 2 artanh((m - 1) / (m + 1)) */
	t = (m - 1) / (m + 1);
	t2 = t * t;
	term = t;
	for (int k = 0; k < LN_TERMS; k++) {
		sum += term / (2 * k + 1);
		term *= t2;
	}
	return 2 * sum + exponent * LN2;
}

/* Computes 1 - e^-x by its power series. */
static double
share_of_small(double x)
{
	double term = 1, sum = 0;

	for (int k = 1; k <= EXP_TERMS; k++) {
		term *= -x / k;
		sum -= term;
	}
	return sum;
}

double
real_share(double x)
{
	int halvings;

	if (x < LN2)
		return share_of_small(x);
	if (x >= X_MOST)
		return 1;
	/* e^-x = 2^-n e^-r */
	halvings = (int)(x / LN2);
	return 1 -
	    power_of_two(-halvings) * (1 - share_of_small(x - halvings * LN2));
}
