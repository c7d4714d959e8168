/*
 * sampled: which requests are samples of the heap profile.
 *
 * Owns:       nothing; each thread's cache has its countdown.
 * Invariants: a byte is drawn once, whatever becomes of the request: in the
 *             thread's own bins by their countdown, elsewhere by the size.
 * Locking:    none; the cache is the calling thread's.
 */
#ifndef API_SAMPLED_H
#define API_SAMPLED_H

#include <stdbool.h>
#include <stddef.h>

#include "cache/tcache.h"
#include "prof/prof.h"
#include "prof/prof_output.h"

struct extent;

enum sampled_draw {
	SAMPLED_OFF,		/* there is no profile */
	SAMPLED_MISS,
	SAMPLED_HIT,
};

/**
 * Draws for a request of `usable` bytes.
 * @param bin  of `tcache`, that would serve it; CACHE_BINS: it comes from
 *             elsewhere
 */
enum sampled_draw sampled_draw(struct tcache *tcache, unsigned bin,
    size_t usable);

/* For a small bin, in few steps: there is nothing to draw, count or follow. */
static inline bool
sampled_is_far(const struct tcache *tcache, unsigned bin)
{
	return tcache->bins[bin + 1].countdown > 0 &&
	    tcache->cold[bin].max != 0 &&
	    tcache->sampler.period == prof_period() && !prof_gdump();
}

/*
 * A large object gets another size without being taken anew. Is it drawn? Then
 * no cache may take it, and it becomes a sample of a request of `size` bytes
 * when it has its size; what it was before ends either way.
 */
bool sampled_resize_draws(size_t usable);
void sampled_resized(struct extent *e, size_t size, bool drawn);

#endif
