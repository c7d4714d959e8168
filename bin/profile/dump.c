#include "dump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dump_build.h"
#include "dump_maps.h"
#include "dump_proto.h"
#include "gzip.h"
#include "parse.h"
#include "tool.h"

struct reader {
	struct dump *dump;
	char *next; /* first byte not read */
	char *end;
	char *line; /* current line, ended by NUL */
	unsigned long number;
	enum dump_view view;
	uint64_t thread;
	bool unended;  /* the last line has no newline */
	bool elided;   /* a mark for parts left out was seen */
	size_t named;  /* frames of the newest stack, in Go's files */
	size_t symbol; /* of the last of them, + 1; 0: an old one */
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
file_load(const char *path, size_t *length, struct timespec *time)
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
	/* Some have no end. A terminal has one, and so does /dev/null. */
	if (S_ISCHR(status.st_mode) && !isatty(file) &&
	    strcmp(path, "/dev/null") != 0)
		fail("%s: is a device, not a profile", path);
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
	*time = status.st_mtim;
	if (!gzip_is(text, done))
		return text;
	char *unpacked = gzip_unpack(path, text, done, length);

	free(text);
	return unpacked;
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

/* A number that may have blanks before it, and the sign that follows. */
static bool
number_padded(const char **text, double *value, char sign)
{
	while (**text == ' ')
		++*text;
	if (!number(text, value))
		return false;
	while (sign == '[' && **text == ' ')
		++*text;
	if (**text != sign)
		return false;
	++*text;
	return true;
}

/* n: b [n: b]; tcmalloc writes columns. */
static bool
counts_parse(const char **text, struct dump_counts *counts)
{
	return number_padded(text, &counts->objects, ':') &&
	    number_padded(text, &counts->bytes, '[') &&
	    number_padded(text, &counts->objects_ever, ':') &&
	    number_padded(text, &counts->bytes_ever, ']');
}

/* Adds the addresses up to the end of the line to the newest stack. */
static void
stack_addresses(struct reader *reader, const char *text)
{
	struct dump *dump = reader->dump;
	struct dump_stack *stack = &dump->stacks[dump->nstacks - 1];
	bool returns = dump->form == DUMP_GO;
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
		if ((returns || stack->count != 0) && pc != 0)
			pc--;
		dump_pc_add(dump, pc);
	}
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
			dump_thread_add(reader->dump, who);
		/* The library names its first class so. */
		if (who == 0 && strcmp(text, " under 1 s") == 0)
			reader->dump->holes = true;
		return;
	}
	if (who != reader->thread)
		return;
	stack->counts = counts;
	stack->value += dump_value(&counts, reader->dump, reader->view);
}

static bool
map_begins(const struct reader *reader)
{
	return strcmp(reader->line, "MAPPED_LIBRARIES:") == 0 ||
	    strncmp(reader->line, "--- Memory map", 14) == 0;
}

/* Whoever shortens a dump by hand marks the place. */
static bool
is_elided(struct reader *reader)
{
	const char *text = reader->line + strspn(reader->line, " ");

	if (strncmp(text, "...", 3) != 0 && strncmp(text, "[...]", 5) != 0)
		return false;
	if (!reader->elided)
		note("%s:%lu: parts of the profile are left out there, so "
		     "sums are too small",
		    reader->dump->path, reader->number);
	reader->elided = true;
	return true;
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
			dump_stack_add(dump);
			stack_addresses(reader, line + 1);
			waiting = true;
		} else if (strncmp(line, "  t", 3) == 0) {
			thread_line(reader,
			    dump->nstacks == 0
				? NULL
				: &dump->stacks[dump->nstacks - 1]);
			waiting = false;
			summed = true;
		} else if (map_begins(reader)) {
			return true;
		} else if (line[0] != '\0' && !is_elided(reader)) {
			reader_fail(reader, "not a line of a heap profile");
		}
	}
	if (waiting || !summed)
		fail("%s:%lu: the file is truncated", dump->path,
		    reader->number);
	return false;
}

/* A name and line of Go: "<name>+0x<offset>\t<file>:<line>". */
static struct dump_line
go_names(const char *text)
{
	struct dump_line line = { .name = NULL };
	const char *end = text + strcspn(text, "\t"), *file, *mark;

	mark = memmem(text, (size_t)(end - text), "+0x", 3);
	line.name = intern_bytes(text, (size_t)((mark ? mark : end) - text));
	file = end + strspn(end, "\t ");
	mark = strrchr(file, ':');
	if (mark != NULL) {
		line.file = intern_bytes(file, (size_t)(mark - file));
		line.line = atoi(mark + 1);
	}
	return line;
}

/*
 * "#\t0x<pc>\t<names>" after a stack of Go. If an address has several of these,
 * all but the last are inlined there. What Go hides has none.
 */
static void
go_line(struct reader *reader)
{
	struct dump *dump = reader->dump;
	const struct dump_stack *stack;
	const uint64_t *pcs;
	const char *text = reader->line + 1 + strspn(reader->line + 1, "\t ");
	struct dump_line line;
	uint64_t pc;
	size_t at = reader->named;

	if (dump->nstacks == 0 || !skip(&text, "0x") || !hex(&text, &pc) ||
	    *text != '\t')
		return;
	stack = &dump->stacks[dump->nstacks - 1];
	pcs = dump->pcs + stack->first;
	line = go_names(text + strspn(text, "\t "));
	while (at < stack->count && pcs[at] != pc)
		at++;
	if (at < stack->count) {
		reader->named = at + 1;
		dump_symbol_add(dump, pc);
		reader->symbol = dump->nsymbols;
	} else if (reader->symbol == 0 ||
	    dump->symbols[reader->symbol - 1].pc != pc) {
		return;
	}
	dump_symbol_line(&dump->symbols[reader->symbol - 1], &line);
}

/* Go leaves out what is outside of all goroutines, but only in the names. */
static void
go_stack_end(struct reader *reader)
{
	struct dump *dump = reader->dump;

	if (dump->form == DUMP_GO && reader->named > 0)
		dump->stacks[dump->nstacks - 1].count = reader->named;
	reader->named = reader->symbol = 0;
}

/* n: b [n: b] @ addresses */
static bool
read_plain(struct reader *reader)
{
	struct dump *dump = reader->dump;

	while (reader_line(reader)) {
		const char *text = reader->line;
		struct dump_counts counts;
		struct dump_stack *stack;

		text += strspn(text, " ");
		if (map_begins(reader))
			return true;
		if (*text == '\0' || is_elided(reader))
			continue;
		if (*text == '#' && dump->form == DUMP_GO) {
			go_line(reader);
			continue;
		}
		if (!counts_parse(&text, &counts) || !skip(&text, " @"))
			reader_fail(reader, "not a line of a heap profile");
		go_stack_end(reader);
		stack = dump_stack_add(dump);
		stack_addresses(reader, text);
		stack->counts = counts;
		stack->value = dump_value(&counts, dump, reader->view);
	}
	go_stack_end(reader);
	return false;
}

/* Does a profile, or a section of one, begin at this text? */
static bool
is_header(const char *text)
{
	static const char *const words[] = {
		"heap_v2/",
		"heap profile:",
		"--- symbol",
		"--- heap",
		"--- growth",
	};

	for (size_t i = 0; i < LENGTH(words); i++) {
		if (strncmp(text, words[i], strlen(words[i])) == 0)
			return true;
	}
	return false;
}

/*
 * "--- symbol" ... "---"; after that comes the profile itself, usually after a
 * line "--- heap". The first line of the profile becomes the current one.
 */
static void
read_symbols(struct reader *reader)
{
	struct dump *dump = reader->dump;

	dump->form = DUMP_RAW;
	dump->lineless = true;
	while (reader_line(reader)) {
		const char *text = reader->line;
		uint64_t pc;

		if (strncmp(text, "--- ", 4) == 0 && is_header(text)) {
			if (reader_line(reader))
				return;
			break;
		}
		if (is_header(text))
			return;
		if (strncmp(text, "--- ", 4) == 0)
			reader_fail(reader,
			    "this kind of profile is not supported");
		if (strncmp(text, "binary=", 7) == 0)
			dump->binary = intern(text + 7);
		if (!skip(&text, "0x"))
			continue;
		if (!hex(&text, &pc))
			reader_fail(reader, "bad symbol");
		dump_symbol_add(dump, pc)->names = text + strspn(text, " ");
	}
	fail("%s: symbols without a profile: the file is truncated",
	    dump->path);
}

/*
 * How many bytes of text come before the profile, such as a report about leaks
 * on the same stream; 0 also if there is no profile.
 */
static size_t
preamble(const char *text, size_t length)
{
	enum { LINES_MAX = 200 };
	const char *at = text, *end = text + length;

	for (unsigned i = 0; i < LINES_MAX && at < end; i++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		if (is_header(at))
			return (size_t)(at - text);
		if (stop == NULL)
			break;
		for (; at < stop; at++) {
			if ((unsigned char)*at < ' ' && *at != '\t' &&
			    *at != '\r' && *at != '\033')
				return 0;
		}
		at++;
	}
	return 0;
}

/* Finds the first line of the profile; remarks before it are shown. */
static bool
first_line(struct reader *reader)
{
	size_t before = preamble(reader->next,
	    (size_t)(reader->end - reader->next));
	const char *start = reader->next + before;
	unsigned long foreign = 0, first = 0;

	while (reader_line(reader)) {
		if (strncmp(reader->line, "%warn", 5) == 0)
			note("WARNING:%s", reader->line + 5);
		else if (reader->line[0] == '%')
			note("ignored: %s", reader->line);
		else if (reader->line >= start)
			break;
		else if (foreign++ == 0)
			first = reader->number;
	}
	if (foreign > 0)
		note("%s:%lu: ignored: %lu lines before the profile",
		    reader->dump->path, first, foreign);
	return reader->line != NULL && reader->line[0] != '%';
}

/* "heap_v2/524288" and the like; true. */
static bool
header_kind(struct reader *reader, const char *at)
{
	struct dump *dump = reader->dump;

	if (skip(&at, "heapprofile") || skip(&at, "growth"))
		return true;
	if (!skip(&at, "heap_v2") && !skip(&at, "heapz_v2")) {
		if (!skip(&at, "heap") || (*at != '/' && *at != '\0'))
			reader_fail(reader,
			    "this kind of profile is not "
			    "supported");
		dump->by_ratio = dump->form != DUMP_GO;
	}
	/* As gperftools' pprof does it if there is no rate. */
	dump->period = 131072;
	if (!skip(&at, "/"))
		return true;
	if (!number(&at, &dump->period))
		reader_fail(reader, "bad sampling period");
	if (dump->by_ratio || dump->form == DUMP_GO)
		dump->period /= 2;
	return true;
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
	if (memmem(reader->next, (size_t)(reader->end - reader->next),
		"\n#\t0x", 5) != NULL)
		reader->dump->form = DUMP_GO;
	return header_kind(reader, at);
}

/* Refuses profiles of other kinds, which can't be read here. */
static void
kind_check(const char *path, const char *text, size_t length)
{
	static const char cpu[2][16] = {
		{ 0, 0, 0, 0, 0, 0, 0, 0, 3 },
		{ 0, 0, 0, 0, 3 },
	};

	if (length >= 16 &&
	    (memcmp(text, cpu[0], 16) == 0 || memcmp(text, cpu[1], 8) == 0))
		fail("%s: profiles of CPU time are not supported", path);
	if (strncmp(text, "--- contention", 14) == 0 ||
	    strncmp(text, "--- Stacks:", 11) == 0)
		fail("%s: profiles of lock contention are not supported", path);
}

static void
read_text(struct reader *reader, const char *copy, const char *text)
{
	struct dump *dump = reader->dump;
	bool mapped;

	if (!first_line(reader))
		fail("%s: the file is empty", dump->path);
	if (strncmp(reader->line, "--- symbol", 10) == 0)
		read_symbols(reader);
	dump->text = copy + (reader->line - text);
	dump->length = (size_t)(reader->end - reader->line);
	mapped = header_parse(reader) ? read_plain(reader)
				      : read_threaded(reader);
	if (dump->form == DUMP_GO)
		dump->partly = true;
	else if (!mapped && dump->nsymbols == 0)
		note("%s: no MAPPED_LIBRARIES: is the file complete?",
		    dump->path);
	while (mapped && reader_line(reader))
		dump_map_line(dump, reader->line);
	if (reader->unended)
		note("%s: the last line has no end: is the file complete?",
		    dump->path);
}

struct dump *
dump_read(const char *path, enum dump_view view, uint64_t thread)
{
	struct dump *dump = memory(1, sizeof(*dump));
	struct reader reader = {
		.dump = dump,
		.view = view,
		.thread = thread,
	};
	size_t length;
	char *text = file_load(path, &length, &dump->time);

	dump->path = path;
	if (length == 0)
		fail("%s: the file is empty", path);
	if (dump_proto_is(text, length)) {
		dump_proto_read(dump, text, length, view, thread);
		return dump;
	}
	kind_check(path, text, length);

	/* --raw prints it as it was. */
	char *copy = memory(length + 1, 1);

	memcpy(copy, text, length);
	reader.next = text;
	reader.end = text + length;
	read_text(&reader, copy, text);
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
			dump_map_line(dump, line);
			continue;
		}
		mark += 2;
		if (!hex(&mark, &pc))
			continue;
		dump_stack_add(dump);
		dump_pc_add(dump, pc);
	}
	free(line);
	return dump;
}

/*
 * A profile that is compressed, or is a protocol buffer, can't be told from
 * other files by its first bytes; then all of it is read.
 */
bool
dump_looks_like(const char *path)
{
	enum { ENOUGH = 65536 };
	char *text = memory(ENOUGH + 1, 1);
	FILE *file = fopen(path, "re");
	size_t length = file == NULL ? 0 : fread(text, 1, ENOUGH, file);
	bool like = is_header(text) || strncmp(text, "--- ", 4) == 0 ||
	    text[0] == '%' || gzip_is(text, length) ||
	    preamble(text, length) > 0;

	if (file != NULL)
		fclose(file);
	if (!like && dump_proto_may_be(text, length)) {
		struct timespec time;
		char *whole = file_load(path, &length, &time);

		like = dump_proto_is(whole, length);
		free(whole);
	}
	free(text);
	return like;
}

bool
dump_is_symbolized(const char *path)
{
	char text[16] = "";
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return false;
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return strncmp(text, "--- symbol", 10) == 0;
}
