#include "pages/inherit.h"

#include <assert.h>

#include "extent/limit.h"
#include "extent/pagemap.h"
#include "huge/huge_cache.h"
#include "os/pages.h"
#include "pages/ageing.h"
#include "pages/guards.h"
#include "pages/growth.h"
#include "pages/hidden.h"
#include "pages/hooked.h"
#include "pages/mapped.h"
#include "pages/pools.h"

/*
 * A step is kept only if at most this many of its bytes may be in memory,
 * because nothing counts or ages them.
 */
#define SPARE_TOUCHED ((size_t)64 << 10)

/* Everything in a pool of `source` moves to `heir`. */
static void
hand_over(struct page_source *source, struct page_source *heir,
    enum extent_state state)
{
	struct extent *e;

	while ((e = pools_take_oldest(source, state)) != NULL) {
		lock_acquire(&source->lock);
		ADD_RELAXED(source->mapped, -e->size);
		lock_release(&source->lock);
		lock_acquire(&heir->lock);
		ADD_RELAXED(heir->mapped, e->size);
		pools_insert_locked(heir, e, state);
		lock_release(&heir->lock);
	}
}

/* Bytes of free extents that may be in memory. */
static size_t
touched(struct page_source *source)
{
	return pools_of(source, EXTENT_DIRTY)->size +
	    pools_of(source, EXTENT_MUZZY)->size;
}

/*
 * If the source has only its first step, and all of it lies in the pools, this
 * step is kept for the next source. All its extents are forgotten, so only the
 * address range stays.
 */
static void
keep_step(struct page_source *source)
{
	_Atomic(char *) *place = growth_reserve_place();
	struct region *region;
	struct extent *e;
	char *addr = NULL;
	bool hidden = false;

	if (place == NULL)
		return;
	guards_release(source, 0, true);
	if (touched(source) > SPARE_TOUCHED)
		ageing_purge(source);
	lock_acquire(&source->lock);
	region = regions_next(&source->regions, NULL);
	/*
	 * The kernel may have refused the purge, so look at the pools again. It
	 * may have refused to lift guards: such extents are in no pool.
	 */
	if (source->mapped == GROW_STEP_MIN && region != NULL &&
	    region->size == GROW_STEP_MIN &&
	    touched(source) + pools_of(source, EXTENT_RETAINED)->size ==
		GROW_STEP_MIN &&
	    touched(source) <= SPARE_TOUCHED)
		addr = region->addr;
	for (unsigned i = 0; addr != NULL && i < EXTENT_POOLS; i++) {
		while ((e = extent_pool_oldest(&source->pool[i])) != NULL) {
			if (i != EXTENT_RETAINED - EXTENT_DIRTY)
				limit_give(e->size);
			pools_remove_locked(source, e);
			pagemap_forget_ends(e);
			hidden |= hidden_forget(e);
			pools_gone_locked(source, e);
		}
	}
	assert(addr == NULL || source->mapped == 0);
	lock_release(&source->lock);
	if (unlikely(hidden))
		pages_keep_in_core(addr, GROW_STEP_MIN);
	growth_leave_step(place, addr);
}

void
inherit_fini(struct page_source *source, struct page_source *heir)
{
	if (source->huge != NULL)
		huge_cache_fini(source->huge);
	if (source->track_regions && source->retain &&
	    page_source_is_plain(source))
		keep_step(source);
	if (unlikely(!page_source_is_plain(source))) {
		ageing_purge(source);
		hooked_fini(source);
	}
	ageing_release(source);
	guards_hand_over(source, heir);
	for (enum extent_state state = EXTENT_DIRTY; state <= EXTENT_RETAINED;
	     state++)
		hand_over(source, heir, state);
	mapped_give_blocks(source);
	spare_records_fini(&source->spares);
}
