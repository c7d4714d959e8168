/*
 * wipe: overwrites freed memory.
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
#include <stdint.h>
#include <string.h>

#include "conf/options.h"
#include "conf/safety.h"
#include "util/compiler.h"
#include "util/pattern.h"

/* Are freed objects wiped? */
static inline bool
wipe_is_on(void)
{
	return opt.zero_free || opt.uaf_check;
}

/* Eight bytes as wipe() leaves them. */
static inline uint64_t
wipe_word(void)
{
	return opt.junk_free ? JUNK_FREE * UINT64_C(0x0101010101010101) : 0;
}

/* Longer memory is left to the C library, which has longer vectors. */
#define WIPE_SHORT 256

void wipe_long(char *memory, size_t size);
bool wipe_long_is_whole(const char *memory, size_t size);

/* `size` is at least 8. */
static ALWAYS_INLINE void
wipe(char *memory, size_t size)
{
	uint64_t word = wipe_word();

	if (likely(size <= WIPE_SHORT))
		pattern_fill(memory, size, word, word);
	else
		wipe_long(memory, size);
}

/* Are the bytes as wipe() left them? `size` is at least 8. */
static ALWAYS_INLINE bool
wipe_is_whole(const char *memory, size_t size)
{
	uint64_t word = wipe_word();

	if (unlikely(size > WIPE_SHORT))
		return wipe_long_is_whole(memory, size);
	return pattern_is_whole(memory, size, word, word);
}

/* The offset of the first byte that is not as wipe() left it; `size`: none. */
size_t wipe_damage(const char *memory, size_t size);

/* Says that the program has written at `offset` into a freed object. */
COLD void wipe_report(const char *object, size_t offset, size_t size);

#endif
