#include "prof/prof_mappings.h"

#include <limits.h>
#include <string.h>

#include "os/file.h"
#include "os/pages.h"
#include "os/probe.h"
#include "os/system.h"
#include "prof/prof_loaded.h"
#include "util/bits.h"
#include "util/compiler.h"

#define MAPS    "/proc/self/maps"
#define DELETED " (deleted)"
/* Code that was made or moved at run time; pprof knows this name. */
#define ANONYMOUS     "//anon"
#define TEXT_SIZE     ((size_t)128 << 10)
#define TEXT_SIZE_MAX ((size_t)1 << 30)

/* One line of /proc/self/maps. */
struct line {
	uintptr_t start;
	uintptr_t end;
	uint64_t offset;
	const char *file; /* device and inode, as text */
	size_t file_length;
	const char *name;
	size_t name_length;
	bool readable;
	bool executable;
};

/* The state while the list is read. */
struct reading {
	struct prof_mappings *mappings;
	long memory;      /* see probe_open() */
	struct line head; /* the last line with offset 0 in a file */
	const char *program;
};

/* --- text ----------------------------------------------------------------- */

static uint64_t
read_hex(const char **at)
{
	uint64_t value = 0;

	for (;; (*at)++) {
		char c = **at;

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return value;
	}
}

static const char *
skip_blanks(const char *at)
{
	return at + strspn(at, " ");
}

/* Reads `start-end rwxp offset device inode name`. False: another form. */
static bool
read_line(const char *at, struct line *line)
{
	line->start = (uintptr_t)read_hex(&at);
	if (*at++ != '-')
		return false;
	line->end = (uintptr_t)read_hex(&at);
	at = skip_blanks(at);
	if (strcspn(at, " \n") != 4)
		return false;
	line->readable = at[0] == 'r';
	line->executable = at[2] == 'x';
	at = skip_blanks(at + 4);
	line->offset = read_hex(&at);
	line->file = at = skip_blanks(at);
	at += strcspn(at, " \n");
	at = skip_blanks(at);
	at += strcspn(at, " \n");
	line->file_length = (size_t)(at - line->file);
	line->name = at = skip_blanks(at);
	line->name_length = strcspn(at, "\n");
	return true;
}

static bool
same_file(const struct line *a, const struct line *b)
{
	return a->file_length == b->file_length &&
	    memcmp(a->file, b->file, a->file_length) == 0 &&
	    a->name_length == b->name_length &&
	    memcmp(a->name, b->name, a->name_length) == 0;
}

/* --- the list ------------------------------------------------------------- */

/*
 * Copies from the beginning of a file, where its headers and notes are, out of
 * the memory that this beginning is mapped to.
 */
static bool
read_head(const void *context, uint64_t offset, void *to, size_t size)
{
	const struct reading *reading = context;
	size_t length = reading->head.end - reading->head.start;

	return offset <= length && size <= length - offset &&
	    probe_copy(reading->memory, reading->head.start + offset, to, size);
}

/*
 * Joins a line with the mapping before, if its bytes follow those of that
 * mapping both in memory and in the file. False: it does not follow.
 */
static bool
extend(struct prof_mappings *mappings, const struct line *line)
{
	struct prof_mapping *last;

	if (mappings->count == 0)
		return false;
	last = &mappings->item[mappings->count - 1];
	if (last->end != line->start ||
	    last->offset + (last->end - last->start) != line->offset ||
	    last->name_length != line->name_length ||
	    memcmp(last->name, line->name, line->name_length) != 0)
		return false;
	last->end = line->end;
	return true;
}

static void
enter(struct reading *reading, const struct line *line)
{
	struct prof_mappings *mappings = reading->mappings;
	struct prof_mapping *mapping;

	if (!line->executable || extend(mappings, line))
		return;
	mapping = &mappings->item[mappings->count];
	*mapping = (struct prof_mapping){ .start = line->start,
		.end = line->end,
		.offset = line->offset,
		.name = line->name_length != 0 ? line->name : ANONYMOUS,
		.name_length = line->name_length != 0 ? line->name_length
						      : strlen(ANONYMOUS) };
	if (line->name_length != 0 && reading->head.readable &&
	    same_file(&reading->head, line))
		prof_elf_read_id(mapping, read_head, reading);
	if (mappings->program == SIZE_MAX &&
	    strlen(reading->program) == line->name_length &&
	    memcmp(reading->program, line->name, line->name_length) == 0)
		mappings->program = mappings->count;
	mappings->count++;
}

/*
 * A file is usually mapped in several lines, in ascending order. The first one
 * has offset 0 and the ELF header, code follows in a later line. So that first
 * line is kept until the code comes.
 */
static void
read_lines(struct reading *reading)
{
	struct line line;
	const char *at = reading->mappings->text;

	while (read_line(at, &line)) {
		if (line.offset == 0)
			reading->head = line;
		enter(reading, &line);
		at = line.name + line.name_length;
		if (*at++ != '\n')
			break;
	}
}

static size_t
count_lines(const char *text)
{
	size_t count = 1;

	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

/* A file that was deleted or replaced since keeps its old name. */
static void
settle_names(struct prof_mappings *mappings)
{
	size_t length = sizeof(DELETED) - 1;

	for (size_t i = 0; i < mappings->count; i++) {
		struct prof_mapping *mapping = &mappings->item[i];

		if (mapping->name_length > length &&
		    memcmp(mapping->name + mapping->name_length - length,
			DELETED, length) == 0)
			mapping->name_length -= length;
	}
}

/* A text that is cut at the end of its buffer, and its whole length. */
struct buffer {
	char *text;
	size_t size;
	size_t length;
};

static void
put_loaded(void *context, const char *text, size_t length)
{
	struct buffer *buffer = context;

	if (buffer->length < buffer->size)
		memcpy(buffer->text + buffer->length, text,
		    min_size(length, buffer->size - buffer->length));
	buffer->length += length;
}

/* The same list from the loader, if there is no /proc. Returns its length. */
static size_t
read_loaded(char *text, size_t size)
{
	struct buffer buffer = { .text = text, .size = size - 1 };

	prof_loaded_list(put_loaded, &buffer);
	text[min_size(buffer.length, size - 1)] = '\0';
	return buffer.length;
}

/* Reads the whole list, however long it is. False: no memory. */
static bool
take_text(struct prof_mappings *mappings)
{
	size_t size = round_up(TEXT_SIZE, system_info.page_size);

	for (; size <= TEXT_SIZE_MAX; size *= 2) {
		ssize_t length;

		mappings->text_size = size;
		mappings->text = pages_map(size, system_info.page_size);
		if (mappings->text == NULL)
			return false;
		length = file_read(MAPS, mappings->text, size);
		if (length < 0)
			length = (ssize_t)read_loaded(mappings->text, size);
		if (length < (ssize_t)size - 1)
			return true;
		pages_unmap(mappings->text, size);
	}
	return false;
}

bool
prof_mappings_take(struct prof_mappings *mappings)
{
	struct reading reading = { .mappings = mappings };
	char *program;
	size_t count;

	*mappings = (struct prof_mappings){ .program = SIZE_MAX };
	if (!take_text(mappings))
		return false;
	/* Any thread may run this: its stack may be too small for a path. */
	count = count_lines(mappings->text);
	mappings->item_size = round_up(count * sizeof(struct prof_mapping) +
		PATH_MAX,
	    system_info.page_size);
	mappings->item = pages_map(mappings->item_size, system_info.page_size);
	if (mappings->item == NULL) {
		pages_unmap(mappings->text, mappings->text_size);
		return false;
	}
	program = (char *)(mappings->item + count);
	reading.program = program;
	if (file_link("/proc/self/exe", program, PATH_MAX) <= 0)
		reading.program = prof_loaded_program();
	reading.memory = probe_open();
	read_lines(&reading);
	probe_close(reading.memory);
	settle_names(mappings);
	mappings->program = min_size(mappings->program, mappings->count);
	prof_objects_settle();
	prof_closed_take(&mappings->closed);
	return true;
}

void
prof_mappings_end(struct prof_mappings *mappings)
{
	prof_closed_end(&mappings->closed);
	pages_unmap(mappings->item, mappings->item_size);
	pages_unmap(mappings->text, mappings->text_size);
}

size_t
prof_mappings_find(const struct prof_mappings *mappings, uintptr_t address)
{
	size_t low = 0, high = mappings->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mappings->item[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < mappings->count && mappings->item[low].start <= address
	    ? low
	    : mappings->count;
}

/*
 * Are these, as far as is known, of the same file, and is an address the same
 * part of it in both?
 */
static bool
are_alike(const struct prof_mapping *a, const struct prof_mapping *b)
{
	return a->start - a->offset == b->start - b->offset &&
	    a->name_length == b->name_length &&
	    memcmp(a->name, b->name, a->name_length) == 0 &&
	    a->id_length == b->id_length &&
	    memcmp(a->id, b->id, a->id_length) == 0;
}

size_t
prof_mappings_origin(const struct prof_mappings *mappings, uintptr_t address)
{
	size_t origin = prof_mappings_find(mappings, address);
	const struct prof_mapping *known = &mappings->item[origin];
	bool found = origin < mappings->count;

	for (size_t i = 0; i < mappings->closed.count; i++) {
		const struct prof_mapping *closed = &mappings->closed.item[i];

		if (!prof_mapping_contains(closed, address))
			continue;
		if (found && !are_alike(known, closed))
			return SIZE_MAX;
		if (!found)
			origin = mappings->count + i;
		known = found ? known : closed;
		found = true;
	}
	return found ? origin : SIZE_MAX;
}
