/*
 * tcache: fills, empties and ages the bins of a thread's cache.
 *
 * Owns:       the objects in the stacks, and the counts of what passed through
 *             them. cache/stack decides how deep a stack is.
 * Invariants: unused objects are given back step by step. No fast path sees a
 *             stack while it is hidden.
 * Locking:    only its thread uses a cache, except for what upkeep/trim.h
 *             says. The bins of arenas have their own locks.
 */
#ifndef CACHE_TCACHE_H
#define CACHE_TCACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/tcache_state.h"
#include "util/size_class.h"

struct arena;

static inline unsigned
tcache_rare(const struct tcache *tcache)
{
	return atomic_load_explicit(&tcache->rare, memory_order_relaxed);
}

/* Sets or clears some of enum tcache_rare. Any thread may call it. */
static inline void
tcache_set_rare(struct tcache *tcache, unsigned bits, bool on)
{
	if (on)
		atomic_fetch_or(&tcache->rare, bits);
	else
		atomic_fetch_and(&tcache->rare, ~bits);
}

/*
 * Makes an empty cache that fills from `arena`. Its bytes must be zero before.
 */
void tcache_init(struct tcache *tcache, struct arena *arena, uintptr_t random);

/* Empties the cache and frees the memory of the stacks. */
void tcache_fini(struct tcache *tcache);

/**
 * Empties the cache and starts it again with other bounds. It must not be busy
 * (tcache_is_busy()).
 * @param enabled   false: nothing is cached from now on; nor is it with true
 *                  if objects are filled
 * @param max_size  largest object to be cached, in bytes
 */
void tcache_configure(struct tcache *tcache, bool enabled, size_t max_size);

/* For TCACHE_FOLLOWS_CPU: changes the arena if the CPU has changed. */
COLD void tcache_follow_cpu(struct tcache *tcache);

/*
 * The most objects that bin `bin` may hold; set empties the bin, which must not
 * be busy.
 */
unsigned tcache_bin_max(const struct tcache *tcache, unsigned bin);
void tcache_bin_set_max(struct tcache *tcache, unsigned bin, unsigned max);

/*
 * Hides the stacks from the fast paths, or shows them again. While they are
 * hidden, each call goes through the slow path, which can count. The cache must
 * not be busy.
 */
void tcache_hide(struct tcache *tcache, bool hidden);

/**
 * Takes an object of cache bin `bin` if cache_bin_take() could not. Handles the
 * event that may be due, and fills the bin.
 * @return  NULL without memory
 */
void *tcache_take_slow(struct tcache *tcache, unsigned bin);

/*
 * Takes up to `count` objects at once out of the stack of cache bin `bin`. They
 * still have the marks of freed objects. Returns how many it took.
 */
size_t tcache_take_many(struct tcache *tcache, unsigned bin, void **objects,
    size_t count);

/*
 * The program has stored the mark of this cache in an object of its own. Each
 * time, the stack is searched. So if this happens often, the cache gets another
 * mark.
 */
void tcache_met_mark(struct tcache *tcache);

/* Puts an object into cache bin `bin`, and makes room for it first. */
void tcache_give_slow(struct tcache *tcache, unsigned bin, void *object);

/*
 * The same for an object that is not for the program: it comes from where one
 * of the program would come from, but counts neither as a request nor towards
 * the next sample.
 */
void *tcache_take_aside(struct tcache *tcache, unsigned bin);
void tcache_give_aside(struct tcache *tcache, unsigned bin, void *object);

/*
 * The same, but fast if there is room. For objects without a mark
 * (opt.checked).
 */
static inline void
tcache_give(struct tcache *tcache, unsigned bin, void *object)
{
	struct cache_bin *stack = &tcache->bins[bin + 1];
	void **head = stack->head;

	if (likely(head > stack->full))
		cache_bin_give(stack, head, object);
	else
		tcache_give_slow(tcache, bin, object);
}

/*
 * From now on allocations are picked as `sampler` says. Its random state must
 * differ in each thread.
 */
void tcache_sample(struct tcache *tcache, const struct sampler *sampler);

/* While allocations are picked: is the next object of bin `bin` due? */
bool tcache_sample_due(struct tcache *tcache, unsigned bin);

/* To be called when that object is taken: draws when the next one is due. */
void tcache_sampled(struct tcache *tcache, unsigned bin);

/*
 * Returns all cached objects to their arenas. Does nothing while the cache is
 * busy: a slow path may be giving back the same objects.
 */
void tcache_flush(struct tcache *tcache);

/*
 * Adds the counts of requests to those of the arena. To be called before the
 * arena changes or the cache ends.
 */
void tcache_leave_counts(struct tcache *tcache);

#endif
