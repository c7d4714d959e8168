/*
 * wipe: freed memory has other contents than the program left there.
 *
 * Owns:       nothing.
 * Invariants: wiped bytes are 0, or those of opt.junk_free. So a read of freed
 *             memory shows nothing of the program, and a write is noticed.
 * Locking:    none.
 */
#ifndef ARENA_WIPE_H
#define ARENA_WIPE_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/options.h"
#include "util/compiler.h"

/* Are freed objects wiped? */
static inline bool
wipe_is_on(void)
{
	return opt.zero_free || opt.uaf_check;
}

void wipe(char *memory, size_t size);

/* The offset of the first byte that is not as wipe() left it; `size`: none. */
size_t wipe_damage(const char *memory, size_t size);

/* Says that the program has written at `offset` into a freed object. */
COLD void wipe_report(const char *object, size_t offset, size_t size);

#endif
