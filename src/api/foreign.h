/*
 * foreign: pointers that are not the start of one of our objects.
 *
 * Owns:       the choice between the next allocator in line and a report.
 * Invariants: opt.foreign: `auto` passes on what lies in the C library's own
 *             brk heap, and everything when our malloc is not the process's
 *             malloc; all else is reported. No lock is held in either.
 * Locking:    none.
 */
#ifndef API_FOREIGN_H
#define API_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/compiler.h"

COLD void foreign_free(void *ptr);
COLD void *foreign_realloc(void *ptr, size_t size);
COLD size_t foreign_usable(const void *ptr);

/* Does a call of malloc, from anywhere in the process, come to us? */
bool foreign_process_malloc_is_ours(void);

/* Says what is at `ptr`, which is not the start of an object in use. */
COLD void foreign_report(const char *kind, const void *ptr);

/* Pointers passed on so far. */
uint64_t foreign_forwarded(void);

#endif
