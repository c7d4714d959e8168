#include "pages/pools.h"

#include <sys/types.h>

#include "conf/options.h"
#include "extent/limit.h"
#include "extent/pagemap.h"
#include "os/system.h"
#include "pages/hidden.h"

void
pools_count_active_locked(struct page_source *source, size_t more)
{
	size_t page_size = system_info.page_size;
	size_t npages = (ssize_t)more < 0 ? -(-more >> lg_floor(page_size))
					  : more >> lg_floor(page_size);

	LOCK_ASSERT_HELD(&source->lock);
	ADD_RELAXED(source->active, more);
	/*
	 * Programs may read this counter at any time: the mallctl
	 * experimental.arenas.<i>.pactivep gives them its address.
	 */
	ADD_RELAXED(source->active_npages, npages);
}

void
pools_gone_locked(struct page_source *source, struct extent *e)
{
	LOCK_ASSERT_HELD(&source->lock);
	ADD_RELAXED(source->mapped, -e->size);
	hidden_forget(e);
	spare_records_give(&source->spares, e);
}

struct extent *
pools_neighbour_locked(struct page_source *source, const char *addr,
    enum extent_state state)
{
	struct extent *e = pagemap_find(addr);

	LOCK_ASSERT_HELD(&source->lock);
	/*
	 * The record may belong to another source, or be out of date. Our lock
	 * protects only the extents in our own pools. So check first that it is
	 * one of these, and read its other fields only then.
	 */
	if (e == NULL || !extent_is_at(e, state, source->arena_index))
		return NULL;
	return addr >= e->addr && addr < extent_end(e) ? e : NULL;
}

struct extent *
pools_following_locked(struct page_source *source, const char *addr,
    size_t size)
{
	for (enum extent_state state = EXTENT_DIRTY; state <= EXTENT_RETAINED;
	     state++) {
		struct extent *e = pools_neighbour_locked(source, addr, state);

		if (e != NULL)
			return e->addr == addr && e->size >= size ? e : NULL;
	}
	return NULL;
}

void
pools_remove_locked(struct page_source *source, struct extent *e)
{
	LOCK_ASSERT_HELD(&source->lock);
	extent_pool_remove(pools_of(source, extent_state(e)), e);
	extent_set_place(e, EXTENT_BUSY, source->arena_index);
}

struct extent *
pools_take_oldest(struct page_source *source, enum extent_state state)
{
	struct extent *e;

	lock_acquire(&source->lock);
	e = extent_pool_oldest(pools_of(source, state));
	if (e != NULL)
		pools_remove_locked(source, e);
	lock_release(&source->lock);
	return e;
}

/*
 * The page map has entries for both ends of an extent. When two are joined, two
 * of these ends are inside the larger one. Their entries must be removed, or
 * somebody would find a spare record, or one with the wrong size.
 */
static void
forget_end(const char *unit)
{
	pagemap_set_unit(unit, NULL, KIND_NONE);
}

void
pools_join_locked(struct page_source *source, struct extent *e,
    struct extent *next)
{
	forget_end(extent_end(e) - UNIT);
	forget_end(next->addr);
	/*
	 * The whole takes its age from the larger part: freeing a small
	 * neighbour does not make a large old extent fresh.
	 */
	if (next->size > e->size)
		e->freed_at = next->freed_at;
	e->size += next->size;
	e->zeroed &= next->zeroed;
	hidden_join(e, next);
	spare_records_give(&source->spares, next);
}

void
pools_lengthen_locked(struct page_source *source, struct extent *e,
    struct extent *next)
{
	if (e->size > UNIT)
		forget_end(extent_end(e) - UNIT);
	forget_end(next->addr);
	pools_count_active_locked(source, next->size);
	e->size += next->size;
	spare_records_give(&source->spares, next);
	pagemap_set_ends(e, e->kind);
}

void
pools_enter_locked(struct page_source *source, struct extent *e,
    enum extent_state state)
{
	e->is_slab = false;
	pagemap_set_ends(e, KIND_NONE);
	extent_pool_insert(pools_of(source, state), e);
	extent_set_place(e, state, source->arena_index);
}

/* Joins the free extents of this state around `e` to it; returns the whole. */
static struct extent *
join_around_locked(struct page_source *source, struct extent *e,
    enum extent_state state)
{
	struct extent *prev = pools_neighbour_locked(source, e->addr - 1,
	    state);
	struct extent *next = pools_neighbour_locked(source, extent_end(e),
	    state);

	if (prev != NULL && prev->decommitted == e->decommitted) {
		pools_remove_locked(source, prev);
		pools_join_locked(source, prev, e);
		e = prev;
	}
	if (next != NULL && next->decommitted == e->decommitted) {
		pools_remove_locked(source, next);
		pools_join_locked(source, e, next);
	}
	return e;
}

void
pools_insert_locked(struct page_source *source, struct extent *e,
    enum extent_state state)
{
	pools_enter_locked(source, join_around_locked(source, e, state), state);
}

void
pools_retain_locked(struct page_source *source, struct extent *e)
{
	if (unlikely(!opt.core_dump_free)) {
		/* Small pieces are hidden with what lies around them. */
		e = join_around_locked(source, e, EXTENT_RETAINED);
		extent_set_place(e, EXTENT_BUSY, source->arena_index);
		pagemap_set_ends(e, KIND_NONE);
		lock_release(&source->lock);
		hidden_hide(e);
		lock_acquire(&source->lock);
	}
	pools_insert_locked(source, e, EXTENT_RETAINED);
}

struct extent *
pools_split_locked(struct page_source *source, struct extent *e, size_t size)
{
	struct extent *rest = spare_records_take(&source->spares);

	SET_RELAXED(rest->addr, e->addr + size);
	rest->size = e->size - size;
	rest->zeroed = e->zeroed;
	rest->decommitted = e->decommitted;
	hidden_split(e, rest);
	rest->freed_at = e->freed_at;
	extent_set_place(rest, EXTENT_BUSY, source->arena_index);
	e->size = size;
	return rest;
}

/*
 * Cuts `e`, which has just left its pool, to the requested size and alignment.
 * The parts that are cut off go back to the pool.
 */
static struct extent *
carve_locked(struct page_source *source, struct extent *e, size_t size,
    size_t align, enum extent_state state)
{
	size_t lead = lead_to(e->addr, align);

	if (lead != 0) {
		struct extent *rest = pools_split_locked(source, e, lead);

		pools_insert_locked(source, e, state);
		e = rest;
	}
	if (e->size > size)
		pools_insert_locked(source, pools_split_locked(source, e, size),
		    state);
	pools_count_active_locked(source, size);
	extent_set_place(e, EXTENT_ACTIVE, source->arena_index);
	return e;
}

static bool
is_too_fresh(const struct page_source *source, const struct extent *e,
    size_t size)
{
	/*
	 * Don't cut a small piece out of a large extent that was freed a
	 * moment ago. A program that takes and frees a large block in a loop
	 * would never get this extent back, and would map a new one each time.
	 * A large extent that has been free for longer may be cut: its pages
	 * are in memory already, so they cost no page faults.
	 */
	return extent_state(e) != EXTENT_RETAINED &&
	    source->lg_max_active_fit < 48 &&
	    e->size >> source->lg_max_active_fit > size &&
	    source->takes - e->freed_at < FRESH_TAKES;
}

struct extent *
pools_take_locked(struct page_source *source, enum extent_state state,
    size_t size, size_t align)
{
	struct extent_pool *pool = pools_of(source, state);
	size_t over = size + align - system_info.page_size;
	struct extent *e = extent_pool_find(pool, size);

	/*
	 * The best fit may happen to contain an aligned piece. If it does not,
	 * look for one so large that it contains an aligned piece for certain.
	 */
	if (e != NULL && lead_to(e->addr, align) > e->size - size)
		e = extent_pool_find(pool, over);
	if (e == NULL)
		return NULL;
	if (!source->desperate && is_too_fresh(source, e, over))
		return NULL;
	if (state == EXTENT_RETAINED && unlikely(!limit_take(size))) {
		source->refused = true;
		return NULL;
	}
	pools_remove_locked(source, e);
	return carve_locked(source, e, size, align, state);
}

void
pools_check(struct page_source *source)
{
	size_t sum;

	lock_acquire(&source->lock);
	sum = source->active + source->packed + source->guards.size;
	for (unsigned i = 0; i < EXTENT_POOLS; i++) {
		extent_pool_check(&source->pool[i]);
		sum += source->pool[i].size;
	}
	assert(sum == source->mapped);
	(void)sum;
	lock_release(&source->lock);
}
