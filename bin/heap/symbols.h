/*
 * symbols: names for addresses in programs and libraries.
 *
 * Owns:       the table of symbols of each module, read at its first use.
 * Invariants: names come from the file of the module, or from its separate
 *             debug file; a module without them has none.
 * Locking:    none.
 */
#ifndef HEAP_SYMBOLS_H
#define HEAP_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "modules.h"

struct symbol {
	const char *name; /* demangled; NULL: there is none */
	const char *mangled;
	uint64_t offset; /* in it, or in the module */
	const struct module *module;
};

/* False: the address is in no module. */
bool symbol_find(const struct modules *modules, uint64_t address,
    struct symbol *symbol);

/* "name+8", or "libx.so+0x1234". */
const char *symbol_title(const struct symbol *symbol);

/* If it is a vtable (C++), the name of its class; else NULL. */
const char *symbol_class(const struct symbol *symbol);

#endif
