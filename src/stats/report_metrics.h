/*
 * report_metrics: the report as OpenMetrics text, which Prometheus reads.
 *
 * Owns:       nothing.
 * Invariants: all samples of a family follow its HELP and TYPE. The names of
 *             counters end in _total. Labels are escaped. The last line is
 *             `# EOF`. The units are bytes and seconds.
 * Locking:    none.
 */
#ifndef STATS_REPORT_METRICS_H
#define STATS_REPORT_METRICS_H

struct report;

void report_metrics(struct report *report);

#endif
