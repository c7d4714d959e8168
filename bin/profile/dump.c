#include "dump.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

struct reader {
	struct dump *dump;
	char *next;		/* first byte not read */
	char *end;
	char *line;		/* current line, ended by NUL */
	unsigned long number;
	enum dump_view view;
	uint64_t thread;
	bool unended;		/* the last line has no newline */
};

_Noreturn static void
reader_fail(const struct reader *reader, const char *what)
{
	if (reader->unended)
		fail("%s:%lu: the file is truncated", reader->dump->path,
		    reader->number);
	fail("%s:%lu: %s: %.60s", reader->dump->path, reader->number, what,
	    reader->line);
}

/* Reads the next line; false: the end of the file. */
static bool
reader_line(struct reader *reader)
{
	if (reader->next >= reader->end)
		return false;
	char *stop = memchr(reader->next, '\n',
	    (size_t)(reader->end - reader->next));

	reader->unended = stop == NULL;
	if (stop == NULL)
		stop = reader->end;
	reader->line = reader->next;
	reader->number++;
	reader->next = stop + 1;
	*stop = '\0';
	if (stop > reader->line && stop[-1] == '\r')
		stop[-1] = '\0';
	return true;
}

static char *
file_load(const char *path, size_t *length)
{
	struct stat status;
	int file = open(path, O_RDONLY | O_CLOEXEC);
	size_t done = 0;

	if (file < 0)
		fail("%s: %s", path, strerror(errno));
	if (fstat(file, &status) != 0)
		fail("%s: %s", path, strerror(errno));
	if (S_ISDIR(status.st_mode))
		fail("%s: is a directory", path);
	size_t size = status.st_size > 0 ? (size_t)status.st_size : 65536;
	char *text = memory(size + 1, 1);

	for (;;) {
		ssize_t got = read(file, text + done, size - done);

		if (got < 0)
			fail("%s: %s", path, strerror(errno));
		if (got == 0)
			break;
		done += (size_t)got;
		if (done == size) {
			size *= 2;
			text = realloc(text, size + 1);
			if (text == NULL)
				fail("out of memory");
		}
	}
	close(file);
	text[done] = '\0';
	*length = done;
	return text;
}

static bool
skip(const char **text, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(*text, word, length) != 0)
		return false;
	*text += length;
	return true;
}

static bool
number(const char **text, double *value)
{
	const char *at = *text;
	uint64_t sum = 0;

	for (; *at >= '0' && *at <= '9'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (sum > (UINT64_MAX - digit) / 10)
			return false;
		sum = 10 * sum + digit;
	}
	if (at == *text)
		return false;
	*text = at;
	*value = (double)sum;
	return true;
}

/* n: b [n: b] */
static bool
counts_parse(const char **text, struct dump_counts *counts)
{
	return number(text, &counts->objects) && skip(text, ": ") &&
	    number(text, &counts->bytes) && skip(text, " [") &&
	    number(text, &counts->objects_ever) && skip(text, ": ") &&
	    number(text, &counts->bytes_ever) && skip(text, "]");
}

/*
 * A sample of mean size z stands for 1 / (1 - e^(-z/period)) objects. This
 * holds only for a single line, because sums of lines mix sizes.
 */
static double
unsampled(double objects, double bytes, const struct dump *dump,
    bool want_bytes)
{
	double value = want_bytes ? bytes : objects;
	double period = dump->period;

	if (objects <= 0 || bytes <= 0)
		return 0;
	if (period <= 1)
		return value;
	if (dump->by_ratio)
		return value / fmin(1, bytes / objects / period);
	return value / -expm1(-(bytes / objects) / period);
}

static double
counts_value(const struct dump_counts *counts, const struct dump *dump,
    enum dump_view view)
{
	bool bytes = view == INUSE_SPACE || view == ALLOC_SPACE;

	if (view == INUSE_SPACE || view == INUSE_OBJECTS)
		return unsampled(counts->objects, counts->bytes, dump, bytes);
	return unsampled(counts->objects_ever, counts->bytes_ever, dump,
	    bytes);
}

static void
stack_begin(struct dump *dump)
{
	dump->stacks = array_room(dump->stacks, dump->nstacks,
	    sizeof(*dump->stacks));
	dump->stacks[dump->nstacks++] =
	    (struct dump_stack){ .first = dump->npcs };
}

static int
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

static bool
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

/* Adds the addresses up to the end of the line to the newest stack. */
static void
stack_addresses(struct reader *reader, const char *text)
{
	struct dump *dump = reader->dump;
	struct dump_stack *stack = &dump->stacks[dump->nstacks - 1];
	uint64_t pc;

	for (;;) {
		while (*text == ' ')
			text++;
		if (*text == '\0')
			return;
		if (!skip(&text, "0x") || !hex(&text, &pc))
			reader_fail(reader, "bad address");
		if (pc >> 63 != 0)
			continue;
		if (stack->count != 0 && pc != 0)
			pc--;
		dump->pcs = array_room(dump->pcs, dump->npcs,
		    sizeof(*dump->pcs));
		dump->pcs[dump->npcs++] = pc;
		stack->count++;
	}
}

static void
thread_seen(struct dump *dump, uint64_t uid)
{
	size_t at = dump->nthreads;

	while (at > 0 && dump->threads[at - 1] > uid)
		at--;
	if (at > 0 && dump->threads[at - 1] == uid)
		return;
	dump->threads = array_room(dump->threads, dump->nthreads,
	    sizeof(*dump->threads));
	memmove(dump->threads + at + 1, dump->threads + at,
	    (dump->nthreads - at) * sizeof(*dump->threads));
	dump->threads[at] = uid;
	dump->nthreads++;
}

/* "  t<who>: counts", perhaps with a name; adds the counts to the stack. */
static void
thread_line(struct reader *reader, struct dump_stack *stack)
{
	const char *text = reader->line + 3;
	struct dump_counts counts;
	double uid = 0;
	uint64_t who = THREAD_ALL;

	if (!skip(&text, "*")) {
		if (!number(&text, &uid))
			reader_fail(reader, "bad thread");
		who = (uint64_t)uid;
	}
	if (!skip(&text, ": ") || !counts_parse(&text, &counts) ||
	    reader->unended)
		reader_fail(reader, "bad counts");
	if (*text != '\0' && (stack != NULL || *text != ' '))
		reader_fail(reader, "bad counts");
	if (stack == NULL) {
		if (who != THREAD_ALL)
			thread_seen(reader->dump, who);
		return;
	}
	if (who != reader->thread)
		return;
	stack->counts = counts;
	stack->value += counts_value(&counts, reader->dump, reader->view);
}

static bool
map_begins(const struct reader *reader)
{
	return strcmp(reader->line, "MAPPED_LIBRARIES:") == 0 ||
	    strncmp(reader->line, "--- Memory map", 14) == 0;
}

/* Reads the profile with its threads; true: a map follows. */
static bool
read_threaded(struct reader *reader)
{
	struct dump *dump = reader->dump;
	bool waiting = false, summed = false;

	while (reader_line(reader)) {
		const char *line = reader->line;

		if (waiting && strncmp(line, "  t*: ", 6) != 0)
			reader_fail(reader, "a stack without counts");
		if (line[0] == '@') {
			if (!summed)
				reader_fail(reader, "no totals before");
			stack_begin(dump);
			stack_addresses(reader, line + 1);
			waiting = true;
		} else if (strncmp(line, "  t", 3) == 0) {
			thread_line(reader, dump->nstacks == 0 ? NULL :
			    &dump->stacks[dump->nstacks - 1]);
			waiting = false;
			summed = true;
		} else if (map_begins(reader)) {
			return true;
		} else if (line[0] != '\0') {
			reader_fail(reader, "not a line of a heap profile");
		}
	}
	if (waiting || !summed)
		fail("%s:%lu: the file is truncated", dump->path,
		    reader->number);
	return false;
}

/* n: b [n: b] @ addresses */
static bool
read_plain(struct reader *reader)
{
	while (reader_line(reader)) {
		const char *text = reader->line;
		struct dump_counts counts;
		struct dump_stack *stack;

		text += strspn(text, " ");
		if (map_begins(reader))
			return true;
		if (*text == '\0')
			continue;
		if (!counts_parse(&text, &counts) || !skip(&text, " @"))
			reader_fail(reader, "not a line of a heap profile");
		stack_begin(reader->dump);
		stack_addresses(reader, text);
		stack = &reader->dump->stacks[reader->dump->nstacks - 1];
		stack->counts = counts;
		stack->value = counts_value(&counts, reader->dump,
		    reader->view);
	}
	return false;
}

/* start-end rwxp offset dev inode path, or start-end: path */
static void
map_line(struct dump *dump, const char *text)
{
	struct mapping map = { .path = NULL };
	char rights[5] = "";
	int used = 0;

	text += strspn(text, " ");
	if (skip(&text, "build=")) {
		dump->build = intern(text);
		return;
	}
	if (!hex(&text, &map.start) || !skip(&text, "-") ||
	    !hex(&text, &map.end))
		return;
	map.brief = skip(&text, ": ");
	if (!map.brief) {
		unsigned long offset;

		if (sscanf(text, " %4s %lx %*x:%*x %*u%n", rights, &offset,
		    &used) < 2 || used == 0 || strchr(rights, 'x') == NULL)
			return;
		map.offset = offset;
		text += used;
	}
	text += strspn(text, " ");
	if (dump->build != NULL && skip(&text, "$build"))
		text = print("%s%s", dump->build, text);
	if (*text != '/')
		return;
	size_t length = strlen(text);

	if (length > 10 && strcmp(text + length - 10, " (deleted)") == 0)
		length -= 10;
	map.path = intern_bytes(text, length);
	dump->maps = array_room(dump->maps, dump->nmaps, sizeof(map));
	dump->maps[dump->nmaps++] = map;
}

/* "--- symbol" ... "---"; after that comes the profile itself. */
static void
read_symbols(struct reader *reader)
{
	struct dump *dump = reader->dump;
	bool ended = false;

	while (reader_line(reader)) {
		const char *text = reader->line;
		struct dump_symbol symbol;

		if (strncmp(text, "--- heap", 8) == 0 ||
		    strncmp(text, "--- growth", 10) == 0) {
			ended = true;
			break;
		}
		if (strncmp(text, "--- ", 4) == 0)
			reader_fail(reader,
			    "this kind of profile is not supported");
		if (strncmp(text, "binary=", 7) == 0)
			dump->binary = intern(text + 7);
		if (!skip(&text, "0x"))
			continue;
		if (!hex(&text, &symbol.pc))
			reader_fail(reader, "bad symbol");
		symbol.names = text + strspn(text, " ");
		dump->symbols = array_room(dump->symbols, dump->nsymbols,
		    sizeof(symbol));
		dump->symbols[dump->nsymbols++] = symbol;
	}
	if (!ended)
		fail("%s: symbols without a profile: the file is truncated",
		    dump->path);
}

/* Finds the first line that is neither a warning nor another remark. */
static bool
first_line(struct reader *reader)
{
	while (reader_line(reader)) {
		if (reader->line[0] != '%')
			return true;
		if (strncmp(reader->line, "%warn", 5) == 0)
			note("WARNING:%s", reader->line + 5);
		else
			note("ignored: %s", reader->line);
	}
	return false;
}

/* Sets the period from the first line; true: the text after it is plain. */
static bool
header_parse(struct reader *reader)
{
	const char *text = reader->line, *at;

	if (skip(&text, "heap_v2/")) {
		if (!number(&text, &reader->dump->period) || *text != '\0')
			reader_fail(reader, "bad sampling period");
		return false;
	}
	if (strncmp(text, "heap profile:", 13) != 0)
		reader_fail(reader, "not a heap profile");
	at = strrchr(text, '@');
	if (at == NULL)
		reader_fail(reader, "not a heap profile");
	for (at++; *at == ' ';)
		at++;
	if (skip(&at, "heap_v2")) {
		reader->dump->period = 131072;
		if (skip(&at, "/") && !number(&at, &reader->dump->period))
			reader_fail(reader, "bad sampling period");
	} else if (skip(&at, "heap/")) {
		if (!number(&at, &reader->dump->period))
			reader_fail(reader, "bad sampling period");
		reader->dump->period /= 2;
		reader->dump->by_ratio = true;
	} else if (!skip(&at, "heapprofile") && !skip(&at, "growth")) {
		reader_fail(reader, "this kind of profile is not supported");
	}
	return true;
}

/* Refuses profiles of other kinds, which can't be read here. */
static void
kind_check(const char *path, const char *text, size_t length)
{
	static const char cpu[2][16] = {
		{ 0, 0, 0, 0, 0, 0, 0, 0, 3 }, { 0, 0, 0, 0, 3 },
	};

	if (length > 2 && memcmp(text, "\x1f\x8b", 2) == 0)
		fail("%s: is compressed: perhaps a profile for pprof", path);
	if (length >= 16 && (memcmp(text, cpu[0], 16) == 0 ||
	    memcmp(text, cpu[1], 8) == 0))
		fail("%s: profiles of CPU time are not supported", path);
	if (strncmp(text, "--- contention", 14) == 0 ||
	    strncmp(text, "--- Stacks:", 11) == 0)
		fail("%s: profiles of lock contention are not supported", path);
}

struct dump *
dump_read(const char *path, enum dump_view view, uint64_t thread)
{
	struct dump *dump = memory(1, sizeof(*dump));
	struct reader reader = {
		.dump = dump, .view = view, .thread = thread,
	};
	size_t length;
	char *text = file_load(path, &length);
	char *copy = memory(length + 1, 1);
	bool mapped;

	dump->path = path;
	memcpy(copy, text, length);
	reader.next = text;
	reader.end = text + length;
	kind_check(path, text, length);
	if (length == 0 || !first_line(&reader))
		fail("%s: the file is empty", path);
	if (strncmp(reader.line, "--- symbol", 10) == 0) {
		read_symbols(&reader);
		if (!reader_line(&reader))
			fail("%s: the file is truncated", path);
	}
	dump->text = copy + (reader.line - text);
	dump->length = length - (size_t)(reader.line - text);
	mapped = header_parse(&reader) ? read_plain(&reader) :
	    read_threaded(&reader);
	if (!mapped && dump->nsymbols == 0)
		note("%s: no MAPPED_LIBRARIES: is the file complete?", path);
	while (mapped && reader_line(&reader))
		map_line(dump, reader.line);
	if (reader.unended)
		note("%s: the last line has no end: is the file complete?",
		    path);
	return dump;
}

struct dump *
dump_read_addresses(FILE *file)
{
	struct dump *dump = memory(1, sizeof(*dump));
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, file) >= 0) {
		const char *mark = strstr(line, "0x");
		uint64_t pc;

		line[strcspn(line, "\r\n")] = '\0';
		if (mark == NULL) {
			map_line(dump, line);
			continue;
		}
		mark += 2;
		if (!hex(&mark, &pc))
			continue;
		stack_begin(dump);
		dump->pcs = array_room(dump->pcs, dump->npcs,
		    sizeof(*dump->pcs));
		dump->pcs[dump->npcs++] = pc;
		dump->stacks[dump->nstacks - 1].count = 1;
	}
	free(line);
	return dump;
}

static bool
starts(const char *path, const char *const *words)
{
	char text[64] = "";
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return false;
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	for (; *words != NULL; words++) {
		if (strncmp(text, *words, strlen(*words)) == 0)
			return true;
	}
	return false;
}

bool
dump_looks_like(const char *path)
{
	return starts(path, (const char *const []){ "heap_v2/",
	    "heap profile:", "--- ", "%", NULL });
}

bool
dump_is_symbolized(const char *path)
{
	return starts(path, (const char *const []){ "--- symbol", NULL });
}
