#include "arena/arena.h"

#include "conf/options.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/clock.h"
#include "util/format.h"

struct arena *
arena_create(void)
{
	size_t nmore = 0;

	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		nmore += arena_nshards(i) - 1;
	return metadata_take(sizeof(struct arena) +
	    nmore * sizeof(struct bin), CACHELINE);
}

static void
init_bins(struct arena *arena)
{
	unsigned nmore = 0;

	arena->more = (struct bin *)(arena + 1);
	atomic_store_explicit(&arena->next_shard, 0, memory_order_relaxed);
	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		arena->more_at[i] = (uint16_t)nmore;
		nmore += arena_nshards(i) - 1;
		for (unsigned shard = 0; shard < arena_nshards(i); shard++)
			bin_init(arena_bin(arena, i, shard), shard);
	}
}

void
arena_init(struct arena *arena, unsigned index)
{
	arena->index = index;
	arena->nthreads = 0;
	arena->created_ns = clock_coarse_ns();
	page_source_init(&arena->pages, index, &(struct page_source_config){
		.dirty_decay_ms = opt.dirty_decay_ms,
		.muzzy_decay_ms = opt.muzzy_decay_ms,
		.retain = opt.retain,
		.lg_max_active_fit = (unsigned)opt.lg_extent_max_active_fit,
		.now_ns = arena->created_ns,
	});
	arena->manual = false;
	arena->oversize_threshold = opt.oversize_threshold;
	arena->dss = opt.dss;
	format_text(arena->name, sizeof(arena->name), "auto_%u", index);
	large_init(&arena->large);
	init_bins(arena);
	for (unsigned i = 0; i < CACHE_BINS_MAX; i++)
		atomic_init(&arena->requests[i], 0);
}

void
arena_make_manual(struct arena *arena)
{
	arena->manual = true;
	arena->pages.track_regions = true;
	format_text(arena->name, sizeof(arena->name), "manual_%u",
	    arena->index);
}

static void
forget_slabs(struct bin *bin)
{
	lock_acquire(&bin->lock);
	bin->current = NULL;
	bin->nonfull = NULL;
	bin->stats.ndalloc = bin->stats.nmalloc;
	bin->stats.curslabs = bin->stats.nonfull = 0;
	lock_release(&bin->lock);
}

/* Gives one active extent back, whatever it is. */
static void
drop_extent(struct arena *arena, struct extent *e)
{
	if (e->is_slab) {
		e->is_slab = false;
		pagemap_clear_all(e);
		page_source_give(&arena->pages, e);
	} else {
		large_give(&arena->large, &arena->pages, e);
	}
}

/* Walks the page map over one run of address space that was mapped for us. */
static void
drop_region(struct arena *arena, char *addr, char *end)
{
	while (addr < end) {
		struct extent *e = pagemap_find(addr);
		struct extent *next;

		if (e == NULL || extent_arena(e) != arena->index ||
		    e->addr != addr) {
			addr += UNIT;
			continue;
		}
		addr = extent_end(e);
		if (extent_state(e) != EXTENT_ACTIVE)
			continue;
		/* It may merge with what follows, which is then not found. */
		next = addr < end ? pagemap_find(addr) : NULL;
		if (next != NULL && extent_arena(next) == arena->index &&
		    extent_state(next) != EXTENT_ACTIVE)
			addr = extent_end(next);
		drop_extent(arena, e);
	}
}

/* The next range above *addr; what is dropped may change the ranges. */
static bool
next_region(struct arena *arena, char **addr, char **end)
{
	struct extent *region;

	lock_acquire(&arena->pages.lock);
	region = regions_next(&arena->pages.regions, *addr);
	if (region != NULL) {
		if (region->addr > *addr)
			*addr = region->addr;
		*end = extent_end(region);
	}
	lock_release(&arena->pages.lock);
	return region != NULL;
}

void
arena_reset(struct arena *arena)
{
	char *addr = NULL, *end;

	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		for (unsigned shard = 0; shard < arena_nshards(i); shard++)
			forget_slabs(arena_bin(arena, i, shard));
	while (next_region(arena, &addr, &end)) {
		drop_region(arena, addr, end);
		addr = end;
	}
}

void
arena_destroy(struct arena *arena, struct arena *heir)
{
	arena_reset(arena);
	page_source_fini(&arena->pages, &heir->pages);
}

struct arena_ageing arena_ageing;

void
arena_tick(struct arena *arena, uint64_t now_ns)
{
	if (unlikely(atomic_load_explicit(&arena_ageing.watched,
	    memory_order_relaxed)) && page_source_unused(&arena->pages) != 0)
		arena_ageing.wake();
	if (unlikely(atomic_load_explicit(&arena_ageing.by_threads,
	    memory_order_relaxed)))
		return;
	page_source_tick(&arena->pages, now_ns);
}

void
arena_fork(struct arena *arena, void (*step)(struct lock *))
{
	step(&arena->pages.decay_lock);
	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		for (unsigned shard = 0; shard < arena_nshards(i); shard++)
			step(&arena_bin(arena, i, shard)->lock);
	step(&arena->large.lock);
	step(&arena->pages.lock);
}

static void
summary_add_pages(struct page_source *pages, struct arena_summary *sum)
{
	struct extent_pool *dirty, *muzzy;

	lock_acquire(&pages->lock);
	dirty = page_source_pool(pages, EXTENT_DIRTY);
	muzzy = page_source_pool(pages, EXTENT_MUZZY);
	sum->active += pages->active;
	sum->dirty += dirty->size;
	sum->muzzy += muzzy->size;
	sum->retained += page_source_pool(pages, EXTENT_RETAINED)->size;
	sum->mapped += pages->mapped;
	sum->nextents_free += dirty->count + muzzy->count;
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

	for (unsigned shard = 0; shard < arena_nshards(size_class); shard++) {
		struct bin_usage usage = bin_usage(arena_bin(arena,
		    size_class, shard), size_class);

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

size_t
arena_allocated(struct arena *arena)
{
	size_t sum = 0;

	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		sum += arena_bin_usage(arena, i).used * small_class_size(i);
	lock_acquire(&arena->large.lock);
	sum += arena->large.allocated;
	lock_release(&arena->large.lock);
	return sum;
}

void
arena_check(struct arena *arena)
{
	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		for (unsigned shard = 0; shard < arena_nshards(i); shard++)
			bin_check(arena_bin(arena, i, shard));
	page_source_check(&arena->pages);
}
