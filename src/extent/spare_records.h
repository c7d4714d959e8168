/*
 * spare_records: unused records of extents, kept ready.
 *
 * Owns:       a chain of records that describe nothing yet.
 * Invariants: cutting an extent needs a record, and none can be fetched under a
 *             lock. With enough spare records, cutting can't fail.
 * Locking:    the lock of the module that keeps them; none is needed in
 *             spare_records_fini().
 */
#ifndef EXTENT_SPARE_RECORDS_H
#define EXTENT_SPARE_RECORDS_H

#include <stdbool.h>

struct extent;
struct lock;

struct spare_records {
	struct extent *first; /* linked by `next` */
	unsigned count;
};

/**
 * Takes `lock`, with enough records in the chain.
 * @param least   with fewer than this it fails
 * @param wanted  with fewer than this it fetches more
 * @return        false: there are too few, and `lock` is not held
 */
bool spare_records_lock(struct spare_records *spares, struct lock *lock,
    unsigned least, unsigned wanted);

/* Takes a record out, which must be there; puts one in. */
struct extent *spare_records_take(struct spare_records *spares);
void spare_records_give(struct spare_records *spares, struct extent *e);

/* If there are very many, gives most of them back. Takes `lock` itself. */
void spare_records_shed(struct spare_records *spares, struct lock *lock);

/* Gives all records back; nobody uses the chain any more. */
void spare_records_fini(struct spare_records *spares);

#endif
