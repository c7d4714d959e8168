/*
 * snapshot: a copy of the counters of all modules, made at one epoch.
 *
 * Owns:       the snapshots, the epoch number, and the counts of destroyed
 *             arenas.
 * Invariants: a snapshot does not change while somebody holds it. The parts of
 *             an arena are read one after the other, each under its lock. So
 *             the figures are exact while no thread allocates, and otherwise
 *             close. A figure of the contract that no module counts is 0.
 * Locking:    LOCK_STATS for the list of snapshots, never over another lock or
 *             a system call. Refreshing takes the locks of the arenas one at a
 *             time; getting the current one and reading it take none.
 *
 * A new snapshot is filled before others can see it; then it replaces the
 * current one. So readers need no lock. A reader counts itself as a holder
 * first, and then looks whether the snapshot is still the current one. If it is
 * not, the reader counts down and tries again: so `holders` may rise for a
 * moment on any snapshot. The memory of a snapshot without holders is used
 * again.
 */
#ifndef STATS_SNAPSHOT_H
#define STATS_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stats/arena_stats.h"

struct arena;

/* What the sum of all arenas does not have. Sizes are in bytes. */
struct stats_totals {
	size_t allocated;
	size_t active;
	size_t metadata;
	size_t background_num_threads;
	uint64_t background_num_runs;
	uint64_t background_run_interval; /* ns */
	struct lock_stats mutexes[GLOBAL_MUTEXES];
};

struct stats_snapshot {
	uint64_t refreshes; /* that came before: its epoch, less 1 */
	struct stats_totals totals;
	unsigned narenas;      /* one more than the highest index known */
	unsigned ninitialized; /* how many arenas exist */
	bool any_destroyed;
	struct arena_stats **arenas; /* see snapshot_arena() */
	size_t capacity;             /* of that array, in elements */
	struct arena_stats merged;
	struct arena_stats destroyed;
	/* For snapshot.c only. */
	_Atomic unsigned holders;
	bool published;              /* is or was the current one */
	struct stats_snapshot *next; /* in the list of spare ones */
};

/* To be called once, before there are other threads. */
void snapshot_init(void);

/**
 * Takes a new snapshot and raises the epoch number.
 * @return  false: there is no memory, and the old one stays
 */
bool snapshot_refresh(void);

/**
 * The current snapshot. If there is none yet, it takes the first one (epoch 1).
 * @return  never NULL; it does not change until snapshot_release(). If there is
 *                no
 *          memory for the first snapshot, it has no arenas.
 */
struct stats_snapshot *snapshot_get(void);
void snapshot_release(struct stats_snapshot *snapshot);

/* The epoch number: 1 plus the number of refreshes. It takes no snapshot. */
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
 * Adds the counts of `arena` to the figures of destroyed arenas. To be called
 * when its objects are freed, before it is destroyed. False: there is no
 * memory.
 */
bool snapshot_retire(struct arena *arena);

/* Clears the counters of all locks (stats.mutexes.reset). */
void snapshot_reset_mutexes(void);

/*
 * Bytes of pages in use at present, not at the epoch, for monitors that read it
 * many times a second. It takes no lock, so no thread waits for it, and each
 * arena's part is close to the true one at the time of reading.
 */
size_t snapshot_active_now(void);

/* The least size in bytes of the runs of page class `index` < PAGE_CLASSES. */
size_t snapshot_page_class_size(unsigned index);

/* The page class of a run of `size` bytes, which is at least one unit. */
unsigned snapshot_page_class_of(size_t size);

struct lock *snapshot_lock(void);

#endif
