/*
 * canary: bytes behind an object that show whether the program wrote there.
 *
 * Owns:       the key.
 * Invariants: the pattern depends on the key and on the object's address. None
 *             of its bytes is 0, so that the end of a string is noticed, too.
 * Locking:    none; the key is written once, at start.
 */
#ifndef ARENA_CANARY_H
#define ARENA_CANARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "conf/options.h"
#include "util/compiler.h"
#include "util/pattern.h"
#include "util/size_class.h"

extern HIDDEN uint64_t canary_key;

void canary_init(void);

/* Eight bytes for the offsets 0 to 7, 8 to 15 and so on of the object. */
static inline uint64_t
canary_pattern(const char *object)
{
	uint64_t x = ((uint64_t)(uintptr_t)object ^ canary_key) *
	    UINT64_C(0x9e3779b97f4a7c15);

	x ^= x >> 32;
	return x | UINT64_C(0x0101010101010101);
}

/*
 * Are the last CANARY_MIN bytes of the canary whole? The canary must end with a
 * region of `capacity` bytes.
 */
static inline bool
canary_end_is_whole(const char *object, size_t capacity)
{
	uint64_t is;

	memcpy(&is, object + capacity - CANARY_MIN, CANARY_MIN);
	return is == canary_pattern(object);
}

/* The pattern as it continues at offset `at`. */
static inline uint64_t
canary_turned(uint64_t pattern, size_t at)
{
	unsigned bits = (unsigned)(at % 8) * 8, rest = -bits % 64;

	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		return pattern >> bits | pattern << rest;
	return pattern << bits | pattern >> rest;
}

/* Byte by byte, for less than eight bytes and for reports. */
COLD void canary_fill_short(char *object, size_t size, size_t end);
COLD size_t canary_find_damage(const char *object, size_t size, size_t end);

/* Fills the bytes from `size` up to `end` of an object. */
static ALWAYS_INLINE void
canary_fill(char *object, size_t size, size_t end)
{
	uint64_t pattern = canary_pattern(object);

	if (unlikely(end - size < sizeof(pattern))) {
		canary_fill_short(object, size, end);
		return;
	}
	pattern_fill(object + size, end - size, canary_turned(pattern, size),
	    canary_turned(pattern, end));
}

/* The offset of the first changed byte from `size` on; `end`: none. */
static ALWAYS_INLINE size_t
canary_damage(const char *object, size_t size, size_t end)
{
	uint64_t pattern = canary_pattern(object);

	if (likely(end - size >= sizeof(pattern) &&
		pattern_is_whole(object + size, end - size,
		    canary_turned(pattern, size), canary_turned(pattern, end))))
		return end;
	return canary_find_damage(object, size, end);
}

/* For reports: has the last byte of the canary changed? */
bool canary_damage_is_last(const char *object, size_t end);

/*
 * Where the canary of an object ends. It does not fill a very long rest
 * completely.
 */
static inline size_t
canary_end(size_t size, size_t capacity)
{
	size_t most = 16 * UNIT;

	return capacity - size <= most ? capacity : size + most;
}

#endif
