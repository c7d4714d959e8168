/*
 * locks: figures of the locks of the whole process; those of arenas are not
 * here.
 *
 * Owns:       nothing; each lock has its own figures.
 * Invariants: the names are those of the contract. If this library has no such
 *             lock, its figures are 0.
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

#define GLOBAL_MUTEX_NUMBER(number, name) GLOBAL_MUTEX_##number,
enum global_mutex { GLOBAL_MUTEX_ROWS(GLOBAL_MUTEX_NUMBER) GLOBAL_MUTEXES };
#undef GLOBAL_MUTEX_NUMBER

/* The names of these locks, by their numbers. */
extern const char *const global_mutex_names[GLOBAL_MUTEXES];

void locks_read_one(struct lock *lock, struct lock_stats *to);

/* Reads all but the lock of the snapshots (GLOBAL_MUTEX_CTL). */
void locks_read(struct lock_stats to[GLOBAL_MUTEXES]);

/* Clear the figures of one lock, or of all, including those of arenas. */
void locks_reset_one(struct lock *lock);
void locks_reset(void);

#endif
