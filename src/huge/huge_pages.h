/*
 * huge_pages: packs short runs of pages so that few huge pages hold them.
 *
 * Owns:       the pageslabs of one arena (a shard), spare records, counters.
 * Invariants: an extent from here knows its pageslab, and is in no pool. A
 *             pageslab is busy while a system call works on it: runs may come
 *             back to it, but none is taken from it. Whatever a system call
 *             answers, no page is lost.
 * Locking:    `lock` (LOCK_HUGE), not held over a system call or a call of the
 *             page source.
 *
 *	take: the densest pageslab with a run that fits -> an empty one -> new
 *	tick: hugify the dense, purge what is sparse or empty (huge_tick)
 *
 * Only ticks read the time: without ticks nothing is made huge or purged.
 */
#ifndef HUGE_HUGE_PAGES_H
#define HUGE_HUGE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/options.h"
#include "extent/spare_records.h"
#include "huge/pageslab.h"
#include "os/lock.h"
#include "util/tree.h"

struct extent;

/* Classes of runs by length: 1, 2, 3 units, then four for each doubling. */
#define HUGE_RUN_CLASSES 64

/* Where pageslabs come from and go to; the page source provides this. */
struct huge_backing {
	/* An ACTIVE extent of `size` bytes, aligned to that, or NULL. */
	struct extent *(*take)(void *context, size_t size);
	/* Takes it back; `zeroed`: it is known to be zero, without memory. */
	void (*give)(void *context, struct extent *e);
	void *context;
};

struct huge_config {
	struct huge_backing backing;
	unsigned arena_index;
	size_t huge_page;      /* bytes of a pageslab */
	size_t max_size;       /* bytes of the longest run */
	size_t dense;          /* active bytes that are worth a huge page */
	size_t purge_min;      /* dirty bytes that are worth a purge */
	uint32_t dirty_ratio;  /* dirty / active allowed, times 2^16 */
	bool purge;            /* false: never purge */
	bool sync;             /* collapse at once, don't only ask for it */
	bool always;           /* the kernel makes huge pages by itself */
	bool born_huge;        /* so a new pageslab counts as huge */
	size_t small_at_first; /* how many pageslabs begin with small pages */
	bool ask_always;       /* ask even if the kernel does it by itself */
	/*
	 * When the library asks the kernel to make a pageslab huge: before it
	 * is used, when it has become dense, or never (the kernel decides).
	 */
	enum hugify_style style; /* not HUGIFY_AUTO */
	int64_t max_purges;      /* pageslabs in one pass; -1: all */
	uint64_t hugify_delay_ns;
	uint64_t purge_delay_ns;
	uint64_t purge_interval_ns;
};

/* Counters of a group of pageslabs; [0]: not huge, [1]: huge. */
struct huge_group {
	size_t npageslabs[2];
	size_t nactive[2]; /* pages */
	size_t ndirty[2];  /* pages */
	size_t nretained;  /* pages without memory, if not huge */
};

struct huge_stats {
	uint64_t npurge_passes;
	uint64_t npurges;
	uint64_t nhugifies;
	uint64_t nhugify_failures;
	uint64_t ndehugifies;
	/* The next three are sums of `all`; huge_pages_stats() fills them. */
	size_t npageslabs;
	size_t nactive;
	size_t ndirty;
	size_t nspare; /* records */
	struct huge_group full;
	struct huge_group empty;
	struct huge_group nonfull[HUGE_RUN_CLASSES];
	struct huge_group all;
};

struct huge_shard {
	struct lock lock;
	struct huge_config config;
	unsigned npages; /* pages of a pageslab */
	struct list all;
	/*
	 * Pageslabs with a free run, by class of the longest one; the densest
	 * is first. `nonempty` has a bit for each class that has any.
	 */
	uint64_t nonempty;
	struct tree_node *place[HUGE_RUN_CLASSES];
	struct tree_node *to_purge;
	struct list hugify; /* dense; that for the longest time first */
	struct list purge;  /* purgeable; that for the longest time first */
	struct spare_records spares;
	bool ticking; /* a thread is in huge_tick_run() */
	bool purged;  /* last_purge_ns is set */
	uint64_t last_purge_ns;
	uint64_t purged_bytes; /* since the shard was made */
	struct huge_stats stats;
};

void huge_pages_init(struct huge_shard *shard,
    const struct huge_config *config);

/**
 * Takes up to `count` runs of `size` bytes as ACTIVE extents.
 * @param chain  out: the extents, linked by `next`
 * @return       the number of extents; 0: there is no memory
 */
unsigned huge_pages_take(struct huge_shard *shard, size_t size, unsigned count,
    struct extent **chain);

/* Takes a chain of extents back; they have no page map entries any more. */
void huge_pages_give(struct huge_shard *shard, struct extent *chain);

/* Lengthens `e` to `size` bytes in place; the caller updates the page map. */
bool huge_pages_extend(struct huge_shard *shard, struct extent *e, size_t size,
    bool *zeroed);

/* Shortens `e` to `size` bytes; the caller updates the page map. */
void huge_pages_trim(struct huge_shard *shard, struct extent *e, size_t size);

/*
 * For the child of a fork. Threads that worked on pageslabs do not exist here
 * and will not finish, so no pageslab may stay busy.
 */
void huge_pages_fork_child(struct huge_shard *shard);

void huge_pages_stats(struct huge_shard *shard, struct huge_stats *stats);

/* Dirty bytes, and dirty bytes above the limit; these take no lock. */
size_t huge_pages_dirty(const struct huge_shard *shard);
size_t huge_pages_too_dirty(const struct huge_shard *shard);

void huge_pages_check(struct huge_shard *shard);

/* --- for huge_tick -------------------------------------------------------- */

/*
 * Call these before and after each change of a pageslab. The first one takes it
 * out of the counters and the trees, the second one puts it where it belongs
 * after the change.
 */
void huge_slab_leave_locked(struct huge_shard *shard, struct pageslab *slab);
void huge_slab_enter_locked(struct huge_shard *shard, struct pageslab *slab);

/* Sets `busy`, as such a change. */
void huge_slab_set_busy_locked(struct huge_shard *shard, struct pageslab *slab,
    bool busy);

/*
 * Gives `slab`, which is empty and not busy, back to the page source. Releases
 * the lock meanwhile.
 */
void huge_slab_retire_locked(struct huge_shard *shard, struct pageslab *slab);

/* Is enough of it in use to make it a huge page? */
bool huge_slab_is_dense(const struct huge_shard *shard,
    const struct pageslab *slab);

/* Gives the advice to the kernel, unless it is useless; false: it refused. */
bool huge_slab_advise(struct huge_shard *shard, struct pageslab *slab,
    enum huge_advice advice);

#endif
