/*
 * The end of a page source, and what it leaves. Part of page_source.h.
 */
#include "extent/page_source.h"

#include "extent/extent_records.h"
#include "extent/huge_cache.h"
#include "extent/limit.h"
#include "extent/pagemap.h"

/* Steps kept from sources that ended; each with so many touched bytes. */
#define SPARE_STEPS	8
#define SPARE_TOUCHED	((size_t)64 << 10)

/*
 * Programs make and destroy arenas in a loop. The one step that such a source
 * has grown serves the next one: no system call, no page fault.
 */
static struct {
	_Atomic(char *) step[SPARE_STEPS];	/* of GROW_STEP_MIN bytes */
} spare;

#define RESERVED ((char *)&spare)

char *
page_source_left_step(void)
{
	for (unsigned i = 0; i < SPARE_STEPS; i++) {
		char *step = atomic_load_explicit(&spare.step[i],
		    memory_order_relaxed);

		if (step != NULL && step != RESERVED && atomic_compare_exchange_strong_explicit(
		    &spare.step[i], &step, NULL, memory_order_acquire,
		    memory_order_relaxed))
			return step;
	}
	return NULL;
}

/* A place that is ours to fill or to empty, or NULL. */
static _Atomic(char *) *
reserve_spare_step(void)
{
	for (unsigned i = 0; i < SPARE_STEPS; i++) {
		char *none = NULL;

		if (atomic_compare_exchange_strong_explicit(&spare.step[i],
		    &none, RESERVED, memory_order_relaxed,
		    memory_order_relaxed))
			return &spare.step[i];
	}
	return NULL;
}

/* Everything in a pool of `source` moves to `heir`. */
static void
hand_over(struct page_source *source, struct page_source *heir,
    enum extent_state state)
{
	struct extent *e;

	for (;;) {
		lock_acquire(&source->lock);
		e = extent_pool_oldest(page_source_pool(source, state));
		if (e != NULL) {
			page_source_remove_locked(source, e);
			ADD_RELAXED(source->mapped, -e->size);
		}
		lock_release(&source->lock);
		if (e == NULL)
			return;
		lock_acquire(&heir->lock);
		ADD_RELAXED(heir->mapped, e->size);
		page_source_insert_locked(heir, e, state);
		lock_release(&heir->lock);
	}
}

/* If all that the source has is its first step, that is kept for others. */
static void
keep_step(struct page_source *source)
{
	_Atomic(char *) *place = reserve_spare_step();
	struct region *region;
	struct extent *e;
	char *addr = NULL;

	if (place == NULL)
		return;
	if (page_source_pool(source, EXTENT_DIRTY)->size +
	    page_source_pool(source, EXTENT_MUZZY)->size > SPARE_TOUCHED)
		page_source_purge(source);
	lock_acquire(&source->lock);
	region = regions_next(&source->regions, NULL);
	/* What the kernel did not take would be in memory uncounted. */
	if (source->mapped == GROW_STEP_MIN && region != NULL &&
	    region->size == GROW_STEP_MIN &&
	    page_source_pool(source, EXTENT_DIRTY)->size +
	    page_source_pool(source, EXTENT_MUZZY)->size <= SPARE_TOUCHED)
		addr = region->addr;
	for (unsigned i = 0; addr != NULL && i < EXTENT_POOLS; i++) {
		while ((e = extent_pool_oldest(&source->pool[i])) != NULL) {
			if (i != EXTENT_RETAINED - EXTENT_DIRTY)
				limit_give(e->size);
			page_source_remove_locked(source, e);
			pagemap_forget_ends(e);
			page_source_gone_locked(source, e);
		}
	}
	lock_release(&source->lock);
	atomic_store_explicit(place, addr, memory_order_release);
}

void
page_source_fini(struct page_source *source, struct page_source *heir)
{
	if (source->huge != NULL)
		huge_cache_fini(source->huge);
	if (source->track_regions && source->retain &&
	    page_source_is_plain(source))
		keep_step(source);
	if (unlikely(!page_source_is_plain(source))) {
		page_source_purge(source);
		hooked_fini(source);
	}
	page_source_release(source);
	for (enum extent_state state = EXTENT_DIRTY; state <= EXTENT_RETAINED;
	    state++)
		hand_over(source, heir, state);
	page_source_give_blocks(source);
	extent_records_give(source->spare);
	source->spare = NULL;
	source->nspare = 0;
}
