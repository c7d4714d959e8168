#include "arena/arena.h"

#include "conf/options.h"
#include "extent/metadata.h"
#include "os/clock.h"

struct arena *
arena_create(void)
{
	return metadata_take(sizeof(struct arena), CACHELINE);
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
	large_init(&arena->large);
	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		bin_init(&arena->bins[i]);
	for (unsigned i = 0; i < CACHE_BINS_MAX; i++)
		atomic_init(&arena->requests[i], 0);
}

void
arena_tick(struct arena *arena, uint64_t now_ns)
{
	page_source_tick(&arena->pages, now_ns);
}

void
arena_fork(struct arena *arena, void (*step)(struct lock *))
{
	step(&arena->pages.decay_lock);
	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		step(&arena->bins[i].lock);
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

void
arena_summary_add(struct arena *arena, struct arena_summary *sum)
{
	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		struct bin_usage usage = bin_usage(&arena->bins[i], i);

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

	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		struct bin *bin = &arena->bins[i];

		lock_acquire(&bin->lock);
		sum += (bin->stats.nmalloc - bin->stats.ndalloc) *
		    small_class_size(i);
		lock_release(&bin->lock);
	}
	lock_acquire(&arena->large.lock);
	sum += arena->large.allocated;
	lock_release(&arena->large.lock);
	return sum;
}

void
arena_check(struct arena *arena)
{
	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		bin_check(&arena->bins[i]);
	page_source_check(&arena->pages);
}
