/*
 * cached: which objects are in caches and in the quarantine at a moment.
 *
 * Owns:       a copy of their addresses, in mapped memory.
 * Invariants: each address in it was cached at some moment while it was taken.
 *             All objects in the calling thread's cache are there; so are those
 *             of the threads of a fork's parent. Some of other threads may be
 *             missing, because these threads go on meanwhile.
 * Locking:    takes LOCK_THREADS, LOCK_TCACHE_TABLE and LOCK_QUARANTINE, one
 *             after the other, and returns without any.
 */
#ifndef HEAP_CACHED_H
#define HEAP_CACHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cached {
	uintptr_t *addrs; /* rising */
	size_t count;
	size_t at; /* where the last search ended */
	size_t room;
};

/* Copies and sorts them; false: no memory. */
bool cached_take(struct cached *cached);
void cached_end(struct cached *cached);

/* Is `addr` among them? Fast if the questions come by rising address. */
bool cached_has(struct cached *cached, uintptr_t addr);

#endif
