#include "arena/large.h"

#include <stdatomic.h>
#include <string.h>

#include "arena/wipe.h"
#include "conf/options.h"
#include "extent/pagemap.h"
#include "os/dss.h"
#include "os/pages.h"
#include "os/system.h"
#include "pages/page_source.h"

void
large_init(struct large *large)
{
	memset(large, 0, sizeof(*large));
	lock_init(&large->lock, LOCK_LARGE);
}

unsigned
large_class_of(size_t usable)
{
	/*
	 * An object with pages of its own may be small if it is a sample; it
	 * counts in the first class.
	 */
	return usable <= SMALL_MAX ? 0 : size_class_of(usable) - SMALL_CLASSES;
}

static void
count_taken(struct large *large, size_t usable, bool fill)
{
	struct large_class_stats *stats =
	    &large->classes[large_class_of(usable)];

	lock_acquire(&large->lock);
	ADD_RELAXED(large->allocated, usable);
	stats->nmalloc++;
	stats->nfills += fill;
	lock_release(&large->lock);
}

static void
count_given(struct large *large, size_t usable)
{
	lock_acquire(&large->lock);
	ADD_RELAXED(large->allocated, -usable);
	large->classes[large_class_of(usable)].ndalloc++;
	lock_release(&large->lock);
}

void
large_count_guarded(struct large *large, size_t usable, bool taken)
{
	if (taken)
		count_taken(large, usable, false);
	else
		count_given(large, usable);
}

struct extent *
large_find(const void *object)
{
	struct extent *e = pagemap_find(object);

	if (unlikely(e == NULL || e->is_slab ||
	    extent_state(e) != EXTENT_ACTIVE || e->object != object))
		return NULL;
	return e;
}

static uint16_t
kind_of(const struct large_request *request)
{
	return request->cached && request->usable <= CACHED_MAX &&
	    !opt.checked ?
	    kind_of_bin(cache_bin_of_large(request->usable)) : KIND_LARGE;
}

/* --- guards ----------------------------------------------------------- */

/* Each guard is a mapping, and the kernel limits their number. */
#define GUARDS_MAX 12000

static _Atomic uint64_t unguarded;
static _Atomic unsigned nguards;

uint64_t
large_unguarded(void)
{
	return atomic_load_explicit(&unguarded, memory_order_relaxed);
}

static bool
may_protect(const struct page_source *pages, const struct extent *e)
{
	return page_source_is_plain(pages) && e->pageslab == NULL;
}

/* Makes the pages around the object of a new extent guards, or none of them. */
static void
set_guards(const struct page_source *pages, struct extent *e)
{
	size_t page = system_info.page_size;

	e->guarded = e->sealed = false;
	if (!opt.guard_large)
		return;
	if (may_protect(pages, e) && atomic_fetch_add_explicit(&nguards, 1,
	    memory_order_relaxed) < GUARDS_MAX) {
		e->guarded = pages_forbid(extent_end(e) - page, page) &&
		    (e->object == e->addr || pages_forbid(e->addr, page));
		if (e->guarded)
			return;
		/* The kernel may have done a part of it. */
		pages_allow(e->addr, e->size);
	}
	if (may_protect(pages, e))
		atomic_fetch_sub_explicit(&nguards, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&unguarded, 1, memory_order_relaxed);
}

/* Makes all pages usable again. False: the kernel refuses. */
static bool
lift_guards(struct extent *e)
{
	if (likely(!e->guarded && !e->sealed))
		return true;
	if (!pages_allow(e->addr, e->size))
		return false;
	if (e->guarded)
		atomic_fetch_sub_explicit(&nguards, 1, memory_order_relaxed);
	e->guarded = e->sealed = false;
	return true;
}

/*
 * The extent has grown, so its guard at the end has to move there. If the
 * kernel refuses, the object is without one. False: it can't grow.
 */
static bool
move_guard(struct extent *e, char *old_end)
{
	size_t page = system_info.page_size;

	if (!e->guarded)
		return true;
	if (!pages_allow(old_end - page, page))
		return false;
	if (!pages_forbid(extent_end(e) - page, page))
		atomic_fetch_add_explicit(&unguarded, 1, memory_order_relaxed);
	return true;
}

void
large_wipe(const struct page_source *pages, struct extent *e, bool hold)
{
	size_t size = round_up(e->usable, system_info.page_size);
	bool seal = hold && opt.guard_large;

	/* In what can't be touched nobody sees whether there is junk. */
	if (e->usable < LARGE_PURGED_MIN || !may_protect(pages, e) ||
	    (opt.junk_free && !seal) || !pages_purge_forced(e->object, size)) {
		if (wipe_is_on())
			wipe(e->object, e->usable);
		return;
	}
	if (!seal)
		return;
	e->sealed = pages_forbid(e->object, size);
	if (!e->sealed)
		pages_allow(e->object, size);
}

/* --- objects ---------------------------------------------------------- */

/* The page map shall know where the object starts: behind a guard, if any. */
static void
enter(struct extent *e)
{
	bool inside = e->object != e->addr;

	pagemap_set_ends(e, inside ? KIND_NONE : e->kind);
	if (inside)
		pagemap_set_inside(e->object, e, e->kind);
}

struct extent *
large_take(struct large *large, struct page_source *pages,
    const struct large_request *request)
{
	size_t page = system_info.page_size;
	size_t size = round_up(request->usable, page);
	struct extent *e;
	size_t before = 0;	/* bytes of the guard before the object */

	if (opt.guard_large) {
		before = request->align <= page ? page : 0;
		size += before + page;
	}
	e = page_source_take(pages, size, max_size(request->align, page));
	if (e == NULL)
		return NULL;
	e->is_slab = false;
	e->object = e->addr + before;
	e->usable = request->usable;
	e->sample = NULL;
	set_guards(pages, e);
	e->kind = kind_of(request);
	enter(e);
	if (request->zero && !e->zeroed)
		memset(e->object, 0, e->usable);
	count_taken(large, e->usable, request->fill);
	return e;
}

void
large_hide(struct extent *e)
{
	if (e->object == e->addr)
		pagemap_set_kind(e, KIND_NONE);
	else
		pagemap_set_inside(e->object, e, KIND_NONE);
}

static void
give_pages(struct large *large, struct page_source *pages, struct extent *e)
{
	if (unlikely(!lift_guards(e))) {
		lock_acquire(&large->lock);
		e->usable = 0;
		e->next = large->stuck;
		large->stuck = e;
		lock_release(&large->lock);
		return;
	}
	if (unlikely(e->object != e->addr))
		pagemap_set_inside(e->object, NULL, KIND_NONE);
	page_source_give(pages, e);
}

void
large_give_stuck(struct large *large, struct page_source *pages)
{
	struct extent *chain;

	lock_acquire(&large->lock);
	chain = large->stuck;
	large->stuck = NULL;
	lock_release(&large->lock);
	while (chain != NULL) {
		struct extent *next = chain->next;

		give_pages(large, pages, chain);
		chain = next;
	}
}

void
large_give(struct large *large, struct page_source *pages, struct extent *e)
{
	/* Otherwise it is one of those that were stuck, in a reset. */
	if (e->usable != 0)
		count_given(large, e->usable);
	give_pages(large, pages, e);
}

bool
large_resize(struct large *large, struct page_source *pages, struct extent *e,
    const struct large_request *request)
{
	size_t size = round_up(request->usable, system_info.page_size);
	size_t old_usable = e->usable;
	char *old_end = extent_end(e), *dirty_end;
	bool zeroed = false;

	if (opt.guard_large) {
		size += (size_t)(e->object - e->addr) + system_info.page_size;
		/* Then a guard would have to be in what is used now. */
		if (size < e->size)
			return false;
	}
	if (size > e->size && (!page_source_extend(pages, e, size, &zeroed) ||
	    !move_guard(e, old_end)))
		return false;
	if (size < e->size && !page_source_trim(pages, e, size))
		return false;
	if (request->zero && request->usable > old_usable) {
		dirty_end = e->object + request->usable;
		/*
		 * Even if the new pages are zero, the bytes up to the old end
		 * may have contents.
		 */
		if (zeroed && dirty_end > old_end)
			dirty_end = old_end;
		memset(e->object + old_usable, 0,
		    (size_t)(dirty_end - (e->object + old_usable)));
	}
	e->usable = request->usable;
	e->kind = kind_of(request);
	enter(e);
	count_given(large, old_usable);
	count_taken(large, e->usable, false);
	return true;
}

bool
large_move(struct large *large, struct page_source *pages,
    struct extent *from, struct extent *to)
{
	size_t length = round_up(min_size(from->usable, to->usable),
	    system_info.page_size);

	if (!page_source_is_plain(pages) ||
	    from->pageslab != NULL || to->pageslab != NULL ||
	    dss_contains(from->addr) || dss_contains(to->addr) ||
	    !pages_move(from->object, to->object, length))
		return false;
	count_given(large, from->usable);
	if (wipe_is_on() && length < from->usable)
		memset(from->object + length, 0, from->usable - length);
	if (from->size == length)
		page_source_give_retained(pages, from);
	else
		give_pages(large, pages, from);
	return true;
}
