/*
 * routines: the functions that match a pattern, line by line.
 *
 * Owns:       nothing.
 * Invariants: a sample counts at a line of the function itself, even if the
 *             code at its address was inlined. A trace counts once at a line,
 *             and once in the total, however often it passes there. The
 *             functions are sorted by name.
 * Locking:    none.
 */
#ifndef PROFILE_ROUTINES_H
#define PROFILE_ROUTINES_H

#include "report.h"
#include "samples.h"
#include "source.h"

#define ROUTINE_CONTEXT 5 /* lines before and after */

/* The values of one location. */
struct routine_row {
	const struct frame *frame;
	const char *file; /* of the routine */
	struct sample sample;
};

struct routine {
	const char *label;
	bool inlined;
	const char *file;
	const struct source *source;
	int first, last; /* lines */
	struct sample total;
	const struct routine_row *rows;
	size_t count;
	struct samples *samples;
};

typedef void routine_printer(struct report *, const struct routine *);

/* Prints the functions that match report->routine. */
void routines_print(struct report *report, routine_printer *print_one);
struct sample routine_line(const struct routine *routine, int line);

#endif
