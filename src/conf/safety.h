/*
 * safety: reports about what the program did wrong with memory.
 *
 * Owns:       the count of reports.
 * Invariants: one line a report; then abort, unless opt.safety_action says that
 *             the program goes on (the block in question is left alone), or the
 *             program sees to aborts itself (os/message).
 * Locking:    none may be held by the caller: a core-dump handler may allocate.
 */
#ifndef CONF_SAFETY_H
#define CONF_SAFETY_H

#include <stdint.h>

#include "util/compiler.h"

/* After so many lines a program that goes on is no longer told. */
#define SAFETY_REPORTS_MAX 100

/**
 * Prints "<jemalloc>: safety: KIND: 0xADDR (details)" and aborts, or returns.
 * @param kind  a word of robustness.md: double-free, invalid-free, ...
 */
COLD void safety_report(const char *kind, const void *addr,
    const char *details, ...) PRINTF(3, 4);

/* Reports so far. */
uint64_t safety_reports(void);

#endif
