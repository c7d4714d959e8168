/*
 * report_json: the report as one JSON document.
 *
 * Owns:       nothing.
 * Invariants: the keys, types and nesting of the contract, in its order; our
 *             own stand under `x`. No key twice in an object.
 * Locking:    none.
 */
#ifndef STATS_REPORT_JSON_H
#define STATS_REPORT_JSON_H

struct report;

void report_json(struct report *report);

#endif
