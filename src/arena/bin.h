/*
 * bin: the slabs of one size class in one arena.
 *
 * Owns:       slabs that have a free region, by address; full ones are reached
 *             through the page map only.
 * Invariants: a slab is `listed` exactly when it has a free region and is not
 *             `current`; a slab without any used region is neither (it went
 *             back), except that one may stay as current.
 * Locking:    `lock` for all; pages are taken and given without it.
 */
#ifndef ARENA_BIN_H
#define ARENA_BIN_H

#include "extent/extent.h"
#include "os/lock.h"

struct page_source;

struct bin_stats {
	uint64_t nmalloc;	/* regions taken */
	uint64_t ndalloc;	/* regions given */
	uint64_t nfills;	/* batches taken */
	uint64_t nflushes;	/* batches given */
	uint64_t nslabs;	/* slabs made, ever */
	uint64_t nreslabs;	/* times the current slab changed */
	size_t curslabs;
	size_t nonfull;		/* listed slabs */
};

struct bin {
	struct lock lock;
	struct extent *current;		/* handed out from first, or NULL */
	struct tree_node *nonfull;	/* listed slabs, by address */
	struct bin_stats stats;
	uint8_t shard;			/* of this class in this arena */
	bool samples;			/* its objects are past all caches */
} CACHE_ALIGNED;

/**
 * @param shard    which of the bins of its class in its arena
 * @param samples  the page map says KIND_SAMPLE of its slabs
 */
void bin_init(struct bin *bin, unsigned shard, bool samples);

/**
 * Takes regions of the class, lowest address first.
 * @return  how many; fewer than `count` only without memory
 */
unsigned bin_take(struct bin *bin, struct page_source *pages,
    unsigned size_class, void **objects, unsigned count);

/* A pointer that was not a used region, found while giving. */
struct bin_fault {
	const void *object;
	bool double_free;	/* else misaligned */
};

struct bin_batch {
	void **objects;
	unsigned count;
	struct bin_fault *faults;	/* room for `count` entries */
	unsigned nfaults;
};

/**
 * Gives back those objects of a batch that lie in slabs of the arena of `pages`
 * and of class `size_class`. The others move to the front of the batch, and its
 * count becomes theirs; what was refused is listed in faults.
 */
void bin_give(struct bin *bin, struct page_source *pages,
    unsigned size_class, struct bin_batch *batch);


struct bin_usage {
	size_t used;		/* regions that left the bin */
	size_t free;		/* regions in its slabs */
};

struct bin_usage bin_usage(struct bin *bin, unsigned size_class);

void bin_check(struct bin *bin);

#endif
