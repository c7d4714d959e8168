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
#include <sys/types.h>

#include "arena/large.h"
#include "extent/huge_cache.h"
#include "os/lock.h"
#include "stats/locks.h"
#include "util/size_class.h"

struct arena;

/* Bytes of an arena's name, its end included. */
#define ARENA_NAME_MAX	32

/* Runs of 1, 2, 3 units, then one class for each large size class. */
#define PAGE_CLASSES	(3 + LARGE_CLASSES_MAX)

struct class_stats {
	size_t allocated;	/* bytes out of the arena */
	uint64_t nmalloc;	/* objects that left the arena, ever */
	uint64_t ndalloc;	/* and that came back */
	uint64_t nrequests;	/* of the program, served by caches or not */
	uint64_t nfills;	/* batches for a cache */
	uint64_t nflushes;	/* and from one */
};

struct bin_snapshot {
	uint64_t nmalloc;
	uint64_t ndalloc;
	uint64_t nrequests;
	uint64_t nfills;
	uint64_t nflushes;
	uint64_t nslabs;	/* made, ever */
	uint64_t nreslabs;
	size_t curregs;		/* regions out of the bin */
	size_t curslabs;
	size_t nonfull_slabs;
	struct lock_stats mutex;
};

struct lextent_snapshot {
	uint64_t nmalloc;
	uint64_t ndalloc;
	uint64_t nrequests;
	size_t curlextents;
};

/* Free runs of pages that are at least so long, and shorter than the next. */
struct page_class_snapshot {
	size_t ndirty;
	size_t nmuzzy;
	size_t nretained;
	size_t dirty_bytes;
	size_t muzzy_bytes;
	size_t retained_bytes;
};

/*
 * The contract's locks of an arena, in its order. One of ours may stand for
 * several of them; one that is not an arena's is entered for arena 0.
 */
#define ARENA_MUTEX_ROWS(ROW) \
	ROW(LARGE, "large") \
	ROW(EXTENT_AVAIL, "extent_avail") \
	ROW(EXTENTS_DIRTY, "extents_dirty") \
	ROW(EXTENTS_MUZZY, "extents_muzzy") \
	ROW(EXTENTS_RETAINED, "extents_retained") \
	ROW(DECAY_DIRTY, "decay_dirty") \
	ROW(DECAY_MUZZY, "decay_muzzy") \
	ROW(BASE, "base") \
	ROW(TCACHE_LIST, "tcache_list") \
	ROW(HPA_SHARD, "hpa_shard") \
	ROW(HPA_SHARD_GROW, "hpa_shard_grow") \
	ROW(HPA_SEC, "hpa_sec")

#define ARENA_MUTEX_NUMBER(number, name)	ARENA_MUTEX_##number,
enum arena_mutex { ARENA_MUTEX_ROWS(ARENA_MUTEX_NUMBER) ARENA_MUTEXES };
#undef ARENA_MUTEX_NUMBER

/* Their names in the contract, by those numbers. */
extern const char *const arena_mutex_names[ARENA_MUTEXES];

/*
 * One arena, all of them (merged), or those that are no more (destroyed).
 * Field types are those of the mallctl of the same name.
 */
struct arena_stats {
	bool initialized;		/* was there such an arena? */
	char name[ARENA_NAME_MAX];
	unsigned nthreads;
	uint64_t uptime;		/* ns */
	const char *dss;
	ssize_t dirty_decay_ms;
	ssize_t muzzy_decay_ms;
	size_t pactive;			/* pages */
	size_t pdirty;
	size_t pmuzzy;
	size_t mapped;			/* bytes, as are the following */
	size_t retained;
	uint64_t dirty_npurge;		/* sweeps */
	uint64_t dirty_nmadvise;	/* system calls */
	uint64_t dirty_purged;		/* pages */
	uint64_t muzzy_npurge;
	uint64_t muzzy_nmadvise;
	uint64_t muzzy_purged;
	size_t base;			/* metadata is common: all in arena 0 */
	size_t internal;
	size_t metadata_edata;
	size_t metadata_rtree;
	size_t metadata_thp;		/* number of huge pages */
	size_t tcache_bytes;
	size_t tcache_stashed_bytes;
	size_t resident;
	size_t abandoned_vm;
	size_t extent_avail;		/* number of spare records */
	struct class_stats small;
	struct class_stats large;
	struct huge_stats hpa;		/* zero without opt.hpa */
	struct huge_cache_counts hpa_sec;
	struct lock_stats mutexes[ARENA_MUTEXES];
	struct bin_snapshot bins[SMALL_CLASSES_MAX];
	struct lextent_snapshot lextents[LARGE_CLASSES_MAX];
	struct page_class_snapshot extents[PAGE_CLASSES];
};

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
