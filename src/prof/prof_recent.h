/*
 * prof_recent: records of samples: of the last ones, for readers, and of those
 * that a log needs.
 *
 * Owns:       the records, and the order of the last samples.
 * Invariants: a record stays while it is one of the last, or while its object
 *             lives if it began under a log. The number may be unlimited. If
 *             there is no memory for a record, the sample has none.
 * Locking:    LOCK_PROF_RECENT. It is not held while memory is taken. Readers
 *             get a copy.
 */
#ifndef PROF_PROF_RECENT_H
#define PROF_PROF_RECENT_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "prof/prof_log.h"
#include "util/compiler.h"
#include "util/list.h"

struct lock;
struct prof_record;

/* A sample's pointer to its record. NULL: it has none, or it was dropped. */
typedef _Atomic(struct prof_record *) prof_record_slot;

struct prof_record {
	struct list link;       /* in the list of the last, or alone */
	prof_record_slot *slot; /* NULL: the object is freed */
	size_t requested;
	size_t usable;
	uint32_t run;     /* prof_log_run() when it began */
	bool given_known; /* `given` is filled */
	struct prof_deed taken;
	struct prof_deed given;
};

static_assert(sizeof(struct prof_record) <= 128, "a piece of that size");

/* The thread that takes or frees an object, and its stack. */
struct prof_doer {
	uint64_t thread; /* or PROF_NO_THREAD */
	const char *name;
	void **pcs;
	unsigned depth;
};

/* How many samples are kept; -1: all. Set by prof_recent_set_max(). */
extern HIDDEN _Atomic ssize_t prof_recent_max;

/* Set how many of the last samples are kept. Older ones are dropped. */
void prof_recent_init(ssize_t max);
void prof_recent_set_max(ssize_t max);

/* Does a sample need a record, for readers or for a log? */
static inline bool
prof_recent_wanted(void)
{
	return atomic_load_explicit(&prof_recent_max, memory_order_relaxed) !=
	    0 ||
	    prof_log_run() != 0;
}

/* To be called when a sample begins. `slot` must be empty. */
void prof_recent_begin(prof_record_slot *slot, size_t requested, size_t usable,
    const struct prof_doer *doer);

/* To be called when a sample ends, if its slot has a record. */
void prof_recent_end(prof_record_slot *slot, const struct prof_doer *doer);

/* --- reading -------------------------------------------------------------- */

/* The last samples at one moment, oldest first, in mapped memory. */
struct prof_recent_copy {
	struct prof_record *records;
	size_t count;
	size_t size; /* bytes mapped */
	ssize_t max;
};

/* Makes a copy. False: no memory. */
bool prof_recent_copy_take(struct prof_recent_copy *copy);
void prof_recent_copy_end(struct prof_recent_copy *copy);

struct lock *prof_recent_lock(void);

#endif
