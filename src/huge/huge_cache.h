/*
 * huge_cache: short extents kept ready in front of the huge pages.
 *
 * Owns:       the shard of huge pages of an arena, and some of its extents in a
 *             few parts; a thread always uses the same part.
 * Invariants: an extent in here is active for its pageslab and free for the
 *             arena; no page map entry leads to it.
 * Locking:    each part has its own lock (LOCK_HUGE_CACHE). No other lock is
 *             taken under it.
 */
#ifndef HUGE_HUGE_CACHE_H
#define HUGE_HUGE_CACHE_H

#include "huge/huge_pages.h"

/* One list for each page count of an extent, up to 32768 bytes. */
#define HUGE_CACHE_LISTS     8
#define HUGE_CACHE_PARTS_MAX 64

struct huge_cache_config {
	unsigned nparts;  /* 0: nothing is kept */
	size_t max_size;  /* bytes of an extent */
	size_t max_bytes; /* of all extents of a part */
	unsigned extra;   /* extents fetched besides the one wanted */
	uint64_t idle_ns; /* an unused part is emptied after this */
};

struct huge_cache_counts {
	size_t bytes;
	size_t hits;
	size_t misses;
	size_t kept;      /* given back, and there was room */
	size_t flushed;   /* given back, and others had to leave */
	size_t overfills; /* fetched, and there was no room */
};

struct huge_cache_part {
	struct lock lock;
	struct extent *list[HUGE_CACHE_LISTS]; /* by pages - 1 */
	struct huge_cache_counts counts;
	bool used; /* since the last look for idle parts */
} CACHE_ALIGNED;

struct huge_cache {
	struct huge_shard shard;
	struct huge_cache_config config;
	_Atomic uint64_t looked_ns; /* the last look for idle parts */
	struct huge_cache_part parts[];
};

/* The size of a cache with `nparts` parts, in bytes. */
size_t huge_cache_size(unsigned nparts);

void huge_cache_init(struct huge_cache *cache,
    const struct huge_cache_config *config, const struct huge_config *shard);

/* An ACTIVE extent of `size` bytes. NULL: too long, or no memory. */
struct extent *huge_cache_take(struct huge_cache *cache, size_t size);

/* Takes an extent back; it has no page map entries any more. */
void huge_cache_give(struct huge_cache *cache, struct extent *e);

/* Empties idle parts, if it is time for that; then ticks the shard. */
void huge_cache_tick(struct huge_cache *cache, uint64_t now_ns);

/* Nanoseconds until a tick will have something to do; UINT64_MAX: never. */
uint64_t huge_cache_wait(struct huge_cache *cache, uint64_t now_ns);

/* Empties all parts, and purges the shard. */
void huge_cache_purge(struct huge_cache *cache);

/* Gives everything back; no extent may be in use. */
void huge_cache_fini(struct huge_cache *cache);

/* Does one step of fork (os/lock.h) for all locks of the cache. */
void huge_cache_fork(struct huge_cache *cache, void (*step)(struct lock *));

/* Sums over the parts. */
struct huge_cache_counts huge_cache_counts(struct huge_cache *cache);

/* Bytes that are kept; takes no lock. */
size_t huge_cache_bytes(const struct huge_cache *cache);

void huge_cache_counts_add(struct huge_cache_counts *sum,
    const struct huge_cache_counts *from);

void huge_cache_check(struct huge_cache *cache);

#endif
