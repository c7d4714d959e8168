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

#define GLOBAL_MUTEX_ROWS(ROW) \
	ROW(BACKGROUND_THREAD, "background_thread") \
	ROW(MAX_PER_BG_THD, "max_per_bg_thd") \
	ROW(CTL, "ctl") \
	ROW(PROF, "prof") \
	ROW(PROF_THDS_DATA, "prof_thds_data") \
	ROW(PROF_DUMP, "prof_dump") \
	ROW(PROF_RECENT_ALLOC, "prof_recent_alloc") \
	ROW(PROF_RECENT_DUMP, "prof_recent_dump") \
	ROW(PROF_STATS, "prof_stats")

#define GLOBAL_MUTEX_NUMBER(number, name)	GLOBAL_MUTEX_##number,
enum global_mutex { GLOBAL_MUTEX_ROWS(GLOBAL_MUTEX_NUMBER) GLOBAL_MUTEXES };
#undef GLOBAL_MUTEX_NUMBER

/* Their names in the contract, by those numbers. */
extern const char *const global_mutex_names[GLOBAL_MUTEXES];

void locks_read_one(struct lock *lock, struct lock_stats *to);

/* All but that of the snapshots (GLOBAL_MUTEX_CTL). */
void locks_read(struct lock_stats to[GLOBAL_MUTEXES]);

/* Clears the figures of one; of all, those of arenas too. */
void locks_reset_one(struct lock *lock);
void locks_reset(void);

#endif
