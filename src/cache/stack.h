/*
 * stack: how deep the stacks of a cache are.
 *
 * Owns:       the memory of the stacks (pieces of metadata), their limits, and
 *             the room that a thread has for them.
 * Invariants: a stack starts small, grows when it misses repeatedly, and holds
 *             at most `limit` objects in `capacity` slots. All stacks of a
 *             thread together take no more than its room.
 * Locking:    only the owner calls these, in its slow paths.
 */
#ifndef CACHE_STACK_H
#define CACHE_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/tcache_state.h"

/* Room for a thread that has no stack yet. */
void stack_init_room(struct tcache *tcache);

/*
 * Can this bin have a stack? None can if objects are filled. With opt.checked
 * large objects are not cached, because only their kind in the page map says
 * whether they are free.
 */
bool stack_may_be(unsigned bin);

/* How many objects the options allow a bin to hold; 0: it does not cache. */
uint32_t stack_most(const struct tcache *tcache, unsigned bin);

/* The number of objects in a stack that is not hidden. */
static inline uint32_t
stack_count(const struct tcache *tcache, unsigned bin)
{
	return (uint32_t)(tcache->cold[bin].bottom -
	    tcache->bins[bin + 1].head);
}

/* A refill or a flush was needed; repeated ones make the stack grow. */
void stack_missed(struct tcache *tcache, unsigned i, enum miss kind);

/* Lowers the limit. The new one must not be below the number of objects. */
void stack_lower(struct tcache *tcache, unsigned i, uint32_t limit);

#endif
