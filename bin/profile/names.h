/*
 * names: the names of functions, in full and in short.
 *
 * Owns:       the list of allocator functions.
 * Invariants: all strings are interned.
 * Locking:    none.
 */
#ifndef PROFILE_NAMES_H
#define PROFILE_NAMES_H

#include <stdbool.h>

/* The name as the source has it; the same name if it is not mangled. */
const char *name_demangle(const char *name);
/* The name without arguments, template arguments and type of the result. */
const char *name_short(const char *name);
bool name_is_allocator(const char *short_name);

#endif
