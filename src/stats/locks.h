/*
 * locks: figures of the locks that are the whole process's, not an arena's.
 *
 * Owns:       nothing; each lock has its figures.
 * Invariants: the contract's names; what has no lock of ours reads zero.
 * Locking:    takes each lock for a moment, one at a time.
 */
#ifndef STATS_LOCKS_H
#define STATS_LOCKS_H

#include "os/lock.h"

enum global_mutex {
	GLOBAL_MUTEX_BACKGROUND_THREAD, GLOBAL_MUTEX_MAX_PER_BG_THD,
	GLOBAL_MUTEX_CTL, GLOBAL_MUTEX_PROF, GLOBAL_MUTEX_PROF_THDS_DATA,
	GLOBAL_MUTEX_PROF_DUMP, GLOBAL_MUTEX_PROF_RECENT_ALLOC,
	GLOBAL_MUTEX_PROF_RECENT_DUMP, GLOBAL_MUTEX_PROF_STATS, GLOBAL_MUTEXES
};

/* Their names in the contract, by those numbers. */
extern const char *const global_mutex_names[GLOBAL_MUTEXES];

void locks_read_one(struct lock *lock, struct lock_stats *to);

/* All but that of the snapshots (GLOBAL_MUTEX_CTL). */
void locks_read(struct lock_stats to[GLOBAL_MUTEXES]);

/* Clears the figures of one; of all, those of arenas too. */
void locks_reset_one(struct lock *lock);
void locks_reset(void);

#endif
