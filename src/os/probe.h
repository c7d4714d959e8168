/*
 * probe: can memory be read without a fault?
 *
 * Owns:       nothing.
 * Invariants: asks the kernel and never touches the memory itself. The answer
 *             is no if the kernel does not say. Memory may be unmapped between
 *             the answer and the read; probe_copy() is safe against that, but
 *             needs /proc.
 * Locking:    none; may be called in a signal handler.
 */
#ifndef OS_PROBE_H
#define OS_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One call asks about at most this many pages. */
enum { PROBE_PAGES = 16 };

/* Whether all pages of [start, end) can be read; at most PROBE_PAGES pages. */
bool probe_readable(uintptr_t start, uintptr_t end);

/* A handle for probe_copy(), until probe_close(); negative: not possible. */
long probe_open(void);
void probe_close(long memory);

/* Copies memory that may not be mapped; false: some of it can't be read. */
bool probe_copy(long memory, uintptr_t from, void *to, size_t size);

/* Whether the program is static: the kernel started it without a loader. */
bool probe_is_static(void);

/* An address near the end of the first stack of the process, or 0. */
uintptr_t probe_first_stack(void);

#endif
