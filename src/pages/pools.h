/*
 * pools: the free extents of a page source, and the source itself.
 *
 * Owns:       the extents in three pools, by state; spare records; the
 *             counters.
 * Invariants: two free extents of one state are never adjacent, unless the
 *             program's hooks did not allow joining them. An extent that is out
 *             of its pool to be changed is EXTENT_BUSY, and belongs to the
 *             thread that took it out.
 * Locking:    `lock` (LOCK_PAGES) protects all of it. It is not held over a
 *             system call: extents leave the pools before the call and return
 *             after it. The caller of a function that ends in _locked holds
 *             the lock. `decay_lock` (LOCK_DECAY) is for pages/ageing.h.
 */
#ifndef PAGES_POOLS_H
#define PAGES_POOLS_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "extent/extent.h"
#include "extent/extent_pool.h"
#include "extent/spare_records.h"
#include "os/lock.h"
#include "pages/decay.h"
#include "pages/regions.h"

struct extent_hooks;
struct huge_cache;

/*
 * A large extent that was freed less than this many takes ago is not cut for a
 * small piece.
 */
#define FRESH_TAKES 8

struct page_counters {     /* of one kind of ageing */
	uint64_t npurge;   /* sweeps */
	uint64_t nmadvise; /* system calls */
	uint64_t purged;   /* bytes */
};

/* Freed extents that keep their guards, see pages/guards. */
struct guards {
	struct tree_node *tree;
	struct list age; /* oldest first */
	size_t size;     /* bytes of all kept extents */
	size_t count;
	uint32_t serial;  /* of the next one that is kept; wraps */
	uint32_t old;     /* those before are due at the next step */
	uint64_t step_ns; /* when the last step was */
};

struct page_source {
	struct lock lock;
	struct extent_pool pool[EXTENT_POOLS]; /* by state - EXTENT_DIRTY */
	struct spare_records spares;
	unsigned arena_index;
	size_t grow_step;       /* bytes to map next time */
	size_t grow_limit;      /* upper limit of a step, in bytes */
	struct regions regions; /* all that is mapped, if tracked */
	bool track_regions;
	size_t active;           /* bytes taken */
	size_t active_npages;    /* the same in the kernel's pages */
	size_t mapped;           /* bytes mapped, whatever their state */
	size_t packed;           /* bytes of pageslabs that nobody has taken */
	struct huge_cache *huge; /* packs short extents, or NULL */
	struct page_counters aged[2]; /* dirty, muzzy */
	unsigned lg_max_active_fit;
	uint32_t takes; /* a clock: counts takes, wraps */
	bool retain;
	bool want_huge;
	bool refuse_huge;
	bool small_at_first;
	bool desperate; /* this take may cut any extent */
	bool refused;   /* this take would exceed the hard limit */
	bool shares;    /* lends dirty pages; set before first use */
	/* Where its threads run: see node_now(). Read without the lock. */
	unsigned node;
	/* Don't ask for `not_found` bytes until `takes` reaches `look_at`. */
	uint32_t look_at;
	size_t not_found;
	_Atomic unsigned look_from; /* the first lender to ask; a hint */
	/* One that has got pages back; see borrow_lender(). */
	_Atomic(struct page_source *) lender;
	_Atomic int dss;     /* enum dss: may memory come from sbrk? */
	_Atomic bool hooked; /* the program has ever set hooks */
	_Atomic(struct extent_hooks *) hooks;
	/*
	 * Bytes of active slabs that are empty, and are kept for a moment by
	 * the bins above; they count among the unused ones. shed() makes bins
	 * give back all of them, or those that were not needed since its last
	 * call. No lock is held then.
	 */
	_Atomic size_t kept;
	void (*shed)(struct page_source *source, bool all);

	struct lock decay_lock CACHE_ALIGNED;
	struct decay decay[2]; /* dirty, muzzy */
	uint64_t shed_ns;      /* the last call of shed() by time */
	/* Any thread reads these without the lock. */
	/* How long dirty and muzzy pages stay, or 0; UINT64_MAX: for ever. */
	_Atomic uint64_t stay_ns[2];
	_Atomic uint64_t due_ns; /* nothing to do before; a hint */
	_Atomic size_t seen[2]; /* dirty, muzzy bytes at the last tick; hints */
	/* The kernel refused pages; ageing tries again at this time; 0: now. */
	_Atomic uint64_t refused_until_ns;

	struct guards guards; /* under `lock`, too */
};

/*
 * Does all memory come from the library's own functions? Otherwise pages must
 * not be moved, and purged pages may not be zero.
 */
static inline bool
page_source_is_plain(const struct page_source *source)
{
	return !atomic_load_explicit(&source->hooked, memory_order_acquire);
}

/* Gets the empty slabs back that bins keep; see page_source.shed. */
static inline void
pools_shed(struct page_source *source, bool all)
{
	if (source->shed != NULL)
		source->shed(source, all);
}

/* How long dirty (0) or muzzy (1) pages stay: see stay_ns. */
static inline uint64_t
pools_stay_ns(const struct page_source *source, unsigned which)
{
	return atomic_load_explicit(&source->stay_ns[which],
	    memory_order_relaxed);
}

/* Do they stay for a time, and then go? */
static inline bool
pools_age(const struct page_source *source, unsigned which)
{
	uint64_t stay_ns = pools_stay_ns(source, which);

	return stay_ns != 0 && stay_ns != UINT64_MAX;
}

static inline struct extent_pool *
pools_of(struct page_source *source, enum extent_state state)
{
	assert(state >= EXTENT_DIRTY && state <= EXTENT_RETAINED);
	return &source->pool[state - EXTENT_DIRTY];
}

/*
 * Locks the source with two spare records, because one operation may split off
 * both ends of an extent. False: there is no memory, and it is not locked.
 */
static inline bool
pools_lock_with_spares(struct page_source *source)
{
	return spare_records_lock(&source->spares, &source->lock, 2, 2);
}

/*
 * Puts an extent into a pool. The first function also joins it with its free
 * neighbours of the same state, the second one does not.
 */
void pools_insert_locked(struct page_source *source, struct extent *e,
    enum extent_state state);
void pools_enter_locked(struct page_source *source, struct extent *e,
    enum extent_state state);
/*
 * The first function for the retained pool, of a source without hooks. It gives
 * up the lock for a moment if core dumps are to leave the pages out.
 */
void pools_retain_locked(struct page_source *source, struct extent *e);
void pools_remove_locked(struct page_source *source, struct extent *e);

/* Takes the oldest extent of `state` out of its pool; NULL: there is none. */
struct extent *pools_take_oldest(struct page_source *source,
    enum extent_state state);

/*
 * The free extent of state `state` whose first or last page contains `addr`,
 * or NULL.
 */
struct extent *pools_neighbour_locked(struct page_source *source,
    const char *addr, enum extent_state state);

/*
 * The free extent that begins at `addr`, of any state and at least `size`
 * bytes, or NULL.
 */
struct extent *pools_following_locked(struct page_source *source,
    const char *addr, size_t size);

/*
 * Cuts `e` after its first `size` bytes; the rest, with a record of its own,
 * is returned.
 */
struct extent *pools_split_locked(struct page_source *source, struct extent *e,
    size_t size);

/* Joins `next`, which follows `e`, to `e`; the record of `next` is spare. */
void pools_join_locked(struct page_source *source, struct extent *e,
    struct extent *next);

/* Joins `next`, which follows the ACTIVE extent `e`, to `e`; it is active. */
void pools_lengthen_locked(struct page_source *source, struct extent *e,
    struct extent *next);

/* Counts `more` active bytes; a negated size counts bytes that come back. */
void pools_count_active_locked(struct page_source *source, size_t more);

/* `e` is not mapped any more; its record is spare. */
void pools_gone_locked(struct page_source *source, struct extent *e);

/*
 * Takes an extent out of the pool of `state` and makes it ACTIVE; NULL: none
 * fits, none may be cut, or the hard limit forbids it (`refused` is set). The
 * caller has locked with spare records.
 */
struct extent *pools_take_locked(struct page_source *source,
    enum extent_state state, size_t size, size_t align);

void pools_check(struct page_source *source);

#endif
