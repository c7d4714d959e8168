/*
 * prof_elf: what a loaded program or library says of itself in its headers.
 *
 * Owns:       nothing.
 * Invariants: the headers are read through the caller's function only. Whatever
 *             they contain, no read is outside of what that function gives.
 * Locking:    none.
 */
#ifndef PROF_PROF_ELF_H
#define PROF_PROF_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROF_BUILD_ID_MAX 64

/* Code that is mapped from a file. */
struct prof_mapping {
	uintptr_t start;
	uintptr_t end;
	uint64_t offset; /* of `start` in the file */
	uint64_t device; /* of the file; prof_objects alone knows these two */
	uint64_t inode;
	const char *name;
	size_t name_length;
	size_t id_length; /* bytes; 0: unknown */
	uint8_t id[PROF_BUILD_ID_MAX];
};

static inline bool
prof_mapping_contains(const struct prof_mapping *mapping, uintptr_t address)
{
	return address >= mapping->start && address < mapping->end;
}

/* Copies bytes from the beginning of the file. False: they can't be read. */
typedef bool prof_elf_copy(const void *context, uint64_t offset, void *to,
    size_t size);

/* Sets the build id, if the file has one. */
void prof_elf_read_id(struct prof_mapping *mapping, prof_elf_copy *copy,
    const void *context);

/**
 * Finds the segment of code that contains an address.
 * @param mapping  out: start, end and offset, as /proc/self/maps has them
 * @param first    where the first segment begins in memory
 * @return         false: there is none
 */
bool prof_elf_find_code(struct prof_mapping *mapping, prof_elf_copy *copy,
    const void *context, uintptr_t first, uintptr_t address);

#endif
