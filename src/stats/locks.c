#include "stats/locks.h"

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/thread.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "prof/prof.h"
#include "prof/prof_names.h"
#include "prof/prof_recent.h"
#include "prof/prof_stats.h"
#include "prof/prof_table.h"
#include "prof/prof_watch.h"
#include "upkeep/background.h"

#define NAME(number, name) name,
const char *const global_mutex_names[GLOBAL_MUTEXES] = {
	GLOBAL_MUTEX_ROWS(NAME)
};

void
locks_read_one(struct lock *lock, struct lock_stats *to)
{
	lock_acquire(lock);
	*to = lock->stats;
	lock_release(lock);
}

void
locks_read(struct lock_stats to[GLOBAL_MUTEXES])
{
	locks_read_one(background_lock(), &to[GLOBAL_MUTEX_BACKGROUND_THREAD]);
	if (!prof_is_on())
		return;
	locks_read_one(prof_table_lock(), &to[GLOBAL_MUTEX_PROF]);
	locks_read_one(prof_names_lock(), &to[GLOBAL_MUTEX_PROF_DUMP]);
	locks_read_one(prof_recent_lock(), &to[GLOBAL_MUTEX_PROF_RECENT_ALLOC]);
	locks_read_one(prof_stats_lock(), &to[GLOBAL_MUTEX_PROF_STATS]);
}

void
locks_reset_one(struct lock *lock)
{
	lock_acquire(lock);
	lock->stats = (struct lock_stats){ .num_ops = 0 };
	lock_release(lock);
}

static void
reset_arena(struct arena *arena, void *unused)
{
	(void)unused;
	arena_fork(arena, locks_reset_one);
}

void
locks_reset(void)
{
	locks_reset_one(background_lock());
	locks_reset_one(thread_lock());
	locks_reset_one(arena_table_lock());
	locks_reset_one(extent_records_lock());
	locks_reset_one(prof_names_lock());
	locks_reset_one(prof_table_lock());
	prof_watch_each_lock(locks_reset_one);
	locks_reset_one(metadata_lock());
	arena_table_each(reset_arena, NULL);
}
