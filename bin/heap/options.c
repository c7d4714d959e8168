#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"
#include "tool.h"
#include "util/build.h"

enum kind { FLAG, TEXT, NUMBER, BYTES, SORT };

struct option_row {
	const char *name;
	char letter; /* or 0 */
	enum kind kind;
	bool global; /* else only for the commands that name it */
	size_t field;
	const char *argument; /* its name in --help */
	const char *help;
};

#define FIELD(name) offsetof(struct options, name)

static const struct option_row table[] = {
	{ "pid", 'p', NUMBER, true, FIELD(target.pid), "N",
	    "look into this process; it is stopped meanwhile" },
	{ "no-stop", 0, FLAG, true, FIELD(target.no_stop), NULL,
	    "let it run; the result is only approximate" },
	{ "threads", 0, TEXT, true, FIELD(target.threads), "FILE",
	    "the threads as a debugger knows them, with --no-stop" },
	{ "core", 'c', TEXT, true, FIELD(target.core), "FILE",
	    "look into this core file" },
	{ "exe", 'e', TEXT, true, FIELD(target.exe), "FILE",
	    "the main program, if its file was moved" },
	{ "sysroot", 0, TEXT, true, FIELD(target.sysroot), "DIR",
	    "programs and libraries are below this folder" },
	{ "arena", 0, NUMBER, true, FIELD(arena), "I", "only this arena" },
	{ "instance", 0, NUMBER, true, FIELD(instance), "K",
	    "only this allocator, if the target has several (from 0)" },
	{ "include-cached", 0, FLAG, true, FIELD(include_cached), NULL,
	    "objects that a cache holds count as live" },
	{ "limit", 'n', NUMBER, true, FIELD(limit), "N",
	    "at most N regions or lines, 0: all" },
	{ "json", 'j', FLAG, true, FIELD(json), NULL, "for programs" },
	{ "quiet", 'q', FLAG, true, FIELD(quiet), NULL, "no notes" },
	{ "verbose", 'v', FLAG, true, FIELD(verbose), NULL, "more" },
	{ "sort", 0, SORT, false, FIELD(sort), "BY",
	    "by size (the default), count or total" },
	{ "thread", 0, NUMBER, false, FIELD(thread), "TID",
	    "only the cache of this thread" },
	{ "free", 0, FLAG, false, FIELD(include_free), NULL,
	    "also regions that are free or cached" },
	{ "dir", 'd', TEXT, false, FIELD(dir), "DIR",
	    "where the files go (.)" },
	{ "max-bytes", 0, BYTES, false, FIELD(max_bytes), "N",
	    "at most N bytes of each class (1g)" },
	{ "one-file", 0, FLAG, false, FIELD(one_file), NULL,
	    "all classes in one file" },
	{ "force", 0, FLAG, false, FIELD(force), NULL, "overwrite files" },
	{ "words", 'w', NUMBER, false, FIELD(words), "N",
	    "look at N words of each object" },
	{ "interval", 0, NUMBER, false, FIELD(interval), "S",
	    "seconds between two looks (2)" },
	{ "count", 0, NUMBER, false, FIELD(count), "N",
	    "look N times, 0: for ever" },
	{ "samples", 0, NUMBER, false, FIELD(samples), "N",
	    "show N addresses of each group (3)" },
};

static const char usage[] =
    "Usage: jeheap --pid N | --core FILE [options] [COMMAND] [SIZE | ADDRESS]\n"
    "Shows what is in the heap of a process or of a core file.\n";

_Noreturn static void
usage_fail(const char *text)
{
	fail("%s; jeheap --help tells more", text);
}

static void
row_print(const struct option_row *row)
{
	char left[32];

	snprintf(left, sizeof(left), "--%s%s%s", row->name,
	    row->argument == NULL ? "" : "=",
	    row->argument == NULL ? "" : row->argument);
	if (row->letter != 0)
		printf("  -%c, %-17s %s\n", row->letter, left, row->help);
	else
		printf("      %-17s %s\n", left, row->help);
}

_Noreturn static void
help_print(void)
{
	fputs(usage, stdout);
	puts("\nCommands:");
	for (unsigned i = 0; i < ncommands; i++) {
		printf("  %-14s%s\n", commands[i].name, commands[i].help);
		for (size_t j = 0; j < LENGTH(table); j++) {
			char *word = print(" %s ", table[j].name);

			if (!table[j].global &&
			    strstr(commands[i].options, word) != NULL)
				row_print(&table[j]);
			free(word);
		}
	}
	puts("\nOptions:");
	for (size_t i = 0; i < LENGTH(table); i++) {
		if (table[i].global)
			row_print(&table[i]);
	}
	puts(
	    "  -h, --help\n      --version\n\n"
	    "SIZE: 64 is the class that serves 64 bytes, 1k-64k all classes in "
	    "this range,\nsmall and large all of these; several with commas.\n"
	    "\nExit status: 0 all was read; 1 wrong use, or no such target; 2 "
	    "parts could not be\nread or are inconsistent, so figures are "
	    "lower bounds; 3 no allocator of this\nkind in the target.");
	output_check();
	exit(0);
}

_Noreturn static void
version_print(void)
{
	puts("jeheap " BUILD_RELEASE " (jemalloc " BUILD_VERSION ")");
	output_check();
	exit(0);
}

bool
size_parse(const char *text, const char **end, uint64_t *size)
{
	char *rest;
	unsigned shift;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*size = strtoull(text, &rest,
	    text[0] == '0' && tolower((unsigned char)text[1]) == 'x' ? 16 : 10);
	if (errno != 0)
		return false;
	switch (tolower((unsigned char)*rest)) {
	case 'k':
		shift = 10;
		break;
	case 'm':
		shift = 20;
		break;
	case 'g':
		shift = 30;
		break;
	default:
		shift = 0;
		break;
	}
	if (shift != 0) {
		if (*size > UINT64_MAX >> shift)
			return false;
		*size <<= shift;
		rest++;
	}
	*end = rest;
	return true;
}

static void
value_set(struct options *options, const struct option_row *row,
    const char *text)
{
	void *field = (char *)options + row->field;
	const char *end = "";
	uint64_t number = 0;

	switch (row->kind) {
	case FLAG:
		*(bool *)field = true;
		return;
	case TEXT:
		*(const char **)field = text;
		return;
	case SORT:
		options->sort = strcmp(text, "count") == 0 ? SORT_COUNT
		    : strcmp(text, "total") == 0           ? SORT_TOTAL
							   : SORT_SIZE;
		if (options->sort == SORT_SIZE && strcmp(text, "size") != 0)
			fail("--sort=%s: is not size, count or total", text);
		return;
	case NUMBER:
	case BYTES:
		break;
	}
	if (!size_parse(text, &end, &number) || *end != '\0' ||
	    number > INT64_MAX)
		fail("--%s=%s: is no number", row->name, text);
	*(int64_t *)field = (int64_t)number;
}

static const struct command *
command_find_name(const char *name)
{
	for (unsigned i = 0; i < ncommands; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static void
operands_take(struct options *options, int count, char **operands)
{
	options->command = &commands[0];
	if (count > 0 && command_find_name(operands[0]) != NULL) {
		options->command = command_find_name(operands[0]);
		operands++;
		count--;
	} else if (count > 0 && !isdigit((unsigned char)operands[0][0]) &&
	    strncmp(operands[0], "small", 5) != 0 &&
	    strncmp(operands[0], "large", 5) != 0) {
		fail("%s: is no command; jeheap --help lists them",
		    operands[0]);
	}
	if (count > 1)
		fail("%s: one operand too many", operands[1]);
	if (count == 1)
		options->operand = operands[0];
	if (options->command->operand == OPERAND_ADDRESS && count == 0)
		fail("%s needs an address", options->command->name);
	if (options->command->operand == OPERAND_FILE && count == 0)
		fail("%s needs a core file", options->command->name);
}

static void
options_check(const struct options *options, const bool *given)
{
	const struct target_options *target = &options->target;

	if (target->pid == 0 && target->core == NULL)
		usage_fail("--pid or --core says where to look");
	if (target->pid != 0 && target->core != NULL)
		usage_fail("--pid and --core exclude each other");
	if (target->no_stop && target->pid == 0)
		usage_fail("--no-stop is for --pid");
	if (target->threads != NULL && !target->no_stop)
		usage_fail("--threads is for --no-stop");
	if ((options->command->flags & COMMAND_REPEATS) != 0 &&
	    target->pid == 0)
		fail("%s is for --pid", options->command->name);
	for (size_t i = 0; i < LENGTH(table); i++) {
		char *word = print(" %s ", table[i].name);

		if (given[i] && !table[i].global &&
		    strstr(options->command->options, word) == NULL)
			fail("--%s: has no effect on %s", table[i].name,
			    options->command->name);
		free(word);
	}
}

void
options_parse(struct options *options, int argc, char **argv)
{
	struct option rows[LENGTH(table) + 3] = { { 0 } };
	char letters[2 * LENGTH(table) + 2] = "h";
	bool given[LENGTH(table)] = { 0 };
	int at;

	*options = (struct options){ .arena = -1,
		.thread = -1,
		.instance = -1,
		.limit = -1,
		.words = -1,
		.samples = -1,
		.interval = 2,
		.dir = ".",
		.max_bytes = (uint64_t)1 << 30 };
	for (size_t i = 0; i < LENGTH(table); i++) {
		bool argument = table[i].kind != FLAG;

		rows[i] = (struct option){ table[i].name, argument, NULL,
			256 + (int)i };
		if (table[i].letter != 0) {
			char letter[3] = { table[i].letter,
				argument ? ':' : '\0', '\0' };

			strcat(letters, letter);
		}
	}
	rows[LENGTH(table)] = (struct option){ "help", 0, NULL, 'h' };
	rows[LENGTH(table) + 1] = (struct option){ "version", 0, NULL, 'V' };
	opterr = 0;
	while ((at = getopt_long(argc, argv, letters, rows, NULL)) != -1) {
		if (at == 'h')
			help_print();
		if (at == 'V')
			version_print();
		if (at == '?' || at == ':')
			fail("%s: is no option, or lacks its value; jeheap "
			     "--help tells more",
			    argv[optind - 1]);
		size_t row = (size_t)at - 256;

		for (size_t i = 0; at < 256 && i < LENGTH(table); i++) {
			if (table[i].letter == at)
				row = i;
		}
		given[row] = true;
		value_set(options, &table[row], optarg);
	}
	operands_take(options, argc - optind, argv + optind);
	options_check(options, given);
}
