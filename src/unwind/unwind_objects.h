/*
 * unwind_objects: which program or library contains this code, and where is its
 * unwind information?
 *
 * Owns:       a table of loaded objects, for C libraries that can't tell without
 *             taking a lock.
 * Invariants: with glibc from 2.35 on the answer is that of the C library, at
 *             this moment. Else it is as old as the last refresh; then the kernel
 *             is asked whether the information is still there.
 *             Code of an object that is just being unloaded is not to be asked
 *             about; no stack of a correct program leads there.
 * Locking:    find takes none; refresh waits for the dynamic loader's lock, so it
 *             is not for signal handlers. Of two refreshes one does nothing.
 */
#ifndef UNWIND_OBJECTS_H
#define UNWIND_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

struct unwind_object {
	uintptr_t start;
	uintptr_t end;
	uintptr_t index;	/* .eh_frame_hdr */
};

/* False if there is no object with unwind information at `pc`. */
bool unwind_objects_find(uintptr_t pc, struct unwind_object *object);

/* Enters the objects loaded now into the table, if the table is needed. */
void unwind_objects_refresh(void);

/* For tests: as if the C library could not tell. */
void unwind_objects_use_table(bool use);

#endif
