#include "options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tool.h"
#include "util/build.h"

enum kind { FLAG, TEXT, COUNT, FRACTION, CHOICE, ROUTINE, REFUSED, ACCEPTED };
/* At most one option of each group may be given. */
enum group { NO_GROUP, GRANULARITY, OUTPUT, VIEW, GROUPS };

struct option {
	const char *name;
	enum kind kind;
	enum group group;
	size_t field;
	int value; /* of a choice */
	const char *help;
};

#define FIELD(name) offsetof(struct options, name)

static const char *const group_titles[] = {
	[NO_GROUP] = "Selection and other options",
	[GRANULARITY] = "A line of the report stands for (one of)",
	[OUTPUT] = "Report (one of)",
	[VIEW] = "What is counted (one of)",
};

static const struct option table[] = {
	{ "text", CHOICE, OUTPUT, FIELD(output), OUTPUT_TEXT,
	    "table of functions (default, if not on a terminal)" },
	{ "holes", CHOICE, OUTPUT, FIELD(output), OUTPUT_HOLES,
	    "the same of a profile of holes, and a table by age" },
	{ "collapsed", CHOICE, OUTPUT, FIELD(output), OUTPUT_COLLAPSED,
	    "folded stacks, one a line" },
	{ "raw", CHOICE, OUTPUT, FIELD(output), OUTPUT_RAW,
	    "the profile with names, readable without the program" },
	{ "proto", CHOICE, OUTPUT, FIELD(output), OUTPUT_PROTO,
	    "the profile with names, for pprof" },
	{ "dot", CHOICE, OUTPUT, FIELD(output), OUTPUT_DOT,
	    "graph as dot's source" },
	{ "svg", CHOICE, OUTPUT, FIELD(output), OUTPUT_SVG,
	    "graph drawn by dot" },
	{ "pdf", CHOICE, OUTPUT, FIELD(output), OUTPUT_PDF, "the same" },
	{ "ps", CHOICE, OUTPUT, FIELD(output), OUTPUT_PS, "the same" },
	{ "gif", CHOICE, OUTPUT, FIELD(output), OUTPUT_GIF, "the same" },
	{ "png", CHOICE, OUTPUT, FIELD(output), OUTPUT_PNG, "the same" },
	{ "callgrind", CHOICE, OUTPUT, FIELD(output), OUTPUT_CALLGRIND,
	    "for kcachegrind" },
	{ "flamegraph", CHOICE, OUTPUT, FIELD(output), OUTPUT_FLAMEGRAPH,
	    "stacks as a picture in SVG, zooms by a click" },
	{ "html", CHOICE, OUTPUT, FIELD(output), OUTPUT_HTML,
	    "flame graph, table, callers and source in one page" },
	{ "list", ROUTINE, OUTPUT, FIELD(output), OUTPUT_LIST,
	    "source of the functions that match this pattern" },
	{ "disasm", ROUTINE, OUTPUT, FIELD(output), OUTPUT_DISASM,
	    "their instructions, by objdump" },
	{ "symbols", CHOICE, OUTPUT, FIELD(output), OUTPUT_SYMBOLS,
	    "names of addresses; reads addresses and a load map from stdin" },
	{ "gv", CHOICE, OUTPUT, FIELD(output), OUTPUT_GV,
	    "graph in a window of gv" },
	{ "evince", CHOICE, OUTPUT, FIELD(output), OUTPUT_EVINCE,
	    "the same in evince" },
	{ "web", CHOICE, OUTPUT, FIELD(output), OUTPUT_WEB,
	    "the same in a browser" },
	{ "interactive", CHOICE, OUTPUT, FIELD(output), OUTPUT_INTERACTIVE,
	    "read commands (default on a terminal)" },

	{ "functions", CHOICE, GRANULARITY, FIELD(granularity), FUNCTIONS,
	    "function (default)" },
	{ "lines", CHOICE, GRANULARITY, FIELD(granularity), LINES,
	    "function and line" },
	{ "files", CHOICE, GRANULARITY, FIELD(granularity), FILES,
	    "source file" },
	{ "addresses", CHOICE, GRANULARITY, FIELD(granularity), ADDRESSES,
	    "address" },

	{ "inuse_space", CHOICE, VIEW, FIELD(view), INUSE_SPACE,
	    "live bytes (default)" },
	{ "inuse_objects", CHOICE, VIEW, FIELD(view), INUSE_OBJECTS,
	    "live objects" },
	{ "alloc_space", CHOICE, VIEW, FIELD(view), ALLOC_SPACE,
	    "bytes ever allocated (needs prof_accum:true)" },
	{ "alloc_objects", CHOICE, VIEW, FIELD(view), ALLOC_OBJECTS,
	    "objects ever allocated (needs prof_accum:true)" },
	{ "total_delay", REFUSED, VIEW, 0, 0, "" },
	{ "contentions", REFUSED, VIEW, 0, 0, "" },
	{ "mean_delay", REFUSED, VIEW, 0, 0, "" },

	{ "show_bytes", FLAG, NO_GROUP, FIELD(show_bytes), 0,
	    "bytes as integers, not MB" },
	{ "cum", FLAG, NO_GROUP, FIELD(by_cumulative), 0,
	    "sort by the cumulative column" },
	{ "base", TEXT, NO_GROUP, FIELD(base), 0, "subtract this profile" },
	{ "diff_base", TEXT, NO_GROUP, FIELD(base), 0, "the same" },
	{ "drop_negative", FLAG, NO_GROUP, FIELD(filters.drop_negative), 0,
	    "leave out negative values after the subtraction" },
	{ "focus", TEXT, NO_GROUP, FIELD(filters.focus), 0,
	    "only stacks in which a frame matches this pattern" },
	{ "ignore", TEXT, NO_GROUP, FIELD(filters.ignore), 0,
	    "no stack in which a frame matches" },
	{ "retain", TEXT, NO_GROUP, FIELD(filters.retain), 0,
	    "only frames whose function matches" },
	{ "exclude", TEXT, NO_GROUP, FIELD(filters.exclude), 0,
	    "no frame whose function matches" },
	{ "thread", TEXT, NO_GROUP, FIELD(thread), 0,
	    "only of this thread; *: of each thread separately" },
	{ "lib_prefix", TEXT, NO_GROUP, FIELD(lib_prefix), 0,
	    "folders to search for libraries first" },
	{ "nodecount", COUNT, NO_GROUP, FIELD(node_count), 0,
	    "at most N nodes in a graph (80)" },
	{ "maxdegree", COUNT, NO_GROUP, FIELD(max_degree), 0,
	    "at most N edges at a node (8)" },
	{ "nodefraction", FRACTION, NO_GROUP, FIELD(node_fraction), 0,
	    "no nodes below this share (.005)" },
	{ "edgefraction", FRACTION, NO_GROUP, FIELD(edge_fraction), 0,
	    "no edges below this share (.001)" },
	{ "heapcheck", FLAG, NO_GROUP, FIELD(heapcheck), 0,
	    "graph: grey where memory is, three frames where it is negative" },
	{ "scale", FRACTION, NO_GROUP, FIELD(scale), 0,
	    "how large gv shows the graph" },
	{ "seconds", COUNT, NO_GROUP, FIELD(seconds), 0,
	    "passed to a server as ?seconds=X" },
	{ "add_lib", TEXT, NO_GROUP, FIELD(add_lib), 0,
	    "a file whose code is at its linked address" },
	{ "perf_map", TEXT, NO_GROUP, FIELD(perf_map), 0,
	    "names of code made at run time (/tmp/perf-PID.map)" },
	{ "tools", TEXT, NO_GROUP, FIELD(tools), 0,
	    "prefix of the programs objdump and dot, or objdump:PATH" },
	{ "debug", FLAG, NO_GROUP, FIELD(debug), 0,
	    "say which files and programs are used" },
	{ "test", CHOICE, OUTPUT, FIELD(output), OUTPUT_SELFTEST,
	    "jeprof tests itself" },
	{ "debug-syms-by-id", ACCEPTED, NO_GROUP, 0, 0,
	    "always done, accepted for compatibility" },
};

static const char usage[] =
    "Usage: jeprof [options] [PROGRAM] PROFILE...\n"
    "       jeprof [options] [PROGRAM] URL...\n"
    "       jeprof --symbols PROGRAM\n"
    "Without PROGRAM, the one that the profile names.\n";

_Noreturn static void
usage_fail(const char *text)
{
	/* Who reads only the first line, or only the last one, sees why. */
	note("jeprof: %s\n%.*s", text, (int)sizeof(usage) - 2, usage);
	fail("%s; jeprof --help tells more", text);
}

static bool
takes_value(const struct option *option)
{
	return option->kind == TEXT || option->kind == COUNT ||
	    option->kind == FRACTION || option->kind == ROUTINE;
}

_Noreturn static void
help(void)
{
	printf("%sPrints the contents of heap profiles; several are added "
	       "up.\n",
	    usage);
	for (int group = GROUPS; group-- > 0;) {
		printf("\n%s:\n", group_titles[group]);
		for (size_t i = 0; i < LENGTH(table); i++) {
			const struct option *option = &table[i];
			if ((int)option->group != group ||
			    option->kind == REFUSED)
				continue;
			char *name = print("--%s%s", option->name,
			    takes_value(option) ? "=X" : "");

			printf("  %-20s %s\n", name, option->help);
			free(name);
		}
	}
	fputs("\nProfiles of lock contention and of CPU time are refused, and "
	      "so are",
	    stdout);
	for (size_t i = 0; i < LENGTH(table); i++) {
		if (table[i].kind == REFUSED)
			printf(" --%s", table[i].name);
	}
	puts(".");
	exit(0);
}

/* The option with this name, or the only one that begins with it. */
static const struct option *
option_find(const char *name, size_t length)
{
	const struct option *found = NULL;

	for (size_t i = 0; i < LENGTH(table); i++) {
		if (strncasecmp(table[i].name, name, length) != 0)
			continue;
		if (table[i].name[length] == '\0')
			return &table[i];
		if (found != NULL)
			usage_fail(print("option --%.*s is ambiguous",
			    (int)length, name));
		found = &table[i];
	}
	return found;
}

static double
value_number(const struct option *option, const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (*text == '\0' || *end != '\0' || !(value >= 0) || value > 1e9 ||
	    (option->kind == COUNT && value != (unsigned)value))
		usage_fail(print("--%s=%s is not a number", option->name,
		    text));
	return value;
}

static void
option_set(struct options *options, const struct option *option,
    const char *value, bool on)
{
	static const struct option *given[GROUPS];
	char *field = (char *)options + option->field;

	if (option->kind == REFUSED)
		fail("--%s: profiles of lock contention are not supported",
		    option->name);
	if (option->group != NO_GROUP) {
		if (given[option->group] != NULL &&
		    given[option->group] != option)
			usage_fail(print("--%s and --%s exclude each other",
			    given[option->group]->name, option->name));
		given[option->group] = option;
	}
	switch (option->kind) {
	case FLAG:
		*(bool *)field = on;
		break;
	case TEXT:
		*(const char **)field = value;
		break;
	case COUNT:
		*(unsigned *)field = (unsigned)value_number(option, value);
		break;
	case FRACTION:
		*(double *)field = value_number(option, value);
		break;
	case ROUTINE:
		options->routine = value;
		/* fallthrough */
	case CHOICE:
		memcpy(field, &option->value, sizeof(option->value));
		break;
	default:
		break;
	}
}

/* Handles one option; returns how many further words it took. */
static int
option_parse(struct options *options, const char *word, const char *next)
{
	const char *name = word + 1 + (word[1] == '-'), *equals;
	size_t length = strcspn(name, "=");
	bool on = true;

	equals = name[length] == '=' ? name + length + 1 : NULL;
	if (strcmp(name, "help") == 0)
		help();
	if (strcmp(name, "version") == 0) {
		puts("jeprof " BUILD_RELEASE " (jemalloc " BUILD_VERSION ")");
		exit(0);
	}
	const struct option *option = option_find(name, length);

	if (option == NULL && strncasecmp(name, "no", 2) == 0) {
		size_t skip = name[2] == '-' ? 3 : 2;

		if (length > skip)
			option = option_find(name + skip, length - skip);
		on = false;
		if (option != NULL && option->kind != FLAG)
			option = NULL;
	}
	if (option == NULL)
		usage_fail(print("unknown option %s", word));
	bool wants = takes_value(option);

	if (wants && equals == NULL && next == NULL)
		usage_fail(print("--%s needs a value", option->name));
	if (!wants && equals != NULL)
		usage_fail(print("--%s takes no value", option->name));
	option_set(options, option, equals != NULL ? equals : next, on);
	return wants && equals == NULL;
}

/* A file that is one document has room for one thread alone. */
static void
each_thread_check(const struct options *options)
{
	static const bool several[OUTPUTS] = {
		[OUTPUT_TEXT] = true,
		[OUTPUT_HOLES] = true,
		[OUTPUT_COLLAPSED] = true,
		[OUTPUT_DOT] = true,
		[OUTPUT_LIST] = true,
		[OUTPUT_DISASM] = true,
		[OUTPUT_SYMBOLS] = true,
		[OUTPUT_SELFTEST] = true,
		[OUTPUT_GV] = true,
		[OUTPUT_EVINCE] = true,
		[OUTPUT_WEB] = true,
	};

	if (options->thread == NULL || strcmp(options->thread, "*") != 0 ||
	    several[options->output])
		return;
	for (size_t i = 0; i < LENGTH(table); i++) {
		if (table[i].group == OUTPUT &&
		    table[i].value == (int)options->output)
			usage_fail(print("--thread=* and --%s exclude each "
					 "other",
			    table[i].name));
	}
}

void
options_parse(struct options *options, int argc, char **argv)
{
	bool ended = false;

	*options = (struct options){
		.node_count = 80,
		.node_fraction = .005,
		.edge_fraction = .001,
		.max_degree = 8,
	};
	options->operands = memory((size_t)argc + 1, sizeof(char *));
	for (int i = 1; i < argc; i++) {
		if (!ended && strcmp(argv[i], "--") == 0)
			ended = true;
		else if (!ended && argv[i][0] == '-' && argv[i][1] != '\0')
			i += option_parse(options, argv[i],
			    i + 1 < argc ? argv[i + 1] : NULL);
		else
			options->operands[options->noperands++] = argv[i];
	}
	if (options->noperands == 0 && options->output != OUTPUT_SELFTEST)
		usage_fail("no program and no profile");
	if (options->output == OUTPUT_NONE)
		options->output = isatty(1) &&
			(options->thread == NULL ||
			    strcmp(options->thread, "*") != 0)
		    ? OUTPUT_INTERACTIVE
		    : OUTPUT_TEXT;
	each_thread_check(options);
}
