/*
 * huge_tick: what the huge pages of an arena do in their own time.
 *
 * Owns:       nothing of its own: it makes pageslabs huge, and purges them.
 * Invariants: those of huge/huge_pages.h.
 * Locking:    LOCK_HUGE of the shard, not held over a system call. Who comes
 *             while a tick is under way does nothing.
 */
#ifndef HUGE_HUGE_TICK_H
#define HUGE_HUGE_TICK_H

#include <stdint.h>

struct huge_shard;

/* The work that can wait, as far as it is due. */
void huge_tick_run(struct huge_shard *shard, uint64_t now_ns);

/* Nanoseconds until the next is due; UINT64_MAX: none. */
uint64_t huge_tick_wait(struct huge_shard *shard, uint64_t now_ns);

/*
 * Purges all that is free, but in dense huge pages; pageslabs without a run in
 * use go back to the page source.
 */
void huge_tick_purge(struct huge_shard *shard);

#endif
