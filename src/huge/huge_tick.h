/*
 * huge_tick: deferred work on the huge pages of an arena.
 *
 * Owns:       nothing of its own: it makes pageslabs huge, and purges them.
 * Invariants: those of huge/huge_pages.h.
 * Locking:    LOCK_HUGE of the shard, not held over a system call. A thread
 *             that ticks while another one does so returns at once.
 */
#ifndef HUGE_HUGE_TICK_H
#define HUGE_HUGE_TICK_H

#include <stdint.h>

struct huge_shard;

/* Does the work that is due at `now_ns`. */
void huge_tick_run(struct huge_shard *shard, uint64_t now_ns);

/* Nanoseconds until the next work is due; UINT64_MAX: there is none. */
uint64_t huge_tick_wait(struct huge_shard *shard, uint64_t now_ns);

/*
 * Purges all free pages, except in dense huge pages. Pageslabs without a run in
 * use go back to the page source.
 */
void huge_tick_purge(struct huge_shard *shard);

#endif
