/*
 * sampler: which allocations of a thread are picked, and for what.
 *
 * Owns:       a thread's random numbers, and how often it picks.
 * Invariants: each byte of an object is picked for the heap profile with a
 *             chance of 1/R. Each object is picked for a guard with a chance of
 *             1/N, whatever its size. All picks are independent. So the
 *             distance to the next pick may be drawn again at any moment, and
 *             separately for each size. This is why each cache bin can count
 *             down in its own objects. One countdown serves both purposes: the
 *             purpose of a pick is drawn afterwards.
 * Locking:    none: one thread.
 */
#ifndef CACHE_SAMPLER_H
#define CACHE_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an object is picked for (bits). */
enum sampler_pick {
	SAMPLER_NOTHING = 0,
	SAMPLER_PROFILE = 1,
	SAMPLER_GUARD = 2,
};

struct sampler {
	uint64_t state;
	uint64_t period; /* R in bytes; 0: no heap profile */
	uint64_t every;  /* N in objects; 0: no guards */
};

static inline bool
sampler_is_on(const struct sampler *sampler)
{
	return (sampler->period | sampler->every) != 0;
}

/* The chance that an object of `usable` bytes is in the profile, 0 .. 1. */
double sampler_chance(uint64_t period, size_t usable);

/* Draws how many objects of `usable` bytes come before the next pick. */
uint64_t sampler_draw(struct sampler *sampler, size_t usable);

/* Draws what a single object of `usable` bytes is picked for. */
unsigned sampler_pick(struct sampler *sampler, size_t usable);

/* The same for an object that is known to be picked. */
unsigned sampler_purpose(struct sampler *sampler, size_t usable);

#endif
