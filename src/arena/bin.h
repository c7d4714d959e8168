/*
 * bin: the slabs of one size class in one arena.
 *
 * Owns:       the slabs that have a free region, by address. Full slabs are
 *             found only through the page map.
 * Invariants: a slab is `listed` if and only if it has a free region and is
 *             neither `current` nor kept. A slab without any used region goes
 *             back, except that one may stay as current, and a few are kept for
 *             a moment: objects that flow from thread to thread empty slabs
 *             and need new ones all the time. bin_shed() ends that moment.
 * Locking:    `lock` protects all; it is not held while pages are taken or
 *             given. A slab leaves the page map only under it, unless its arena
 *             is reset.
 */
#ifndef ARENA_BIN_H
#define ARENA_BIN_H

#include "arena/ledger.h"
#include "extent/extent.h"
#include "extent/pagemap.h"
#include "os/lock.h"

struct page_source;

struct bin_stats {
	uint64_t nmalloc;  /* regions taken */
	uint64_t ndalloc;  /* regions given */
	uint64_t nfills;   /* batches taken for a cache */
	uint64_t nflushes; /* batches that a cache has given */
	uint64_t nslabs;   /* slabs made so far */
	uint64_t nreslabs; /* times the current slab changed */
	size_t curslabs;
	size_t nonfull; /* listed slabs and kept ones */
};

struct bin {
	struct lock lock;
	struct extent *current;    /* regions come from this one first */
	struct tree_node *nonfull; /* listed slabs, by address */
	struct tree_node *kept; /* empty slabs, the last one first, by left */
	struct bin_stats stats;
	uint16_t nkept;
	uint16_t nidle; /* of these, not needed since bin_shed() */
	uint8_t shard;  /* index among the bins of its class */
	bool samples;   /* no cache takes its objects */
} CACHE_ALIGNED;

/**
 * @param bin      all zero
 * @param shard    its index among the bins of its class in its arena
 * @param samples  its slabs have KIND_SAMPLE in the page map
 */
void bin_init(struct bin *bin, unsigned shard, bool samples);

/* A pointer that was not a used region, found while giving. */
struct bin_fault {
	const void *object;
	bool double_free; /* false: it is misaligned */
};

struct bin_batch {
	void **objects;
	unsigned count;
	struct bin_fault *faults; /* to give: room for `count` entries */
	unsigned nfaults;
	bool cache; /* for a cache, or from one: it counts as fill or flush */
};

/**
 * Takes regions of the class, those with the lowest addresses first.
 * @param batch  where to, how many, and for whom
 * @return       the number taken; fewer than `count` only if there is no memory
 */
unsigned bin_take(struct bin *bin, struct page_source *pages,
    unsigned size_class, const struct bin_batch *batch);

/*
 * The slab of an object that a cache had. NULL: the slab has gone back since
 * then, so the object was freed twice.
 */
static inline struct extent *
bin_slab_around(const void *object, unsigned size_class)
{
	struct extent *slab = pagemap_find(object);

	if (unlikely(slab == NULL || !slab->is_slab ||
		slab->size_class != size_class))
		return NULL;
	return slab;
}

/**
 * Gives back the objects of a batch that belong to this bin: to its arena (that
 * of `pages`), class and shard. The other objects move to the front of the
 * batch, and `count` becomes their number. Pointers that are no used regions
 * are listed in `faults`.
 */
void bin_give(struct bin *bin, struct page_source *pages, unsigned size_class,
    struct bin_batch *batch);

/*
 * Gives back the slabs that are kept, or those that were not needed since this
 * was called last. `pages` knows how many bytes all bins of the arena keep.
 */
void bin_shed(struct bin *bin, struct page_source *pages, bool all);

/*
 * The arena is reset, so its slabs are none any more. No other thread uses the
 * bin.
 */
void bin_forget(struct bin *bin, struct page_source *pages);

struct bin_usage {
	size_t used; /* regions taken */
	size_t free; /* regions in its slabs */
};

struct bin_usage bin_usage(struct bin *bin, unsigned size_class);

/* The regions of a slab at one moment: one bit for each region. */
struct bin_copy {
	uint64_t free[SLAB_REGIONS_LIMIT / 64];
	/* With a ledger: those that the program may have. */
	uint64_t handed[SLAB_REGIONS_LIMIT / 64];
	bool certain; /* regions that are not free are with the program */
	/*
	 * With a ledger: it can be read for as long as one likes, but it may
	 * become that of another slab of the class.
	 */
	const struct ledger *ledger;
};

/* What the caller has read about a slab without a lock. */
struct bin_slab {
	struct extent *slab;
	char *addr;
	unsigned arena_index;
	unsigned size_class;
};

/**
 * Copies the bitmap of a slab.
 * @param slab  may be out of date
 * @return      false: that is no slab of this bin any more
 */
bool bin_copy(struct bin *bin, const struct bin_slab *slab,
    struct bin_copy *copy);

void bin_check(struct bin *bin);

#endif
