/*
 * tcache: filling, emptying and ageing of a thread's cache bins.
 *
 * Owns:       the stacks' memory (pieces of metadata) and how large they are.
 * Invariants: the stacks of a thread may hold `room` bytes of objects more than
 *             they do. A stack starts small, grows when it misses repeatedly
 *             and is emptied bit by bit when its objects are not used.
 * Locking:    a thread's cache is its own; bins lock themselves.
 * Used by:    cache/thread, api/.
 */
#ifndef CACHE_TCACHE_H
#define CACHE_TCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct thread;

void tcache_init(struct thread *thread);
void tcache_fini(struct thread *thread);

/**
 * An object of cache bin `bin`, after cache_bin_take() found none: handles the
 * event that may be due, fills the bin.
 * @return  NULL without memory
 */
void *tcache_take_slow(struct thread *thread, unsigned bin);

/* Puts an object into cache bin `bin`, making room first. */
void tcache_give_slow(struct thread *thread, unsigned bin, void *object);

/* Is `object` in the stack? For reports. */
bool tcache_contains(struct thread *thread, unsigned bin, const void *object);

/* Returns all cached objects to their arenas. */
void tcache_flush(struct thread *thread);

/* Brings the counters `taken` and `given` of a bin up to date. */
void tcache_settle(struct thread *thread, unsigned bin);

/* One object straight from an arena, and back; for threads without caches. */
void *tcache_take_uncached(struct arena *arena, unsigned bin);
void tcache_give_uncached(unsigned bin, void *object);

#endif
