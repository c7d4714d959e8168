/*
 * prof_live: finds the sample of a small object by the object's address.
 *
 * Owns:       a hash table of these samples.
 * Invariants: a sample is in the table as long as the program has its object.
 *             Samples of large objects are not: their extents point to them.
 * Locking:    LOCK_PROF_LIVE, one for each part of the table. It is not held
 *             while memory is mapped.
 */
#ifndef PROF_PROF_LIVE_H
#define PROF_PROF_LIVE_H

#include <stddef.h>

#include "util/compiler.h"

struct heap_part;
struct lock;
struct prof_sample;

void prof_live_init(void);

/* Enters a sample. Its `object` must be set. */
void prof_live_add(struct prof_sample *sample);

/* Removes the sample of this object and returns it. NULL: there is none. */
struct prof_sample *prof_live_remove(const void *object);

/* How many there are. */
size_t prof_live_count(void);

/* Calls the function for each sample, under LOCK_PROF_LIVE. */
void prof_live_each(void (*visit)(const struct prof_sample *sample,
			void *context),
    void *context);

/* For fork: does a step for all locks. */
void prof_live_fork(void (*step)(struct lock *));

/* For tools that read the heap. */
extern HIDDEN const struct heap_part prof_live_heap_part;

#endif
