/*
 * report_metrics: the report as OpenMetrics text, which Prometheus reads.
 *
 * Owns:       nothing.
 * Invariants: the samples of a family stand together behind its HELP and TYPE;
 *             counters end in _total, labels are escaped, the last line is
 *             `# EOF`. Bytes and seconds are the units.
 * Locking:    none.
 */
#ifndef STATS_REPORT_METRICS_H
#define STATS_REPORT_METRICS_H

struct report;

void report_metrics(struct report *report);

#endif
