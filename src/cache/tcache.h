/*
 * tcache: filling, emptying and ageing of a thread's cache bins.
 *
 * Owns:       the stacks' memory (pieces of metadata) and how large they are.
 * Invariants: the stacks of a thread may hold `room` bytes of objects more than
 *             they do. A stack starts small, grows when it misses repeatedly
 *             and is emptied bit by bit when its objects are not used.
 * Locking:    a thread's cache is its own, but for what trim.h says; bins lock
 *             themselves.
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

/* How many trim now: while there is anybody, the guard is to be held. */
extern HIDDEN _Atomic unsigned tcache_guarded;

static inline unsigned
tcache_rare(const struct tcache *tcache)
{
	return atomic_load_explicit(&tcache->rare, memory_order_relaxed);
}

/* Sets some of enum tcache_rare; may be done by any thread. */
static inline void
tcache_set_rare(struct tcache *tcache, unsigned bits, bool on)
{
	if (on)
		atomic_fetch_or(&tcache->rare, bits);
	else
		atomic_fetch_and(&tcache->rare, ~bits);
}

/* An empty cache that fills from `arena`; all bytes must be zero. */
void tcache_init(struct tcache *tcache, struct arena *arena, uintptr_t key);

/* Empties it and returns the stacks' memory. */
void tcache_fini(struct tcache *tcache);

/**
 * Empties the cache and starts it again with other bounds.
 * @param enabled   false: nothing is cached from now on
 * @param max_size  largest object to be cached, in bytes
 */
void tcache_configure(struct tcache *tcache, bool enabled, size_t max_size);

/* With TCACHE_FOLLOWS_CPU: the thread may run on another CPU by now. */
COLD void tcache_follow_cpu(struct tcache *tcache);

/* The most objects that bin `bin` may hold; set empties the bin. */
unsigned tcache_bin_max(const struct tcache *tcache, unsigned bin);
void tcache_bin_set_max(struct tcache *tcache, unsigned bin, unsigned max);

/*
 * Takes the stacks out of the fast paths' sight, or shows them again: each
 * call then goes through the slow path, which can count.
 */
void tcache_hide(struct tcache *tcache, bool hidden);

/**
 * An object of cache bin `bin`, after cache_bin_take() found none: handles the
 * event that may be due, fills the bin.
 * @return  NULL without memory
 */
void *tcache_take_slow(struct tcache *tcache, unsigned bin);

/*
 * Up to `count` objects at once that are in the stack of cache bin `bin`, with
 * their marks still on them. Returns how many.
 */
size_t tcache_take_many(struct tcache *tcache, unsigned bin, void **objects,
    size_t count);

/* Puts an object into cache bin `bin`, making room first. */
void tcache_give_slow(struct tcache *tcache, unsigned bin, void *object);

/*
 * From now on allocations are sampled, one in `period` bytes; 0: none. `seed`
 * is to be another one for each thread.
 */
void tcache_sample(struct tcache *tcache, uint64_t period, uint64_t seed);

/* Where that is so: is the next object of bin `bin` a sample? */
bool tcache_sample_due(struct tcache *tcache, unsigned bin);

/* It was; the next one is drawn. */
void tcache_sampled(struct tcache *tcache, unsigned bin);

/* Is `object` in the stack? For reports. */
bool tcache_contains(const struct tcache *tcache, unsigned bin, const void *object);

/* Returns all cached objects to their arenas. */
void tcache_flush(struct tcache *tcache);

/* Objects in the stack; another thread's are counted roughly. */
uint32_t tcache_count(const struct tcache *tcache, unsigned bin);

/* Bytes handed out and taken back so far, exact for the owner. */
void tcache_bytes(const struct tcache *tcache, uint64_t *taken,
    uint64_t *given);

/* Brings the counters `taken` and `given` of a bin up to date. */
void tcache_settle(struct tcache *tcache, unsigned bin);

/*
 * Objects of a bin handed out since the counts were last left to an arena;
 * of another thread roughly.
 */
uint64_t tcache_requests(const struct tcache *tcache, unsigned bin);

/* Leaves the counts of requests to the arena: it changes, or the cache ends. */
void tcache_leave_counts(struct tcache *tcache);

/*
 * Around a fast path's look at the top of a bin of objects larger than
 * CLASS_FINE_MAX: trim.c, behind a barrier that all threads pass, sees whether
 * any such look is under way.
 */
static ALWAYS_INLINE void
tcache_begin_take(struct tcache *tcache)
{
	atomic_store_explicit(&tcache->guard.taking, true,
	    memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

static ALWAYS_INLINE void
tcache_end_take(struct tcache *tcache)
{
	atomic_store_explicit(&tcache->guard.taking, false,
	    memory_order_release);
}

/* In the child of a fork: nobody trims, and nobody was in the middle of it. */
void tcache_fork_child(struct tcache *tcache);

#endif
