/*
 * report: entries and numbers that all reports share, and the reports.
 *
 * Owns:       the entries: what one line of a table, one node of a graph stands
 *             for, at the granularity that was asked for.
 * Invariants: within one trace an entry counts once, however deep a recursion is.
 *             stdout carries the report and nothing else.
 * Locking:    none.
 */
#ifndef PROFILE_REPORT_H
#define PROFILE_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "stacks.h"

enum granularity { FUNCTIONS, LINES, FILES, ADDRESSES };

struct entry {
	const char *name;
	double flat, cumulative;
	const struct frame *frame;	/* one of those it stands for */
};

struct edge {
	unsigned caller, callee;	/* entries */
	double value;
};

struct report {
	FILE *to;
	struct traces traces;
	enum granularity granularity;
	enum dump_view view;
	bool show_bytes;
	bool by_cumulative;
	const char *title;	/* "" or " (t3)" */
	const char *program;
	const char *routine;	/* pattern of --list and --disasm */
	unsigned top;		/* rows of a table; 0: all */
	bool heapcheck;
	bool page;		/* the graph is for one of paper */
	double scale;
	unsigned node_count;
	double node_fraction, edge_fraction;
	unsigned max_degree;
	struct entry *entries;
	size_t nentries;
};

/* Give each frame its entry and sum up; to be called first. */
void report_entries(struct report *report);
/* The entries of one trace, each once, innermost first; returns their number. */
unsigned report_trace(const struct trace *trace, unsigned *entries);
/*
 * How much flows between entries that are neighbours in a trace; counted at each
 * step of a recursion.
 */
struct edge *report_edges(const struct report *report, size_t *count);
/* A value in the report's unit; the text is good for 8 further calls. */
const char *report_number(const struct report *report, double value);
const char *report_percent(double value, double total);
const char *report_unit(const struct report *report);

void report_text(struct report *report);
void report_collapsed(struct report *report);
void report_dot(struct report *report);
/* What report_dot() writes, drawn by the program dot. */
void report_picture(struct report *report, const char *format);
/* The entries must be lines. */
void report_callgrind(struct report *report);
void report_flamegraph(struct report *report);
/* Source with values, instructions with values, both as a page. */
void report_list(struct report *report);
void report_disasm(struct report *report);
void report_weblist(struct report *report);
/* One dump as it was, with the names of its addresses before it. */
void report_raw(struct report *report, const struct profile *profile,
    const struct dump *dump);
/* Several of them as one, without regard to where each was loaded. */
void report_raw_sum(struct report *report, struct dump **dumps, size_t count);

#endif
