/*
 * core_notes: what the notes of a core file say: threads, mapped files.
 *
 * Owns:       struct core_notes.
 * Invariants: files are sorted by address. Notes that are cut off are left out.
 * Locking:    none.
 */
#ifndef HEAP_CORE_NOTES_H
#define HEAP_CORE_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct target;

/* More than the kernel writes for 65530 mappings. */
#define CORE_NOTES_MAX ((uint64_t)256 << 20)

struct core_file {
	uint64_t start, end;
	uint64_t offset;
	const char *path;
	bool tried; /* to open it */
	int fd;     /* then: -1, or of the file */
};

struct core_notes {
	unsigned machine;
	struct core_file *files;
	size_t nfiles;
	uint64_t program_headers;
	const char *name; /* of the process, or NULL */
};

/* Adds what these notes say; threads go to the target. */
void core_notes_read(struct core_notes *notes, struct target *target,
    const unsigned char *bytes, size_t size);
/* To be called when all are read. */
void core_notes_order(struct core_notes *notes);

/* The file at an address, or NULL. */
const struct core_file *core_notes_file(const struct core_notes *notes,
    uint64_t address);

/* Is it the file of the main program? */
bool core_notes_is_program(const struct core_notes *notes, const char *path);

#endif
