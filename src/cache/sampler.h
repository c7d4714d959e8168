/*
 * sampler: which allocations of a thread are samples.
 *
 * Owns:       a thread's random numbers, and the mean distance of samples.
 * Invariants: each byte handed out has the same chance 1/R to start a sample,
 *             whatever came before. So the bytes until the next one may be
 *             drawn anew at any moment, and for each size by itself: a cache
 *             bin counts down in objects, as it does anyway.
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

/* The chance of an object of `usable` bytes to be a sample, 0 .. 1. */
double sampler_chance(uint64_t period, size_t usable);

/* How many objects of `usable` bytes come before one that is a sample. */
uint64_t sampler_draw(struct sampler *sampler, size_t usable);

/* Is a single object of `usable` bytes one? */
bool sampler_hits(struct sampler *sampler, size_t usable);

#endif
