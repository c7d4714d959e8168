/*
 * modules: the programs and libraries (ELF) that the target has in memory.
 *
 * Owns:       the list of them, with their segments and notes.
 * Invariants: data are read from memory if possible, otherwise from the file.
 *             Headers of the target are not trusted.
 * Locking:    none.
 */
#ifndef HEAP_MODULES_H
#define HEAP_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct target;

struct module_segment {
	uint64_t start, end; /* addresses in the target */
	bool writable, executable;
};

#define MODULE_SEGMENTS 16

struct module {
	uint64_t start, end; /* addresses of all segments */
	uint64_t bias;       /* address in the target - as linked */
	const char *path;    /* or NULL */
	bool is_program;
	struct module_segment segments[MODULE_SEGMENTS];
	unsigned nsegments;
	struct symbol_table *symbols; /* of symbols.h, when asked for */
};

struct modules {
	struct target *target;
	struct module *list;
	size_t count;
};

void modules_find(struct modules *modules, struct target *target);

/* The module that has this address, or NULL. */
struct module *modules_at(const struct modules *modules, uint64_t address);

/* Has the module code at this address? */
bool module_is_code(const struct module *module, uint64_t address);

/*
 * Calls `visit` for each ELF note of this owner, with the address of its
 * contents, until it returns false.
 */
struct module_note {
	const struct module *module;
	unsigned type;
	uint64_t address;
	unsigned char bytes[64]; /* the beginning of the contents */
	uint64_t size;           /* of all of them */
};

void modules_notes(const struct modules *modules, const char *owner,
    bool (*visit)(void *context, const struct module_note *note),
    void *context);

#endif
