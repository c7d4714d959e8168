/*
 * arena_stats: the figures of one arena, or the sum of several arenas.
 *
 * Owns:       nothing.
 * Invariants: fields that can't be summed (name, uptime, dss, decay times) are
 *             not added.
 * Locking:    none; the figures are the caller's.
 */
#ifndef STATS_ARENA_STATS_H
#define STATS_ARENA_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arena/bin.h"
#include "arena/large.h"
#include "huge/huge_cache.h"
#include "os/lock.h"
#include "stats/locks.h"
#include "util/size_class.h"

/* Bytes of an arena's name, with its terminating zero. */
#define ARENA_NAME_MAX 32

/* Runs of 1, 2, 3 units, then one class for each large size class. */
#define PAGE_CLASSES (3 + LARGE_CLASSES_MAX)

struct class_stats {
	size_t allocated;   /* bytes of objects outside the arena */
	uint64_t nmalloc;   /* objects that left the arena so far */
	uint64_t ndalloc;   /* objects that came back so far */
	uint64_t nrequests; /* of the program, served by caches or not */
	uint64_t nfills;    /* batches that a cache took */
	uint64_t nflushes;  /* batches that a cache gave back */
};

struct bin_snapshot {
	struct bin_stats stats;
	uint64_t nrequests;
	size_t curregs; /* regions that left the bin */
	struct lock_stats mutex;
};

struct lextent_snapshot {
	uint64_t nmalloc;
	uint64_t ndalloc;
	uint64_t nrequests;
	size_t curlextents;
};

/* Free runs of pages from the size of this class up to that of the next. */
struct page_class_snapshot {
	size_t count[3]; /* of dirty, muzzy, retained ones */
	size_t bytes[3];
};

/*
 * The locks of an arena that the contract names, in its order. One of our locks
 * may stand for several of them. A lock of the whole process is reported for
 * arena 0.
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

#define ARENA_MUTEX_NUMBER(number, name) ARENA_MUTEX_##number,
enum arena_mutex { ARENA_MUTEX_ROWS(ARENA_MUTEX_NUMBER) ARENA_MUTEXES };
#undef ARENA_MUTEX_NUMBER

/* The names of these locks, by their numbers. */
extern const char *const arena_mutex_names[ARENA_MUTEXES];

/*
 * One arena, the sum of all (merged), or of those that do not exist any more
 * (destroyed). A field has the type of the mallctl of the same name.
 */
struct arena_stats {
	bool initialized; /* was there such an arena? */
	char name[ARENA_NAME_MAX];
	unsigned nthreads;
	uint64_t uptime; /* ns */
	const char *dss;
	ssize_t dirty_decay_ms;
	ssize_t muzzy_decay_ms;
	size_t pactive; /* pages */
	size_t pdirty;
	size_t pmuzzy;
	size_t mapped; /* bytes, as are the following */
	size_t retained;
	uint64_t dirty_npurge;   /* sweeps */
	uint64_t dirty_nmadvise; /* system calls */
	uint64_t dirty_purged;   /* pages */
	uint64_t muzzy_npurge;
	uint64_t muzzy_nmadvise;
	uint64_t muzzy_purged;
	size_t base; /* arena 0 includes the common part */
	size_t internal;
	size_t metadata_edata;
	size_t metadata_rtree;
	size_t metadata_thp; /* number of huge pages */
	size_t tcache_bytes;
	size_t tcache_stashed_bytes;
	size_t resident;
	size_t abandoned_vm;
	size_t extent_avail; /* number of spare records */
	struct class_stats small;
	struct class_stats large;
	struct huge_stats hpa; /* zero without opt.hpa */
	struct huge_cache_counts hpa_sec;
	struct lock_stats mutexes[ARENA_MUTEXES];
	struct bin_snapshot bins[SMALL_CLASSES_MAX];
	struct lextent_snapshot lextents[LARGE_CLASSES_MAX];
	struct page_class_snapshot extents[PAGE_CLASSES];
};

/* Adds the figures of a lock. Maxima are not added: the larger one stays. */
void lock_stats_add(struct lock_stats *sum, const struct lock_stats *from);
void class_stats_add(struct class_stats *sum, const struct class_stats *from);
void bin_snapshot_add(struct bin_snapshot *sum,
    const struct bin_snapshot *from);

void arena_stats_init_sum(struct arena_stats *sum, const char *name);
void arena_stats_add(struct arena_stats *sum, const struct arena_stats *from);

/*
 * Prepares the figures of an arena that is destroyed: present amounts become 0,
 * counters stay.
 */
void arena_stats_retire(struct arena_stats *stats);

#endif
