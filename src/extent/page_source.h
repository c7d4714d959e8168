/*
 * page_source: the pages of one arena: taking, giving back, growing, ageing.
 *
 * Owns:       the free extents of the arena in their three pools, its spare
 *             records, the ageing state.
 * Invariants: two free extents of one state are never adjacent. Whatever a
 *             system call answers, no page is lost: what can't be given to the
 *             kernel stays in a pool.
 * Locking:    `lock` (LOCK_PAGES) protects pools, spares and counters;
 *             `decay_lock` (LOCK_DECAY) the ageing state. Neither is held over
 *             a system call: extents leave the pools before and return after.
 *
 *	take: dirty -> muzzy -> dirty of others -> retained -> newly mapped
 *	give: dirty  --decay-->  muzzy  --decay-->  retained (or unmapped)
 *
 * In seven files: purge.c has the ageing; borrow.c takes dirty pages from another
 * source before untouched ones are touched; inherit.c has a source's end;
 * hooked.c what differs where the program's own functions are asked for memory,
 * and for leave to cut and join it: there, free extents may be adjacent.
 * packed.c leads short extents to huge_cache instead of the pools, and gives
 * that its pages. region_blocks.c notes what is mapped for an arena that has to
 * find all it has, and gets the memory for such notes.
 */
#ifndef EXTENT_PAGE_SOURCE_H
#define EXTENT_PAGE_SOURCE_H

#include <assert.h>

#include "extent/decay.h"
#include "extent/extent.h"
#include "extent/extent_pool.h"
#include "extent/regions.h"
#include "os/lock.h"

struct extent_hooks;
struct huge_cache;

struct page_source_config {
	int64_t dirty_decay_ms;
	int64_t muzzy_decay_ms;
	bool retain;
	unsigned lg_max_active_fit;
	bool want_huge;		/* advice for what is mapped, or: */
	bool refuse_huge;
	bool small_at_first;	/* no huge pages until the heap is large */
	uint64_t now_ns;
	int dss;		/* enum dss */
};

struct page_counters {		/* of one kind of ageing */
	uint64_t npurge;	/* sweeps */
	uint64_t nmadvise;	/* system calls */
	uint64_t purged;	/* bytes */
};

struct page_source {
	struct lock lock;
	struct extent_pool pool[EXTENT_POOLS];	/* by state - EXTENT_DIRTY */
	struct extent *spare;
	unsigned nspare;
	unsigned arena_index;
	size_t grow_step;	/* bytes to map next time */
	size_t grow_limit;	/* most bytes of a step */
	struct regions regions;	/* all that is mapped, if tracked */
	bool track_regions;
	size_t active;		/* bytes taken */
	size_t active_npages;	/* the same in the kernel's pages */
	size_t mapped;		/* bytes mapped, whatever their state */
	size_t packed;		/* bytes of pageslabs, less what is taken */
	struct huge_cache *huge;	/* packs short extents, or NULL */
	struct page_counters aged[2];	/* dirty, muzzy */
	unsigned lg_max_active_fit;
	uint32_t takes;		/* a clock: counts takes, wraps */
	bool retain;
	bool want_huge;
	bool refuse_huge;
	bool small_at_first;
	bool desperate;		/* this take may cut anything */
	bool refused;		/* this take would exceed the hard limit */
	bool shares;		/* dirty pages with others; set before use */
	uint32_t look_at;	/* others have nothing until `takes` is this */
	_Atomic unsigned look_from;	/* the first one to look at; a hint */
	_Atomic int dss;	/* enum dss: may memory come from sbrk? */
	_Atomic bool hooked;	/* has had hooks of its own, ever */
	_Atomic(struct extent_hooks *) hooks;

	struct lock decay_lock CACHE_ALIGNED;
	struct decay decay[2];	/* dirty, muzzy */
	/* Read by any thread: is their time 0; is it above; the longest one. */
	_Atomic bool at_once[2];
	_Atomic bool ages[2];
	_Atomic uint64_t period_ns;
	_Atomic uint64_t due_ns;	/* nothing to do before; a hint */
	_Atomic size_t seen[2];	/* dirty, muzzy bytes at the last tick; hints */
	/* The kernel refused to take pages; ageing tries again then; 0: now. */
	_Atomic uint64_t refused_until_ns;
};

void page_source_init(struct page_source *source, unsigned arena_index,
    const struct page_source_config *config);

/*
 * Memory from `hooks` for the records that the arena at `arena_index` needs to
 * find all it has, or NULL. Its source gets it before anybody else sees that;
 * from now on it asks its hooks whenever it needs more. What was not used goes
 * back alone. (region_blocks.c)
 */
struct region_block *region_block_ask(struct extent_hooks *hooks,
    unsigned arena_index);
void page_source_use_block(struct page_source *source,
    struct region_block *block);
void region_block_give_back(struct region_block *block, unsigned arena_index);

struct huge_config;
struct huge_cache_config;

/*
 * From now on `huge`, of huge_cache_size() bytes, packs short extents. To be
 * called before anything is taken. `shard` need not say who backs it. (packed.c)
 */
void page_source_pack(struct page_source *source, struct huge_cache *huge,
    const struct huge_cache_config *config, struct huge_config *shard);

/* Sources that share have indices below. */
#define SHARERS_MAX	4096

/*
 * From now on `source`, which never ends, and the others that share lend each
 * other dirty pages: what one has too many of, another need not fetch from the
 * kernel. To be called before anything is taken. (borrow.c)
 */
void page_source_share(struct page_source *source);

/* Returns all memory; nothing may be taken. What can't go, `heir` gets.
 * (inherit.c) */
void page_source_fini(struct page_source *source, struct page_source *heir);

/**
 * Pages for a slab or a large object.
 * @param size   bytes, multiple of the page size
 * @param align  power of two, at least the page size
 * @return       an ACTIVE extent, in the page map at neither end yet; its
 *               `zeroed` tells whether its bytes are known to be zero
 */
struct extent *page_source_take(struct page_source *source, size_t size,
    size_t align);

/*
 * Sets who is asked for memory; the former ones, which may be the default ones.
 */
struct extent_hooks *page_source_set_hooks(struct page_source *source,
    struct extent_hooks *hooks);

/* May its pages be moved, and be taken for zero where they were purged? */
static inline bool
page_source_is_plain(const struct page_source *source)
{
	return !atomic_load_explicit(&source->hooked, memory_order_acquire);
}

/* Takes an ACTIVE extent back. Its page map entries may be anything of its. */
void page_source_give(struct page_source *source, struct extent *e);

/* Like give, for pages that are known to be zero and not in memory. */
void page_source_give_retained(struct page_source *source, struct extent *e);

/**
 * Lengthens an ACTIVE extent in place to `size` bytes, page map included.
 * @param zeroed  out: are the new bytes known to be zero?
 */
bool page_source_extend(struct page_source *source, struct extent *e,
    size_t size, bool *zeroed);

/* Cuts an ACTIVE extent down to `size` bytes; false: no record to be had. */
bool page_source_trim(struct page_source *source, struct extent *e,
    size_t size);

/* Ages what is due at `now_ns`; cheap when nothing is. (purge.c) */
void page_source_tick(struct page_source *source, uint64_t now_ns);

/* Nanoseconds until something is due; UINT64_MAX: never. (purge.c) */
uint64_t page_source_wait(struct page_source *source, uint64_t now_ns);

/*
 * Ages all at once if nobody came by for so long that nothing may stay: for an
 * arena whose threads are gone or asleep. (purge.c)
 */
void page_source_tick_silent(struct page_source *source, uint64_t now_ns);

/* The same of what waits for huge_cache_tick(). (packed.c) */
size_t packed_unused(const struct page_source *source);

/* Bytes that wait to be given back; takes no lock. */
static inline size_t
page_source_unused(const struct page_source *source)
{
	size_t unused = 0;

	for (unsigned i = 0; i < 2; i++)
		if (atomic_load_explicit(&source->ages[i],
		    memory_order_relaxed))
			unused += READ_RELAXED(source->pool[i].size);
	if (unlikely(source->huge != NULL))
		unused += packed_unused(source);
	return unused;
}

/*
 * Returns all dirty and muzzy pages to the kernel now. What it refuses stays
 * as it was. (purge.c)
 */
void page_source_purge(struct page_source *source);

/* Ages all dirty pages by one state now, if the kernel will. (purge.c) */
void page_source_purge_dirty(struct page_source *source);

/*
 * Returns all free address space to the kernel, for when it has no more: other
 * arenas or the program may need it. What it won't take back is kept.
 */
void page_source_release(struct page_source *source);

/* Changes a decay time, dirty (0) or muzzy (1), and applies it. (purge.c) */
void page_source_set_decay(struct page_source *source, unsigned which,
    int64_t time_ms, uint64_t now_ns);

/* --- between page_source.c and the files beside it ------------------------ */

#define GROW_STEP_MIN	((size_t)2 << 20)	/* bytes mapped at first */
/* Both ends of an extent may be split off in one operation. */
#define SPARE_MIN	2

static inline struct extent_pool *
page_source_pool(struct page_source *source, enum extent_state state)
{
	assert(state >= EXTENT_DIRTY && state <= EXTENT_RETAINED);
	return &source->pool[state - EXTENT_DIRTY];
}

void page_source_decay_init(struct page_source *source, unsigned which,
    int64_t time_ms, uint64_t now_ns);

/* For how long pages may lie unused, in ns; 0: not at all, or for ever. */
static inline uint64_t
page_source_period(const struct page_source *source)
{
	return atomic_load_explicit(&source->period_ns, memory_order_relaxed);
}

/* Spare records beyond what the source may need leave it. */
void page_source_shed_records(struct page_source *source);

/* Locks it with two spare records; false: there are none, it is not locked. */
bool page_source_lock_with_spares(struct page_source *source);
struct extent *page_source_record_take_locked(struct page_source *source);
void page_source_record_give_locked(struct page_source *source,
    struct extent *e);

/* Into a pool, and merge with what is beside it; the first half alone. */
void page_source_insert_locked(struct page_source *source, struct extent *e,
    enum extent_state state);
void page_source_enter_locked(struct page_source *source, struct extent *e,
    enum extent_state state);
void page_source_remove_locked(struct page_source *source, struct extent *e);

/* The free extent of state `state` with `addr` at an end of it, or NULL. */
struct extent *page_source_neighbour_locked(struct page_source *source,
    const char *addr, enum extent_state state);

/* Splits what follows the first `size` bytes of `e` off into a new record. */
struct extent *page_source_split_locked(struct page_source *source,
    struct extent *e, size_t size);

/* `next`, which follows `e`, becomes part of it; its record is spare. */
void page_source_join_locked(struct page_source *source, struct extent *e,
    struct extent *next);

/* `next`, which follows the ACTIVE extent `e`, becomes part of it for use. */
void page_source_lengthen_locked(struct page_source *source, struct extent *e,
    struct extent *next);

/* `more` active bytes; wraps around zero for bytes that come back. */
void page_source_count_active_locked(struct page_source *source, size_t more);

/*
 * Locks it with two spare records, and room to note what comes or goes; false:
 * no memory for that, it is not locked. (region_blocks.c)
 */
bool page_source_lock_to_map(struct page_source *source);

/* Something is about to be mapped; then `size` bytes at `addr` are, or not. */
void page_source_expect_locked(struct page_source *source);
void page_source_mapped_locked(struct page_source *source, char *addr,
    size_t size);
void page_source_not_mapped_locked(struct page_source *source);

/*
 * Before and after an attempt to unmap `e`. All traces of it go first, because
 * another thread may be given its addresses before we come to it.
 * @return  false: no record in case that it stays, leave it mapped
 */
bool page_source_leave(struct page_source *source, struct extent *e);
void page_source_stay(struct page_source *source, const struct extent *e,
    bool gone);

/* The blocks of its regions go back to where they are from. */
void page_source_give_blocks(struct page_source *source);

/* `e` is not mapped any more; its record is spare. */
void page_source_gone_locked(struct page_source *source, struct extent *e);

/* From one pool, or NULL; there must be spare records. */
struct extent *page_source_take_pool_locked(struct page_source *source,
    enum extent_state state, size_t size, size_t align);

/* What is larger grows by moving pages, which throws away those in its way. */
#define BORROW_LIMIT	((size_t)1 << 20)

/* Is it worth a look whether others have dirty pages? (borrow.c) */
static inline bool
page_source_may_borrow_locked(const struct page_source *source, size_t size)
{
	return source->shares && size < BORROW_LIMIT &&
	    (int32_t)(source->takes - source->look_at) >= 0;
}

/* Takes dirty pages of another source, or NULL. (borrow.c) */
struct extent *page_source_borrow(struct page_source *source, size_t size,
    size_t align);

/* `e`, which is borrowed, counts with its lender again, who is returned. */
struct page_source *page_source_return(struct page_source *source,
    struct extent *e);

/* The opposite. */
void page_source_lend(struct page_source *lender, struct page_source *source,
    struct extent *e);

/*
 * A step of GROW_STEP_MIN bytes, in the page map's reach and not zero, that a
 * source has left at its end; NULL: there is none. (inherit.c)
 */
char *page_source_left_step(void);

/* How much to map when `need` bytes are missing, and what was learnt of it. */
size_t page_source_step_locked(const struct page_source *source, size_t need);
void page_source_stepped_locked(struct page_source *source, size_t size);

/* From the pools or newly mapped, or NULL; *plain: has it no hooks? */
struct extent *page_source_take_apart(struct page_source *source, size_t size,
    size_t align, bool *plain);

/* NULL: take it elsewhere. (packed.c) */
struct extent *packed_take(struct page_source *source, size_t size);
void packed_give(struct page_source *source, struct extent *e);
bool packed_extend(struct page_source *source, struct extent *e, size_t size,
    bool *zeroed);
void packed_trim(struct page_source *source, struct extent *e, size_t size);

struct extent *hooked_take(struct page_source *source, size_t size,
    size_t align);
void hooked_insert(struct page_source *source, struct extent *e,
    enum extent_state state);
bool hooked_extend(struct page_source *source, struct extent *e, size_t size,
    bool *zeroed);
bool hooked_may_split(struct page_source *source, const struct extent *e,
    size_t size);

/*
 * What becomes of an aged extent; EXTENT_BUSY: it is not mapped any more;
 * `from`: all that was asked was refused.
 * `lazy`: the kernel may take the contents when it wants, if it can.
 */
enum extent_state hooked_purge(struct page_source *source, struct extent *e,
    enum extent_state from, bool lazy);

/* The end of all that is free. */
void hooked_fini(struct page_source *source);

void page_source_check(struct page_source *source);

#endif
