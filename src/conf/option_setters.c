#include "conf/option_setters.h"

#include <string.h>

#include "conf/value.h"
#include "util/compiler.h"

/*
 * Fields have 1, 4 or 8 bytes, and the machine may have either byte order. So
 * this stores through a variable of the field's size.
 */
static void
field_put(const struct option_row *row, struct options *options, uint64_t value)
{
	char *field = (char *)options + row->offset;
	uint8_t byte = (uint8_t)value;
	uint32_t word = (uint32_t)value;

	if (row->size == sizeof(byte))
		memcpy(field, &byte, sizeof(byte));
	else if (row->size == sizeof(word))
		memcpy(field, &word, sizeof(word));
	else
		memcpy(field, &value, sizeof(value));
}

static enum option_result
set_unsigned(const struct option_row *row, struct options *options,
    const char *value, size_t length)
{
	enum option_result result = OPTION_SET;
	uint64_t number;

	if (!value_unsigned(value, length, &number))
		return OPTION_BAD_VALUE;
	if (number < (uint64_t)row->min || number > row->max) {
		if (!row->clip)
			return OPTION_OUT_OF_RANGE;
		number = number > row->max ? row->max : (uint64_t)row->min;
		result = OPTION_CLIPPED;
	}
	field_put(row, options, number);
	return result;
}

static enum option_result
set_signed(const struct option_row *row, struct options *options,
    const char *value, size_t length)
{
	int64_t number;

	if (!value_signed(value, length, &number))
		return OPTION_BAD_VALUE;
	if (number < row->min || number > (int64_t)row->max)
		return OPTION_OUT_OF_RANGE;
	field_put(row, options, (uint64_t)number);
	return OPTION_SET;
}

/*
 * Adds the known letters to those of earlier settings, each of them once, in
 * the order in which they come.
 */
static enum option_result
set_letters(const struct option_row *row, struct options *options,
    const char *value, size_t length)
{
	char *letters = (char *)options + row->offset;
	enum option_result result = OPTION_SET;
	size_t count = strlen(letters);

	for (size_t i = 0; i < length; i++) {
		if (value[i] == '\0' ||
		    strchr(STATS_LETTERS, value[i]) == NULL) {
			result = OPTION_CLIPPED;
			continue;
		}
		if (strchr(letters, value[i]) != NULL)
			continue;
		letters[count++] = value[i];
		letters[count] = '\0';
	}
	return result;
}

static enum option_result
set_string(const struct option_row *row, struct options *options,
    const char *value, size_t length)
{
	char *field = (char *)options + row->offset;
	bool fits = length < row->size;

	if (!fits)
		length = row->size - 1;
	memcpy(field, value, length);
	field[length] = '\0';
	return fits ? OPTION_SET : OPTION_CLIPPED;
}

AT_START enum option_result
option_set_typed(const struct option_row *row, struct options *options,
    const char *value, size_t length)
{
	unsigned word;
	uint32_t ratio;

	if (row->word != NULL && value_is(value, length, row->word)) {
		field_put(row, options, row->word_value);
		return OPTION_SET;
	}
	switch (row->type) {
	case OPTION_BOOL:
	case OPTION_WORD:
		if (!value_word(value, length,
			row->type == OPTION_BOOL ? value_bool_words
						 : row->words,
			&word))
			return OPTION_BAD_VALUE;
		field_put(row, options, word);
		return OPTION_SET;
	case OPTION_RATIO:
		if (!value_ratio(value, length, &ratio))
			return OPTION_BAD_VALUE;
		field_put(row, options, ratio);
		return OPTION_SET;
	case OPTION_UNSIGNED:
	case OPTION_SIZE:
	case OPTION_UINT64:
		return set_unsigned(row, options, value, length);
	case OPTION_SSIZE:
	case OPTION_INT64:
		return set_signed(row, options, value, length);
	case OPTION_LETTERS:
		return set_letters(row, options, value, length);
	default:
		return set_string(row, options, value, length);
	}
}

AT_START enum option_result
option_set_background(const struct option_row *row, struct options *options,
    const char *value, size_t length)
{
	bool is_auto = value_is(value, length, "auto");

	if (is_auto) {
		value = "false";
		length = strlen(value);
	}
	options->background_auto = is_auto;
	return option_set_typed(row, options, value, length);
}

AT_START enum option_result
option_set_junk(const struct option_row *row UNUSED, struct options *options,
    const char *value, size_t length)
{
	bool both = value_is(value, length, "true");
	bool alloc = both || value_is(value, length, "alloc");
	bool free = both || value_is(value, length, "free");

	if (!alloc && !free && !value_is(value, length, "false"))
		return OPTION_BAD_VALUE;
	options->junk_alloc = alloc;
	options->junk_free = free;
	return OPTION_SET;
}

const char *
option_get_junk(const struct options *options)
{
	if (options->junk_alloc)
		return options->junk_free ? "true" : "alloc";
	return options->junk_free ? "free" : "false";
}

enum option_result
option_set_lg_tcache_max(const struct option_row *row, struct options *options,
    const char *value, size_t length)
{
	uint64_t lg;

	if (!value_unsigned(value, length, &lg))
		return OPTION_BAD_VALUE;
	options->tcache_max = (size_t)1 << (lg < row->max ? lg : row->max);
	return lg <= row->max ? OPTION_SET : OPTION_CLIPPED;
}

/* Sets a field in bytes from a fraction of a huge page. */
enum option_result
option_set_huge_page_part(const struct option_row *row, struct options *options,
    const char *value, size_t length)
{
	uint32_t ratio;
	uint64_t bytes;

	if (!value_ratio(value, length, &ratio) || ratio > row->max)
		return OPTION_BAD_VALUE;
	bytes = (HUGE_PAGE * (uint64_t)ratio) >> 16;
	field_put(row, options, bytes < UNIT ? UNIT : bytes);
	return OPTION_SET;
}

AT_START enum option_result
option_set_signal(const struct option_row *row, struct options *options,
    const char *value, size_t length)
{
	int number;

	if (length != 0 && !value_signal(value, length, &number))
		return OPTION_BAD_VALUE;
	return option_set_typed(row, options, value, length);
}

/* -1 is off; the check works on whole pages, so less than a page is refused. */
AT_START enum option_result
option_set_uaf_align(const struct option_row *row, struct options *options,
    const char *value, size_t length)
{
	int64_t wish, lg;

	if (!value_signed(value, length, &wish))
		return OPTION_BAD_VALUE;
	if (wish < row->min)
		return OPTION_OUT_OF_RANGE;
	lg = wish;
	if (lg >= 0 && lg < LG_UNIT)
		lg = LG_UNIT;
	if (lg > (int64_t)row->max)
		lg = (int64_t)row->max;
	options->lg_san_uaf_align = (ssize_t)lg;
	return lg == wish ? OPTION_SET : OPTION_CLIPPED;
}

/*
 * A part of safety:full. A part that is set by name no longer follows safety.
 */
AT_START enum option_result
option_set_part(const struct option_row *row, struct options *options,
    const char *value, size_t length)
{
	size_t part = row->offset - offsetof(struct options, canary);

	options->parts_given |= (uint8_t)(1u << part);
	return option_set_typed(row, options, value, length);
}

AT_START enum option_result
option_set_quarantine(const struct option_row *row, struct options *options,
    const char *value, size_t length)
{
	options->quarantine_given = true;
	return option_set_typed(row, options, value, length);
}

/* Clips a number of units: a slab has at least one region, but not too many. */
static uint16_t
slab_units(size_t region, uint64_t wanted)
{
	size_t min = (region + UNIT - 1) / UNIT;
	size_t max = SLAB_REGIONS_MAX * region / UNIT;

	if (wanted < min)
		return (uint16_t)min;
	return (uint16_t)(wanted < max ? wanted : max);
}

enum option_result
option_set_slab_sizes(const struct option_row *row UNUSED,
    struct options *options, const char *value, size_t length)
{
	struct value_range range;

	if (value_is(value, length, "default")) {
		memset(options->slab_sizes, 0, sizeof(options->slab_sizes));
		return OPTION_SET;
	}
	do {
		if (!value_range_next(&value, &length, &range) ||
		    range.low > range.high)
			return OPTION_BAD_RANGES;
		for (unsigned i = 0; i < SMALL_CLASSES; i++) {
			size_t size = size_class_size(i);

			if (size >= range.low && size <= range.high)
				options->slab_sizes[i] = slab_units(size,
				    range.value);
		}
	} while (length > 0);
	return OPTION_SET;
}

enum option_result
option_set_bin_shards(const struct option_row *row UNUSED,
    struct options *options, const char *value, size_t length)
{
	struct value_range range;
	unsigned i, last;

	do {
		if (!value_range_next(&value, &length, &range) ||
		    range.low > range.high || range.value < 1 ||
		    range.value > BIN_SHARDS_LIMIT)
			return OPTION_BAD_RANGES;
		if (range.low > SMALL_MAX)
			continue;
		last = size_class_of(range.high < SMALL_MAX ? (size_t)range.high
							    : SMALL_MAX);
		i = size_class_of((size_t)range.low);
		for (; i <= last; i++)
			options->bin_shards[i] = (uint8_t)range.value;
	} while (length > 0);
	return OPTION_SET;
}

enum option_result
option_set_ncached_max(const struct option_row *row UNUSED,
    struct options *options, const char *value, size_t length)
{
	enum option_result result = OPTION_SET;
	struct value_range range;
	unsigned i, last;

	do {
		if (!value_range_next(&value, &length, &range))
			return OPTION_BAD_RANGES;
		if (range.low > TCACHE_MAX_LIMIT || range.low > range.high)
			continue;
		if (range.value > TCACHE_NCACHED_LIMIT) {
			range.value = TCACHE_NCACHED_LIMIT;
			result = OPTION_CLIPPED;
		}
		last = size_class_of(range.high < TCACHE_MAX_LIMIT
			? (size_t)range.high
			: TCACHE_MAX_LIMIT);
		i = size_class_of((size_t)range.low);
		for (; i <= last; i++)
			options->tcache_ncached_max[i] = (int16_t)range.value;
	} while (length > 0);
	return result;
}
