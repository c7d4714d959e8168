/*
 * units: which compilation unit is an address in?
 *
 * Owns:       struct units and its rows.
 * Invariants: made of the units' own ranges. libdw's search wants a section that
 *             says this for all units (.debug_aranges), which clang and rustc
 *             don't write.
 * Locking:    none.
 */
#ifndef PROFILE_UNITS_H
#define PROFILE_UNITS_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>

struct units;

/* An address for which is_code() is false is what the linker left out. */
struct units *units_create(Dwfl_Module *module,
    bool (*is_code)(const void *context, Dwarf_Addr address),
    const void *context);
/* bias is to be added to what the unit says to get an address. */
bool units_find(const struct units *units, Dwarf_Addr address, Dwarf_Die *unit,
    Dwarf_Addr *bias);

#endif
