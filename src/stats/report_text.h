/*
 * report_text: the report as text for people.
 *
 * Owns:       nothing.
 * Invariants: first and last line, and the labels that the contract names, stand
 *             as scripts search for them. Classes never used have no row; a run
 *             of them is one line `---`.
 * Locking:    none.
 */
#ifndef STATS_REPORT_TEXT_H
#define STATS_REPORT_TEXT_H

struct report;

void report_text(struct report *report);

#endif
