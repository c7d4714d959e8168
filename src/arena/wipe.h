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

/* Are freed objects wiped? */
static inline bool
wipe_is_on(void)
{
	return opt.zero_free || opt.uaf_check;
}

void wipe(char *memory, size_t size);

/* Eight bytes as wipe() leaves them. */
static inline uint64_t
wipe_word(void)
{
	return opt.junk_free ? JUNK_FREE * UINT64_C(0x0101010101010101) : 0;
}

typedef uint64_t wipe_words
    __attribute__((vector_size(16), aligned(8), may_alias));

/* The bits in which 16 bytes differ from wiped ones. */
static ALWAYS_INLINE wipe_words
wipe_difference(const char *memory, wipe_words must)
{
	return *(const wipe_words *)(const void *)memory ^ must;
}

/*
 * Are the bytes as wipe() left them? `size` is a multiple of 8, as all objects
 * are; the last 16 bytes may be looked at twice.
 */
static inline bool
wipe_is_whole(const char *memory, size_t size)
{
	uint64_t word = wipe_word(), is;
	wipe_words must = { word, word }, differs = { 0, 0 };
	const char *end = memory + size;

	if (size < 16) {
		memcpy(&is, memory, 8);
		return is == word;
	}
	for (; memory + 64 <= end; memory += 64)
		differs |= wipe_difference(memory, must) |
		    wipe_difference(memory + 16, must) |
		    wipe_difference(memory + 32, must) |
		    wipe_difference(memory + 48, must);
	for (; memory + 16 <= end; memory += 16)
		differs |= wipe_difference(memory, must);
	if (memory != end)
		differs |= wipe_difference(end - 16, must);
	return (differs[0] | differs[1]) == 0;
}

/* The offset of the first byte that is not as wipe() left it; `size`: none. */
size_t wipe_damage(const char *memory, size_t size);

/* Says that the program has written at `offset` into a freed object. */
COLD void wipe_report(const char *object, size_t offset, size_t size);

#endif
