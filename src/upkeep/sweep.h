/*
 * sweep: keeps arenas and caches small that nobody uses, without a thread of
 * our own.
 *
 * Owns:       when all silent threads were trimmed.
 * Invariants: what had a tick within its decay time is left alone.
 * Locking:    none. A tick calls it, arena_tick_and_sweep() decides which one.
 */
#ifndef UPKEEP_SWEEP_H
#define UPKEEP_SWEEP_H

#include <stdint.h>

/*
 * Ages the pages of arenas that no thread has ticked for their whole decay
 * time. With opt.tcache_trim it first trims the caches of silent threads.
 */
void sweep(uint64_t now_ns);

#endif
