#include "pages/hooked.h"

#include "extent/extent_hooks.h"
#include "extent/limit.h"
#include "extent/pagemap.h"
#include "os/system.h"
#include "pages/growth.h"
#include "pages/hidden.h"
#include "pages/mapped.h"
#include "pages/pools.h"

static struct hooked_range
range_of(struct page_source *source, const struct extent *e)
{
	return (struct hooked_range){
		.hooks = atomic_load_explicit(&source->hooks,
		    memory_order_acquire),
		.addr = e->addr,
		.size = e->size,
		.committed = !e->decommitted,
		.arena = source->arena_index,
	};
}

static void
enter(struct page_source *source, struct extent *e, enum extent_state state)
{
	lock_acquire(&source->lock);
	pools_enter_locked(source, e, state);
	lock_release(&source->lock);
}

bool
hooked_may_split(struct page_source *source, const struct extent *e,
    size_t size)
{
	struct hooked_range range = range_of(source, e);

	return extent_hooks_split(&range, size);
}

static bool
may_merge(struct page_source *source, const struct extent *e,
    const struct extent *next)
{
	struct hooked_range range = range_of(source, e);

	range.size += next->size;
	return extent_hooks_merge(&range, next->size);
}

/* Takes a free neighbour that could be joined to `e` out of its pool. */
static struct extent *
take_neighbour(struct page_source *source, const struct extent *e,
    const char *addr, enum extent_state state)
{
	struct extent *found;

	lock_acquire(&source->lock);
	found = pools_neighbour_locked(source, addr, state);
	if (found != NULL && found->decommitted != e->decommitted)
		found = NULL;
	if (found != NULL)
		pools_remove_locked(source, found);
	lock_release(&source->lock);
	return found;
}

/*
 * Joins two extents that are out of their pools; NULL: the hooks want them to
 * stay apart.
 */
static struct extent *
join(struct page_source *source, struct extent *e, struct extent *next)
{
	if (!may_merge(source, e, next))
		return NULL;
	lock_acquire(&source->lock);
	pools_join_locked(source, e, next);
	lock_release(&source->lock);
	return e;
}

void
hooked_insert(struct page_source *source, struct extent *e,
    enum extent_state state)
{
	struct extent *prev = take_neighbour(source, e, e->addr - 1, state);
	struct extent *next, *joined;

	if (prev != NULL) {
		joined = join(source, prev, e);
		if (joined != NULL)
			e = joined;
		else
			enter(source, prev, state);
	}
	next = take_neighbour(source, e, extent_end(e), state);
	if (next != NULL && join(source, e, next) == NULL)
		enter(source, next, state);
	enter(source, e, state);
}

/* --- taking ------------------------------------------------------------ */

/* A request. `exact`: only an extent that need not be cut fits. */
struct want {
	size_t size;
	size_t align;
	bool exact;
};

static bool
fits(const struct extent *e, const struct want *want)
{
	size_t lead = lead_to(e->addr, want->align);

	if (want->exact)
		return lead == 0 && e->size == want->size;
	return lead <= e->size && e->size - lead >= want->size;
}

/* Takes the best free extent out of its pool, that of *state. */
static struct extent *
take_best(struct page_source *source, const struct want *want,
    enum extent_state *state)
{
	size_t over = want->size + want->align - system_info.page_size;
	struct extent *e = NULL;

	lock_acquire(&source->lock);
	source->takes++;
	for (*state = EXTENT_DIRTY; *state <= EXTENT_RETAINED; ++*state) {
		struct extent_pool *pool = pools_of(source, *state);

		e = extent_pool_find(pool, want->size);
		if (e != NULL && !fits(e, want))
			e = extent_pool_find(pool, over);
		if (e != NULL && fits(e, want))
			break;
		e = NULL;
	}
	if (e != NULL)
		pools_remove_locked(source, e);
	lock_release(&source->lock);
	return e;
}

/*
 * Cuts `e` after its first `size` bytes and returns the rest; NULL: the hooks
 * do not allow it, or there is no record for the rest.
 */
static struct extent *
cut(struct page_source *source, struct extent *e, size_t size)
{
	struct extent *rest;

	if (!hooked_may_split(source, e, size) ||
	    !pools_lock_with_spares(source))
		return NULL;
	rest = pools_split_locked(source, e, size);
	lock_release(&source->lock);
	return rest;
}

/*
 * Cuts `e` to what is wanted; the rest goes to the pool of `state`. NULL: it
 * can't be cut, and all of it is in the pool again.
 */
static struct extent *
carve(struct page_source *source, struct extent *e, const struct want *want,
    enum extent_state state)
{
	size_t lead = lead_to(e->addr, want->align);
	struct extent *rest;

	if (lead != 0) {
		rest = cut(source, e, lead);
		hooked_insert(source, e, state);
		if (rest == NULL)
			return NULL;
		e = rest;
	}
	if (e->size > want->size) {
		rest = cut(source, e, want->size);
		hooked_insert(source, rest != NULL ? rest : e, state);
		if (rest == NULL)
			return NULL;
	}
	return e;
}

/*
 * Makes the pages of `e`, which is out of its pool, usable: counts them against
 * the limit, and commits them. False: that failed, and `e` is in the pool of
 * `state` again.
 */
static bool
bring_in(struct page_source *source, struct extent *e, enum extent_state state)
{
	struct hooked_range range = range_of(source, e);

	if (state == EXTENT_RETAINED && !limit_take(e->size)) {
		hooked_insert(source, e, state);
		return false;
	}
	if (e->decommitted) {
		if (!extent_hooks_commit(&range)) {
			limit_give(e->size);
			hooked_insert(source, e, state);
			return false;
		}
		e->decommitted = false;
		e->zeroed = true;
	}
	hidden_show(e);
	return true;
}

/* Makes `e` active and ready for use; NULL: it is in its pool again. */
static struct extent *
commit(struct page_source *source, struct extent *e, enum extent_state state)
{
	if (!bring_in(source, e, state))
		return NULL;
	lock_acquire(&source->lock);
	pools_count_active_locked(source, e->size);
	extent_set_place(e, EXTENT_ACTIVE, source->arena_index);
	lock_release(&source->lock);
	return e;
}

/*
 * Gets new memory from the hooks, as an extent that is in no pool. If extents
 * can be cut and are retained, this is a step of growth, which need not be
 * committed. If not, it has exactly the wanted size.
 */
static struct extent *
grow(struct page_source *source, const struct want *want)
{
	size_t page = system_info.page_size;
	bool exact = want->exact || !source->retain;
	size_t need = exact ? want->size : want->size + want->align - page;
	struct hooked_range range = { .arena = source->arena_index };
	struct extent *e = mapped_lock_for_new(source);
	bool zero;

	if (e == NULL)
		return NULL;
	range.size = exact ? need : growth_step_locked(source, need);
	lock_release(&source->lock);
	range.hooks = atomic_load_explicit(&source->hooks,
	    memory_order_acquire);
	if (!extent_hooks_alloc(&range, exact ? want->align : page, exact,
		&zero)) {
		if (range.size == need)
			goto refused;
		/* A whole step is too much, so ask for what is needed. */
		range.size = need;
		if (!extent_hooks_alloc(&range, page, false, &zero))
			goto refused;
	}
	if (!pagemap_reserve(range.addr, range.size)) {
		/* Give it back: without page map entries it can't be found. */
		extent_hooks_dalloc(&range);
		goto refused;
	}
	lock_acquire(&source->lock);
	mapped_came_locked(source, e, range.addr, range.size);
	growth_stepped_locked(source, range.size);
	lock_release(&source->lock);
	e->zeroed = zero;
	e->decommitted = !range.committed;
	e->freed_at = 0;
	extent_set_place(e, EXTENT_BUSY, source->arena_index);
	return e;

refused:
	mapped_came_not(source, e);
	return NULL;
}

struct extent *
hooked_take(struct page_source *source, size_t size, size_t align)
{
	struct want want = { size, align, false };
	enum extent_state state;
	struct extent *e, *carved;

	for (;;) {
		e = take_best(source, &want, &state);
		if (e == NULL) {
			state = EXTENT_RETAINED;
			e = grow(source, &want);
		}
		if (e == NULL)
			return NULL;
		carved = carve(source, e, &want, state);
		if (carved != NULL)
			return commit(source, carved, state);
		/*
		 * It can't be cut, so look for an extent that need not be. The
		 * second time carve() has nothing to do and does not fail.
		 */
		want.exact = true;
	}
}

/* --- in place ---------------------------------------------------------- */

static struct extent *
take_next(struct page_source *source, const struct extent *e, size_t more,
    enum extent_state *state)
{
	struct extent *next;

	lock_acquire(&source->lock);
	next = pools_following_locked(source, extent_end(e), more);
	if (next != NULL) {
		*state = extent_state(next);
		pools_remove_locked(source, next);
	}
	lock_release(&source->lock);
	return next;
}

bool
hooked_extend(struct page_source *source, struct extent *e, size_t size,
    bool *zeroed)
{
	size_t more = size - e->size;
	enum extent_state state;
	struct extent *next = take_next(source, e, more, &state);
	struct want want = { more, system_info.page_size, false };

	if (next != NULL)
		next = carve(source, next, &want, state);
	if (next == NULL)
		return false;
	if (!bring_in(source, next, state))
		return false;
	if (!may_merge(source, e, next)) {
		if (state == EXTENT_RETAINED)
			limit_give(next->size);
		hooked_insert(source, next, state);
		return false;
	}
	*zeroed = next->zeroed;
	lock_acquire(&source->lock);
	pools_lengthen_locked(source, e, next);
	lock_release(&source->lock);
	return true;
}

/* --- giving back ------------------------------------------------------- */

enum extent_state
hooked_purge(struct page_source *source, struct extent *e,
    enum extent_state from, bool lazy)
{
	struct hooked_range range = range_of(source, e);
	bool gone;

	e->zeroed = false;
	if (lazy && extent_hooks_purge_lazy(&range))
		return EXTENT_MUZZY;
	if (mapped_leave(source, e)) {
		gone = extent_hooks_dalloc(&range);
		mapped_stay(source, e, gone);
		if (gone)
			return EXTENT_BUSY;
	}
	if (extent_hooks_decommit(&range)) {
		e->decommitted = true;
		return EXTENT_RETAINED;
	}
	if (extent_hooks_purge_forced(&range))
		return EXTENT_RETAINED;
	if (from != EXTENT_MUZZY && !lazy && extent_hooks_purge_lazy(&range))
		return EXTENT_MUZZY;
	return from;
}

static void
destroy_all(struct page_source *source, enum extent_state state)
{
	struct extent *e;

	while ((e = pools_take_oldest(source, state)) != NULL) {
		struct hooked_range range = range_of(source, e);

		if (state != EXTENT_RETAINED)
			limit_give(e->size);
		pagemap_forget_ends(e);
		extent_hooks_destroy(&range);
		lock_acquire(&source->lock);
		pools_gone_locked(source, e);
		lock_release(&source->lock);
	}
}

void
hooked_fini(struct page_source *source)
{
	for (enum extent_state state = EXTENT_DIRTY; state <= EXTENT_RETAINED;
	     state++)
		destroy_all(source, state);
}
