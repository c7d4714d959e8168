#include "arena/canary.h"

#include <string.h>

#include "os/system.h"

static uint64_t canary_key;

void
canary_init(void)
{
	system_random(&canary_key, sizeof(canary_key));
}

/* Eight bytes for the offsets 0 to 7, 8 to 15 and so on of the object. */
static inline uint64_t
pattern_of(const char *object)
{
	uint64_t x = ((uint64_t)(uintptr_t)object ^ canary_key) *
	    UINT64_C(0x9e3779b97f4a7c15);

	x ^= x >> 32;
	return x | UINT64_C(0x0101010101010101);
}

/* The same eight bytes as they stand from offset `at` on. */
static inline uint64_t
turned(uint64_t pattern, size_t at)
{
	unsigned bits = (unsigned)(at % 8) * 8;
	bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

	if (bits == 0)
		return pattern;
	return little ? pattern >> bits | pattern << (64 - bits) :
	    pattern << bits | pattern >> (64 - bits);
}

static inline unsigned char
byte_of(uint64_t pattern, size_t at)
{
	unsigned char bytes[8];

	memcpy(bytes, &pattern, 8);
	return bytes[at % 8];
}

void
canary_fill(char *object, size_t size, size_t end)
{
	uint64_t pattern = pattern_of(object), word = turned(pattern, size);
	size_t at = size;

	if (unlikely(end - size < 8)) {
		for (; at < end; at++)
			object[at] = (char)byte_of(pattern, at);
		return;
	}
	for (; at + 8 <= end; at += 8)
		memcpy(object + at, &word, 8);
	word = turned(pattern, end);
	memcpy(object + end - 8, &word, 8);
}

static bool
is_right(const char *object, uint64_t pattern, size_t at)
{
	return (unsigned char)object[at] == byte_of(pattern, at);
}

/* The first byte from `at` on that is not right, or `end`. */
static size_t
find_damage(const char *object, uint64_t pattern, size_t at, size_t end)
{
	while (at < end && is_right(object, pattern, at))
		at++;
	return at;
}

size_t
canary_damage(const char *object, size_t size, size_t end)
{
	uint64_t pattern = pattern_of(object), word = turned(pattern, size);
	uint64_t is, differs = 0;
	size_t at = size;

	if (unlikely(end - size < 8))
		return find_damage(object, pattern, size, end);
	for (; at + 8 <= end; at += 8) {
		memcpy(&is, object + at, 8);
		differs |= is ^ word;
	}
	word = turned(pattern, end);
	memcpy(&is, object + end - 8, 8);
	if (likely((differs | (is ^ word)) == 0))
		return end;
	return find_damage(object, pattern, size, end);
}

bool
canary_damage_is_last(const char *object, size_t end)
{
	return !is_right(object, pattern_of(object), end - 1);
}
