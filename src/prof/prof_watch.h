/*
 * prof_watch: who hears of samples besides the table: figures by size class,
 * records of the last ones, the log, functions of the program.
 *
 * Owns:       nothing.
 * Invariants: without any of them it looks at a few words per sample. No
 *             failure shows.
 * Locking:    none here.
 */
#ifndef PROF_PROF_WATCH_H
#define PROF_PROF_WATCH_H

#include <stdbool.h>

#include "prof/prof_recent.h"
#include "prof/prof_sample.h"

struct lock;

void prof_watch_init(void);

/* The program is about to get the object of `sample`. */
void prof_watch_taken(struct prof_sample *sample, const struct prof_doer *doer);

/* Does the end of `sample` need to know where the program is? */
static inline bool
prof_watch_wants_stack(struct prof_sample *sample)
{
	return atomic_load_explicit(&sample->record,
	    memory_order_relaxed) != NULL;
}

/* The object is about to be freed. */
void prof_watch_end(struct prof_sample *sample, const struct prof_doer *doer);

/* In the child of a fork: what other threads were doing is not done. */
void prof_watch_fork_child(void);

/* For fork: each lock of what hears, in the order of os/lock_order.h. */
void prof_watch_each_lock(void (*step)(struct lock *));

#endif
