/*
 * sweep: keeps unused arenas and caches small without a thread of our own.
 *
 * Owns:       when all silent threads were trimmed.
 * Invariants: an arena that had a tick within its decay time is left alone.
 * Locking:    none. arena_tick_and_sweep() calls it, so that one thread at a
 *             time does.
 */
#ifndef UPKEEP_SWEEP_H
#define UPKEEP_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Purges a piece of the pages of arenas that no thread has ticked for their
 * whole decay time. With opt.tcache_trim it first trims the caches of silent
 * threads. Returns whether it has purged anything; then there may be more.
 */
bool sweep(uint64_t now_ns);

#endif
