/*
 * extent_records: allocates the records of extents.
 *
 * Owns:       the pages of records, and the records nobody uses.
 * Invariants: the memory of a record is only used for records (see extent.h).
 *             The memory of a page whose records nobody uses may go back to the
 *             kernel. Such a page reads as active extents of size 0 until it is
 *             used again.
 * Locking:    LOCK_RECORDS; it is not held while new metadata is taken.
 */
#ifndef EXTENT_EXTENT_RECORDS_H
#define EXTENT_EXTENT_RECORDS_H

#include <stdbool.h>
#include <stddef.h>

struct extent;
struct lock;

void extent_records_init(void);

/*
 * Adds up to `count` records to *chain, linked by `next`; returns how many.
 */
unsigned extent_records_take(struct extent **chain, unsigned count);

/* Returns a chain. */
void extent_records_give(struct extent *chain);

/* Gives the memory of pages without used records back, except for a few. */
void extent_records_purge(void);

/* Numbers of records; reading them takes no lock. */
struct extent_records_stats {
	size_t made;
	size_t size;   /* bytes of one record */
	size_t spare;  /* records that nobody uses */
	size_t purged; /* bytes that have left memory */
};

struct extent_records_stats extent_records_stats(void);

struct lock *extent_records_lock(void);

#endif
