/*
 * symtab: the function symbols of one file, sorted.
 *
 * Owns:       struct symtab and its rows.
 * Invariants: a symbol covers its size. A symbol without a size reaches to the
 *             next symbol or to the end of its section. (libdwfl's own search
 *             would go through all symbols for each address.)
 * Locking:    none.
 */
#ifndef PROFILE_SYMTAB_H
#define PROFILE_SYMTAB_H

#include <elfutils/libdwfl.h>

struct symtab;

struct symtab_range {
	GElf_Addr start, end;
};

struct symtab *symtab_create(Dwfl_Module *module);
/* The name as it is in the file, and the range that it covers; or NULL. */
const char *symtab_find(const struct symtab *symtab, GElf_Addr address,
    struct symtab_range *range);

#endif
