/*
 * rust_names: names as rustc mangles them.
 *
 * Owns:       nothing.
 * Invariants: generic arguments and lifetimes are left out: names are for people
 *             who look for a function.
 * Locking:    none.
 */
#ifndef PROFILE_RUST_NAMES_H
#define PROFILE_RUST_NAMES_H

#include <stdbool.h>

/* One that begins with _R; NULL if it isn't one. To be freed. */
char *rust_demangle(const char *name);
/* What a C++ demangler makes of the older kind, put right in place. */
void rust_clean(char *name);

#endif
