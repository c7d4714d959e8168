#include "cache/sampler.h"

#include "util/real.h"

/* No program ever has this many objects. */
#define NEVER UINT64_C(0x7fffffffffffffff)

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
	 * The series is R - 1/2 - 1/(12 R) - ... Two terms suffice for a large
	 * R.
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

static double
guard_chance(const struct sampler *sampler)
{
	return sampler->every == 0 ? 0 : 1 / (double)sampler->every;
}

static double
profile_chance(const struct sampler *sampler, size_t usable)
{
	return sampler->period == 0 ? 0
				    : sampler_chance(sampler->period, usable);
}

uint64_t
sampler_draw(struct sampler *sampler, size_t usable)
{
	double rate = 0, objects;

	if (sampler->period == 1 || sampler->every == 1)
		return 0;
	/* The rates of independent events add up. */
	if (sampler->period != 0)
		rate = (double)usable / mean_of(sampler->period);
	if (sampler->every != 0)
		rate += 1 / mean_of(sampler->every);
	objects = -real_ln(draw(sampler)) / rate;
	return objects < (double)NEVER ? (uint64_t)objects : NEVER;
}

unsigned
sampler_pick(struct sampler *sampler, size_t usable)
{
	unsigned pick = SAMPLER_NOTHING;

	if (sampler->period != 0 &&
	    draw(sampler) <= profile_chance(sampler, usable))
		pick |= SAMPLER_PROFILE;
	if (sampler->every != 0 && draw(sampler) <= guard_chance(sampler))
		pick |= SAMPLER_GUARD;
	return pick;
}

unsigned
sampler_purpose(struct sampler *sampler, size_t usable)
{
	double profile = profile_chance(sampler, usable);
	double guard = guard_chance(sampler);

	if (profile == 0)
		return SAMPLER_GUARD;
	if (guard == 0)
		return SAMPLER_PROFILE;
	/* The object is picked for at least one of the two. */
	if (draw(sampler) * (profile + guard - profile * guard) > profile)
		return SAMPLER_GUARD;
	return draw(sampler) <= guard ? SAMPLER_PROFILE | SAMPLER_GUARD
				      : SAMPLER_PROFILE;
}
