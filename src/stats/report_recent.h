/*
 * report_recent: the last samples of the heap profile, as JSON.
 *
 * Owns:       nothing.
 * Invariants: shows one moment.
 * Locking:    none is held while the text is handed over.
 */
#ifndef STATS_REPORT_RECENT_H
#define STATS_REPORT_RECENT_H

#include <stdbool.h>

#include "stats/emitter.h"

/* As report_print(); false: no memory. */
bool report_recent(emitter_callback *write, void *opaque);

#endif
