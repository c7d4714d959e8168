/*
 * report_json: the report as one JSON document.
 *
 * Owns:       nothing.
 * Invariants: the keys, types and nesting are those of the contract, in its
 *             order. Our own keys are in the object `x`. No object has a key
 *             twice.
 * Locking:    none.
 */
#ifndef STATS_REPORT_JSON_H
#define STATS_REPORT_JSON_H

struct report;

void report_json(struct report *report);

#endif
