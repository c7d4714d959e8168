/*
 * spare_records: records of extents that somebody keeps ready.
 *
 * Owns:       a chain of records that describe nothing yet.
 * Invariants: with enough of them, cutting an extent is sure to work, under the
 *             lock too, where none can be fetched.
 * Locking:    the lock of who has them, but for spare_records_fini().
 */
#ifndef EXTENT_SPARE_RECORDS_H
#define EXTENT_SPARE_RECORDS_H

#include <stdbool.h>

struct extent;
struct lock;

struct spare_records {
	struct extent *first;	/* by `next` */
	unsigned count;
};

/**
 * Takes `lock` when there are enough records.
 * @param least   fewer are no use: false, and the lock is not held
 * @param wanted  for fewer than these, more are fetched
 */
bool spare_records_lock(struct spare_records *spares, struct lock *lock,
    unsigned least, unsigned wanted);

/* One of them, which must be there; and one more. */
struct extent *spare_records_take(struct spare_records *spares);
void spare_records_give(struct spare_records *spares, struct extent *e);

/* Where there are very many, most go back. `lock` is not held before. */
void spare_records_shed(struct spare_records *spares, struct lock *lock);

/* All go back; nobody uses them any more. */
void spare_records_fini(struct spare_records *spares);

#endif
