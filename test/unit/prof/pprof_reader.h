/*
 * pprof_reader: a reader of pprof's profiles, which fails the test if one is
 * not well-formed: decode() takes what keep() was given, and got has all of it.
 */
#ifndef UNIT_PROF_PPROF_READER_H
#define UNIT_PROF_PPROF_READER_H

#include <string.h>

#include "../unit.h"
#include "prof/prof_table.h"

enum {
	STRINGS = 4000,
	SAMPLES = 4000,
	LOCATIONS = 10000,
	MAPPINGS = 300,
	VALUES = 6,
	DEPTH = PROF_DEPTH_MAX
};

struct text {
	const uint8_t *bytes;
	size_t length;
};

struct sample {
	uint64_t location[DEPTH];
	size_t depth;
	int64_t value[VALUES];
	size_t nvalues;
	uint64_t key[4], label[4];
	size_t nlabels;
};

static struct {
	struct text string[STRINGS];
	size_t nstrings;
	uint64_t type[VALUES], unit[VALUES];
	size_t ntypes;
	struct sample sample[SAMPLES];
	size_t nsamples;
	uint64_t location[LOCATIONS]; /* address by id */
	uint64_t location_mapping[LOCATIONS];
	size_t nlocations;
	uint64_t mapping[MAPPINGS][7]; /* by id, by field */
	size_t nmappings;
	uint64_t scalar[16]; /* other fields of the profile */
	uint64_t period_type, period_unit;
} got;

static uint8_t bytes[1 << 22];
static size_t length;

static void
keep(void *context, const char *more, size_t n)
{
	(void)context;
	assert_true(length + n <= sizeof(bytes));
	memcpy(bytes + length, more, n);
	length += n;
}

static uint64_t
read_varint(const uint8_t **at, const uint8_t *end)
{
	uint64_t value = 0;

	for (unsigned shift = 0;; shift += 7) {
		assert_true(*at < end && shift < 64);
		value |= (uint64_t)(**at & 0x7f) << shift;
		if (*(*at)++ < 0x80)
			return value;
	}
}

typedef void field_function(void *context, unsigned field, uint64_t value,
    struct text text);

static void
read_message(struct text message, field_function *take, void *context)
{
	const uint8_t *at = message.bytes, *end = at + message.length;

	while (at < end) {
		uint64_t tag = read_varint(&at, end);
		uint64_t value = read_varint(&at, end);
		struct text text = { NULL, 0 };

		assert_true((tag & 7) == 0 || (tag & 7) == 2);
		if ((tag & 7) == 2) {
			assert_true(value <= (uint64_t)(end - at));
			text = (struct text){ at, value };
			at += value;
		}
		take(context, (unsigned)(tag >> 3), value, text);
	}
}

static void
take_fields(void *context, unsigned field, uint64_t value, struct text text)
{
	(void)text;
	assert_in_range(field, 1, 6);
	((uint64_t *)context)[field] = value;
}

static void
take_sample(void *context, unsigned field, uint64_t value, struct text text)
{
	struct sample *sample = context;
	const uint8_t *at = text.bytes, *end = at + text.length;
	uint64_t label[7] = { 0 };

	(void)value;
	assert_non_null(text.bytes);
	if (field == 3) {
		read_message(text, take_fields, label);
		assert_true(sample->nlabels < 4);
		sample->key[sample->nlabels] = label[1];
		sample->label[sample->nlabels++] = label[2];
		return;
	}
	while (at < end) {
		uint64_t number = read_varint(&at, end);

		if (field == 1) {
			assert_true(sample->depth < DEPTH);
			sample->location[sample->depth++] = number;
		} else {
			assert_int_equal(field, 2);
			assert_true(sample->nvalues < VALUES);
			sample->value[sample->nvalues++] = (int64_t)number;
		}
	}
}

static void
take_location(struct text text)
{
	uint64_t location[7] = { 0 };

	read_message(text, take_fields, location);
	assert_in_range(location[1], 1, LOCATIONS - 1);
	assert_int_equal(got.location[location[1]], 0);
	got.location[location[1]] = location[3];
	got.location_mapping[location[1]] = location[2];
	got.nlocations++;
}

static void
take_mapping(struct text text)
{
	uint64_t mapping[7] = { 0 };

	read_message(text, take_fields, mapping);
	/*
	 * In ascending order, from 1: readers take the first for the program.
	 */
	assert_int_equal(mapping[1], ++got.nmappings);
	assert_true(got.nmappings < MAPPINGS);
	memcpy(got.mapping[got.nmappings], mapping, sizeof(mapping));
}

static void
take_profile(void *context, unsigned field, uint64_t value, struct text text)
{
	uint64_t type[7] = { 0 };

	(void)context;
	switch (field) {
	case 1:
		read_message(text, take_fields, type);
		assert_true(got.ntypes < VALUES);
		got.type[got.ntypes] = type[1];
		got.unit[got.ntypes++] = type[2];
		break;
	case 2:
		assert_true(got.nsamples < SAMPLES);
		read_message(text, take_sample, &got.sample[got.nsamples++]);
		break;
	case 3:
		take_mapping(text);
		break;
	case 4:
		take_location(text);
		break;
	case 6:
		assert_true(got.nstrings < STRINGS);
		got.string[got.nstrings++] = text;
		break;
	case 11:
		read_message(text, take_fields, type);
		got.period_type = type[1];
		got.period_unit = type[2];
		break;
	default:
		assert_in_range(field, 7, 15);
		got.scalar[field] = value;
	}
}

/* Every number that stands for something else has to be one. */
static void
check_whole(void)
{
	assert_int_equal(got.string[0].length, 0);
	for (size_t i = 0; i < got.nsamples; i++) {
		const struct sample *sample = &got.sample[i];

		assert_int_equal(sample->nvalues, got.ntypes);
		for (size_t k = 0; k < sample->depth; k++)
			assert_in_range(sample->location[k], 1, got.nlocations);
		for (size_t k = 0; k < sample->nlabels; k++) {
			assert_in_range(sample->key[k], 1, got.nstrings - 1);
			assert_in_range(sample->label[k], 1, got.nstrings - 1);
		}
	}
	for (size_t i = 1; i <= got.nlocations; i++)
		assert_in_range(got.location_mapping[i], 0, got.nmappings);
	for (size_t i = 1; i <= got.nmappings; i++)
		assert_in_range(got.mapping[i][5], 1, got.nstrings - 1);
}

static void
decode(void)
{
	memset(&got, 0, sizeof(got));
	read_message((struct text){ bytes, length }, take_profile, NULL);
	check_whole();
}

static bool
is(uint64_t string, const char *expected)
{
	return string < got.nstrings &&
	    got.string[string].length == strlen(expected) &&
	    memcmp(got.string[string].bytes, expected, strlen(expected)) == 0;
}

static int64_t
value(const struct sample *sample, const char *type)
{
	for (size_t i = 0; i < got.ntypes; i++)
		if (is(got.type[i], type))
			return sample->value[i];
	fail_msg("there is no type %s", type);
	return 0;
}

static uint64_t
address(const struct sample *sample, size_t frame)
{
	assert_true(frame < sample->depth);
	return got.location[sample->location[frame]];
}

#endif
