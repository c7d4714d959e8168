/*
 * enclosing: the namespaces and classes around a function, for functions that
 * have no linkage name because no other file can call them.
 *
 * Owns:       for each compilation unit that was asked about, a table of its
 *             functions, made in one walk over the unit's tree.
 * Invariants: none.
 * Locking:    none.
 */
#ifndef PROFILE_ENCLOSING_H
#define PROFILE_ENCLOSING_H

#include <elfutils/libdw.h>

/* "(anonymous namespace)::box::put" for the function `put`; or NULL. */
const char *enclosing_name(Dwarf_Die *function);

#endif
