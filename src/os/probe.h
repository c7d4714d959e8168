/*
 * probe: can memory be read without a fault?
 *
 * Owns:       nothing.
 * Invariants: asks the kernel and never touches the memory itself; says no
 *             where the kernel won't answer.
 * Locking:    none; may be called in a signal handler.
 * Used by:    prof/.
 */
#ifndef OS_PROBE_H
#define OS_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one call asks about at most. */
enum { PROBE_PAGES = 16 };

/* Whether all pages of [start, end) can be read; at most PROBE_PAGES of them. */
bool probe_readable(uintptr_t start, uintptr_t end);

/* Somewhere near the end of the stack that the process began with, or 0. */
uintptr_t probe_first_stack(void);

#endif
