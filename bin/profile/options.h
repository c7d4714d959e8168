/*
 * options: the command line of jeprof.
 *
 * Owns:       the table of options, the text of --help.
 * Invariants: if an option would have no effect, the program prints a line that
 *             says so, and ends. Options are long, with one dash or two, may be
 *             cut to any unique prefix, in upper or lower case, and may be
 *             mixed with operands.
 * Locking:    none.
 */
#ifndef PROFILE_OPTIONS_H
#define PROFILE_OPTIONS_H

#include <stdbool.h>

#include "report.h"

enum output {
	OUTPUT_NONE,
	OUTPUT_TEXT,
	OUTPUT_COLLAPSED,
	OUTPUT_RAW,
	OUTPUT_DOT,
	OUTPUT_SVG,
	OUTPUT_PDF,
	OUTPUT_PS,
	OUTPUT_GIF,
	OUTPUT_PNG,
	OUTPUT_CALLGRIND,
	OUTPUT_FLAMEGRAPH,
	OUTPUT_HTML,
	OUTPUT_PROTO,
	OUTPUT_LIST,
	OUTPUT_WEBLIST,
	OUTPUT_DISASM,
	OUTPUT_GV,
	OUTPUT_EVINCE,
	OUTPUT_WEB,
	OUTPUT_SYMBOLS,
	OUTPUT_INTERACTIVE,
	OUTPUT_SELFTEST,
	OUTPUT_HOLES,
	OUTPUTS
};

struct options {
	enum output output;
	enum granularity granularity;
	enum dump_view view;
	bool by_cumulative, show_bytes;
	struct filters filters;
	const char *base;
	const char *lib_prefix;
	const char *add_lib, *perf_map;
	const char *tools;
	const char *routine; /* of --list or --disasm */
	unsigned top;        /* rows of a table, 0: all */
	unsigned seconds;
	bool debug, heapcheck;
	double scale;
	const char *thread; /* a number, "*", or NULL */
	unsigned node_count, max_degree;
	double node_fraction, edge_fraction;
	char **operands;
	unsigned noperands;
};

void options_parse(struct options *options, int argc, char **argv);

#endif
