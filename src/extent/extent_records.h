/*
 * extent_records: where struct extent comes from.
 *
 * Owns:       the pages of records, and the records nobody uses.
 * Invariants: a record never becomes anything else (see extent.h). A page whose
 *             records nobody uses may be given back to the kernel: it then
 *             reads as active extents of size 0, until it is used again.
 * Locking:    LOCK_RECORDS; takes metadata when empty, without the lock.
 */
#ifndef EXTENT_EXTENT_RECORDS_H
#define EXTENT_EXTENT_RECORDS_H

#include <stdbool.h>
#include <stddef.h>

struct extent;
struct lock;

void extent_records_init(void);

/* Adds up to `count` records to the chain *chain (by `next`); how many. */
unsigned extent_records_take(struct extent **chain, unsigned count);

/* Returns a chain. */
void extent_records_give(struct extent *chain);

/* Pages without a used record leave memory, but for a few. */
void extent_records_purge(void);

/* Records made, how many of them lie here; takes no lock. */
struct extent_records_stats {
	size_t made;
	size_t size;		/* bytes of one */
	size_t spare;
	size_t purged;		/* bytes that have left memory */
};

struct extent_records_stats extent_records_stats(void);

struct lock *extent_records_lock(void);

#endif
