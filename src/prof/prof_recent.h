/*
 * prof_recent: records of samples: of the last ones, for who asks for them, and
 * of those whose life a log wants to know.
 *
 * Owns:       the records, and the order of the last samples.
 * Invariants: a record is there while it is one of the last, or its object
 *             lives and it was begun for a log. Without a limit only memory is
 *             one. A record that there is no memory for is none.
 * Locking:    LOCK_PROF_RECENT. Memory is fetched without it. Who reads has a
 *             copy.
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

/* Where a sample keeps its record; NULL: it has none, or none any more. */
typedef _Atomic(struct prof_record *) prof_record_slot;

struct prof_record {
	struct list link;		/* of the last ones, or to itself */
	prof_record_slot *slot;		/* NULL: the object is freed */
	size_t requested;
	size_t usable;
	uint32_t run;			/* of the log at its beginning */
	bool given_known;		/* `given` is filled */
	struct prof_deed taken;
	struct prof_deed given;
};

static_assert(sizeof(struct prof_record) <= 128, "a piece of that size");

/* Who is doing something, and where in the program. */
struct prof_doer {
	uint64_t thread;	/* PROF_NO_THREAD: its record is gone */
	const char *name;
	void **pcs;
	unsigned depth;
};

/* -1: all are kept. Of prof_recent_set_max(). */
extern HIDDEN _Atomic ssize_t prof_recent_max;

/* `max` of the last samples are kept; older ones go. */
void prof_recent_init(ssize_t max);
void prof_recent_set_max(ssize_t max);

/* Does anybody want to know of a sample? */
static inline bool
prof_recent_wanted(void)
{
	return atomic_load_explicit(&prof_recent_max,
	    memory_order_relaxed) != 0 || prof_log_run() != 0;
}

/* A sample begins; `slot` is empty. */
void prof_recent_begin(prof_record_slot *slot, size_t requested, size_t usable,
    const struct prof_doer *doer);

/* It ends, and so does `slot`. To be called if there is a record in it. */
void prof_recent_end(prof_record_slot *slot, const struct prof_doer *doer);

/* --- reading ------------------------------------------------------------------ */

/* The last samples at one moment, oldest first, in mapped memory. */
struct prof_recent_copy {
	struct prof_record *records;
	size_t count;
	size_t size;		/* bytes mapped */
	ssize_t max;
};

/* False: no memory. */
bool prof_recent_copy_take(struct prof_recent_copy *copy);
void prof_recent_copy_end(struct prof_recent_copy *copy);

struct lock *prof_recent_lock(void);

#endif
