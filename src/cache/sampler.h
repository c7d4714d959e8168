/*
 * sampler: which allocations of a thread are samples.
 *
 * Owns:       a thread's random numbers, and the mean distance of samples.
 * Invariants: each byte handed out has the same chance 1/R to start a sample,
 *             whatever came before. So the distance to the next sample may be
 *             drawn again at any moment, and separately for each size. This is
 *             why each cache bin can count down in its own objects.
 * Locking:    none: one thread.
 */
#ifndef CACHE_SAMPLER_H
#define CACHE_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sampler {
	uint64_t state;
	uint64_t period;	/* R in bytes; 0: nothing is sampled */
};

/* The chance that an object of `usable` bytes is a sample, 0 .. 1. */
double sampler_chance(uint64_t period, size_t usable);

/* Draws how many objects of `usable` bytes come before the next sample. */
uint64_t sampler_draw(struct sampler *sampler, size_t usable);

/* Draws whether a single object of `usable` bytes is a sample. */
bool sampler_hits(struct sampler *sampler, size_t usable);

#endif
