#include "pages/growth.h"

#include "conf/options.h"
#include "extent/limit.h"
#include "extent/pagemap.h"
#include "os/dss.h"
#include "os/pages.h"
#include "os/system.h"
#include "pages/mapped.h"
#include "pages/pools.h"

#define GROW_STEP_MAX ((size_t)64 << 20)
/*
 * Some kernels use huge pages wherever they can. A source asks them not to for
 * its first bytes: only a small part of the last huge page of a source is used,
 * and a process may have many small sources. A step that ends beyond this many
 * bytes is for a large heap, or for a large object.
 */
#define HUGE_FROM   ((size_t)16 << 20)
#define SPARE_STEPS 8 /* kept from sources that have ended */

static struct {
	_Atomic(char *) step[SPARE_STEPS]; /* of GROW_STEP_MIN bytes */
} spare;

/* The value of a reserved place that has no step yet. */
#define RESERVED ((char *)&spare)

char *
growth_left_step(void)
{
	for (unsigned i = 0; i < SPARE_STEPS; i++) {
		char *step = atomic_load_explicit(&spare.step[i],
		    memory_order_relaxed);

		if (step != NULL && step != RESERVED &&
		    atomic_compare_exchange_strong_explicit(&spare.step[i],
			&step, NULL, memory_order_acquire,
			memory_order_relaxed))
			return step;
	}
	return NULL;
}

_Atomic(char *) *
growth_reserve_place(void)
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

void
growth_leave_step(_Atomic(char *) *place, char *step)
{
	atomic_store_explicit(place, step, memory_order_release);
}

size_t
growth_step_locked(const struct page_source *source, size_t need)
{
	size_t step = source->retain
	    ? min_size(source->grow_step, source->grow_limit)
	    : 0;

	return round_up(max_size(need, step), system_info.page_size);
}

void
growth_stepped_locked(struct page_source *source, size_t size)
{
	if (size >= source->grow_step)
		source->grow_step = min_size(source->grow_step +
			round_up(source->grow_step / 4, system_info.page_size),
		    GROW_STEP_MAX);
}

/* A step that is wanted, and the result. */
struct growth {
	size_t need, size; /* bytes: at least needed; mapped */
	char *addr;
	bool in_memory; /* is in memory, and the limit counts it */
};

/*
 * After mlockall(MCL_FUTURE) each new mapping is in memory at once. So a step
 * must not be larger than needed, and counts against the limit before it is
 * mapped. The library learns of mlockall() only from the first step that is
 * locked. That step is already mapped, so this tries to purge it, and counts it
 * if that fails.
 */
static void
settle_locked_memory(struct growth *g, bool expected)
{
	g->in_memory = expected || !pages_purge_forced(g->addr, g->size);
	if (g->in_memory && !expected)
		limit_add(g->size);
}

/*
 * Maps g->size bytes. If the kernel refuses, tries half as many again and
 * again, down to g->need.
 */
static void
map_step(const struct page_source *source, struct growth *g)
{
	enum dss precedence = (enum dss)atomic_load_explicit(&source->dss,
	    memory_order_relaxed);
	size_t page = system_info.page_size;
	bool expected = pages_come_locked();

	if (unlikely(expected)) {
		if (!limit_take(g->need))
			return;
		g->size = g->need;
	}
	if (unlikely(precedence == DSS_PRIMARY))
		g->addr = dss_take(g->size);
	while (g->addr == NULL) {
		g->addr = pages_map(g->size, page);
		if (g->size == g->need)
			break;
		if (g->addr == NULL)
			g->size = max_size(round_down(g->size / 2, page),
			    g->need);
	}
	if (g->addr == NULL && precedence == DSS_SECONDARY)
		g->addr = dss_take(g->size);
	if (g->addr != NULL && !pagemap_reserve(g->addr, g->size)) {
		/*
		 * The page map has no room for it. Memory from sbrk can't be
		 * returned, but nobody has touched it: only address space is
		 * lost.
		 */
		if (!dss_contains(g->addr))
			pages_unmap(g->addr, g->size);
		g->addr = NULL;
	}
	if (g->addr != NULL && unlikely(pages_are_locked(g->addr)))
		settle_locked_memory(g, expected);
	else if (unlikely(expected))
		limit_give(g->need);
}

static void
advise_growth(const struct page_source *source, const struct growth *g)
{
	if (source->want_huge)
		pages_want_huge(g->addr, g->size);
	else if (source->refuse_huge ||
	    (source->small_at_first &&
		READ_RELAXED(source->mapped) + g->size <= HUGE_FROM))
		pages_refuse_huge(g->addr, g->size);
}

/*
 * Gives back what lies before and behind the aligned piece of `size` bytes. If
 * the kernel refuses, all stays.
 */
static void
trim_to(struct growth *g, size_t size, size_t align)
{
	size_t lead = lead_to(g->addr, align);

	if (g->size != g->need || g->in_memory || dss_contains(g->addr))
		return;
	if (lead != 0) {
		if (!pages_unmap(g->addr, lead))
			return;
		g->addr += lead;
		g->size -= lead;
	}
	if (g->size > size && pages_unmap(g->addr + size, g->size - size))
		g->size = size;
}

bool
growth_run(struct page_source *source, size_t size, size_t align, bool trim)
{
	size_t need = size + align - system_info.page_size;
	struct growth g = { .need = need };
	/*
	 * Get the records first: if there are none, nothing is mapped yet that
	 * would have to be undone.
	 */
	struct extent *e = mapped_lock_for_new(source);
	bool fresh;

	if (e == NULL)
		return false;
	g.size = growth_step_locked(source, need);
	if (source->track_regions && g.size == GROW_STEP_MIN)
		g.addr = growth_left_step();
	lock_release(&source->lock);
	fresh = g.addr == NULL;
	if (fresh)
		map_step(source, &g);
	if (g.addr == NULL) {
		mapped_came_not(source, e);
		return false;
	}
	if (trim && fresh && !source->retain)
		trim_to(&g, size, align);
	advise_growth(source, &g);
	lock_acquire(&source->lock);
	mapped_came_locked(source, e, g.addr, g.size);
	e->zeroed = fresh;
	e->decommitted = false;
	e->hidden = false;
	/* It is not an extent that was just freed, so it may be cut at once. */
	e->freed_at = source->takes - FRESH_TAKES;
	growth_stepped_locked(source, g.size);
	if (unlikely(g.in_memory))
		pools_insert_locked(source, e, EXTENT_DIRTY);
	else
		pools_retain_locked(source, e);
	lock_release(&source->lock);
	return true;
}
