/*
 * prof_stats: samples by size class, alive and ever (opt.prof_stats).
 *
 * Owns:       the counts.
 * Invariants: both numbers of a class are of one moment. Samples are counted
 *             as they are, not as what they stand for; a reset of the profile
 *             does not touch them.
 * Locking:    LOCK_PROF_STATS.
 */
#ifndef PROF_PROF_STATS_H
#define PROF_PROF_STATS_H

#include <stddef.h>
#include <stdint.h>

struct lock;

/* As the contract has it: prof.stats.*.{live,accum}. */
struct prof_sum {
	uint64_t requested;	/* bytes the program asked for */
	uint64_t count;
};

struct prof_class_stats {
	struct prof_sum live;
	struct prof_sum ever;
};

void prof_stats_init(void);

void prof_stats_begin(size_t requested, size_t usable);
void prof_stats_end(size_t requested, size_t usable);

/* Of one size class, small ones first. */
struct prof_class_stats prof_stats_read(unsigned size_class);

struct lock *prof_stats_lock(void);

#endif
