/*
 * scopes: which functions, including inlined ones, contain an address?
 *
 * Owns:       for each compilation unit that was asked about, a table from
 *             address to innermost function. libdw's own search walks the whole
 *             tree of the unit for each address; this walks it only once.
 * Invariants: a scope's parent is the function it was inlined into; only
 *             subprograms have no parent.
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

/* The innermost scope, or NULL; the address is that in the file. */
const struct scope *scopes_find(Dwarf_Die *unit, Dwarf_Addr address);
/*
 * The file that defines a function, or NULL. (libdw's own search ends the
 * program if debug information is damaged, or its table of files is missing.)
 */
const char *scopes_file(Dwarf_Die *function);
/*
 * The last line of its own code, in the file that defines it, without functions
 * that are inlined into it; or 0.
 */
int scopes_last_line(const Dwarf_Die *unit, const struct scope *scope);

#endif
