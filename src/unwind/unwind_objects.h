/*
 * unwind_objects: which program or library contains this code, and where is its
 * unwind information?
 *
 * Owns:       a table of loaded objects, for C libraries that can't tell
 *             without taking a lock.
 * Invariants: with glibc from 2.35 on, the C library knows the answer at any
 *             time. With other C libraries, the answer is as old as the last
 *             refresh. Then the kernel is asked whether the information is
 *             still mapped. Don't ask about code of an object that is just
 *             being unloaded; no stack of a correct program leads there.
 * Locking:    find takes no lock. refresh waits for the dynamic loader's lock,
 *             so it is not for signal handlers. If two threads refresh at the
 *             same time, one does nothing.
 */
#ifndef UNWIND_OBJECTS_H
#define UNWIND_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "unwind/program_index.h"

/* How a report names the place of code. */
struct unwind_module {
	const char *name; /* the path of the file; "": the program */
	uintptr_t base;   /* address minus base = address in the file */
};

/* Finds the object at `pc`; false: none has unwind information there. */
bool unwind_objects_find(uintptr_t pc, struct unwind_object *object);

/*
 * Finds the name of the object at `pc`; false: there is none, or it is not
 * known. The name stays as long as the object is loaded.
 */
bool unwind_objects_name(uintptr_t pc, struct unwind_module *module);

/* An object, as the C library knows it. */
struct unwind_loaded {
	uintptr_t start;
	uintptr_t end;
	const void *handle; /* only to be compared */
};

/*
 * The object at `pc`; false: there is none, or the C library can't tell now.
 */
bool unwind_objects_loaded(uintptr_t pc, struct unwind_loaded *loaded);

/* Enters the objects loaded now into the table, if the table is needed. */
void unwind_objects_refresh(void);

/* Was there a refresh yet? Before, programs may be unknown. */
bool unwind_objects_ready(void);

/* For tests: work as if the C library could not tell. */
void unwind_objects_use_table(bool use);

#endif
