#include "arena/arena.h"

#include <string.h>

#include "arena/ledger.h"
#include "arena/slab.h"
#include "conf/options.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "huge/huge_cache.h"
#include "os/clock.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "pages/borrow.h"
#include "pages/inherit.h"
#include "util/format.h"

/*
 * The memory of an arena: struct arena, then the bins of further shards, then
 * its struct huge_cache. This is the end of the bins.
 */
static size_t
bins_end(size_t nmore)
{
	return round_up(sizeof(struct arena) + nmore * sizeof(struct bin),
	    CACHELINE);
}

static unsigned
sec_parts(void)
{
	return (unsigned)min_size(opt.hpa_sec_nshards, HUGE_CACHE_PARTS_MAX);
}

AT_START struct arena *
arena_create(void)
{
	size_t nmore = 0;

	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		nmore += arena_nshards(i) - 1;
	return metadata_take(bins_end(nmore) +
		(opt.hpa ? huge_cache_size(sec_parts()) : 0),
	    CACHELINE);
}

/* --- the options for huge pages ------------------------------------------- */

static uint64_t
ns_of_ms(uint64_t ms)
{
	return ms < UINT64_MAX / 1000000 ? ms * 1000000 : UINT64_MAX;
}

/*
 * Options are in bytes of a huge page of 2 MiB. For other huge pages they are
 * scaled in proportion.
 */
static size_t
part_of_huge_page(size_t bytes)
{
	return (size_t)((double)bytes / (2 << 20) *
	    (double)system_info.huge_page);
}

/*
 * If the kernel makes no huge pages, gives no advice, unless an option asks for
 * it.
 */
static enum hugify_style
hugify_style(void)
{
	if (!opt.hpa_hugify_sync && !opt.hpa_enforce_hugify &&
	    system_info.thp != SYSTEM_THP_MADVISE &&
	    system_info.thp != SYSTEM_THP_ALWAYS)
		return HUGIFY_NONE;
	return opt.hpa_hugify_style == HUGIFY_AUTO ? HUGIFY_LAZY
						   : opt.hpa_hugify_style;
}

/*
 * This many pageslabs of an arena begin with small pages. The last huge page of
 * each arena is only partly used. A small heap with several arenas would have
 * many such huge pages.
 */
#define SMALL_AT_FIRST 8

static struct huge_config
huge_config(void)
{
	bool always = system_info.thp == SYSTEM_THP_ALWAYS;

	return (struct huge_config){
		.huge_page = system_info.huge_page,
		.max_size = opt.hpa_slab_max_alloc,
		.dense = part_of_huge_page(opt.hpa_hugification_threshold),
		.purge_min = part_of_huge_page(opt.hpa_purge_threshold),
		.dirty_ratio = opt.hpa_dirty_mult,
		.purge = opt.hpa_dirty_mult != RATIO_NEVER,
		.sync = opt.hpa_hugify_sync,
		.always = always,
		.born_huge = always && opt.hpa_start_huge_if_thp_always,
		.small_at_first = always && hugify_style() == HUGIFY_LAZY
		    ? SMALL_AT_FIRST
		    : 0,
		.ask_always = opt.hpa_enforce_hugify,
		.style = hugify_style(),
		.max_purges = opt.hpa_max_purge_nhp,
		.hugify_delay_ns = ns_of_ms(opt.hpa_hugify_delay_ms),
		.purge_delay_ns = ns_of_ms(opt.hpa_min_purge_delay_ms),
		.purge_interval_ns = ns_of_ms(opt.hpa_min_purge_interval_ms),
	};
}

static void
init_huge(struct arena *arena, struct huge_cache *huge)
{
	struct huge_config shard = huge_config();
	struct huge_cache_config cache = {
		.nparts = sec_parts(),
		.max_size = opt.hpa_sec_max_alloc,
		.max_bytes = opt.hpa_sec_max_bytes,
		.extra = (unsigned)opt.hpa_sec_batch_fill_extra,
		.idle_ns = ns_of_ms(opt.hpa_min_purge_interval_ms),
	};

	page_source_pack(&arena->pages, huge, &cache, &shard);
}

/* Should its pages be huge? There is an option for the oversize arena only. */
static bool
wants_huge(unsigned index)
{
	if (opt.thp == THP_ALWAYS)
		return true;
	return opt.huge_arena_pac_thp && opt.thp == THP_DEFAULT &&
	    opt.metadata_thp != METADATA_THP_DISABLED &&
	    system_info.thp == SYSTEM_THP_MADVISE &&
	    opt.oversize_threshold != 0 && index == opt.narenas;
}

/* Makes all bins; returns how many of them are behind the arena. */
static unsigned
init_bins(struct arena *arena)
{
	unsigned nmore = 0;

	arena->more = (struct bin *)(arena + 1);
	atomic_store_explicit(&arena->next_shard, 0, memory_order_relaxed);
	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		arena->more_at[i] = (uint16_t)nmore;
		nmore += arena_nshards(i) - 1;
		for (unsigned shard = 0; shard < arena_nshards(i); shard++)
			bin_init(arena_bin(arena, i, shard), shard, false);
	}
	return nmore;
}

static void
init_samples(struct bin *bins)
{
	if (bins == NULL)
		return;
	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		bin_init(&bins[i], arena_nshards(i), true);
}

/*
 * If two threads make the bins of one arena at the same time, one set is left
 * over; it is kept here for the next arena.
 */
static _Atomic(struct bin *) spare_samples;

bool
arena_need_samples(struct arena *arena)
{
	struct bin *bins;
	bool used;

	if (likely(atomic_load_explicit(&arena->samples,
		       memory_order_acquire) != NULL))
		return true;
	bins = atomic_exchange_explicit(&spare_samples, NULL,
	    memory_order_acquire);
	if (bins == NULL)
		bins = metadata_take(SMALL_CLASSES * sizeof(*bins), CACHELINE);
	if (bins == NULL)
		return false;
	/*
	 * A fork takes this lock before the other bins' locks. So it finds the
	 * new bins and locks them too, or they are published after the fork.
	 */
	lock_acquire(&arena->bins[0].lock);
	used = atomic_load_explicit(&arena->samples, memory_order_relaxed) ==
	    NULL;
	if (used) {
		init_samples(bins);
		atomic_store_explicit(&arena->samples, bins,
		    memory_order_release);
	}
	lock_release(&arena->bins[0].lock);
	if (!used)
		atomic_store_explicit(&spare_samples, bins,
		    memory_order_release);
	return true;
}

struct arena_defaults arena_defaults;

AT_START void
arena_defaults_init(void)
{
	atomic_init(&arena_defaults.dirty_decay_ms, opt.dirty_decay_ms);
	atomic_init(&arena_defaults.muzzy_decay_ms, opt.muzzy_decay_ms);
	atomic_init(&arena_defaults.dss, (int)opt.dss);
}

/* What the page source calls to get empty slabs; see page_source.shed. */
static void
shed_slabs(struct page_source *pages, bool all)
{
	struct arena *arena = container_of(pages, struct arena, pages);

	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		for (unsigned shard = 0; shard < arena_nbins(arena, i); shard++)
			bin_shed(arena_bin(arena, i, shard), pages, all);
}

/* Makes the record of a former arena as it was when it was new. */
static void
clear(struct arena *arena)
{
	struct bin *samples = atomic_load_explicit(&arena->samples,
	    memory_order_relaxed);

	memset(&arena->pages, 0, sizeof(arena->pages));
	memset(&arena->large, 0, sizeof(arena->large));
	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		for (unsigned shard = 0; shard < arena_nshards(i); shard++)
			memset(arena_bin(arena, i, shard), 0,
			    sizeof(struct bin));
		/* It still has its bins for samples. */
		if (samples != NULL)
			memset(&samples[i], 0, sizeof(samples[i]));
	}
	for (unsigned i = 0; i < CACHE_BINS_MAX; i++)
		atomic_init(&arena->requests[i], 0);
}

AT_START void
arena_init(struct arena *arena, unsigned index)
{
	unsigned nmore;

	/* A new record is zero; most of its pages are not touched here. */
	if (arena->created_ns != 0)
		clear(arena);
	/* If there was another arena before, its caches may still read this. */
	SET_RELAXED(arena->index, index);
	arena->nthreads = 0;
	arena->created_ns = clock_coarse_ns();
	page_source_init(&arena->pages, index,
	    &(struct page_source_config){
		.dirty_decay_ms = atomic_load_explicit(
		    &arena_defaults.dirty_decay_ms, memory_order_relaxed),
		.muzzy_decay_ms = atomic_load_explicit(
		    &arena_defaults.muzzy_decay_ms, memory_order_relaxed),
		.retain = opt.retain,
		.dss = atomic_load_explicit(&arena_defaults.dss,
		    memory_order_relaxed),
		.lg_max_active_fit = (unsigned)opt.lg_extent_max_active_fit,
		.want_huge = wants_huge(index),
		.refuse_huge = opt.thp == THP_NEVER,
		.small_at_first = system_info.thp == SYSTEM_THP_ALWAYS &&
		    opt.thp == THP_DEFAULT && !opt.hpa,
		.now_ns = arena->created_ns,
		.shed = shed_slabs,
	    });
	arena->manual = false;
	arena->oversize_threshold = opt.oversize_threshold;
	format_text(arena->name, sizeof(arena->name), "auto_%u", index);
	large_init(&arena->large);
	nmore = init_bins(arena);
	init_samples(atomic_load_explicit(&arena->samples,
	    memory_order_relaxed));
	if (opt.hpa)
		init_huge(arena,
		    (struct huge_cache *)(void *)((char *)arena +
			bins_end(nmore)));
}

void
arena_make_manual(struct arena *arena)
{
	arena->manual = true;
	arena->pages.track_regions = true;
	format_text(arena->name, sizeof(arena->name), "manual_%u",
	    arena->index);
}

void (*arena_sample_ended)(void *sample, const void *object);

static void
end_samples(const struct extent *slab)
{
	const struct slab_geometry *g =
	    &size_class_tables.slab[slab->size_class];

	for (unsigned i = 0; i < g->nregions; i++) {
		const char *object = slab->addr + i * (size_t)g->region_size;

		if (slab_probe(slab, object) == SLAB_GIVEN)
			arena_sample_ended(NULL, object);
	}
}

/* Gives one active extent back, be it a slab or a large object. */
static void
drop_extent(struct arena *arena, struct extent *e)
{
	if (e->is_slab) {
		if (e->shard == arena_nshards(e->size_class) &&
		    arena_sample_ended != NULL)
			end_samples(e);
		e->is_slab = false;
		pagemap_clear_all(e);
		ledger_end(e);
		page_source_give(&arena->pages, e);
	} else {
		if (e->sample != NULL && arena_sample_ended != NULL)
			arena_sample_ended(e->sample, e->object);
		large_give(&arena->large, &arena->pages, e);
	}
}

/* The most steps through the page map under one acquisition of the lock. */
#define WALK_STEPS 4096

/*
 * The first active extent from *addr on and below `end`; *addr is then its end.
 * This needs the lock, because other threads may purge, cut and join the free
 * extents around it. Free extents are skipped, whether they are in a pool or
 * not.
 */
static struct extent *
next_active(struct arena *arena, char **addr, char *end)
{
	struct extent *found = NULL;

	while (found == NULL && *addr < end) {
		lock_acquire(&arena->pages.lock);
		for (unsigned i = 0;
		     i < WALK_STEPS && *addr < end && found == NULL; i++) {
			struct extent *e = pagemap_find(*addr);

			if (e == NULL || extent_arena(e) != arena->index ||
			    e->addr != *addr) {
				*addr += UNIT;
				continue;
			}
			*addr = extent_end(e);
			if (extent_state(e) == EXTENT_ACTIVE)
				found = e;
		}
		lock_release(&arena->pages.lock);
	}
	return found;
}

/*
 * Drops all active extents in one range that was mapped for the arena. The next
 * extent is found before the present one is dropped. A dropped extent is joined
 * with the free pages behind it, and their first unit leaves the page map. So
 * the walk could no longer skip them, and would look at each of their units.
 */
static void
drop_region(struct arena *arena, char *addr, char *end)
{
	struct extent *e = next_active(arena, &addr, end), *next;

	for (; e != NULL; e = next) {
		next = next_active(arena, &addr, end);
		drop_extent(arena, e);
	}
}

/*
 * The next range that ends above *addr. It is looked up each time, because
 * dropping extents may unmap pages and change the ranges.
 */
static bool
next_region(struct arena *arena, char **addr, char **end)
{
	struct region *region;

	lock_acquire(&arena->pages.lock);
	region = regions_next(&arena->pages.regions, *addr);
	if (region != NULL) {
		if (region->addr > *addr)
			*addr = region->addr;
		*end = region_end(region);
	}
	lock_release(&arena->pages.lock);
	return region != NULL;
}

void
arena_reset(struct arena *arena)
{
	char *addr = NULL, *end;

	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		for (unsigned shard = 0; shard < arena_nbins(arena, i); shard++)
			bin_forget(arena_bin(arena, i, shard), &arena->pages);
	while (next_region(arena, &addr, &end)) {
		drop_region(arena, addr, end);
		addr = end;
	}
}

void
arena_destroy(struct arena *arena, struct arena *heir)
{
	arena_reset(arena);
	inherit_fini(&arena->pages, &heir->pages);
}

/* The least time between two sweeps. */
#define SWEEP_NS UINT64_C(100000000)

struct arena_upkeep arena_upkeep = {
	.wants_growth = SIZE_MAX,
	.wants_held = SIZE_MAX,
};

/*
 * Have the unused bytes grown much since upkeep looked? Between two looks here
 * they may fall and grow again. So if much less is unused than before, but
 * still much, the answer is yes, too.
 */
static bool
has_grown(struct arena *arena, size_t unused)
{
	size_t growth = atomic_load_explicit(&arena_upkeep.wants_growth,
	    memory_order_relaxed);
	size_t seen = atomic_load_explicit(&arena->unused_seen,
	    memory_order_relaxed);

	if (unused >= seen)
		return unused - seen >= growth;
	if (unused >= growth && seen - unused >= growth)
		return true;
	atomic_store_explicit(&arena->unused_seen, unused,
	    memory_order_relaxed);
	return false;
}

static void
wake_for(struct arena *arena)
{
	size_t unused = ageing_unused(&arena->pages);

	if (unlikely(has_grown(arena, unused)) ||
	    (unlikely(atomic_load_explicit(&arena_upkeep.wants_pages,
		 memory_order_relaxed)) &&
		unused != 0))
		arena_upkeep.wake();
}

static void
wake_for_unused(struct arena *arena)
{
	/* Perhaps nobody of that arena will tick. */
	struct page_source *lender = borrow_lender(&arena->pages);

	if (unlikely(lender != NULL))
		wake_for(container_of(lender, struct arena, pages));
	wake_for(arena);
}

static bool
tick_pages(struct arena *arena, uint64_t now_ns)
{
	if (unlikely(atomic_load_explicit(&arena_upkeep.by_threads,
		memory_order_relaxed)))
		return false;
	return ageing_tick_short(&arena->pages, now_ns);
}

bool
arena_tick(struct arena *arena, uint64_t now_ns)
{
	wake_for_unused(arena);
	return tick_pages(arena, now_ns);
}

/* Only one thread gets true. */
static bool
is_sweep_due(uint64_t now_ns)
{
	uint64_t swept_ns = atomic_load_explicit(&arena_upkeep.swept_ns,
	    memory_order_relaxed);

	/* If the clock went back, the difference wraps to a huge number. */
	return now_ns - swept_ns >= SWEEP_NS &&
	    !atomic_load_explicit(&arena_upkeep.by_threads,
		memory_order_relaxed) &&
	    atomic_compare_exchange_strong_explicit(&arena_upkeep.swept_ns,
		&swept_ns, now_ns, memory_order_relaxed, memory_order_relaxed);
}

bool
arena_tick_and_sweep(struct arena *arena, uint64_t now_ns)
{
	/* Whatever this call does itself: there may be no other one. */
	wake_for_unused(arena);
	/* Sweep first: after a tick this arena would not count as silent. */
	if (unlikely(is_sweep_due(now_ns)) && arena_upkeep.sweep != NULL &&
	    arena_upkeep.sweep(now_ns)) {
		/* There may be more, so the next tick sweeps again. */
		atomic_store_explicit(&arena_upkeep.swept_ns, now_ns - SWEEP_NS,
		    memory_order_relaxed);
		return true;
	}
	return tick_pages(arena, now_ns);
}

void
arena_fork(struct arena *arena, void (*step)(struct lock *))
{
	step(&arena->pages.decay_lock);
	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		for (unsigned shard = 0; shard < arena_nbins(arena, i); shard++)
			step(&arena_bin(arena, i, shard)->lock);
	step(&arena->large.lock);
	if (arena->pages.huge != NULL)
		huge_cache_fork(arena->pages.huge, step);
	step(&arena->pages.lock);
}

void
arena_fork_child(struct arena *arena)
{
	if (arena->pages.huge != NULL)
		huge_pages_fork_child(&arena->pages.huge->shard);
}

/* Adds the figures of the huge pages; returns their free bytes in memory. */
static size_t
summary_add_packed(struct page_source *pages, struct arena_summary *sum)
{
	size_t dirty;

	if (pages->huge == NULL)
		return 0;
	dirty = huge_pages_dirty(&pages->huge->shard) +
	    huge_cache_counts(pages->huge).bytes;
	sum->dirty += dirty;
	sum->purged += READ_RELAXED(pages->huge->shard.purged_bytes);
	return dirty;
}

static void
summary_add_pages(struct page_source *pages, struct arena_summary *sum)
{
	struct extent_pool *dirty, *muzzy;
	size_t packed = summary_add_packed(pages, sum);

	lock_acquire(&pages->lock);
	sum->retained += pages->packed > packed ? pages->packed - packed : 0;
	dirty = pools_of(pages, EXTENT_DIRTY);
	muzzy = pools_of(pages, EXTENT_MUZZY);
	sum->active += pages->active;
	sum->dirty += dirty->size + pages->guards.size;
	sum->muzzy += muzzy->size;
	sum->retained += pools_of(pages, EXTENT_RETAINED)->size;
	sum->mapped += pages->mapped;
	sum->nextents_free += dirty->count + muzzy->count + pages->guards.count;
	sum->purged += pages->aged[0].purged + pages->aged[1].purged;
	lock_release(&pages->lock);
}

static void
summary_add_large(struct large *large, struct arena_summary *sum)
{
	lock_acquire(&large->lock);
	sum->large_size += large->allocated;
	for (unsigned i = 0; i < LARGE_CLASSES_MAX; i++)
		sum->nlarge += large->classes[i].nmalloc -
		    large->classes[i].ndalloc;
	lock_release(&large->lock);
}

struct bin_usage
arena_bin_usage(struct arena *arena, unsigned size_class)
{
	struct bin_usage sum = { .used = 0 };

	for (unsigned shard = 0; shard < arena_nbins(arena, size_class);
	     shard++) {
		struct bin_usage usage = bin_usage(arena_bin(arena, size_class,
						       shard),
		    size_class);

		sum.used += usage.used;
		sum.free += usage.free;
	}
	return sum;
}

void
arena_summary_add(struct arena *arena, struct arena_summary *sum)
{
	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		struct bin_usage usage = arena_bin_usage(arena, i);

		sum->nsmall += usage.used;
		sum->small_size += usage.used * small_class_size(i);
		sum->nregions_free += usage.free;
	}
	summary_add_large(&arena->large, sum);
	summary_add_pages(&arena->pages, sum);
}

void
arena_check(struct arena *arena)
{
	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		for (unsigned shard = 0; shard < arena_nbins(arena, i); shard++)
			bin_check(arena_bin(arena, i, shard));
	page_source_check(&arena->pages);
}
