#include "pages/page_source.h"

#include <string.h>

#include "extent/extent_hooks.h"
#include "extent/limit.h"
#include "extent/pagemap.h"
#include "huge/huge_cache.h"
#include "os/pages.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "pages/borrow.h"
#include "pages/guards.h"
#include "pages/growth.h"
#include "pages/hidden.h"
#include "pages/hooked.h"
#include "pages/packed.h"

AT_START void
page_source_init(struct page_source *source, unsigned arena_index,
    const struct page_source_config *config)
{
	lock_init_zeroed(&source->lock, LOCK_PAGES);
	lock_init_zeroed(&source->decay_lock, LOCK_DECAY);
	for (unsigned i = 0; i < EXTENT_POOLS; i++)
		extent_pool_init(&source->pool[i]);
	source->arena_index = arena_index;
	source->shed = config->shed;
	source->shed_ns = config->now_ns;
	atomic_init(&source->look_from, arena_index + 1);
	atomic_init(&source->dss, config->dss);
	atomic_init(&source->hooks, &extent_hooks_default);
	atomic_init(&source->due_ns, config->now_ns);
	source->grow_step = GROW_STEP_MIN;
	source->grow_limit = LARGE_MAXCLASS;
	source->retain = config->retain;
	source->want_huge = config->want_huge;
	source->refuse_huge = config->refuse_huge;
	source->small_at_first = config->small_at_first;
	source->lg_max_active_fit = config->lg_max_active_fit;
	ageing_init(source, 0, config->dirty_decay_ms, config->now_ns);
	ageing_init(source, 1, config->muzzy_decay_ms, config->now_ns);
	guards_init(&source->guards, config->now_ns);
}

struct extent_hooks *
page_source_set_hooks(struct page_source *source, struct extent_hooks *hooks)
{
	/*
	 * `hooked` stays set, even if the default hooks come back later. Memory
	 * that the program's hooks gave has to go back through hooks, and
	 * extents may be decommitted, or adjacent but not joined.
	 */
	lock_acquire(&source->lock);
	if (hooks != &extent_hooks_default)
		atomic_store_explicit(&source->hooked, true,
		    memory_order_release);
	lock_release(&source->lock);
	return atomic_exchange_explicit(&source->hooks, hooks,
	    memory_order_acq_rel);
}

/* Takes from the pools of the states up to `last`, dirty pages first. */
static struct extent *
take_from_pools_locked(struct page_source *source, size_t size, size_t align,
    enum extent_state last)
{
	source->takes++;
	source->refused = false;
	for (enum extent_state state = EXTENT_DIRTY; state <= last; state++) {
		struct extent *e = pools_take_locked(source, state, size,
		    align);

		if (e != NULL)
			return e;
	}
	return NULL;
}

/* The kernel has no more memory, so even a fresh large extent may be cut. */
static struct extent *
take_anything(struct page_source *source, size_t size, size_t align)
{
	struct extent *e;

	if (!pools_lock_with_spares(source))
		return NULL;
	source->desperate = true;
	e = take_from_pools_locked(source, size, align, EXTENT_RETAINED);
	source->desperate = false;
	lock_release(&source->lock);
	if (e != NULL)
		hidden_show(e);
	return e;
}

struct extent *
page_source_take(struct page_source *source, size_t size, size_t align)
{
	struct extent *e;
	bool plain, refused, asks, grown = false;

	assert(size != 0 && size % system_info.page_size == 0);
	if (limit_is_exceeded())
		return NULL;
	if (unlikely(source->huge != NULL) && align <= system_info.page_size) {
		e = packed_take(source, size);
		if (e != NULL)
			return e;
	}
	if (size > SIZE_MAX - (align - system_info.page_size))
		return NULL;
	/*
	 * Dirty pages of other sources come before our own retained pages,
	 * because they are in memory already. So the first round leaves the
	 * retained pool out if it is going to ask the others.
	 */
	for (bool asked = false;; asked |= asks) {
		if (!pools_lock_with_spares(source))
			return NULL;
		plain = page_source_is_plain(source);
		asks = !asked && borrow_may_locked(source, size);
		e = likely(plain) ? take_from_pools_locked(source, size, align,
					asks ? EXTENT_MUZZY : EXTENT_RETAINED)
				  : NULL;
		refused = source->refused;
		lock_release(&source->lock);
		if (unlikely(!plain))
			return hooked_take(source, size, align);
		if (e != NULL) {
			hidden_show(e);
			return e;
		}
		/* At the hard limit, new address space would not help. */
		if (unlikely(refused))
			return NULL;
		if (asks) {
			e = borrow_take(source, size, align);
			if (e != NULL)
				return e;
		} else {
			/*
			 * The exact piece may not be found if the pool has
			 * another one of this size.
			 */
			if (!growth_run(source, size, align, !grown))
				return take_anything(source, size, align);
			grown = true;
		}
	}
}

void
page_source_give(struct page_source *source, struct extent *e)
{
	if (unlikely(e->pageslab != NULL)) {
		packed_give(source, e);
	} else {
		source = borrow_give_dirty(source, e);
		if (pools_stay_ns(source, 0) == 0)
			ageing_purge_dirty(source);
	}
	if (limit_is_exceeded())
		ageing_purge_pages(source);
}

void
page_source_give_retained(struct page_source *source, struct extent *e)
{
	source = borrow_return(source, e);
	e->zeroed = true;
	limit_give(e->size);
	lock_acquire(&source->lock);
	pools_count_active_locked(source, -e->size);
	pools_retain_locked(source, e);
	lock_release(&source->lock);
}

/*
 * Joins the free extent behind `e` to it. If that is retained, its pages come
 * into memory, so they count against the limit first.
 */
static bool
extend(struct page_source *source, struct extent *e, size_t size, bool *zeroed)
{
	size_t more = size - e->size;
	struct extent *next;
	enum extent_state state;
	bool hidden;

	if (!pools_lock_with_spares(source))
		return false;
	if (unlikely(!page_source_is_plain(source))) {
		lock_release(&source->lock);
		return hooked_extend(source, e, size, zeroed);
	}
	next = pools_following_locked(source, extent_end(e), more);
	if (next == NULL ||
	    (extent_state(next) == EXTENT_RETAINED &&
		unlikely(!limit_take(more)))) {
		lock_release(&source->lock);
		return false;
	}
	state = extent_state(next);
	pools_remove_locked(source, next);
	if (next->size > more)
		pools_insert_locked(source,
		    pools_split_locked(source, next, more), state);
	*zeroed = next->zeroed;
	hidden = hidden_forget(next);
	pools_lengthen_locked(source, e, next);
	lock_release(&source->lock);
	if (unlikely(hidden))
		pages_keep_in_core(extent_end(e) - more, more);
	return true;
}

bool
page_source_extend(struct page_source *source, struct extent *e, size_t size,
    bool *zeroed)
{
	struct page_source *owner;
	bool done;

	if (limit_is_exceeded())
		return false;
	if (unlikely(e->pageslab != NULL))
		return packed_extend(source, e, size, zeroed);
	/* A lender has the neighbours in its pools, so it does the change. */
	owner = borrow_return(source, e);
	done = extend(owner, e, size, zeroed);
	borrow_lend(owner, source, e);
	return done;
}

static bool
trim(struct page_source *source, struct extent *e, size_t size)
{
	bool plain = page_source_is_plain(source);
	struct extent *rest;

	if (unlikely(!plain) && !hooked_may_split(source, e, size))
		return false;
	if (!pools_lock_with_spares(source))
		return false;
	rest = pools_split_locked(source, e, size);
	rest->zeroed = false;
	rest->freed_at = source->takes;
	pools_count_active_locked(source, -rest->size);
	pagemap_set_ends(e, e->kind);
	if (likely(plain))
		pools_insert_locked(source, rest, EXTENT_DIRTY);
	lock_release(&source->lock);
	if (unlikely(!plain))
		hooked_insert(source, rest, EXTENT_DIRTY);
	return true;
}

bool
page_source_trim(struct page_source *source, struct extent *e, size_t size)
{
	struct page_source *owner = source;
	bool done = true;

	if (unlikely(e->pageslab != NULL)) {
		packed_trim(source, e, size);
	} else {
		/* The rest goes to the pools of a lender, which does it. */
		owner = borrow_return(source, e);
		done = trim(owner, e, size);
		borrow_lend(owner, source, e);
	}
	if (limit_is_exceeded())
		ageing_purge_pages(owner);
	return done;
}

static struct extent *
backing_take(void *context, size_t size)
{
	struct page_source *source = context;
	/* With this alignment, it does not come from another pageslab. */
	struct extent *e = page_source_take(source, size, size);

	if (e == NULL)
		return NULL;
	if (unlikely(!page_source_is_plain(source))) {
		/*
		 * The program has just set hooks, and hooks know no pageslabs.
		 */
		page_source_give(source, e);
		return NULL;
	}
	/*
	 * The page map may still have entries from when this was free memory.
	 * Runs are extents of their own, and a walk over the page map
	 * (arena_reset) would take the whole pageslab for one of them.
	 */
	pagemap_forget_ends(e);
	packed_count(source, -size);
	return e;
}

/*
 * Takes an empty pageslab back. If it is known to be zero and `retain` is set,
 * it goes to the retained pool. If not, it goes to the dirty pool, from where
 * ageing unmaps or purges it.
 */
static void
backing_give(void *context, struct extent *e)
{
	struct page_source *source = context;
	/* Locked pages are in memory even if nobody has touched them. */
	bool retained = e->zeroed && source->retain &&
	    page_source_is_plain(source) && !pages_come_locked();

	packed_count(source, e->size);
	if (retained)
		page_source_give_retained(source, e);
	else
		page_source_give(source, e);
}

void
page_source_pack(struct page_source *source, struct huge_cache *huge,
    const struct huge_cache_config *config, struct huge_config *shard)
{
	shard->arena_index = source->arena_index;
	shard->backing = (struct huge_backing){
		.take = backing_take,
		.give = backing_give,
		.context = source,
	};
	huge_cache_init(huge, config, shard);
	source->huge = huge;
}

bool
page_source_clear(struct page_source *source, const struct extent *e,
    char *addr, size_t size)
{
	return page_source_is_plain(source) && e->pageslab == NULL &&
	    !pages_come_locked() && pages_purge_forced(addr, size);
}

void
page_source_check(struct page_source *source)
{
	pools_check(source);
	if (source->huge != NULL)
		huge_cache_check(source->huge);
}
