/*
 * owners: the files that had code at one address, one after the other.
 *
 * Owns:       nothing but a mark at each mapping that overlaps another one.
 * Invariants: mappings of the same file and build, at the same place, count as
 *             one.
 * Locking:    none.
 */
#ifndef PROFILE_OWNERS_H
#define PROFILE_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dump.h"

enum { OWNERS_MAX = 4 };

struct owners {
	struct mapping *map[OWNERS_MAX];
	size_t count;
	bool more;
};

/*
 * Adds the files that had code at `pc` to `owners`; none, if it is but one.
 * @param map  one that contains the address
 */
void owners_find(struct owners *owners, struct dump *dump,
    const struct mapping *map, uint64_t pc);

/* "[liba.so+0x10 or libb.so+0x10]", "[liba.so+0x10, one of 2 builds]" */
const char *owners_name(const struct owners *owners, uint64_t pc);

#endif
