/*
 * prof_stats: counts samples by size class, live ones and all (opt.prof_stats).
 *
 * Owns:       the counts.
 * Invariants: all numbers of a class are read at one moment. Samples are
 *             counted, not the objects that they stand for. A reset of the
 *             profile does not change the counts.
 * Locking:    LOCK_PROF_STATS.
 */
#ifndef PROF_PROF_STATS_H
#define PROF_PROF_STATS_H

#include <stddef.h>
#include <stdint.h>

struct lock;

/* The value of prof.stats.*.{live,accum}. */
struct prof_sum {
	uint64_t requested; /* bytes the program asked for */
	uint64_t count;
};

struct prof_class_stats {
	struct prof_sum live;
	struct prof_sum ever;
};

void prof_stats_init(void);

void prof_stats_begin(size_t requested, size_t usable);
void prof_stats_end(size_t requested, size_t usable);

/* The counts of one size class. Small classes have the lower numbers. */
struct prof_class_stats prof_stats_read(unsigned size_class);

struct lock *prof_stats_lock(void);

#endif
