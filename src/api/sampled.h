/*
 * sampled: decides which requests are samples of the heap profile, and which
 * get a guarded object.
 *
 * Owns:       nothing; each thread's cache has its countdowns.
 * Invariants: each request is decided once, also if it fails later. In the
 *             thread's own bins, the countdown decides. Elsewhere, a random
 *             draw decides, with a chance that depends on the size.
 * Locking:    none; the cache is that of the calling thread.
 */
#ifndef API_SAMPLED_H
#define API_SAMPLED_H

#include <stdbool.h>
#include <stddef.h>

#include "cache/tcache.h"
#include "guard/guard.h"
#include "prof/prof.h"
#include "prof/prof_output.h"

struct extent;

/**
 * Decides for a request of `usable` bytes.
 * @param bin  of `tcache`, which would serve it; CACHE_BINS: no bin of it would
 * @return     bits of enum sampler_pick
 */
unsigned sampled_draw(struct tcache *tcache, unsigned bin, size_t usable);

/* A short check for a small bin: no sample is due, and nothing has changed. */
static inline bool
sampled_is_far(const struct tcache *tcache, unsigned bin)
{
	return tcache->bins[bin + 1].countdown > 0 &&
	    tcache->cold[bin].max != 0 &&
	    tcache->sampler.period == prof_period() &&
	    tcache->sampler.every == guard_every() && !prof_gdump();
}

/*
 * For a large object that is resized in place. sampled_resize_draws() is called
 * before the change. It decides whether the object becomes a sample; then no
 * cache may keep it. sampled_resized() is called after the change. It ends the
 * object's old sample, if any, and begins one for a request of `size` bytes if
 * it was drawn.
 */
bool sampled_resize_draws(size_t usable);
void sampled_resized(struct extent *e, size_t size, bool drawn);

#endif
