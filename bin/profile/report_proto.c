#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "gzip.h"
#include "images.h"
#include "proto_fields.h"
#include "report.h"
#include "tool.h"
#include "wire.h"

/* Gives numbers from 1 on to things that are known by two words. */
struct numbers {
	uint64_t (*keys)[2];
	size_t count;
	unsigned *slots;
	size_t mask;
};

struct out {
	struct wire_out all, message, inner;
	struct numbers strings, functions, locations, mappings;
};

static void
numbers_grow(struct numbers *numbers)
{
	size_t size = numbers->slots == NULL ? 1024 : 2 * (numbers->mask + 1);

	free(numbers->slots);
	numbers->slots = memory(size, sizeof(*numbers->slots));
	numbers->mask = size - 1;
	for (size_t i = 0; i < numbers->count; i++) {
		size_t at = hash_bytes(numbers->keys[i],
				sizeof(numbers->keys[i])) &
		    numbers->mask;

		while (numbers->slots[at] != 0)
			at = (at + 1) & numbers->mask;
		numbers->slots[at] = (unsigned)i + 1;
	}
}

/* True: it is new, and what it stands for must be written. */
static bool
numbers_add(struct numbers *numbers, uint64_t first, uint64_t second,
    uint64_t *number)
{
	uint64_t key[2] = { first, second };
	size_t at;

	if (2 * numbers->count >= numbers->mask)
		numbers_grow(numbers);
	at = hash_bytes(key, sizeof(key)) & numbers->mask;
	for (; numbers->slots[at] != 0; at = (at + 1) & numbers->mask) {
		*number = numbers->slots[at];
		if (memcmp(numbers->keys[*number - 1], key, sizeof(key)) == 0)
			return false;
	}
	numbers->keys = array_room(numbers->keys, numbers->count, sizeof(key));
	memcpy(numbers->keys[numbers->count], key, sizeof(key));
	*number = ++numbers->count;
	numbers->slots[at] = (unsigned)numbers->count;
	return true;
}

/* Readers refuse a whole profile if one text in it is not UTF-8. */
static uint64_t
string(struct out *out, const char *text)
{
	uint64_t number;
	char *copy;

	if (text == NULL || *text == '\0')
		return 0;
	text = intern(text);
	if (!numbers_add(&out->strings, (uintptr_t)text, 0, &number))
		return number;
	copy = print("%s", text);
	for (char *at = copy; *at != '\0';) {
		size_t length = escape_length(at);

		if (length == 0)
			*at = '?';
		at += length == 0 ? 1 : length;
	}
	wire_put_bytes(&out->all, PROFILE_STRING, copy, strlen(copy));
	free(copy);
	return number;
}

static void
put_type(struct out *out, unsigned field, const char *type, const char *unit)
{
	wire_put_number(&out->message, TYPE_TYPE, string(out, type));
	wire_put_number(&out->message, TYPE_UNIT, string(out, unit));
	wire_put_message(&out->all, field, &out->message);
}

static uint64_t
put_mapping(struct out *out, const struct mapping *map)
{
	struct wire_out *message = &out->message;
	uint64_t number, file, build_id;

	if (map == NULL)
		return 0;
	if (!numbers_add(&out->mappings, (uintptr_t)map, 0, &number))
		return number;
	file = string(out, map->path);
	build_id = string(out, image_build_id(map));
	wire_put_number(message, MAPPING_ID, number);
	wire_put_number(message, MAPPING_START, map->start);
	wire_put_number(message, MAPPING_LIMIT, map->end);
	wire_put_number(message, MAPPING_OFFSET, map->offset);
	wire_put_number(message, MAPPING_FILE, file);
	wire_put_number(message, MAPPING_BUILD_ID, build_id);
	/* So readers don't look for names again. */
	for (unsigned i = MAPPING_FUNCTIONS; i <= MAPPING_INLINE; i++)
		wire_put_number(message, i, 1);
	wire_put_message(&out->all, PROFILE_MAPPING, message);
	return number;
}

/* If several functions have the name, with the address behind it. */
static char *
function_name(const struct frame *frame)
{
	const char *mark = frame->label != frame->short_name
	    ? strrchr(frame->label, '@')
	    : NULL;

	return print("%s%s", frame->name, mark == NULL ? "" : mark);
}

static uint64_t
put_function(struct out *out, const struct frame *frame)
{
	const char *file = frame->home != NULL && frame->home[0] != '\0' &&
		frame->file != NULL
	    ? frame->home
	    : frame->file;
	struct wire_out *message = &out->message;
	uint64_t number, name;
	char *text = function_name(frame);

	name = string(out, intern(text));
	free(text);
	if (!numbers_add(&out->functions, name << 32 | string(out, file),
		frame->start + (uint64_t)frame->first_line, &number))
		return number;
	wire_put_number(message, FUNCTION_ID, number);
	wire_put_number(message, FUNCTION_NAME, name);
	wire_put_number(message, FUNCTION_SYSTEM, name);
	wire_put_number(message, FUNCTION_FILE, string(out, file));
	wire_put_number(message, FUNCTION_LINE, (uint64_t)frame->first_line);
	wire_put_message(&out->all, PROFILE_FUNCTION, message);
	return number;
}

/* Several frames at one address: all but the last are inlined there. */
static uint64_t
put_location(struct out *out, struct frame *const *frames, unsigned count)
{
	struct location *location = symbols_get(frames[0]->location);
	struct wire_out lines = { NULL, 0, 0 };
	uint64_t number, mapping, mask = count;

	/* Filters may have left out some of them. */
	for (unsigned i = 0; i < count; i++)
		mask = 31 * mask + (uint64_t)(frames[i] - location->frames);
	if (!numbers_add(&out->locations, frames[0]->location, mask, &number))
		return number;
	mapping = put_mapping(out, location->map);
	for (unsigned i = 0; i < count; i++) {
		if (frames[i]->name == NULL)
			continue;
		wire_put_number(&out->inner, LINE_FUNCTION,
		    put_function(out, frames[i]));
		wire_put_number(&out->inner, LINE_LINE,
		    (uint64_t)frames[i]->line);
		wire_put_message(&lines, LOCATION_LINE, &out->inner);
	}
	wire_put_number(&out->message, LOCATION_ID, number);
	wire_put_number(&out->message, LOCATION_MAPPING, mapping);
	wire_put_number(&out->message, LOCATION_ADDRESS, location->pc);
	wire_put_raw(&out->message, lines.bytes, lines.used);
	wire_put_message(&out->all, PROFILE_LOCATION, &out->message);
	free(lines.bytes);
	return number;
}

/* How many frames from the first on are at one address. */
static unsigned
frames_together(const struct trace *trace, unsigned first)
{
	unsigned end = first + 1;

	while (end < trace->count &&
	    trace->frames[end]->location == trace->frames[first]->location &&
	    trace->frames[end] > trace->frames[end - 1])
		end++;
	return end - first;
}

static void
put_label(struct out *out, const char *key, const char *text)
{
	wire_put_number(&out->inner, LABEL_KEY, string(out, key));
	wire_put_number(&out->inner, LABEL_TEXT, string(out, text));
	wire_put_message(&out->message, SAMPLE_LABEL, &out->inner);
}

/* The thread is NULL if it is not known. */
static void
put_sample(struct out *out, const struct trace *trace, const char *thread)
{
	uint64_t *ids = memory(trace->count, sizeof(*ids));
	uint64_t values[VIEWS];
	unsigned count = 0, run;

	for (unsigned i = 0; i < trace->count; i += run) {
		run = frames_together(trace, i);
		ids[count++] = put_location(out, trace->frames + i, run);
	}
	/* The order of readers, and of other writers. */
	values[0] = (uint64_t)llround(trace->views[ALLOC_OBJECTS]);
	values[1] = (uint64_t)llround(trace->views[ALLOC_SPACE]);
	values[2] = (uint64_t)llround(trace->views[INUSE_OBJECTS]);
	values[3] = (uint64_t)llround(trace->views[INUSE_SPACE]);
	wire_put_numbers(&out->message, SAMPLE_LOCATION, ids, count);
	wire_put_numbers(&out->message, SAMPLE_VALUE, values, VIEWS);
	if (thread != NULL)
		put_label(out, "thread", thread);
	wire_put_message(&out->all, PROFILE_SAMPLE, &out->message);
	free(ids);
}

/* Each age is a thread, as in the files of the library. */
static void
put_ages(struct out *out, const struct traces *ages)
{
	wire_put_number(&out->all, PROFILE_COMMENT, string(out, COMMENT_HOLES));
	for (int age = 0; age < AGES; age++) {
		char *thread = print("t%d", age);

		for (size_t i = 0; i < ages[age].count; i++) {
			const struct trace *trace = &ages[age].item[i];

			if (trace->views[INUSE_SPACE] != 0 ||
			    trace->views[INUSE_OBJECTS] != 0)
				put_sample(out, trace, thread);
		}
		free(thread);
	}
}

void
report_proto(struct report *report)
{
	struct out out = { 0 };

	wire_put_bytes(&out.all, PROFILE_STRING, "", 0);
	put_type(&out, PROFILE_SAMPLE_TYPE, "alloc_objects", "count");
	put_type(&out, PROFILE_SAMPLE_TYPE, "alloc_space", "bytes");
	put_type(&out, PROFILE_SAMPLE_TYPE, "inuse_objects", "count");
	put_type(&out, PROFILE_SAMPLE_TYPE, "inuse_space", "bytes");
	put_type(&out, PROFILE_PERIOD_TYPE, "space", "bytes");
	wire_put_number(&out.all, PROFILE_PERIOD, (uint64_t)report->period);
	wire_put_number(&out.all, PROFILE_DEFAULT_TYPE,
	    string(&out,
		report->view == INUSE_SPACE         ? "inuse_space"
		    : report->view == INUSE_OBJECTS ? "inuse_objects"
		    : report->view == ALLOC_SPACE   ? "alloc_space"
						    : "alloc_objects"));
	/* The first mapping is the program's, for readers. */
	put_mapping(&out, report->program_map);
	if (report->ages != NULL)
		put_ages(&out, report->ages);
	for (size_t i = 0; report->ages == NULL && i < report->traces.count;
	     i++)
		put_sample(&out, &report->traces.item[i], NULL);
	gzip_write(report->to, out.all.bytes, out.all.used);
}
