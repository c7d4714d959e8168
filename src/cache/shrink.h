/*
 * shrink: what makes the stacks of a cache smaller again.
 *
 * Owns:       the marks that ageing sets in a stack, and what is known of bins
 *             that lack room, and of the others (`lacks` to `asked_at`).
 * Invariants: a bin that is used gets a slot at least, if others have more or
 *             are not used. So no bin keeps others from caching.
 * Locking:    only the owner calls these, in its slow paths. Objects go back to
 *             their arenas, and a report may call the program meanwhile.
 */
#ifndef CACHE_SHRINK_H
#define CACHE_SHRINK_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/tcache_state.h"

/* Gives back the `count` oldest objects, those at the bottom of the stack. */
void shrink_drop(struct tcache *tcache, unsigned i, uint32_t count);

/*
 * Gives back what was not used since the last call. The stack must not be
 * hidden.
 */
void shrink_age(struct tcache *tcache, unsigned i);

/* A bin that has lacked room so often asks for it the first time. */
#define SHRINK_LACKS 16

/* Bin `i` lacks room. Is it time to ask the others for some? */
static inline bool
shrink_may_ask(struct tcache *tcache, unsigned i)
{
	struct cache_bin_cold *cold = &tcache->cold[i];

	if (cold->wait == 0)
		cold->wait = SHRINK_LACKS;
	return ++cold->lacks >= cold->wait;
}

/**
 * Asks the others of its kind: they give way, until it can hold `limit`.
 * @return  is there more room now?
 */
COLD bool shrink_others(struct tcache *tcache, unsigned i, uint32_t limit);

#endif
