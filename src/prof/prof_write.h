/*
 * prof_write: where what is written goes.
 *
 * Owns:       nothing.
 * Invariants: a writer gets the parts in their order, and keeps errors for its
 *             owner.
 * Locking:    none.
 */
#ifndef PROF_PROF_WRITE_H
#define PROF_PROF_WRITE_H

#include <stddef.h>

#include "os/file_out.h"

typedef void prof_write_function(void *context, const char *bytes,
    size_t length);

/* Into a file; `file` is a struct file_out. */
static inline void
prof_write_file(void *file, const char *bytes, size_t length)
{
	file_write(file, bytes, length);
}

#endif
