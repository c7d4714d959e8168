/*
 * prof_watch: informs the modules that need each sample, besides the table: the
 * counts by size class, the records of the last samples, the log, the program's
 * hooks.
 *
 * Owns:       nothing.
 * Invariants: if none of them is in use, a sample costs a few reads. A failure
 *             of one of them does not concern the caller.
 * Locking:    none here; each of them has its own lock.
 */
#ifndef PROF_PROF_WATCH_H
#define PROF_PROF_WATCH_H

#include <stdbool.h>

#include "prof/prof_recent.h"
#include "prof/prof_sample.h"

struct lock;

void prof_watch_init(void);

/* To be called before the program gets the object of `sample`. */
void prof_watch_taken(struct prof_sample *sample, const struct prof_doer *doer);

/* Does the end of `sample` need the stack of the thread that frees? */
static inline bool
prof_watch_wants_stack(struct prof_sample *sample)
{
	/* What dropped the record is done with the sample, which may end. */
	return atomic_load_explicit(&sample->record, memory_order_acquire) !=
	    NULL;
}

/* To be called before the object is freed. */
void prof_watch_end(struct prof_sample *sample, const struct prof_doer *doer);

/* For fork: a step for each of their locks, in the order of os/lock_order.h. */
void prof_watch_each_lock(void (*step)(struct lock *));

#endif
