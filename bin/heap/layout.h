/*
 * layout: one allocator in the target, as its descriptor says it is built.
 *
 * Owns:       struct layout; the search for descriptors.
 * Invariants: offsets, addresses and numbers come only from the descriptor
 *             (util/heap_layout.h), which is checked as a whole. A member that
 *             it lacks does not exist in the target. Unreadable bytes are
 *             counted.
 * Locking:    none.
 */
#ifndef HEAP_LAYOUT_H
#define HEAP_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/heap_layout.h"

struct target;
struct modules;
struct module;

#define LAYOUT_STRUCTS   64
#define LAYOUT_FIELDS    32
#define LAYOUT_ROOTS     64
#define LAYOUT_CONSTANTS 256

struct layout_field {
	uint32_t offset;
	uint16_t width, shift;
	uint64_t mask;
	bool exists;
};

struct layout_root {
	uint64_t address, count;
	uint32_t stride;
};

struct layout {
	struct target *target;
	uint64_t address;
	const struct module *module; /* that has it, or NULL */
	uint32_t minor, flags, state;
	uint64_t generation;
	unsigned pointer_size, lg_page;
	bool big_endian;
	char version[65], prefix[33];
	struct layout_root roots[LAYOUT_ROOTS];
	struct layout_field fields[LAYOUT_STRUCTS][LAYOUT_FIELDS];
	uint64_t constants[LAYOUT_CONSTANTS];
	uint64_t unreadable; /* bytes that were wanted */
};

struct layouts {
	struct layout **list;
	size_t count;
	const char *reason; /* why the found one is unusable, or NULL */
};

void layouts_find(struct layouts *layouts, struct target *target,
    const struct modules *modules);

/* A member of a structure at `address`. 0 if it is not there, or unreadable. */
uint64_t layout_get(struct layout *layout, uint64_t address, unsigned structure,
    unsigned field);

/* The address of a member, for arrays and structures; 0: no such member. */
uint64_t layout_place(const struct layout *layout, uint64_t address,
    unsigned structure, unsigned field);

bool layout_has(const struct layout *layout, unsigned structure,
    unsigned field);

/* A number or a pointer somewhere else. */
uint64_t layout_number(struct layout *layout, uint64_t address, unsigned width);
uint64_t layout_pointer(struct layout *layout, uint64_t address);

/* Reads; unreadable bytes are counted and become 0. */
bool layout_read(struct layout *layout, uint64_t address, void *bytes,
    size_t size);

#endif
