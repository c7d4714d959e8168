/*
 * parse: the parts of a line that readers of text share.
 *
 * Owns:       nothing.
 * Invariants: what is not there is not skipped: the text stays as it was.
 * Locking:    none.
 */
#ifndef PROFILE_PARSE_H
#define PROFILE_PARSE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Skips the word. */
static inline bool
skip(const char **text, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(*text, word, length) != 0)
		return false;
	*text += length;
	return true;
}

/* Its value; negative: it is none. */
static inline int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Reads a number of one digit or more; false also if it is too large. */
static inline bool
hex(const char **text, uint64_t *value)
{
	const char *at = *text;
	uint64_t sum = 0;
	int digit;

	for (; (digit = hex_digit(*at)) >= 0; at++) {
		if (sum >> 60 != 0)
			return false;
		sum = sum << 4 | (uint64_t)digit;
	}
	if (at == *text)
		return false;
	*text = at;
	*value = sum;
	return true;
}

#endif
