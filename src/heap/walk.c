#include "heap/walk.h"

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "arena/ledger.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "guard/guard_pool.h"
#include "heap/cached.h"

/* What was found; with opt.canary it may have more bytes than are used. */
struct found {
	struct walk_region region;
	size_t capacity; /* the size of its class, for an object */
};

struct walker {
	const struct walk *walk;
	struct cached cached;
	size_t usize;           /* the class that is wanted, or 0 */
	uintptr_t first;        /* the first unit */
	uintptr_t told;         /* the end of what was told last */
	struct walk_region run; /* merged so far; state 0: none */
	uint64_t visited;
	bool stopped;
};

/* --- reports -------------------------------------------------------------- */

static void
call(struct walker *w, const struct walk_region *region)
{
	if (w->stopped)
		return;
	w->visited++;
	w->stopped = w->walk->report(w->walk->context, region) != 0;
}

static void
flush_run(struct walker *w)
{
	struct walk_region run = w->run;

	w->run.state = 0;
	if (run.state != 0)
		call(w, &run);
}

static bool
wants(const struct walker *w, const struct found *found)
{
	const struct walk *walk = w->walk;
	const struct walk_region *r = &found->region;

	return (walk->flags & r->state) != 0 && r->addr >= walk->lo &&
	    (walk->hi == 0 || r->addr < walk->hi) &&
	    (w->usize == 0 || found->capacity == w->usize) &&
	    (walk->arena == WALK_ALL_ARENAS || r->arena == walk->arena);
}

static void
tell(struct walker *w, const struct found *found)
{
	const struct walk_region *r = &found->region;
	struct walk_region *run = &w->run;

	/* What begins before that has come since, in pages that were told. */
	if (!wants(w, found) || r->addr < w->told)
		return;
	w->told = r->addr + found->capacity;
	if ((w->walk->flags & WALK_MERGE) == 0) {
		call(w, r);
		return;
	}
	if (run->state == r->state && run->arena == r->arena &&
	    run->reserved == r->reserved && run->addr + run->usize == r->addr) {
		run->usize += found->capacity;
		return;
	}
	flush_run(w);
	*run = *r;
	run->usize = found->capacity;
}

/* --- slabs ---------------------------------------------------------------- */

static uint32_t
state_in(const struct bin_copy *copy, unsigned i, struct cached *cached,
    uintptr_t addr)
{
	if ((copy->free[i / 64] >> i % 64 & 1) != 0)
		return WALK_FREE;
	if ((copy->handed[i / 64] >> i % 64 & 1) == 0)
		return WALK_CACHED;
	return !copy->certain && cached_has(cached, addr) ? WALK_CACHED
							  : WALK_LIVE;
}

/*
 * What is in region `i` of a slab. The program may use no more than it has
 * requested, if a canary follows. The size is read now; if the object has been
 * freed since the copy was made, that of its class is as good.
 */
static void
read_region(struct found *found, const struct bin_slab *s,
    const struct bin_copy *copy, unsigned i, struct cached *cached)
{
	size_t size = size_class_tables.slab[s->size_class].region_size;
	struct walk_region *r = &found->region;

	*r = (struct walk_region){ .addr = (uintptr_t)s->addr + i * size,
		.usize = size,
		.arena = s->arena_index };
	found->capacity = size;
	r->state = state_in(copy, i, cached, r->addr);
	if (opt.canary && r->state == WALK_LIVE) {
		uint16_t entry = atomic_load_explicit(&copy->ledger->entry[i],
		    memory_order_relaxed);

		if (ledger_is_live(entry))
			r->usize = ledger_size(entry);
	}
}

/*
 * Visits the slab that begins at `addr`, or contains it if the walk does. Until
 * the copy is made, the record may become that of another slab.
 */
static void
visit_slab(struct walker *w, uintptr_t addr, struct extent *e)
{
	struct bin_copy copy;
	struct bin_slab s;
	const struct slab_geometry *g;
	struct found found;

	if (!arena_table_copy_slab(e, &s, &copy))
		return;
	g = &size_class_tables.slab[s.size_class];
	if ((uintptr_t)s.addr != addr &&
	    (addr != w->first || addr - (uintptr_t)s.addr >= g->slab_size))
		return;
	for (unsigned i = 0; i < g->nregions && !w->stopped; i++) {
		read_region(&found, &s, &copy, i, &w->cached);
		tell(w, &found);
	}
}

/* --- objects with pages of their own -------------------------------------- */

/*
 * Reads a large object that begins in the unit at `addr`; false: there is none.
 * Its owner may change all of this meanwhile. If it is read twice with the same
 * result, the object was there.
 */
static ROUGHLY bool
read_large(uintptr_t addr, struct extent *e, struct found *found)
{
	const void *unit = (const void *)addr;
	char *object = READ_RELAXED(e->object);
	struct walk_region *r = &found->region;

	r->addr = (uintptr_t)object;
	found->capacity = READ_RELAXED(e->usable);
	r->usize = opt.canary ? READ_RELAXED(e->asked) : found->capacity;
	r->arena = extent_arena(e);
	r->reserved = 0;
	atomic_thread_fence(memory_order_acquire);
	return pagemap_kind(unit) != KIND_NONE && pagemap_find(unit) == e &&
	    !READ_RELAXED(e->is_slab) &&
	    extent_is_at(e, EXTENT_ACTIVE, r->arena) && found->capacity != 0 &&
	    READ_RELAXED(e->object) == object && (r->addr ^ addr) < UNIT &&
	    READ_RELAXED(e->usable) == found->capacity;
}

static void
visit_large(struct walker *w, uintptr_t addr, struct extent *e)
{
	struct found found;
	struct walk_region *r = &found.region;

	if (!read_large(addr, e, &found))
		return;
	r->state = cached_has(&w->cached, r->addr) ? WALK_CACHED : WALK_LIVE;
	tell(w, &found);
}

static ROUGHLY bool
read_guarded(struct extent *e, struct found *found)
{
	const struct guard_slot *slot = container_of(e, struct guard_slot,
	    extent);
	char *object = guard_slot_object(slot);

	if (!guard_slot_is_live(slot))
		return false;
	found->region = (struct walk_region){ .addr = (uintptr_t)object,
		.usize = READ_RELAXED(slot->size),
		.state = WALK_LIVE };
	found->capacity = found->region.usize;
	atomic_thread_fence(memory_order_acquire);
	return guard_slot_is_live(slot) && guard_slot_object(slot) == object;
}

static void
visit_guarded(struct walker *w, struct extent *e)
{
	struct found found;

	if (read_guarded(e, &found))
		tell(w, &found);
}

/* --- free pages ----------------------------------------------------------- */

static ROUGHLY bool
read_free(uintptr_t addr, struct extent *e, struct walk_region *r)
{
	uint32_t place = atomic_load_explicit(&e->place, memory_order_acquire);

	*r = (struct walk_region){ .addr = addr,
		.state = WALK_EXTENTS,
		.usize = READ_RELAXED(e->size),
		.arena = place >> PLACE_STATE_BITS,
		.reserved = place & ((1u << PLACE_STATE_BITS) - 1) };
	atomic_thread_fence(memory_order_acquire);
	return r->reserved != EXTENT_ACTIVE && r->usize != 0 &&
	    pagemap_find((const void *)addr) == e &&
	    (uintptr_t)READ_RELAXED(e->addr) == addr &&
	    place == atomic_load_explicit(&e->place, memory_order_relaxed);
}

static void
visit_free(struct walker *w, uintptr_t addr, struct extent *e)
{
	struct found found;

	if (!read_free(addr, e, &found.region))
		return;
	found.capacity = found.region.usize;
	tell(w, &found);
}

/* --- the walk ------------------------------------------------------------- */

static ROUGHLY void
visit_unit(struct walker *w, uintptr_t addr)
{
	struct extent *e = pagemap_find((const void *)addr);
	uint16_t kind = pagemap_kind((const void *)addr);
	bool first;

	if (e == NULL)
		return;
	/* Each unit of a slab leads to its record. */
	first = (uintptr_t)READ_RELAXED(e->addr) == addr || addr == w->first;
	if (kind == KIND_NONE) {
		if ((w->walk->flags & WALK_EXTENTS) != 0)
			visit_free(w, addr, e);
	} else if (kind == KIND_GUARDED) {
		if (first)
			visit_guarded(w, e);
	} else if (READ_RELAXED(e->is_slab)) {
		if (first)
			visit_slab(w, addr, e);
	} else {
		visit_large(w, addr, e);
	}
}

/* Tests four kinds at once, because most of a leaf is empty. */
static bool
four_are_empty(const struct pagemap_leaf *leaf, size_t i)
{
	return i % 4 == 0 &&
	    __atomic_load_n((const uint64_t *)(const void *)&leaf->kind[i],
		__ATOMIC_RELAXED) == 0;
}

/*
 * Visits the units of one leaf from `addr` on; returns the address behind. That
 * may be one bit longer than a pointer.
 */
static uint64_t
visit_leaf(struct walker *w, const struct pagemap_leaf *leaf, uint64_t addr)
{
	bool all = (w->walk->flags & WALK_EXTENTS) != 0;
	size_t i = pagemap_index((uintptr_t)addr);

	while (i < PAGEMAP_LEAF_LEN && !w->stopped &&
	    (w->walk->hi == 0 || addr < w->walk->hi)) {
		if (!all && four_are_empty(leaf, i)) {
			i += 4;
			addr += 4 * UNIT;
			continue;
		}
		if (all ||
		    atomic_load_explicit(&leaf->kind[i],
			memory_order_relaxed) != KIND_NONE)
			visit_unit(w, (uintptr_t)addr);
		i++;
		addr += UNIT;
	}
	return addr;
}

static bool
is_done(const struct walker *w, uint64_t addr)
{
	return w->stopped || addr >> PAGEMAP_LG_SPACE != 0 ||
	    (w->walk->hi != 0 && addr >= w->walk->hi);
}

static void
visit_pages(struct walker *w)
{
	uint64_t addr = w->first;

	while (!is_done(w, addr)) {
		struct pagemap_leaf *leaf = pagemap_leaf((uintptr_t)addr);

		if (leaf != NULL)
			addr = visit_leaf(w, leaf, addr);
		else
			addr = ((addr >> PAGEMAP_LG_LEAF) + 1)
			    << PAGEMAP_LG_LEAF;
	}
}

static void
visit_metadata(struct walker *w)
{
	struct found found = { .region = { .state = WALK_INTERNAL } };
	struct walk_region *r = &found.region;
	const void *block = NULL;

	if ((w->walk->flags & WALK_INTERNAL) == 0)
		return;
	while (!w->stopped &&
	    (block = metadata_next(block, &r->usize)) != NULL) {
		w->told = 0; /* these come in no order */
		r->addr = (uintptr_t)block;
		found.capacity = r->usize;
		tell(w, &found);
	}
}

/* Is the caller inside a function that the program gave to the allocator? */
static bool
is_inside(void)
{
	return thread_self == &thread_away ||
	    (thread_is_own(thread_self) &&
		thread_self->tcache.guard.depth != 0);
}

enum walk_result
walk_run(const struct walk *walk, uint64_t *visited)
{
	struct walker w = { .walk = walk, .first = round_down(walk->lo, UNIT) };

	if (walk->version != WALK_VERSION || walk->report == NULL ||
	    (walk->flags & ~(2u * WALK_MERGE - 1)) != 0)
		return WALK_BAD;
	if (is_inside())
		return WALK_INSIDE;
	if (walk->size != 0)
		w.usize = options_class(walk->size, 1);
	/* If no class is so large, there is no such object. */
	if (w.usize == 0)
		w.usize = walk->size;
	if (!cached_take(&w.cached))
		return WALK_NO_MEMORY;
	visit_pages(&w);
	visit_metadata(&w);
	flush_run(&w);
	cached_end(&w.cached);
	*visited = w.visited;
	return WALK_DONE;
}

/* --- one address ---------------------------------------------------------- */

static bool
look_slab(uintptr_t addr, struct extent *e, struct cached *cached,
    struct found *found)
{
	const struct slab_geometry *g;
	struct bin_copy copy;
	struct bin_slab s;
	unsigned i;

	if (!arena_table_copy_slab(e, &s, &copy))
		return false;
	g = &size_class_tables.slab[s.size_class];
	i = (unsigned)((addr - (uintptr_t)s.addr) / g->region_size);
	if (addr < (uintptr_t)s.addr || i >= g->nregions)
		return false;
	read_region(found, &s, &copy, i, cached);
	return true;
}

/* Is `addr` in a large object, or in free pages? */
static ROUGHLY bool
look_extent(uintptr_t addr, struct cached *cached, struct found *found)
{
	struct extent *e = pagemap_find_any((const void *)addr);
	struct walk_region *r = &found->region;

	if (e == NULL)
		return false;
	if (extent_state(e) != EXTENT_ACTIVE)
		return read_free((uintptr_t)READ_RELAXED(e->addr), e, r);
	if (!read_large(round_down((uintptr_t)READ_RELAXED(e->object), UNIT), e,
		found) ||
	    addr < r->addr || addr - r->addr >= found->capacity)
		return false;
	r->state = cached_has(cached, r->addr) ? WALK_CACHED : WALK_LIVE;
	return true;
}

static bool
look(uintptr_t addr, struct cached *cached, struct found *found)
{
	const void *unit = (const void *)addr;
	struct extent *e = pagemap_find(unit);
	uint16_t kind = pagemap_kind(unit);

	if (kind == KIND_GUARDED)
		return e != NULL && read_guarded(e, found) &&
		    addr - found->region.addr < found->region.usize;
	if (kind != KIND_NONE && e != NULL && READ_RELAXED(e->is_slab))
		return look_slab(addr, e, cached, found);
	return look_extent(addr, cached, found);
}

enum walk_result
walk_look(uintptr_t addr, struct walk_region *region)
{
	struct cached cached;
	struct found found;

	if (is_inside())
		return WALK_INSIDE;
	if (!cached_take(&cached))
		return WALK_NO_MEMORY;
	if (look(addr, &cached, &found))
		*region = found.region;
	else
		*region = (struct walk_region){ .addr = addr,
			.state = metadata_contains((const void *)addr)
			    ? WALK_INTERNAL
			    : 0 };
	cached_end(&cached);
	return WALK_DONE;
}
