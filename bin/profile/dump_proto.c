#include "dump_proto.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dump_build.h"
#include "dump_maps.h"
#include "proto_fields.h"
#include "tool.h"
#include "wire.h"

/* Where locations without an address, or with the same one, are put. */
#define PLACE ((uint64_t)0x3000000000000000)

enum { VALUES_MAX = 64, COUNTS = 4 };

struct text {
	const char *bytes;
	size_t length;
};

struct function {
	uint64_t id;
	const char *name, *file;
	int line;
};

struct location {
	uint64_t id;
	uint64_t pc;
	uint64_t mapping;
	size_t symbol; /* + 1; 0: it has no names */
};

struct proto {
	struct dump *dump;
	struct wire all;
	struct text *strings;
	size_t nstrings;
	struct function *functions;
	size_t nfunctions;
	struct location *locations;
	size_t nlocations;
	size_t columns[COUNTS]; /* of struct dump_counts, + 1; 0: none */
	size_t ncolumns;
	enum dump_view view;
	uint64_t thread;
	bool has_files;
};

static _Noreturn void
broken(const struct proto *proto, const char *what)
{
	fail("%s: broken profile in pprof's format: %s", proto->dump->path,
	    what);
}

static const struct text *
string(const struct proto *proto, uint64_t number)
{
	if (number >= proto->nstrings)
		broken(proto, "a string that is not there");
	return &proto->strings[number];
}

static const char *
string_name(const struct proto *proto, uint64_t number)
{
	const struct text *text = string(proto, number);
	size_t length = strnlen(text->bytes, text->length);

	return length == 0 ? NULL : intern_bytes(text->bytes, length);
}

static bool
string_is(const struct proto *proto, uint64_t number, const char *word)
{
	const struct text *text = string(proto, number);

	return text->length == strlen(word) &&
	    memcmp(text->bytes, word, text->length) == 0;
}

/* The numbers of a message's fields, by field; lists and texts are left out. */
static void
message(struct proto *proto, const struct wire *bytes, uint64_t *numbers,
    unsigned count)
{
	struct wire from = *bytes;
	struct wire_field field;

	memset(numbers, 0, count * sizeof(*numbers));
	while (wire_next(&from, &field)) {
		if (field.number < count && !field.is_bytes)
			numbers[field.number] = field.value;
	}
	if (from.broken)
		broken(proto, "it is cut or damaged");
}

bool
dump_proto_may_be(const char *bytes, size_t length)
{
	unsigned char tag = length > 1 ? (unsigned char)bytes[0] : 0;

	/* A field of the profile that is bytes, or one that is a number. */
	return tag >> 3 >= PROFILE_SAMPLE_TYPE && tag >> 3 <= PROFILE_FIELDS &&
	    ((tag & 7) == 2 ||
		((tag & 7) == 0 && tag >> 3 >= PROFILE_DROP_FRAMES));
}

/* Each top-level field is one that a profile has, up to the last byte. */
bool
dump_proto_is(const char *bytes, size_t length)
{
	struct wire from = { .at = (const uint8_t *)bytes };
	struct wire_field field;
	bool typed = false, empty = false;

	if (!dump_proto_may_be(bytes, length))
		return false;
	from.end = from.at + length;
	for (unsigned i = 0; wire_next(&from, &field); i++) {
		if (field.number == 0 || field.number > PROFILE_FIELDS)
			return false;
		typed |= field.number == PROFILE_SAMPLE_TYPE && field.is_bytes;
		empty |= field.number == PROFILE_STRING && field.is_bytes &&
		    field.bytes.at == field.bytes.end;
		/* It is one; whether all of it is good is seen later. */
		if (typed && empty && i > 8)
			return true;
	}
	return typed && empty;
}

static void
strings_take(struct proto *proto)
{
	struct wire from = proto->all;
	struct wire_field field;

	while (wire_next(&from, &field)) {
		if (field.number != PROFILE_STRING || !field.is_bytes)
			continue;
		proto->strings = array_room(proto->strings, proto->nstrings,
		    sizeof(*proto->strings));
		proto->strings[proto->nstrings++] = (struct text){
			(const char *)field.bytes.at,
			(size_t)(field.bytes.end - field.bytes.at)
		};
	}
	if (from.broken)
		broken(proto, "it is cut or damaged");
}

/* The column of a sample type in struct dump_counts, or COUNTS. */
static unsigned
column_of(const struct proto *proto, uint64_t type)
{
	static const char *const names[COUNTS][2] = {
		{ "inuse_objects", "objects" },
		{ "inuse_space", "space" },
		{ "alloc_objects", "alloc_objects" },
		{ "alloc_space", "alloc_space" },
	};

	for (unsigned i = 0; i < COUNTS; i++) {
		if (string_is(proto, type, names[i][0]) ||
		    string_is(proto, type, names[i][1]))
			return i;
	}
	return COUNTS;
}

/* Ends jeprof if the profile does not have what is to be counted. */
static void
columns_check(const struct proto *proto, const char *types)
{
	static const unsigned of_view[] = {
		[INUSE_SPACE] = 1,
		[INUSE_OBJECTS] = 0,
		[ALLOC_SPACE] = 3,
		[ALLOC_OBJECTS] = 2,
	};
	static const char *const names[] = {
		[INUSE_SPACE] = "inuse_space",
		[INUSE_OBJECTS] = "inuse_objects",
		[ALLOC_SPACE] = "alloc_space",
		[ALLOC_OBJECTS] = "alloc_objects",
	};
	bool any = false;

	for (unsigned i = 0; i < COUNTS; i++)
		any = any || proto->columns[i] != 0;
	if (!any)
		fail("%s: not a heap profile: it has%s", proto->dump->path,
		    types);
	/* Without prof_accum nothing was counted; so it is 0 in all formats. */
	if (proto->columns[of_view[proto->view]] == 0 &&
	    (proto->view == INUSE_SPACE || proto->view == INUSE_OBJECTS))
		fail("%s: has no %s; it has:%s", proto->dump->path,
		    names[proto->view], types);
}

static void
types_take(struct proto *proto)
{
	struct wire from = proto->all;
	struct wire_field field;
	uint64_t type[TYPE_UNIT + 1];
	char *types = print("%s", "");

	while (wire_next(&from, &field)) {
		if (field.number != PROFILE_SAMPLE_TYPE || !field.is_bytes)
			continue;
		message(proto, &field.bytes, type, TYPE_UNIT + 1);
		const struct text *text = string(proto, type[TYPE_TYPE]);
		unsigned column = column_of(proto, type[TYPE_TYPE]);
		char *longer = print("%s %.*s", types, (int)text->length,
		    text->bytes);

		free(types);
		types = longer;
		proto->ncolumns++;
		if (column < COUNTS)
			proto->columns[column] = proto->ncolumns;
	}
	if (proto->ncolumns > VALUES_MAX)
		broken(proto, "too many values");
	columns_check(proto, types);
	free(types);
}

static void
mapping_take(struct proto *proto, const struct wire *bytes)
{
	uint64_t numbers[MAPPING_BUILD_ID + 1];
	struct mapping map = { .is_file = false };
	const char *file;
	size_t length;

	message(proto, bytes, numbers, MAPPING_BUILD_ID + 1);
	file = string_name(proto, numbers[MAPPING_FILE]);
	map.start = numbers[MAPPING_START];
	map.end = numbers[MAPPING_LIMIT];
	map.offset = numbers[MAPPING_OFFSET];
	map.base = map.start - map.offset;
	map.build_id = string_name(proto, numbers[MAPPING_BUILD_ID]);
	map.is_file = file != NULL && dump_is_file(file);
	length = file == NULL ? 0 : strlen(file);
	if (length > 10 && strcmp(file + length - 10, " (deleted)") == 0)
		length -= 10;
	map.path = map.is_file || (file != NULL && file[0] == '[')
	    ? intern_bytes(file, length)
	    : intern("[jit]");
	dump_mapping_add(proto->dump, &map);
}

static void
function_take(struct proto *proto, const struct wire *bytes)
{
	uint64_t numbers[FUNCTION_LINE + 1];
	struct function function;

	message(proto, bytes, numbers, FUNCTION_LINE + 1);
	function.id = numbers[FUNCTION_ID];
	function.name = string_name(proto, numbers[FUNCTION_NAME]);
	if (function.name == NULL)
		function.name = string_name(proto, numbers[FUNCTION_SYSTEM]);
	function.file = string_name(proto, numbers[FUNCTION_FILE]);
	function.line = (int)numbers[FUNCTION_LINE];
	proto->has_files |= function.file != NULL;
	proto->functions = array_room(proto->functions, proto->nfunctions,
	    sizeof(function));
	proto->functions[proto->nfunctions++] = function;
}

static int
compare_ids(const void *a, const void *b)
{
	const uint64_t *first = a, *second = b;

	return *first < *second ? -1 : *first > *second;
}

static const void *
row_with_id(const void *rows, size_t count, size_t size, uint64_t id)
{
	size_t at = rows_upto(rows, count, size, id);
	const char *row;
	uint64_t found;

	if (at == 0)
		return NULL;
	row = (const char *)rows + (at - 1) * size;
	memcpy(&found, row, sizeof(found));
	return found == id ? row : NULL;
}

static void
line_take(struct proto *proto, const struct wire *bytes,
    struct dump_symbol *symbol)
{
	uint64_t numbers[LINE_LINE + 1];
	const struct function *function;

	message(proto, bytes, numbers, LINE_LINE + 1);
	function = row_with_id(proto->functions, proto->nfunctions,
	    sizeof(*function), numbers[LINE_FUNCTION]);
	if (function == NULL)
		broken(proto, "a function that is not there");
	dump_symbol_line(symbol,
	    &(struct dump_line){ .name = function->name,
		.file = function->file,
		.line = (int)numbers[LINE_LINE],
		.first_line = function->line });
}

static void
location_take(struct proto *proto, const struct wire *bytes)
{
	uint64_t numbers[LOCATION_ADDRESS + 1];
	struct location location = { .symbol = 0 };
	struct dump_symbol *symbol = NULL;
	struct wire from = *bytes;
	struct wire_field field;

	message(proto, bytes, numbers, LOCATION_ADDRESS + 1);
	location.id = numbers[LOCATION_ID];
	location.pc = numbers[LOCATION_ADDRESS];
	location.mapping = numbers[LOCATION_MAPPING];
	while (wire_next(&from, &field)) {
		if (field.number != LOCATION_LINE || !field.is_bytes)
			continue;
		if (symbol == NULL)
			symbol = dump_symbol_add(proto->dump, location.pc);
		location.symbol = proto->dump->nsymbols;
		line_take(proto, &field.bytes, symbol);
	}
	proto->locations = array_room(proto->locations, proto->nlocations,
	    sizeof(location));
	proto->locations[proto->nlocations++] = location;
}

/* Reads all messages of one kind. */
static void
each(struct proto *proto, unsigned number,
    void (*take)(struct proto *, const struct wire *))
{
	struct wire from = proto->all;
	struct wire_field field;

	while (wire_next(&from, &field)) {
		if (field.number == number && field.is_bytes)
			take(proto, &field.bytes);
	}
}

static int
compare_addresses(const void *a, const void *b)
{
	const struct location *first = *(struct location *const *)a;
	const struct location *second = *(struct location *const *)b;

	return compare_ids(&first->pc, &second->pc);
}

/*
 * Profiles of Java and others have names and no addresses. Each location with
 * names gets an address of its own, because that is how we tell them apart.
 */
static void
locations_place(struct proto *proto)
{
	size_t count = proto->nlocations;
	struct location **order = memory(count, sizeof(*order));
	uint64_t before = 0;

	for (size_t i = 0; i < count; i++)
		order[i] = &proto->locations[i];
	sort(order, count, sizeof(*order), compare_addresses);
	for (size_t i = 0; i < count; i++) {
		struct location *location = order[i];
		bool again = location->pc == before;

		before = location->pc;
		if (location->symbol == 0) {
			proto->dump->partly = true;
			continue;
		}
		if (again || location->pc == 0 || location->pc >> 62 != 0)
			location->pc = PLACE + ((uint64_t)i << 12);
		proto->dump->symbols[location->symbol - 1].pc = location->pc;
	}
	free(order);
}

/* The label that this library gives: thread "t3". */
static uint64_t
label_thread(struct proto *proto, const struct wire *bytes, uint64_t known)
{
	uint64_t numbers[LABEL_NUMBER + 1];
	const struct text *text;

	message(proto, bytes, numbers, LABEL_NUMBER + 1);
	if (!string_is(proto, numbers[LABEL_KEY], "thread"))
		return known;
	text = string(proto, numbers[LABEL_TEXT]);
	if (text->length < 2 || text->length > 20 || text->bytes[0] != 't')
		return numbers[LABEL_TEXT] == 0 ? numbers[LABEL_NUMBER] : known;
	return strtoull(intern_bytes(text->bytes + 1, text->length - 1), NULL,
	    10);
}

static double
column(const struct proto *proto, const uint64_t *values, unsigned which)
{
	size_t at = proto->columns[which];

	return at == 0 ? 0 : (double)(int64_t)values[at - 1];
}

static void
stack_take(struct proto *proto, struct wire_field *field)
{
	uint64_t id;

	while (wire_number(field, &id)) {
		const struct location *location = row_with_id(proto->locations,
		    proto->nlocations, sizeof(*location), id);

		if (location == NULL)
			broken(proto, "a location that is not there");
		dump_pc_add(proto->dump, location->pc);
	}
}

static void
sample_take(struct proto *proto, const struct wire *bytes)
{
	struct dump *dump = proto->dump;
	struct wire from = *bytes;
	struct wire_field field;
	uint64_t values[VALUES_MAX] = { 0 }, thread = THREAD_ALL, value;
	struct dump_stack *stack = dump_stack_add(dump);
	size_t count = 0;

	while (wire_next(&from, &field)) {
		if (field.number == SAMPLE_LOCATION)
			stack_take(proto, &field);
		else if (field.number == SAMPLE_LABEL && field.is_bytes)
			thread = label_thread(proto, &field.bytes, thread);
		while (field.number == SAMPLE_VALUE &&
		    wire_number(&field, &value)) {
			if (count < VALUES_MAX)
				values[count] = value;
			count++;
		}
	}
	if (from.broken || count != proto->ncolumns)
		broken(proto, "a sample without its values");
	stack->counts = (struct dump_counts){ column(proto, values, 0),
		column(proto, values, 1), column(proto, values, 2),
		column(proto, values, 3) };
	dump->negative |= stack->counts.bytes < 0 || stack->counts.objects < 0;
	if (thread != THREAD_ALL)
		dump_thread_add(dump, thread);
	if (proto->thread != THREAD_ALL && thread != proto->thread)
		stack->counts = (struct dump_counts){ 0, 0, 0, 0 };
}

static void
header_take(struct proto *proto)
{
	struct dump *dump = proto->dump;
	uint64_t numbers[PROFILE_FIELDS + 1];

	message(proto, &proto->all, numbers, PROFILE_FIELDS + 1);
	dump->rate = (double)numbers[PROFILE_PERIOD];
	dump->holes = string_is(proto, numbers[PROFILE_COMMENT], COMMENT_HOLES);
	if (string_is(proto, numbers[PROFILE_COMMENT], COMMENT_CLOSED))
		dump_closed_more(dump);
	dump->drop_frames = string_name(proto, numbers[PROFILE_DROP_FRAMES]);
	dump->keep_frames = string_name(proto, numbers[PROFILE_KEEP_FRAMES]);
	if (numbers[PROFILE_TIME] != 0)
		dump->time = (struct timespec){
			.tv_sec = (time_t)(numbers[PROFILE_TIME] / 1000000000),
			.tv_nsec = (long)(numbers[PROFILE_TIME] % 1000000000),
		};
}

void
dump_proto_read(struct dump *dump, const char *bytes, size_t length,
    enum dump_view view, uint64_t thread)
{
	struct proto proto = {
		.dump = dump,
		.view = view,
		.thread = thread,
		.all = { .at = (const uint8_t *)bytes },
	};

	proto.all.end = proto.all.at + length;
	dump->form = DUMP_PROTO;
	strings_take(&proto);
	header_take(&proto);
	types_take(&proto);
	each(&proto, PROFILE_MAPPING, mapping_take);
	each(&proto, PROFILE_FUNCTION, function_take);
	sort(proto.functions, proto.nfunctions, sizeof(*proto.functions),
	    compare_ids);
	each(&proto, PROFILE_LOCATION, location_take);
	locations_place(&proto);
	sort(proto.locations, proto.nlocations, sizeof(*proto.locations),
	    compare_ids);
	each(&proto, PROFILE_SAMPLE, sample_take);
	for (size_t i = 0; i < dump->nstacks; i++) {
		struct dump_stack *stack = &dump->stacks[i];
		const struct dump_counts *counts = &stack->counts;

		stack->value = view == INUSE_SPACE ? counts->bytes
		    : view == INUSE_OBJECTS        ? counts->objects
		    : view == ALLOC_SPACE          ? counts->bytes_ever
						   : counts->objects_ever;
	}
	dump->lineless = dump->nsymbols > 0 && !proto.has_files;
	free(proto.strings);
	free(proto.functions);
	free(proto.locations);
}
