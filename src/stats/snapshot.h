/*
 * snapshot: the counters of all modules, read at one moment.
 *
 * Owns:       the snapshots, the epoch number, what destroyed arenas counted.
 * Invariants: a snapshot that somebody holds does not change. Of each arena
 *             the parts are read one after the other, each under its lock:
 *             exact at rest, close while others allocate. What no module of
 *             ours counts is 0: the contract wants it to be there.
 * Locking:    LOCK_STATS for the list of snapshots, never over another lock or
 *             a system call. Refreshing takes the locks of the arenas one at a
 *             time; getting the current one and reading it take none.
 *
 * A snapshot is filled aside and then replaces the current one, so readers need
 * no lock; the memory of one that nobody holds is used again. Who gets one counts
 * itself first and looks then whether it still is the current one, so a count
 * may rise for a moment on one that is not.
 */
#ifndef STATS_SNAPSHOT_H
#define STATS_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stats/arena_stats.h"

struct arena;

/* Sums over all arenas, in bytes unless said otherwise. */
struct stats_totals {
	size_t allocated;
	size_t active;
	size_t metadata;
	size_t metadata_edata;
	size_t metadata_rtree;
	size_t metadata_thp;		/* number of huge pages */
	size_t resident;
	size_t mapped;
	size_t retained;
	size_t background_num_threads;
	uint64_t background_num_runs;
	uint64_t background_run_interval; /* ns */
	struct lock_stats mutexes[GLOBAL_MUTEXES];
};

struct stats_snapshot {
	uint64_t epoch;
	struct stats_totals totals;
	unsigned narenas;	/* one more than the highest index known */
	unsigned ninitialized;	/* how many there are */
	bool any_destroyed;
	struct arena_stats **arenas;	/* see snapshot_arena() */
	size_t capacity;		/* of that array, in elements */
	struct arena_stats merged;
	struct arena_stats destroyed;
	/* Of the snapshot's owner. */
	_Atomic unsigned holders;
	bool published;			/* was or is the current one */
	struct stats_snapshot *next;	/* one that is not in use */
};

/* Once, before any other thread. */
void snapshot_init(void);

/**
 * Takes a new snapshot and raises the epoch number.
 * @return  false without memory: the old one stays
 */
bool snapshot_refresh(void);

/**
 * The current snapshot; the first call takes it (epoch 1).
 * @return  not NULL; it stays as it is until snapshot_release(). Without memory
 *          for the first one, one without arenas.
 */
struct stats_snapshot *snapshot_get(void);
void snapshot_release(struct stats_snapshot *snapshot);

/* The epoch number: 1, plus the number of refreshes. Takes no snapshot. */
uint64_t snapshot_epoch(void);

/* The arena at `index`, or NULL if there was none at that epoch. */
static inline struct arena_stats *
snapshot_arena(const struct stats_snapshot *snapshot, unsigned index)
{
	if (index >= snapshot->narenas || snapshot->arenas[index] == NULL ||
	    !snapshot->arenas[index]->initialized)
		return NULL;
	return snapshot->arenas[index];
}

/*
 * Adds what `arena` has counted to the destroyed ones: to be called before an
 * arena is destroyed, when its objects are gone. False without memory.
 */
bool snapshot_retire(struct arena *arena);

/* Clears the counters of all locks (stats.mutexes.reset). */
void snapshot_reset_mutexes(void);

/* The figures of which monitors want many a second. Bytes. */
struct snapshot_headline {
	size_t allocated;
	size_t active;
	size_t metadata;
	size_t resident;
	size_t mapped;
	size_t retained;
};

/*
 * The present state, not that of the snapshot. Takes no lock, stops nobody;
 * each figure is close to what it was when it was read.
 */
struct snapshot_headline snapshot_headline(void);

/* Least size in bytes of a run of page class `index` < PAGE_CLASSES. */
size_t snapshot_page_class_size(unsigned index);

/* The page class of a run of `size` bytes, at least one unit. */
unsigned snapshot_page_class_of(size_t size);

struct lock *snapshot_lock(void);

#endif
