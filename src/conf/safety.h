/*
 * safety: reports about mistakes of the program in using memory.
 *
 * Owns:       the count of reports.
 * Invariants: each report is one line. Then the process aborts, unless
 *             opt.safety_action lets the program go on (the block in question
 *             stays as it is), or the program has a hook for aborts of its own
 *             (os/message).
 * Locking:    the caller holds no lock: a handler of the abort may allocate.
 */
#ifndef CONF_SAFETY_H
#define CONF_SAFETY_H

#include <stdbool.h>
#include <stdint.h>

#include "util/compiler.h"

/* If the program goes on, at most this many reports are printed. */
#define SAFETY_REPORTS_MAX 100

/**
 * Prints "<jemalloc>: safety: KIND: 0xADDR (details)" and aborts, or returns.
 * @param kind  a word of robustness.md: double-free, invalid-free, ...
 */
COLD void safety_report(const char *kind, const void *addr, const char *details,
    ...) PRINTF(3, 4);

/* For reports of several lines: does the program go on after a report? */
bool safety_goes_on(void);

/*
 * Counts a report whose text, with prefix and newlines, is complete. Prints it,
 * if not too many were printed. Ends the process or returns, as safety_report()
 * does.
 */
COLD void safety_report_text(const char *text);

/*
 * The same, but always returns. If the program does not go on, the caller ends
 * the process. True: the text went to the program's hook for aborts.
 */
COLD bool safety_print_text(const char *text);

/* The number of reports so far. */
uint64_t safety_reports(void);

#endif
