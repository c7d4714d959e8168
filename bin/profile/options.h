/*
 * options: the command line of jeprof.
 *
 * Owns:       the table of options, the text of --help.
 * Invariants: an option that has no effect yet ends the program with a line that
 *             says so. Long options, with one dash or two, in any unique prefix
 *             and any case, mixed with operands.
 * Locking:    none.
 * Used by:    jeprof.c.
 */
#ifndef PROFILE_OPTIONS_H
#define PROFILE_OPTIONS_H

#include <stdbool.h>

#include "report.h"

enum output {
	OUTPUT_TEXT, OUTPUT_COLLAPSED, OUTPUT_RAW, OUTPUT_DOT, OUTPUT_SVG,
	OUTPUT_PDF, OUTPUT_PS, OUTPUT_GIF, OUTPUT_PNG, OUTPUT_CALLGRIND,
	OUTPUT_FLAMEGRAPH,
};

struct options {
	enum output output;
	enum granularity granularity;
	enum dump_view view;
	bool by_cumulative, show_bytes;
	struct filters filters;
	const char *base;
	const char *lib_prefix;
	const char *thread;	/* a number, "*", or NULL */
	unsigned node_count, max_degree;
	double node_fraction, edge_fraction;
	char **operands;
	unsigned noperands;
};

void options_parse(struct options *options, int argc, char **argv);

#endif
