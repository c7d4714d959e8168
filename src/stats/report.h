/*
 * report: malloc_stats_print, and statistics at exit.
 *
 * Owns:       nothing.
 * Invariants: refreshes the snapshot first. The text is complete before the
 *             callback is called, so the callback may call any function.
 * Locking:    no lock is held while the callback runs.
 *
 * Letters, in any order: J gives JSON, P gives OpenMetrics, instead of text.
 * These leave something out: g general part, m sums over arenas, d destroyed
 * arenas, a single arenas, b small classes, l large classes, x locks, e free
 * runs of pages, h huge pages.
 */
#ifndef STATS_REPORT_H
#define STATS_REPORT_H

#include <stdint.h>

#include "stats/emitter.h"

/**
 * Prints the statistics.
 * @param write    gets the text with `opaque`, in one piece if memory allows;
 *                 NULL: malloc_message or standard error
 * @param letters  see above; NULL = all as text
 * Errors: if there is no memory for the figures, a message says so.
 */
void report_print(emitter_callback *write, void *opaque, const char *letters);

/*
 * Prints at the exit of the process, for opt.stats_print. Nothing is printed if
 * descriptor 2 has changed since the start, because it may be a file of the
 * program now.
 */
void report_at_exit(void);

/*
 * Counts allocated bytes of all threads together. After every
 * opt.stats_interval bytes it prints; the calling thread does that.
 */
void report_interval(uint64_t bytes);

/* Threads call that when they have allocated so much. */
uint64_t report_interval_batch(void);

#endif
