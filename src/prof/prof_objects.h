/*
 * prof_objects: the files that code in samples came from, also those that were
 * closed since.
 *
 * Owns:       a record of each program or library whose code was in a stack.
 * Invariants: an object is entered while its code is on the caller's stack, so
 *             it is loaded then. What is loaded later may get its place, and
 *             the same handle. So the records are compared with what is loaded
 *             before each dlopen(), and before a dump. If there are too many,
 *             the oldest closed objects are forgotten.
 *             Where the C library can't tell about addresses without its lock
 *             (glibc before 2.35, other ones), there are no records.
 * Locking:    LOCK_PROF_OBJECTS. It is not held while memory is taken.
 */
#ifndef PROF_PROF_OBJECTS_H
#define PROF_PROF_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>

#include "prof/prof_elf.h"

struct lock;

void prof_objects_init(void);

/*
 * Enters the objects of a stack of the calling thread, which must have been
 * found just now.
 */
void prof_objects_note(void *const *pcs, unsigned depth);

/* Finds out which objects have been closed. */
void prof_objects_settle(void);

/* Forgets all, because there is no sample any more. */
void prof_objects_forget(void);

/* Closed objects, oldest first, and behind them loaded ones; mapped memory. */
struct prof_closed {
	struct prof_mapping *item;
	size_t count; /* of closed ones */
	size_t nloaded;
	size_t size;     /* bytes mapped */
	bool incomplete; /* some were forgotten, or could not be entered */
};

/* After prof_objects_settle(). False: no memory. */
bool prof_closed_take(struct prof_closed *closed);
void prof_closed_end(struct prof_closed *closed);

struct lock *prof_objects_lock(void);

#endif
