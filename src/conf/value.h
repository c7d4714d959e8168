/*
 * value: turns the text of an option's value into the value.
 *
 * Owns:       nothing; these are pure functions.
 * Invariants: a text is any `length` bytes, without a zero at the end; nothing
 *             after them is read. The result is stored only if the whole text
 *             was understood. The locale makes no difference: this module
 *             decides what is a digit or a blank.
 * Locking:    none.
 */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/compiler.h"

/* One part of a list lo-hi:value|lo-hi:value... */
struct value_range {
	uint64_t low;
	uint64_t high;
	uint64_t value;
};

/** Whether the text is exactly `word`. */
bool value_is(const char *text, size_t length, const char *word);

/** A signal that a library may use for itself: see doc/OPTIONS.md. */
bool value_signal(const char *text, size_t length, int *number);

/* These return false if the text is not such a value. */

/**
 * An integer as in C: decimal, hexadecimal with 0x or octal with 0, perhaps
 * with blanks and a sign before it. A number of more than 64 bits is refused.
 * As an unsigned number, -1 is the largest one.
 */
bool value_unsigned(const char *text, size_t length, uint64_t *value);
bool value_signed(const char *text, size_t length, int64_t *value);

/** I[.F] or .F with I < 65536; fixed point, 16 bits each side of the point. */
bool value_ratio(const char *text, size_t length, uint32_t *value);

/** The words of a bool, so that their index is its value. */
extern HIDDEN const char *const value_bool_words[];

/** The index of the text in a NULL-terminated list of words. */
bool value_word(const char *text, size_t length, const char *const *words,
    unsigned *value);

/**
 * Take the next part off a list of ranges.
 * @param text    start of the rest; moved past the part and its |
 * @param length  bytes in the rest; 0 afterwards if that was the last part
 */
bool value_range_next(const char **text, size_t *length,
    struct value_range *range);

#endif
