/*
 * arena_stats: the figures of one arena, or of several, added up.
 *
 * Owns:       nothing.
 * Invariants: what is no sum (name, uptime, dss, decay times) is not added.
 * Locking:    none; the figures are the caller's.
 * Used by:    stats/snapshot, which fills them in; stats/report, ctl/ctl_stats.
 */
#ifndef STATS_ARENA_STATS_H
#define STATS_ARENA_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arena/large.h"
#include "extent/huge_cache.h"
#include "os/lock.h"
#include "stats/locks.h"
#include "util/size_class.h"

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
enum arena_mutex {
	ARENA_MUTEX_LARGE, ARENA_MUTEX_EXTENT_AVAIL, ARENA_MUTEX_EXTENTS_DIRTY,
	ARENA_MUTEX_EXTENTS_MUZZY, ARENA_MUTEX_EXTENTS_RETAINED,
	ARENA_MUTEX_DECAY_DIRTY, ARENA_MUTEX_DECAY_MUZZY, ARENA_MUTEX_BASE,
	ARENA_MUTEX_TCACHE_LIST, ARENA_MUTEX_HPA_SHARD,
	ARENA_MUTEX_HPA_SHARD_GROW, ARENA_MUTEX_HPA_SEC, ARENA_MUTEXES
};

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
	size_t base;			/* what is common: in arena 0 */
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

void arena_stats_init_sum(struct arena_stats *sum, const char *name);
void arena_stats_add(struct arena_stats *sum, const struct arena_stats *from);

/* Its arena ends: pages and records go, what was done with them stays. */
void arena_stats_retire(struct arena_stats *stats);

#endif
