/*
 * report: malloc_stats_print, and statistics at exit.
 *
 * Owns:       nothing.
 * Invariants: refreshes the snapshot first. The text is complete before the
 *             callback is called, so the callback may do what it likes.
 * Locking:    none is held by the callback's time.
 *
 * Letters, in any order: J JSON, P OpenMetrics instead of text; without:
 * g general part, m sums over arenas, d destroyed arenas, a single arenas,
 * b small classes, l large classes, x locks, e free runs of pages, h huge pages.
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
 * Errors: without memory for the figures one line says so, through the same way.
 */
void report_print(emitter_callback *write, void *opaque, const char *letters);

/*
 * What opt.stats_print wants when the process exits. Not if descriptor 2 is not
 * what it was at the start: it may be a file of the program's by now.
 */
void report_at_exit(const char *letters);

/*
 * Counts allocated bytes and prints when opt.stats_interval of them, in all
 * threads together, have come since the last time. The calling thread prints.
 */
void report_interval(uint64_t bytes);

#endif
