#include "cache/sampler.h"

#include "util/real.h"

/* No program hands out so many objects. */
#define NEVER	UINT64_C(0x7fffffffffffffff)

/* Uniform on (0, 1]. */
static double
draw(struct sampler *sampler)
{
	uint64_t x = sampler->state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	x ^= x >> 31;
	return (double)((x >> 11) + 1) / 9007199254740992.0;
}

/*
 * -1 / ln(1 - 1/R). With this mean, e^(-bytes / mean) is the chance that so
 * many bytes contain no sample.
 */
static double
mean_of(uint64_t period)
{
	double r = (double)period;

	/*
	 * The series is R - 1/2 - 1/(12 R) - ...: two terms do for a large R.
	 */
	return period > 4096 ? r - 0.5 : -1 / real_ln(1 - 1 / r);
}

double
sampler_chance(uint64_t period, size_t usable)
{
	if (period <= 1)
		return 1;
	return real_share((double)usable / mean_of(period));
}

uint64_t
sampler_draw(struct sampler *sampler, size_t usable)
{
	double objects;

	if (sampler->period <= 1)
		return 0;
	objects = -real_ln(draw(sampler)) * mean_of(sampler->period) /
	    (double)usable;
	return objects < (double)NEVER ? (uint64_t)objects : NEVER;
}

bool
sampler_hits(struct sampler *sampler, size_t usable)
{
	return draw(sampler) <= sampler_chance(sampler->period, usable);
}
