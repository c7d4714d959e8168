/*
 * report_recent: the last samples of the heap profile, as JSON.
 *
 * Owns:       nothing.
 * Invariants: all samples are those of one moment.
 * Locking:    no lock is held while the text is handed over.
 */
#ifndef STATS_REPORT_RECENT_H
#define STATS_REPORT_RECENT_H

#include <stdbool.h>

#include "stats/emitter.h"

/* Hands over as report_print() does. False: there is no memory. */
bool report_recent(emitter_callback *write, void *opaque);

#endif
