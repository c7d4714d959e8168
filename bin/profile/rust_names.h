/*
 * rust_names: demangles the names that rustc makes.
 *
 * Owns:       nothing.
 * Invariants: generic arguments of paths and lifetimes are left out, because
 *             names are for people who look for a function.
 * Locking:    none.
 */
#ifndef PROFILE_RUST_NAMES_H
#define PROFILE_RUST_NAMES_H

#include <stdbool.h>

/* Demangles a name that begins with _R, else NULL; the caller frees it. */
char *rust_demangle(const char *name);
/* Corrects, in place, the result of a C++ demangler for the older kind. */
void rust_clean(char *name);

#endif
