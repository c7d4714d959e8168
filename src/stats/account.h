/*
 * account: what the memory of the process is used for.
 *
 * Owns:       nothing.
 * Invariants: live + caches + holes + rounding + dirty + muzzy + metadata +
 *             rest - untouched = process, in bytes. None of them is negative.
 *             `rest` is the memory that does not belong to this library
 *             (stacks, data of the program). `untouched` is what is counted
 *             in the parts and not in memory, because nobody has touched it.
 *             The kernel says only how large the difference of the two is, so
 *             the smaller one is 0, and the other one is that difference.
 * Locking:    none.
 */
#ifndef STATS_ACCOUNT_H
#define STATS_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>

struct stats_snapshot;

enum account_part {
	ACCOUNT_LIVE,     /* objects of the program, by usable size */
	ACCOUNT_CACHES,   /* free objects in thread caches */
	ACCOUNT_HOLES,    /* free regions in slabs */
	ACCOUNT_ROUNDING, /* ends of slabs and runs that no object uses */
	ACCOUNT_DIRTY,    /* free pages that are still in memory */
	ACCOUNT_MUZZY,    /* free pages that the kernel may drop */
	ACCOUNT_METADATA,
	ACCOUNT_REST,
	ACCOUNT_PARTS
};

extern const char *const account_names[ACCOUNT_PARTS];

struct account {
	int64_t part[ACCOUNT_PARTS];
	int64_t untouched;
	int64_t process; /* anonymous memory, by the kernel */
};

struct account account_make(const struct stats_snapshot *snapshot);

#endif
