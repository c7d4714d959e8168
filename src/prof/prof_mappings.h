/*
 * prof_mappings: which files the code of this process comes from.
 *
 * Owns:       nothing; a list lies in mapped memory until its end.
 * Invariants: never reads the program's memory directly, because another thread
 *             may unmap it at that time. Build ids are read through the kernel.
 *             Without /proc the dynamic loader is asked, and no build id is
 *             known.
 * Locking:    none; the caller must hold no lock.
 */
#ifndef PROF_PROF_MAPPINGS_H
#define PROF_PROF_MAPPINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prof/prof_elf.h"
#include "prof/prof_objects.h"

struct prof_mappings {
	struct prof_mapping *item; /* code, in ascending order */
	size_t count;
	size_t program;   /* index of the program's; `count`: none */
	size_t item_size; /* bytes mapped */
	char *text;       /* in the form of /proc/self/maps */
	size_t text_size;
	struct prof_closed closed; /* those that are no longer there */
};

/* Reads the list. False: no memory. */
bool prof_mappings_take(struct prof_mappings *mappings);
void prof_mappings_end(struct prof_mappings *mappings);

/* The index of the mapping that contains `address`; `count`: there is none. */
size_t prof_mappings_find(const struct prof_mappings *mappings,
    uintptr_t address);

/*
 * Which file had code at `address` when a sample was taken? The result is an
 * index as above; `count` + i: the i-th closed one; SIZE_MAX: none, or several
 * files had code there at different times.
 */
size_t prof_mappings_origin(const struct prof_mappings *mappings,
    uintptr_t address);

#endif
