/*
 * stack: how deep the stacks of a cache are.
 *
 * Owns:       the memory of the stacks (pieces of metadata), their limits, and
 *             the room that a thread has for them.
 * Invariants: a stack starts small, grows when it misses repeatedly, and holds
 *             at most `limit` objects in `capacity` slots. All stacks of a
 *             thread together take no more than its room. One that finds none
 *             gets it from others (cache/shrink).
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

/* Between the two, fast paths see neither objects nor room in the stack. */
void stack_conceal(struct tcache *tcache, unsigned i);
void stack_show(struct tcache *tcache, unsigned i);

/**
 * A refill or a flush was needed; repeated ones make the stack grow.
 * @return  0, or the slots that it should have, if there was no room for all
 */
uint32_t stack_missed(struct tcache *tcache, unsigned i, enum miss kind);

/* Lets the stack hold `limit` objects, or as many as there is room for. */
void stack_grow(struct tcache *tcache, unsigned i, uint32_t limit);

/* The bytes that are lacking for this; at most 0 if there is room. */
int64_t stack_lacks(const struct tcache *tcache, unsigned i, uint32_t limit);

/* The slots that take no room. */
uint32_t stack_gratis(unsigned i);

/* Lowers the limit. The new one must not be below the number of objects. */
void stack_lower(struct tcache *tcache, unsigned i, uint32_t limit);

/* An empty stack has no slots any more, and grows again as a new one does. */
void stack_restart(struct tcache *tcache, unsigned i);

/*
 * Ageing may have closed the upper slots, to find out whether they are used.
 */
static inline void
stack_open(struct tcache *tcache, unsigned i)
{
	const struct cache_bin_cold *cold = &tcache->cold[i];

	tcache->bins[i + 1].full = cold->bottom;
	if (cold->limit != 0) /* with 0 there may be no stack at all */
		tcache->bins[i + 1].full -= cold->limit;
}

#endif
