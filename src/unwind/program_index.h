/*
 * program_index: the index of unwind information that a program lacks.
 *
 * Owns:       a table in the form of .eh_frame_hdr, in mapped memory, for ever.
 *             Linkers leave it out of static programs, unless they are told
 *             otherwise (--eh-frame-hdr). The entries themselves are in memory;
 *             only the program's file says where.
 * Invariants: the file counts only if its program headers are those of the
 *             process. It is read once.
 * Locking:    find takes none. If two threads make the table at the same time,
 *             one does nothing.
 */
#ifndef UNWIND_PROGRAM_INDEX_H
#define UNWIND_PROGRAM_INDEX_H

#include <stdbool.h>
#include <stdint.h>

/* A program or library in memory. */
struct unwind_object {
	uintptr_t start;
	uintptr_t end;
	uintptr_t index; /* .eh_frame_hdr, for cfi_find() */
};

static inline bool
unwind_object_contains(const struct unwind_object *object, uintptr_t address)
{
	return address >= object->start && address < object->end;
}

/* Makes the table if the program has none, and its file can be read. */
void program_index_make(void);

/* False: there is no such table, or `pc` is not in the program. */
bool program_index_find(uintptr_t pc, struct unwind_object *object);

#endif
