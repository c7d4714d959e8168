#include "extent/page_source.h"

#include <sys/types.h>

#include "conf/options.h"
#include "extent/extent_hooks.h"
#include "extent/extent_records.h"
#include "extent/huge_cache.h"
#include "extent/limit.h"
#include "extent/pagemap.h"
#include "os/dss.h"
#include "os/pages.h"
#include "os/system.h"

#define GROW_STEP_MAX	((size_t)64 << 20)
/* For so many takes a large extent just freed is not cut for a small piece. */
#define FRESH_TAKES	8
/*
 * Where the kernel makes all huge that it can, a source of fewer bytes refuses:
 * the last huge page of each source is hardly used, and small heaps are many.
 */
#define HUGE_FROM	((size_t)16 << 20)
#define SPARE_BATCH	16
#define SPARE_MOST	128

void
page_source_init(struct page_source *source, unsigned arena_index,
    const struct page_source_config *config)
{
	lock_init(&source->lock, LOCK_PAGES);
	lock_init(&source->decay_lock, LOCK_DECAY);
	for (unsigned i = 0; i < EXTENT_POOLS; i++)
		extent_pool_init(&source->pool[i]);
	source->arena_index = arena_index;
	source->spare = NULL;
	regions_init(&source->regions);
	source->nspare = 0;
	source->active = source->active_npages = source->mapped = 0;
	source->packed = 0;
	source->huge = NULL;
	source->takes = 0;
	source->track_regions = source->desperate = false;
	source->refused = source->shares = false;
	source->look_at = 0;
	atomic_init(&source->look_from, arena_index + 1);
	atomic_init(&source->dss, config->dss);
	atomic_init(&source->hooked, false);
	atomic_init(&source->hooks, &extent_hooks_default);
	atomic_init(&source->due_ns, config->now_ns);
	atomic_init(&source->refused_until_ns, 0);
	for (unsigned i = 0; i < ARRAY_LEN(source->seen); i++)
		atomic_init(&source->seen[i], 0);
	for (unsigned i = 0; i < ARRAY_LEN(source->aged); i++)
		source->aged[i] = (struct page_counters){ .npurge = 0 };
	source->grow_step = GROW_STEP_MIN;
	source->grow_limit = LARGE_MAXCLASS;
	source->retain = config->retain;
	source->want_huge = config->want_huge;
	source->refuse_huge = config->refuse_huge;
	source->small_at_first = config->small_at_first;
	source->lg_max_active_fit = config->lg_max_active_fit;
	source->decay[1].step_ns = 0;
	page_source_decay_init(source, 0, config->dirty_decay_ms,
	    config->now_ns);
	page_source_decay_init(source, 1, config->muzzy_decay_ms,
	    config->now_ns);
}

struct extent_hooks *
page_source_set_hooks(struct page_source *source, struct extent_hooks *hooks)
{
	/*
	 * Once and for all: what functions of the program gave stays in their
	 * hands, and extents may be decommitted, or adjacent and apart.
	 */
	lock_acquire(&source->lock);
	if (hooks != &extent_hooks_default)
		atomic_store_explicit(&source->hooked, true,
		    memory_order_release);
	lock_release(&source->lock);
	return atomic_exchange_explicit(&source->hooks, hooks,
	    memory_order_acq_rel);
}

void
page_source_count_active_locked(struct page_source *source, size_t more)
{
	size_t page_size = system_info.page_size;
	size_t npages = (ssize_t)more < 0 ?
	    -(-more >> lg_floor(page_size)) : more >> lg_floor(page_size);

	LOCK_ASSERT_HELD(&source->lock);
	ADD_RELAXED(source->active, more);
	/* Programs may hold its address: experimental.arenas.<i>.pactivep */
	ADD_RELAXED(source->active_npages, npages);
}

struct extent *
page_source_record_take_locked(struct page_source *source)
{
	struct extent *e = source->spare;

	LOCK_ASSERT_HELD(&source->lock);
	assert(e != NULL);
	source->spare = e->next;
	source->nspare--;
	return e;
}

void
page_source_record_give_locked(struct page_source *source, struct extent *e)
{
	LOCK_ASSERT_HELD(&source->lock);
	e->next = source->spare;
	source->spare = e;
	source->nspare++;
}

static void
record_give_chain_locked(struct page_source *source, struct extent *chain)
{
	while (chain != NULL) {
		struct extent *next = chain->next;

		page_source_record_give_locked(source, chain);
		chain = next;
	}
}

void
page_source_gone_locked(struct page_source *source, struct extent *e)
{
	LOCK_ASSERT_HELD(&source->lock);
	ADD_RELAXED(source->mapped, -e->size);
	page_source_record_give_locked(source, e);
}

void
page_source_shed_records(struct page_source *source)
{
	struct extent *chain, *last;

	lock_acquire(&source->lock);
	if (source->nspare <= SPARE_MOST) {
		lock_release(&source->lock);
		return;
	}
	chain = source->spare;
	source->spare = NULL;
	source->nspare = 0;
	lock_release(&source->lock);
	/* Others may have done the same meanwhile. */
	last = chain;
	for (unsigned i = 1; i < SPARE_BATCH && last != NULL; i++)
		last = last->next;
	if (last != NULL) {
		extent_records_give(last->next);
		last->next = NULL;
	}
	lock_acquire(&source->lock);
	record_give_chain_locked(source, chain);
	lock_release(&source->lock);
	extent_records_purge();
}

/* With enough spare records for one operation, splitting is sure to work. */
bool
page_source_lock_with_spares(struct page_source *source)
{
	struct extent *chain = NULL;
	unsigned count;

	lock_acquire(&source->lock);
	while (unlikely(source->nspare < SPARE_MIN)) {
		lock_release(&source->lock);
		count = extent_records_take(&chain, SPARE_BATCH);
		lock_acquire(&source->lock);
		record_give_chain_locked(source, chain);
		chain = NULL;
		if (count == 0 && source->nspare < SPARE_MIN) {
			lock_release(&source->lock);
			return false;
		}
	}
	return true;
}

struct extent *
page_source_neighbour_locked(struct page_source *source, const char *addr,
    enum extent_state state)
{
	struct extent *e = pagemap_find(addr);

	LOCK_ASSERT_HELD(&source->lock);
	/*
	 * The record may be somebody else's or stale. Only extents in our own
	 * pools are stable under our lock, so ask for that first.
	 */
	if (e == NULL || !extent_is_at(e, state, source->arena_index))
		return NULL;
	return addr >= e->addr && addr < extent_end(e) ? e : NULL;
}

void
page_source_remove_locked(struct page_source *source, struct extent *e)
{
	LOCK_ASSERT_HELD(&source->lock);
	extent_pool_remove(page_source_pool(source, extent_state(e)), e);
	extent_set_place(e, EXTENT_BUSY, source->arena_index);
}

/* The page map forgets the ends of `e` that are inside of a larger extent. */
static void
forget_end(char *unit)
{
	struct extent inner = { .addr = unit, .size = UNIT };

	pagemap_clear_all(&inner);
}

void
page_source_join_locked(struct page_source *source, struct extent *e,
    struct extent *next)
{
	forget_end(extent_end(e) - UNIT);
	forget_end(next->addr);
	/* The larger part tells how long it has been free. */
	if (next->size > e->size)
		e->freed_at = next->freed_at;
	e->size += next->size;
	e->zeroed &= next->zeroed;
	page_source_record_give_locked(source, next);
}

void
page_source_enter_locked(struct page_source *source, struct extent *e,
    enum extent_state state)
{
	e->is_slab = false;
	pagemap_set_ends(e, KIND_NONE);
	extent_pool_insert(page_source_pool(source, state), e);
	extent_set_place(e, state, source->arena_index);
}

void
page_source_insert_locked(struct page_source *source, struct extent *e,
    enum extent_state state)
{
	struct extent *prev = page_source_neighbour_locked(source,
	    e->addr - 1, state);
	struct extent *next = page_source_neighbour_locked(source,
	    extent_end(e), state);

	if (prev != NULL && prev->decommitted == e->decommitted) {
		page_source_remove_locked(source, prev);
		page_source_join_locked(source, prev, e);
		e = prev;
	}
	if (next != NULL && next->decommitted == e->decommitted) {
		page_source_remove_locked(source, next);
		page_source_join_locked(source, e, next);
	}
	page_source_enter_locked(source, e, state);
}

struct extent *
page_source_split_locked(struct page_source *source, struct extent *e, size_t size)
{
	struct extent *rest = page_source_record_take_locked(source);

	rest->addr = e->addr + size;
	rest->size = e->size - size;
	rest->zeroed = e->zeroed;
	rest->decommitted = e->decommitted;
	rest->freed_at = e->freed_at;
	extent_set_place(rest, EXTENT_BUSY, source->arena_index);
	e->size = size;
	return rest;
}

/* Makes `e`, just out of its pool, exactly what was asked for. */
static struct extent *
carve_locked(struct page_source *source, struct extent *e, size_t size,
    size_t align, enum extent_state state)
{
	size_t lead = round_up((uintptr_t)e->addr, align) - (uintptr_t)e->addr;

	if (lead != 0) {
		struct extent *rest = page_source_split_locked(source, e, lead);

		page_source_insert_locked(source, e, state);
		e = rest;
	}
	if (e->size > size)
		page_source_insert_locked(source,
		    page_source_split_locked(source, e, size), state);
	page_source_count_active_locked(source, size);
	extent_set_place(e, EXTENT_ACTIVE, source->arena_index);
	return e;
}

static bool
is_too_fresh(const struct page_source *source, const struct extent *e,
    size_t size)
{
	/*
	 * Don't cut a small piece out of a large one that was freed a moment
	 * ago: a program that takes and frees a large block in a loop would
	 * never get it back. One that lies there for longer is the best
	 * source of all, because it is in memory already.
	 */
	return extent_state(e) != EXTENT_RETAINED &&
	    source->lg_max_active_fit < 48 &&
	    e->size >> source->lg_max_active_fit > size &&
	    source->takes - e->freed_at < FRESH_TAKES;
}

struct extent *
page_source_take_pool_locked(struct page_source *source, enum extent_state state,
    size_t size, size_t align)
{
	struct extent_pool *pool = page_source_pool(source, state);
	size_t over = size + align - system_info.page_size;
	struct extent *e = extent_pool_find(pool, size);

	/* By luck the best fit is aligned; else one that can be cut to be. */
	if (e != NULL && round_up((uintptr_t)e->addr, align) + size >
	    (uintptr_t)extent_end(e))
		e = extent_pool_find(pool, over);
	if (e == NULL)
		return NULL;
	if (!source->desperate && is_too_fresh(source, e, over))
		return NULL;
	if (state == EXTENT_RETAINED && unlikely(!limit_take(size))) {
		source->refused = true;
		return NULL;
	}
	page_source_remove_locked(source, e);
	return carve_locked(source, e, size, align, state);
}

/* From the pools of states up to `last`. */
static struct extent *
take_from_pools_locked(struct page_source *source, size_t size, size_t align,
    enum extent_state last)
{
	source->takes++;
	source->refused = false;
	for (enum extent_state state = EXTENT_DIRTY; state <= last; state++) {
		struct extent *e = page_source_take_pool_locked(source, state,
		    size, align);

		if (e != NULL)
			return e;
	}
	return NULL;
}

/* Maps *size bytes or, where that is too much, down to `need`; or NULL. */
static void *
map_less(size_t need, size_t *size)
{
	void *addr;

	for (;;) {
		addr = pages_map(*size, system_info.page_size);
		if (addr != NULL || *size == need)
			return addr;
		*size = max_size(round_down(*size / 2, system_info.page_size),
		    need);
	}
}

/*
 * Maps at least `need` bytes; NULL if not even that can be had.
 * @param size  bytes wanted, then bytes mapped
 */
static void *
map_step(enum dss precedence, size_t need, size_t *size)
{
	void *addr = precedence == DSS_PRIMARY ? dss_take(*size) : NULL;

	if (addr == NULL)
		addr = map_less(need, size);
	if (addr == NULL && precedence == DSS_SECONDARY)
		addr = dss_take(*size);
	if (addr == NULL || pagemap_reserve(addr, *size))
		return addr;
	/* What came from sbrk is lost; it was not touched. */
	if (!dss_contains(addr))
		pages_unmap(addr, *size);
	return NULL;
}

size_t
page_source_step_locked(const struct page_source *source, size_t need)
{
	size_t step = source->retain ? min_size(source->grow_step,
	    source->grow_limit) : 0;

	return round_up(max_size(need, step), system_info.page_size);
}

void
page_source_stepped_locked(struct page_source *source, size_t size)
{
	if (size >= source->grow_step)
		source->grow_step = min_size(source->grow_step +
		    round_up(source->grow_step / 4, system_info.page_size),
		    GROW_STEP_MAX);
}

/* A step that is wanted, and what came of it. */
struct growth {
	size_t need, size;	/* bytes: at least, and mapped */
	char *addr;
	bool in_memory;		/* and counted so */
};

/*
 * Where the program has locked what it will map, all of it is in memory at
 * once, and so must not be more than is needed. The first one is a surprise.
 */
static void
map_growth(struct page_source *source, struct growth *g)
{
	enum dss precedence = (enum dss)atomic_load_explicit(&source->dss,
	    memory_order_relaxed);
	bool expected = pages_come_locked();

	if (unlikely(expected)) {
		if (!limit_take(g->need))
			return;
		g->size = g->need;
	}
	g->addr = map_step(precedence, g->need, &g->size);
	if (g->addr != NULL && unlikely(pages_are_locked(g->addr))) {
		g->in_memory = expected ||
		    !pages_purge_forced(g->addr, g->size);
		if (g->in_memory && !expected)
			limit_add(g->size);
	} else if (unlikely(expected)) {
		limit_give(g->need);
	}
}

static void
advise_growth(const struct page_source *source, const struct growth *g)
{
	if (source->want_huge)
		pages_want_huge(g->addr, g->size);
	else if (source->refuse_huge || (source->small_at_first &&
	    READ_RELAXED(source->mapped) < HUGE_FROM))
		pages_refuse_huge(g->addr, g->size);
}

/* New address space, put into the retained pool. */
static bool
grow(struct page_source *source, size_t need)
{
	struct growth g = { .need = need };
	struct extent *e;
	bool fresh;

	/* The records first: what is mapped can then always be kept. */
	if (!page_source_lock_to_map(source))
		return false;
	e = page_source_record_take_locked(source);
	page_source_expect_locked(source);
	g.size = page_source_step_locked(source, need);
	if (source->track_regions && g.size == GROW_STEP_MIN)
		g.addr = page_source_left_step();
	lock_release(&source->lock);
	fresh = g.addr == NULL;
	if (fresh)
		map_growth(source, &g);
	if (g.addr != NULL)
		advise_growth(source, &g);
	lock_acquire(&source->lock);
	if (g.addr == NULL) {
		page_source_record_give_locked(source, e);
		page_source_not_mapped_locked(source);
		lock_release(&source->lock);
		return false;
	}
	page_source_mapped_locked(source, g.addr, g.size);
	e->addr = g.addr;
	e->size = g.size;
	e->zeroed = fresh;
	e->decommitted = false;
	/* Nobody waits for it to come back. */
	e->freed_at = source->takes - FRESH_TAKES;
	page_source_stepped_locked(source, g.size);
	page_source_insert_locked(source, e, unlikely(g.in_memory) ?
	    EXTENT_DIRTY : EXTENT_RETAINED);
	lock_release(&source->lock);
	return true;
}

/* The kernel has no more: even the best piece may be cut. */
static struct extent *
take_anything(struct page_source *source, size_t size, size_t align)
{
	struct extent *e;

	if (!page_source_lock_with_spares(source))
		return NULL;
	source->desperate = true;
	e = take_from_pools_locked(source, size, align, EXTENT_RETAINED);
	source->desperate = false;
	lock_release(&source->lock);
	return e;
}

struct extent *
page_source_take_apart(struct page_source *source, size_t size, size_t align,
    bool *plain)
{
	struct extent *e;
	size_t need;
	bool refused, asks;

	*plain = true;
	if (__builtin_add_overflow(size, align - system_info.page_size, &need))
		return NULL;
	for (bool asked = false;; asked |= asks) {
		if (!page_source_lock_with_spares(source))
			return NULL;
		*plain = page_source_is_plain(source);
		asks = !asked && page_source_may_borrow_locked(source, size);
		e = likely(*plain) ? take_from_pools_locked(source, size,
		    align, asks ? EXTENT_MUZZY : EXTENT_RETAINED) : NULL;
		refused = source->refused;
		lock_release(&source->lock);
		if (unlikely(!*plain) || e != NULL || unlikely(refused))
			return e;
		if (asks) {
			e = page_source_borrow(source, size, align);
			if (e != NULL)
				return e;
		} else if (!grow(source, need))
			return take_anything(source, size, align);
	}
}

struct extent *
page_source_take(struct page_source *source, size_t size, size_t align)
{
	struct extent *e;
	bool plain;

	assert(size != 0 && size % system_info.page_size == 0);
	if (unlikely(source->huge != NULL) && align <= system_info.page_size) {
		e = packed_take(source, size);
		if (e != NULL)
			return e;
	}
	e = page_source_take_apart(source, size, align, &plain);
	return likely(plain) ? e : hooked_take(source, size, align);
}

void
page_source_give(struct page_source *source, struct extent *e)
{
	bool plain;

	if (unlikely(e->pageslab != NULL)) {
		packed_give(source, e);
		return;
	}
	if (unlikely(e->lender != 0))
		source = page_source_return(source, e);
	plain = page_source_is_plain(source);
	e->zeroed = false;
	extent_set_place(e, EXTENT_BUSY, source->arena_index);
	lock_acquire(&source->lock);
	e->freed_at = source->takes;
	page_source_count_active_locked(source, -e->size);
	if (likely(plain))
		page_source_insert_locked(source, e, EXTENT_DIRTY);
	lock_release(&source->lock);
	if (unlikely(!plain))
		hooked_insert(source, e, EXTENT_DIRTY);
	if (atomic_load_explicit(&source->at_once[0], memory_order_relaxed))
		page_source_purge_dirty(source);
}

void
page_source_give_retained(struct page_source *source, struct extent *e)
{
	if (unlikely(e->lender != 0))
		source = page_source_return(source, e);
	e->zeroed = true;
	limit_give(e->size);
	lock_acquire(&source->lock);
	page_source_count_active_locked(source, -e->size);
	page_source_insert_locked(source, e, EXTENT_RETAINED);
	lock_release(&source->lock);
}

static struct extent *
free_neighbour_locked(struct page_source *source, const char *addr)
{
	for (enum extent_state state = EXTENT_DIRTY; state <= EXTENT_RETAINED;
	    state++) {
		struct extent *e = page_source_neighbour_locked(source, addr, state);

		if (e != NULL)
			return e;
	}
	return NULL;
}

void
page_source_lengthen_locked(struct page_source *source, struct extent *e,
    struct extent *next)
{
	if (e->size > UNIT)
		forget_end(extent_end(e) - UNIT);
	forget_end(next->addr);
	page_source_count_active_locked(source, next->size);
	e->size += next->size;
	page_source_record_give_locked(source, next);
	pagemap_set_ends(e, e->kind);
}

static bool
extend(struct page_source *source, struct extent *e, size_t size, bool *zeroed)
{
	size_t more = size - e->size;
	struct extent *next;
	enum extent_state state;

	if (!page_source_lock_with_spares(source))
		return false;
	if (unlikely(!page_source_is_plain(source))) {
		lock_release(&source->lock);
		return hooked_extend(source, e, size, zeroed);
	}
	next = free_neighbour_locked(source, extent_end(e));
	if (next == NULL || next->addr != extent_end(e) || next->size < more) {
		lock_release(&source->lock);
		return false;
	}
	state = extent_state(next);
	if (state == EXTENT_RETAINED && unlikely(!limit_take(more))) {
		lock_release(&source->lock);
		return false;
	}
	page_source_remove_locked(source, next);
	if (next->size > more)
		page_source_insert_locked(source,
		    page_source_split_locked(source, next, more), state);
	*zeroed = next->zeroed;
	page_source_lengthen_locked(source, e, next);
	lock_release(&source->lock);
	return true;
}

bool
page_source_extend(struct page_source *source, struct extent *e, size_t size,
    bool *zeroed)
{
	struct page_source *lender;
	bool done;

	if (unlikely(e->pageslab != NULL))
		return packed_extend(source, e, size, zeroed);
	if (likely(e->lender == 0))
		return extend(source, e, size, zeroed);
	lender = page_source_return(source, e);
	done = extend(lender, e, size, zeroed);
	page_source_lend(lender, source, e);
	return done;
}

static bool
trim(struct page_source *source, struct extent *e, size_t size)
{
	bool plain = page_source_is_plain(source);
	struct extent *rest;

	if (unlikely(!plain) && !hooked_may_split(source, e, size))
		return false;
	if (!page_source_lock_with_spares(source))
		return false;
	rest = page_source_split_locked(source, e, size);
	rest->zeroed = false;
	rest->freed_at = source->takes;
	page_source_count_active_locked(source, -rest->size);
	pagemap_set_ends(e, e->kind);
	if (likely(plain))
		page_source_insert_locked(source, rest, EXTENT_DIRTY);
	lock_release(&source->lock);
	if (unlikely(!plain))
		hooked_insert(source, rest, EXTENT_DIRTY);
	return true;
}

bool
page_source_trim(struct page_source *source, struct extent *e, size_t size)
{
	struct page_source *lender;
	bool done;

	if (unlikely(e->pageslab != NULL)) {
		packed_trim(source, e, size);
		return true;
	}
	if (likely(e->lender == 0))
		return trim(source, e, size);
	lender = page_source_return(source, e);
	done = trim(lender, e, size);
	page_source_lend(lender, source, e);
	return done;
}

void
page_source_check(struct page_source *source)
{
	size_t sum;

	lock_acquire(&source->lock);
	sum = source->active + source->packed;
	for (unsigned i = 0; i < EXTENT_POOLS; i++) {
		extent_pool_check(&source->pool[i]);
		sum += source->pool[i].size;
	}
	assert(sum == source->mapped);
	(void)sum;
	lock_release(&source->lock);
	if (source->huge != NULL)
		huge_cache_check(source->huge);
}
