/*
 * report: entries and numbers that all reports share, and the reports.
 *
 * Owns:       the entries: one is a line of a table or a node of a graph, at
 *             the requested granularity.
 * Invariants: an entry counts once in each trace, however deep a recursion is.
 *             stdout gets the report and nothing else.
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
	const struct frame *frame; /* one of its frames */
};

struct edge {
	unsigned caller, callee; /* entries */
	double value;
};

struct report {
	FILE *to;
	struct traces traces;
	enum granularity granularity;
	enum dump_view view;
	bool show_bytes;
	bool by_cumulative;
	bool holes;                /* of a profile of holes */
	const char *base;          /* file that was subtracted, or NULL */
	const char *title;         /* "" or " (t3)" */
	const struct traces *ages; /* AGES, or NULL: no profile of holes */
	const char *program;
	const struct mapping *program_map; /* or NULL */
	double period;       /* of samples; 0: the counts are exact */
	const char *routine; /* pattern of --list and --disasm */
	unsigned top;        /* rows of a table; 0: all */
	bool quiet;          /* no word on source files that are missing */
	bool heapcheck;
	bool page; /* the graph is for a page of paper */
	double scale;
	unsigned node_count;
	double node_fraction, edge_fraction;
	unsigned max_degree;
	struct entry *entries;
	size_t nentries;
};

/* Gives each frame its entry and sums up; call this first. */
void report_entries(struct report *report);
/*
 * Lists the entries of one trace, each once, innermost first; returns their
 * number.
 */
unsigned report_trace(const struct trace *trace, unsigned *entries);
/*
 * The values of all pairs of entries that call each other; a recursion counts
 * at each of its steps.
 */
struct edge *report_edges(const struct report *report, size_t *count);
/* A value in the report's unit; the text stays valid for 8 further calls. */
const char *report_number(const struct report *report, double value);
const char *report_percent(double value, double total);
const char *report_unit(const struct report *report);
/* "inuse_space" and so on. */
const char *report_view(const struct report *report);
/* Program, view, total, and what the base was, in one line. */
char *report_headline(const struct report *report);

void report_text(struct report *report);
void report_collapsed(struct report *report);
void report_dot(struct report *report);
/* Lets the program dot draw what report_dot() writes. */
void report_picture(struct report *report, const char *format);
/* The entries must be lines. */
void report_callgrind(struct report *report);
/* The format of pprof, with all four views. */
void report_proto(struct report *report);
void report_flamegraph(struct report *report);
/* The picture alone, as a part of a page. */
void report_flame_part(struct report *report);
/* All reports in one page for browsers. */
void report_html(struct report *report);
/* Source with values, instructions with values, and both as an HTML page. */
void report_list(struct report *report);
void report_disasm(struct report *report);
void report_weblist(struct report *report);
/* Prints one dump as it was, with the names of its addresses before it. */
void report_raw(struct report *report, const struct profile *profile,
    const struct dump *dump);
/* Prints several dumps as one, although they were loaded at other places. */
void report_raw_sum(struct report *report, struct dump **dumps, size_t count);

#endif
