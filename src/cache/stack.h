/*
 * stack: how deep the stacks of a cache are.
 *
 * Owns:       the memory of the stacks (pieces of metadata), their limits, and
 *             the room that a thread has for them.
 * Invariants: a stack starts small, grows when it misses repeatedly, and holds
 *             at most `limit` objects in `capacity` slots. All of a thread take
 *             no more than its room.
 * Locking:    the thread's own, inside of its slow paths.
 */
#ifndef CACHE_STACK_H
#define CACHE_STACK_H

#include <stdint.h>

#include "cache/tcache_state.h"

/* Room for a thread that has no stack yet. */
void stack_init_room(struct tcache *tcache);

/* What one bin may hold by the options; 0: it does not cache. */
uint32_t stack_most(const struct tcache *tcache, unsigned bin);

/* Objects in a stack that is in sight. */
static inline uint32_t
stack_count(const struct tcache *tcache, unsigned bin)
{
	return (uint32_t)(tcache->cold[bin].bottom -
	    tcache->bins[bin + 1].head);
}

/* A refill or flush was needed; repeated ones make the stack grow. */
void stack_missed(struct tcache *tcache, unsigned i, enum miss kind);

/* The limit becomes a smaller one, which is not below the count. */
void stack_lower(struct tcache *tcache, unsigned i, uint32_t limit);

#endif
