#include "conf/advice.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "conf/value.h"
#include "os/message.h"
#include "util/bits.h"
#include "util/compiler.h"
#include "util/format.h"

/* A longer text is not a misspelt key; the longest key has 39 bytes. */
#define KEY_MAX 48
/* This many bytes from the start of a key show which key is meant. */
#define BEGINNING_MIN 5

/* --- allowed values ------------------------------------------------------- */

/* "a, b or c" */
static void
words_list(const char *const *words, char text[ADVICE_MAX])
{
	size_t length = 0;

	for (unsigned i = 0; words[i] != NULL; i++)
		length += format_text(text + length, ADVICE_MAX - length,
		    "%s%s",
		    i == 0                     ? ""
			: words[i + 1] == NULL ? " or "
					       : ", ",
		    words[i]);
}

static bool
is_signed(enum option_type type)
{
	return type == OPTION_SSIZE || type == OPTION_INT64;
}

static void
range(const struct option_row *row, char text[ADVICE_MAX])
{
	uint64_t max = is_signed(row->type) ? INT64_MAX
	    : row->size == sizeof(uint32_t) ? UINT32_MAX
					    : UINT64_MAX;

	if (row->max < max)
		format_text(text, ADVICE_MAX, "an integer from %lld to %llu",
		    (long long)row->min, (unsigned long long)row->max);
	else if (row->min > 0 || is_signed(row->type))
		format_text(text, ADVICE_MAX, "an integer of at least %lld",
		    (long long)row->min);
	else
		format_text(text, ADVICE_MAX, "an integer up to %llu",
		    (unsigned long long)max);
}

void
advice_allowed(const struct option_row *row, char text[ADVICE_MAX])
{
	if (row->allowed != NULL) {
		format_text(text, ADVICE_MAX, "%s", row->allowed);
		return;
	}
	if (row->words != NULL) {
		words_list(row->words, text);
		return;
	}
	switch (row->type) {
	case OPTION_BOOL:
		format_text(text, ADVICE_MAX, "true or false");
		return;
	case OPTION_UNSIGNED:
	case OPTION_SIZE:
	case OPTION_UINT64:
	case OPTION_SSIZE:
	case OPTION_INT64:
		range(row, text);
		return;
	case OPTION_RATIO:
		format_text(text, ADVICE_MAX, "a decimal fraction below 65536");
		return;
	case OPTION_LETTERS:
		format_text(text, ADVICE_MAX, "letters of " STATS_LETTERS);
		return;
	default:
		format_text(text, ADVICE_MAX, "up to %zu bytes", row->size - 1);
	}
}

/* --- mistakes in values --------------------------------------------------- */

static bool
has_blank(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] == ' ' || (text[i] >= '\t' && text[i] <= '\r'))
			return true;
	return false;
}

static bool
is_number(enum option_type type)
{
	return type == OPTION_UNSIGNED || type == OPTION_SIZE ||
	    type == OPTION_UINT64 || is_signed(type);
}

/*
 * The power of two that the suffix of a size stands for (k, M, GB, ...), or 0.
 * *length becomes the length without the suffix.
 */
static unsigned
lg_suffix(const char *text, size_t *length)
{
	static const char suffixes[] = "kmgt";
	const char *found;

	if (*length > 1 && (text[*length - 1] | 0x20) == 'b')
		--*length;
	if (*length > 1 && text[*length - 1] == 'i')
		--*length;
	if (*length < 2)
		return 0;
	found = strchr(suffixes, text[*length - 1] | 0x20);
	--*length;
	return found == NULL || *found == '\0'
	    ? 0
	    : 10 * (unsigned)(found - suffixes + 1);
}

void
advice_mistake(const struct option_row *row, const char *value, size_t length,
    char text[ADVICE_MAX])
{
	size_t digits = length;
	unsigned lg = lg_suffix(value, &digits);
	uint64_t number;

	text[0] = '\0';
	if (length == 0)
		format_text(text, ADVICE_MAX, "there is no value; ");
	else if (has_blank(value, length))
		format_text(text, ADVICE_MAX, "there is a blank in it; ");
	else if (is_number(row->type) && lg != 0 &&
	    value_unsigned(value, digits, &number) &&
	    number <= UINT64_MAX >> lg)
		format_text(text, ADVICE_MAX,
		    "numbers have no suffix, write %llu; ",
		    (unsigned long long)number << lg);
	else if (is_number(row->type) && *value >= '1' && *value <= '9' &&
	    (value[length - 1] < '0' || value[length - 1] > '9'))
		format_text(text, ADVICE_MAX, "numbers have no suffix; ");
}

/* --- similar keys --------------------------------------------------------- */

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/*
 * The edit distance of two keys: how many bytes have to be inserted, deleted,
 * replaced, or swapped with the next one. Upper and lower case count as equal.
 * This computes the usual table row by row, and keeps the last three rows.
 */
static unsigned
distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	uint8_t rows[3][KEY_MAX + 1];
	uint8_t *before = rows[0], *last = rows[1], *row = rows[2], *oldest;

	for (size_t j = 0; j <= b_length; j++)
		before[j] = last[j] = (uint8_t)j;
	for (size_t i = 1; i <= a_length; i++) {
		row[0] = (uint8_t)i;
		for (size_t j = 1; j <= b_length; j++) {
			bool differ = lower(a[i - 1]) != lower(b[j - 1]);
			size_t best = min_size(min_size(last[j], row[j - 1]) +
				1,
			    last[j - 1] + differ);

			if (i > 1 && j > 1 &&
			    lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]))
				best = min_size(best, before[j - 2] + 1);
			row[j] = (uint8_t)best;
		}
		oldest = before;
		before = last;
		last = row;
		row = oldest;
	}
	return last[b_length];
}

static bool
begins_with(const char *name, const char *key, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (name[i] == '\0' || name[i] != lower(key[i]))
			return false;
	return true;
}

const char *
advice_nearest(const char *key, size_t length)
{
	/* All short keys are similar to each other, so allow less. */
	unsigned best = length < BEGINNING_MIN ? 1 : 2, found;
	const struct option_row *row;
	const char *nearest = NULL;

	if (length == 0 || length > KEY_MAX)
		return NULL;
	for (unsigned i = 0; (row = options_any_row(i)) != NULL; i++) {
		found = distance(key, length, row->name, strlen(row->name));
		if (found < best || (found == best && nearest == NULL)) {
			best = found;
			nearest = row->name;
		}
	}
	if (nearest != NULL || length < BEGINNING_MIN)
		return nearest;
	for (unsigned i = 0; (row = options_any_row(i)) != NULL; i++)
		if (begins_with(row->name, key, length))
			return row->name;
	return NULL;
}

/* --- no effect ------------------------------------------------------------ */

/* Is the option set that `wants` (key:value) names? */
static bool
is_met(const char *wants, struct options *options)
{
	const struct option_row *row = options_find(wants, strcspn(wants, ":"));

	if (row == NULL || !option_is_preset(row, options))
		return true;
	/* These options turn the profile on, too. */
	return strcmp(row->name, "prof") == 0 &&
	    (options->prof_leak || options->prof_leak_error ||
		options->prof_signal[0] != '\0');
}

static void
row_advise(const struct option_row *row, struct options *options)
{
	const char *wants = row->wants;

	if (row->idle != NULL) {
		message("%s has no effect: %s", row->name, row->idle);
		return;
	}
	if (wants != NULL && is_met(wants, options))
		wants = NULL;
	if (wants == NULL && row->wants_prefix &&
	    options->prof_prefix[0] == '\0')
		wants = "prof_prefix:PREFIX";
	if (wants != NULL)
		message("%s has no effect without %s", row->name, wants);
}

void
advice_idle(struct options *options)
{
	const struct option_row *row;

	for (unsigned i = 0; (row = options_any_row(i)) != NULL; i++)
		if (!row->absent &&
		    (row->idle != NULL || row->wants != NULL ||
			row->wants_prefix) &&
		    !option_is_preset(row, options))
			row_advise(row, options);
}
