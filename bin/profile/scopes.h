/*
 * scopes: which functions, inlined ones too, is an address in?
 *
 * Owns:       for each compilation unit that was asked about, a table from address
 *             to innermost function. libdw's own search walks the unit's whole
 *             tree for each address; here it is walked once.
 * Invariants: a scope's parent is the function it was inlined into; only
 *             subprograms have none.
 * Locking:    none.
 */
#ifndef PROFILE_SCOPES_H
#define PROFILE_SCOPES_H

#include <elfutils/libdw.h>
#include <stdbool.h>

struct scope {
	Dwarf_Die die;
	const struct scope *parent;
	bool inlined;
};

/* The innermost one, or NULL; the address is one of the file's. */
const struct scope *scopes_find(Dwarf_Die *unit, Dwarf_Addr address);
/*
 * The last line of its code within the file that defines it, without what is
 * inlined into it; or 0.
 */
int scopes_last_line(const Dwarf_Die *unit, const struct scope *scope);

#endif
