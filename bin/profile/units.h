/*
 * units: which compilation unit contains an address?
 *
 * Owns:       struct units and its rows.
 * Invariants: made from the units' own ranges. libdw's search would need a
 *             section with the ranges of all units (.debug_aranges); clang and
 *             rustc don't write it.
 * Locking:    none.
 */
#ifndef PROFILE_UNITS_H
#define PROFILE_UNITS_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>

struct units;

/* is_code() returns false for an address that the linker has left out. */
struct units *units_create(Dwfl_Module *module,
    bool (*is_code)(const void *context, Dwarf_Addr address),
    const void *context);
/* Add bias to the addresses in the unit. */
bool units_find(const struct units *units, Dwarf_Addr address, Dwarf_Die *unit,
    Dwarf_Addr *bias);

#endif
