#include "options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tool.h"
#include "util/build.h"

enum kind { FLAG, TEXT, COUNT, FRACTION, CHOICE, MISSING, ACCEPTED };
/* Of these, at most one may be given. */
enum group { NO_GROUP, GRANULARITY, OUTPUT, VIEW, GROUPS };

struct option {
	const char *name;
	enum kind kind;
	enum group group;
	size_t field;
	int value;		/* of a choice */
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
	    "table of functions (default)" },
	{ "collapsed", CHOICE, OUTPUT, FIELD(output), OUTPUT_COLLAPSED,
	    "folded stacks, one a line" },
	{ "raw", CHOICE, OUTPUT, FIELD(output), OUTPUT_RAW,
	    "the profile with names, readable without the program" },
	{ "dot", CHOICE, OUTPUT, FIELD(output), OUTPUT_DOT,
	    "graph as dot's source" },
	{ "svg", CHOICE, OUTPUT, FIELD(output), OUTPUT_SVG,
	    "graph drawn by dot" },
	{ "pdf", CHOICE, OUTPUT, FIELD(output), OUTPUT_PDF,
	    "the same" },
	{ "ps", CHOICE, OUTPUT, FIELD(output), OUTPUT_PS,
	    "the same" },
	{ "gif", CHOICE, OUTPUT, FIELD(output), OUTPUT_GIF,
	    "the same" },
	{ "png", CHOICE, OUTPUT, FIELD(output), OUTPUT_PNG,
	    "the same" },
	{ "callgrind", CHOICE, OUTPUT, FIELD(output), OUTPUT_CALLGRIND,
	    "for kcachegrind" },
	{ "flamegraph", CHOICE, OUTPUT, FIELD(output), OUTPUT_FLAMEGRAPH,
	    "stacks as a picture in SVG, zooms by a click" },
	{ "list", MISSING, OUTPUT, 1, 0, "" },
	{ "disasm", MISSING, OUTPUT, 1, 0, "" },
	{ "symbols", MISSING, OUTPUT, 0, 0, "" },
	{ "gv", MISSING, OUTPUT, 0, 0, "" },
	{ "evince", MISSING, OUTPUT, 0, 0, "" },
	{ "web", MISSING, OUTPUT, 0, 0, "" },
	{ "interactive", MISSING, OUTPUT, 0, 0, "" },

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
	{ "total_delay", MISSING, VIEW, 0, 0, "" },
	{ "contentions", MISSING, VIEW, 0, 0, "" },
	{ "mean_delay", MISSING, VIEW, 0, 0, "" },

	{ "show_bytes", FLAG, NO_GROUP, FIELD(show_bytes), 0,
	    "bytes as integers, not MB" },
	{ "cum", FLAG, NO_GROUP, FIELD(by_cumulative), 0,
	    "sort by the cumulative column" },
	{ "base", TEXT, NO_GROUP, FIELD(base), 0,
	    "subtract this profile" },
	{ "diff_base", TEXT, NO_GROUP, FIELD(base), 0, "the same" },
	{ "drop_negative", FLAG, NO_GROUP, FIELD(filters.drop_negative), 0,
	    "leave out what the subtraction makes negative" },
	{ "focus", TEXT, NO_GROUP, FIELD(filters.focus), 0,
	    "only stacks in which a frame matches this pattern" },
	{ "ignore", TEXT, NO_GROUP, FIELD(filters.ignore), 0,
	    "no stack in which a frame matches" },
	{ "retain", TEXT, NO_GROUP, FIELD(filters.retain), 0,
	    "only frames whose function matches" },
	{ "exclude", TEXT, NO_GROUP, FIELD(filters.exclude), 0,
	    "no frame whose function matches" },
	{ "thread", TEXT, NO_GROUP, FIELD(thread), 0,
	    "of this thread only, * for each one by itself" },
	{ "lib_prefix", TEXT, NO_GROUP, FIELD(lib_prefix), 0,
	    "folders in which libraries are looked for first" },
	{ "nodecount", COUNT, NO_GROUP, FIELD(node_count), 0,
	    "graphs have at most so many nodes (80)" },
	{ "maxdegree", COUNT, NO_GROUP, FIELD(max_degree), 0,
	    "at most so many edges of a node (8)" },
	{ "nodefraction", FRACTION, NO_GROUP, FIELD(node_fraction), 0,
	    "no nodes below this share (.005)" },
	{ "edgefraction", FRACTION, NO_GROUP, FIELD(edge_fraction), 0,
	    "no edges below this share (.001)" },
	{ "heapcheck", MISSING, NO_GROUP, 0, 0, "" },
	{ "scale", MISSING, NO_GROUP, 1, 0, "" },
	{ "seconds", MISSING, NO_GROUP, 1, 0, "" },
	{ "add_lib", MISSING, NO_GROUP, 1, 0, "" },
	{ "tools", MISSING, NO_GROUP, 1, 0, "" },
	{ "debug", MISSING, NO_GROUP, 0, 0, "" },
	{ "test", MISSING, NO_GROUP, 0, 0, "" },
	{ "debug-syms-by-id", ACCEPTED, NO_GROUP, 0, 0,
	    "always done, accepted for compatibility" },
};

static const char usage[] =
    "Usage: jeprof [options] PROGRAM PROFILE...\n"
    "       jeprof [options] SYMBOLIZED-PROFILE...\n";

_Noreturn static void
usage_fail(const char *text)
{
	fprintf(stderr, "jeprof: %s\n%sjeprof: %s\n", text, usage, text);
	exit(1);
}

_Noreturn static void
help(void)
{
	printf("%sPrints what heap profiles say; several are added up.\n",
	    usage);
	for (int group = GROUPS; group-- > 0;) {
		printf("\n%s:\n", group_titles[group]);
		for (size_t i = 0; i < LENGTH(table); i++) {
			const struct option *option = &table[i];
			bool value = option->kind == TEXT ||
			    option->kind == COUNT || option->kind == FRACTION;

			if ((int)option->group != group ||
			    option->kind == MISSING)
				continue;
			char *name = print("--%s%s", option->name,
			    value ? "=X" : "");

			printf("  %-20s %s\n", name, option->help);
			free(name);
		}
	}
	fputs("\nNot there yet:", stdout);
	for (size_t i = 0; i < LENGTH(table); i++) {
		if (table[i].kind == MISSING)
			printf(" --%s", table[i].name);
	}
	puts(" and profiles fetched by URL");
	exit(0);
}

/* The option of this name or unique beginning. */
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

	if (option->kind == MISSING)
		fail("--%s is not supported yet", option->name);
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
	case CHOICE:
		memcpy(field, &option->value, sizeof(option->value));
		break;
	default:
		break;
	}
}

/* One option; returns how many further words it took. */
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
		puts("jeprof " BUILD_RELEASE " (jemalloc " BUILD_VERSION
		    ")");
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
	bool wants = option->kind == TEXT || option->kind == COUNT ||
	    option->kind == FRACTION;

	if (wants && equals == NULL && next == NULL)
		usage_fail(print("--%s needs a value", option->name));
	if (!wants && equals != NULL && option->kind != MISSING)
		usage_fail(print("--%s takes no value", option->name));
	option_set(options, option, equals != NULL ? equals : next, on);
	return wants && equals == NULL;
}

void
options_parse(struct options *options, int argc, char **argv)
{
	bool ended = false;

	*options = (struct options){
		.node_count = 80, .node_fraction = .005, .edge_fraction = .001,
		.max_degree = 8,
	};
	options->operands = memory((size_t)argc, sizeof(char *));
	for (int i = 1; i < argc; i++) {
		if (!ended && strcmp(argv[i], "--") == 0)
			ended = true;
		else if (!ended && argv[i][0] == '-' && argv[i][1] != '\0')
			i += option_parse(options, argv[i],
			    i + 1 < argc ? argv[i + 1] : NULL);
		else
			options->operands[options->noperands++] = argv[i];
	}
	if (options->noperands == 0)
		usage_fail("no program and no profile");
}
