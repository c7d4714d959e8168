/*
 * foreign: handles pointers that are not the start of one of our objects.
 *
 * Owns:       the choice to pass a pointer on to the next allocator, or to
 *             report it.
 * Invariants: opt.foreign decides. `auto` passes on pointers into the C
 *             library's brk heap, and all pointers if our malloc is not the
 *             process's malloc. It reports all others. No lock is held.
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

/* Is our malloc the one that the whole process calls? */
bool foreign_process_malloc_is_ours(void);

/* Reports that `ptr` is not the start of a live object, and what is there. */
COLD void foreign_report(const char *kind, const void *ptr);

#endif
