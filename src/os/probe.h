/*
 * probe: can memory be read without a fault?
 *
 * Owns:       nothing.
 * Invariants: asks the kernel and never touches the memory itself; says no
 *             where the kernel won't answer. What was readable may be gone when
 *             it is read; a copy is safe from that, but wants /proc.
 * Locking:    none; may be called in a signal handler.
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

/* For probe_copy(), until probe_close(); negative: this kernel won't. */
long probe_open(void);
void probe_close(long memory);

/* Copies memory that may not be there; false: some of it can't be read. */
bool probe_copy(long memory, uintptr_t from, void *to, size_t size);

/* Whether the kernel started the program itself, and no loader. */
bool probe_is_static(void);

/* Somewhere near the end of the stack that the process began with, or 0. */
uintptr_t probe_first_stack(void);

#endif
