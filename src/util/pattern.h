/*
 * pattern: memory that repeats a word of eight bytes.
 *
 * Owns:       nothing.
 * Invariants: the memory has at least eight bytes. `word` is what its first
 *             eight bytes must be, `last` its last eight: the same bytes,
 *             turned if the length is no multiple of 8.
 * Locking:    none.
 *
 * The two ends are handled first, with accesses that may overlap. So there is
 * no loop over single bytes, and none at all for up to 32 bytes.
 */
#ifndef UTIL_PATTERN_H
#define UTIL_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util/compiler.h"

typedef uint64_t pattern_words
    __attribute__((vector_size(16), aligned(1), may_alias));

#define PATTERN_STEP sizeof(pattern_words)

static ALWAYS_INLINE uint64_t
pattern_word_at(const char *memory)
{
	uint64_t word;

	memcpy(&word, memory, sizeof(word));
	return word;
}

/* No function, as how it would return a vector depends on the processor. */
#define pattern_words_at(memory) \
	(*(const pattern_words *)(const void *)(memory))

/* Are 8 or 16 bytes a repeated word? */
static ALWAYS_INLINE bool
pattern_is_here(const char *memory, size_t size, uint64_t word)
{
	pattern_words differs;

	if (unlikely(size < PATTERN_STEP))
		return pattern_word_at(memory) == word;
	differs = pattern_words_at(memory) ^ (pattern_words) { word, word };
	return (differs[0] | differs[1]) == 0;
}

/* Is the memory as the pattern says? */
static ALWAYS_INLINE bool
pattern_is_whole(const char *memory, size_t size, uint64_t word, uint64_t last)
{
	const char *end = memory + size;
	pattern_words must = { word, word }, differs;

	if (size < PATTERN_STEP)
		return ((pattern_word_at(memory) ^ word) |
			   (pattern_word_at(end - 8) ^ last)) == 0;
	end -= PATTERN_STEP;
	differs = (pattern_words_at(memory) ^ must) |
	    (pattern_words_at(end) ^ (pattern_words){ last, last });
	memory += PATTERN_STEP;
	for (; memory + 3 * PATTERN_STEP < end; memory += 4 * PATTERN_STEP)
		differs |= (pattern_words_at(memory) ^ must) |
		    (pattern_words_at(memory + PATTERN_STEP) ^ must) |
		    (pattern_words_at(memory + 2 * PATTERN_STEP) ^ must) |
		    (pattern_words_at(memory + 3 * PATTERN_STEP) ^ must);
	for (; memory < end; memory += PATTERN_STEP)
		differs |= pattern_words_at(memory) ^ must;
	return (differs[0] | differs[1]) == 0;
}

static ALWAYS_INLINE void
pattern_fill(char *memory, size_t size, uint64_t word, uint64_t last)
{
	char *end = memory + size;
	pattern_words words = { word, word }, at_end = { last, last };

	if (size < PATTERN_STEP) {
		memcpy(memory, &word, sizeof(word));
		memcpy(end - 8, &last, sizeof(last));
		return;
	}
	end -= PATTERN_STEP;
	memcpy(memory, &words, sizeof(words));
	for (memory += PATTERN_STEP; memory < end; memory += PATTERN_STEP)
		memcpy(memory, &words, sizeof(words));
	memcpy(end, &at_end, sizeof(at_end));
}

#endif
