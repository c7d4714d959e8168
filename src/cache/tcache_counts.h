/*
 * tcache_counts: what a cache has handed out and taken back.
 *
 * Owns:       nothing; the counters are in the cache.
 * Invariants: no call counts anything: objects taken follow from the countdown
 *             of a bin, objects given from the height of its stack. A bin is
 *             settled when one of these two is changed by something else.
 * Locking:    none. Only the owner settles. Other threads may ask for numbers,
 *             so the owner writes what these are made from as relaxed atomics
 *             (scripts/lint looks for other writes).
 */
#ifndef CACHE_TCACHE_COUNTS_H
#define CACHE_TCACHE_COUNTS_H

#include <stddef.h>
#include <stdint.h>

struct tcache;

/* Objects that are neither with the program nor free in a slab. */
struct held_objects {
	size_t nsmall;
	size_t small_size; /* bytes */
	size_t nlarge;
	size_t large_size; /* bytes */
};

/* The number of objects in the stack. Another thread may get an old number. */
uint32_t tcache_count(const struct tcache *tcache, unsigned bin);

/* Bytes handed out and taken back so far, exact for the owner. */
void tcache_bytes(const struct tcache *tcache, uint64_t *taken,
    uint64_t *given);

/*
 * Brings the counters `taken` and `given` of a bin up to date (settles them).
 */
void tcache_settle(struct tcache *tcache, unsigned bin);

/*
 * How many objects of a bin were handed out since tcache_leave_counts().
 * Another thread may get an old number.
 */
uint64_t tcache_requests(const struct tcache *tcache, unsigned bin);

#endif
