/*
 * huge_pages: packs short runs of pages so that few huge pages hold them.
 *
 * Owns:       the pageslabs of one arena (a shard), spare records, counters.
 * Invariants: an extent from here knows its pageslab, and is in no pool. A
 *             pageslab with a system call under way is busy: runs may come
 *             back to it, none is taken. Whatever a call answers, no page is
 *             lost.
 * Locking:    `lock` (LOCK_HUGE), not held over a system call or a call of the
 *             page source.
 *
 *	take: the densest pageslab with a run that fits -> an empty one -> new
 *	tick: hugify the dense, purge what is sparse or empty (huge_tick)
 *
 * Time passes with the ticks alone: without any, all stays as it is.
 */
#ifndef HUGE_HUGE_PAGES_H
#define HUGE_HUGE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "extent/spare_records.h"
#include "huge/pageslab.h"
#include "os/lock.h"
#include "util/tree.h"

struct extent;

/* Page counts in classes: 1, 2, 3 units, then four for each doubling. */
#define HUGE_RUN_CLASSES 64

/* Where pageslabs come from and go to: the page source. */
struct huge_backing {
	/* An ACTIVE extent of `size` bytes, aligned to that, or NULL. */
	struct extent *(*take)(void *context, size_t size);
	/* It comes back without memory; its `zeroed` is right. */
	void (*give)(void *context, struct extent *e);
	void *context;
};

/* Who makes pageslabs huge. */
enum huge_style {
	HUGE_STYLE_NONE,	/* the kernel, if it wants */
	HUGE_STYLE_EAGER,	/* we, before they are used */
	HUGE_STYLE_LAZY,	/* we, once they are dense */
};

struct huge_config {
	struct huge_backing backing;
	unsigned arena_index;
	size_t huge_page;	/* bytes of a pageslab */
	size_t max_size;	/* bytes of the longest run */
	size_t dense;		/* active bytes that are worth a huge page */
	size_t purge_min;	/* dirty bytes that are worth a purge */
	uint32_t dirty_ratio;	/* of active pages, 16 bits after the point */
	bool purge;		/* false: never */
	bool sync;		/* collapse, instead of asking for it */
	bool always;		/* the kernel makes all huge that it can, and */
	bool born_huge;		/* so a new one is taken to be, */
	size_t small_at_first;	/* but for so many, which are to get dense */
	bool ask_always;	/* even where the kernel would do it anyway */
	enum huge_style style;
	int64_t max_purges;	/* pageslabs a pass; -1: all */
	uint64_t hugify_delay_ns;
	uint64_t purge_delay_ns;
	uint64_t purge_interval_ns;
};

/* Pageslabs that are alike; [1]: those that are huge. Pages. */
struct huge_group {
	size_t npageslabs[2];
	size_t nactive[2];
	size_t ndirty[2];
	size_t nretained;	/* of those that are not huge: no memory */
};

struct huge_stats {
	uint64_t npurge_passes;
	uint64_t npurges;
	uint64_t nhugifies;
	uint64_t nhugify_failures;
	uint64_t ndehugifies;
	size_t npageslabs;	/* sums of `all`, made when they are read */
	size_t nactive;
	size_t ndirty;
	size_t nspare;		/* records */
	struct huge_group full;
	struct huge_group empty;
	struct huge_group nonfull[HUGE_RUN_CLASSES];
	struct huge_group all;
};

struct huge_shard {
	struct lock lock;
	struct huge_config config;
	unsigned npages;	/* of a pageslab */
	struct list all;
	/* With a free run, by class of the longest; the densest is first. */
	uint64_t nonempty;
	struct tree_node *place[HUGE_RUN_CLASSES];
	struct tree_node *to_purge;
	struct list hugify;	/* dense since: oldest first */
	struct list purge;	/* purgeable since: oldest first */
	struct spare_records spares;
	bool ticking;
	bool purged;		/* ever; then: */
	uint64_t last_purge_ns;
	uint64_t purged_bytes;	/* ever */
	struct huge_stats stats;
};

void huge_pages_init(struct huge_shard *shard,
    const struct huge_config *config);

/* The class of runs of `size` bytes. */
unsigned huge_run_class(size_t size);

/**
 * Takes up to `count` runs of `size` bytes as ACTIVE extents.
 * @param chain  receives them, linked by `next`
 * @return       how many; 0 without memory
 */
unsigned huge_pages_take(struct huge_shard *shard, size_t size,
    unsigned count, struct extent **chain);

/* Takes a chain of extents back; the page map knows them no more. */
void huge_pages_give(struct huge_shard *shard, struct extent *chain);

/* Lengthens `e` to `size` bytes in place; the page map is the caller's. */
bool huge_pages_extend(struct huge_shard *shard, struct extent *e,
    size_t size, bool *zeroed);

/* Shortens `e` to `size` bytes, likewise. */
void huge_pages_trim(struct huge_shard *shard, struct extent *e, size_t size);

/* In a new process: the work of other threads will not be finished. */
void huge_pages_fork_child(struct huge_shard *shard);

/* Returns the spare records; every pageslab is gone. */
void huge_pages_fini(struct huge_shard *shard);

void huge_pages_stats(struct huge_shard *shard, struct huge_stats *stats);

/* Dirty bytes, and how many are too many; these take no lock. */
size_t huge_pages_dirty(const struct huge_shard *shard);
size_t huge_pages_too_dirty(const struct huge_shard *shard);

void huge_pages_check(struct huge_shard *shard);

/* --- for huge_tick -------------------------------------------------------- */

/*
 * Around each change of a pageslab: it leaves the counters and the order, and
 * comes back where it belongs then.
 */
void huge_slab_leave_locked(struct huge_shard *shard, struct pageslab *slab);
void huge_slab_enter_locked(struct huge_shard *shard, struct pageslab *slab);

/* `slab`, which is empty and not busy, goes back. Lets go of the lock. */
void huge_slab_retire_locked(struct huge_shard *shard, struct pageslab *slab);

/* Is so much of it in use that it should be a huge page? */
bool huge_slab_is_dense(const struct huge_shard *shard,
    const struct pageslab *slab);

/* Tells the kernel, if that is of any use; false: it refused. */
bool huge_slab_advise(struct huge_shard *shard, struct pageslab *slab,
    enum huge_advice advice);

#endif
