/*
 * names: what functions are called, in full and in short.
 *
 * Owns:       the list of allocator functions.
 * Invariants: all strings are interned.
 * Locking:    none.
 */
#ifndef PROFILE_NAMES_H
#define PROFILE_NAMES_H

#include <stdbool.h>

/* As the source has it; the name itself if it isn't mangled. */
const char *name_demangle(const char *name);
/* Without arguments, template arguments and type of the result. */
const char *name_short(const char *name);
bool name_is_allocator(const char *short_name);

#endif
