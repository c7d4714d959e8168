/*
 * report_text: the report as text for people.
 *
 * Owns:       nothing.
 * Invariants: the first and the last line and the labels are those of the
 *             contract, because scripts search for them. A class that was never
 *             used has no row; a line `---` stands for one or more such
 *             classes.
 * Locking:    none.
 */
#ifndef STATS_REPORT_TEXT_H
#define STATS_REPORT_TEXT_H

struct report;

void report_text(struct report *report);

#endif
