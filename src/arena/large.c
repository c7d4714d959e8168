#include "arena/large.h"

#include <string.h>

#include "arena/canary.h"
#include "arena/wipe.h"
#include "conf/options.h"
#include "extent/pagemap.h"
#include "os/dss.h"
#include "os/pages.h"
#include "os/system.h"
#include "pages/guards.h"
#include "pages/page_source.h"

AT_START void
large_init(struct large *large)
{
	lock_init_zeroed(&large->lock, LOCK_LARGE);
}

unsigned
large_class_of(size_t usable)
{
	/*
	 * A sample with pages of its own may be small; it counts in the first
	 * class.
	 */
	return usable <= SMALL_MAX ? 0 : size_class_of(usable) - SMALL_CLASSES;
}

void
large_count_taken(struct large *large, size_t usable, bool fill)
{
	struct large_class_stats *stats =
	    &large->classes[large_class_of(usable)];

	lock_acquire(&large->lock);
	ADD_RELAXED(large->allocated, usable);
	stats->nmalloc++;
	stats->nfills += fill;
	lock_release(&large->lock);
}

void
large_count_given(struct large *large, size_t usable)
{
	lock_acquire(&large->lock);
	ADD_RELAXED(large->allocated, -usable);
	large->classes[large_class_of(usable)].ndalloc++;
	lock_release(&large->lock);
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

static bool
has_room(const struct extent *e)
{
	return !opt.guard_large &&
	    e->size > round_up(e->usable, system_info.page_size);
}

/* A cache would hand the room on to an object that does not need it. */
static uint16_t
kind_of(const struct extent *e, const struct large_request *request)
{
	return request->cached && request->usable <= CACHED_MAX &&
		!opt.checked && !has_room(e)
	    ? kind_of_bin(cache_bin_of_large(request->usable))
	    : KIND_LARGE;
}

/* --- freed objects ---------------------------------------------------- */

size_t
large_wiped(const struct extent *e)
{
	return opt.canary ? canary_end(e->asked, e->usable) : e->usable;
}

void
large_wipe(const struct page_source *pages, struct extent *e, bool hold)
{
	bool may = e->usable >= LARGE_SEALED_MIN &&
	    guards_may_protect(pages, e);

	/* A sealed object need not be wiped: nobody can read it. */
	if (may && hold && opt.guard_large && guards_seal(e))
		return;
	if (wipe_is_on() &&
	    (!may || opt.junk_free ||
		!pages_purge_forced(e->object,
		    round_up(e->usable, system_info.page_size))))
		wipe_long(e->object, large_wiped(e));
}

/* --- objects ---------------------------------------------------------- */

/*
 * Enters the start of the object into the page map. It is behind the guard, if
 * any.
 */
static void
enter(struct extent *e)
{
	bool inside = e->object != e->addr;

	pagemap_set_ends(e, inside ? KIND_NONE : e->kind);
	if (inside)
		pagemap_set_unit(e->object, e, e->kind);
}

static void
give_pages(struct page_source *pages, struct extent *e)
{
	if (unlikely(e->guarded || e->sealed || e->object != e->addr) &&
	    guards_keep(pages, e))
		return;
	page_source_give(pages, e);
}

/*
 * Takes a freed object of that size, with its guards. A sealed object was not
 * wiped when it was freed, so it is wiped now.
 */
static struct extent *
take_kept(struct page_source *pages, const struct large_request *request,
    size_t size, size_t before)
{
	struct extent *e = guards_take(pages, size, before, request->align);
	size_t wiped = opt.canary ? request->asked : request->usable;

	if (e == NULL || !e->sealed)
		return e;
	if (unlikely(!guards_unseal(e))) {
		give_pages(pages, e);
		return NULL;
	}
	if (!wipe_is_on() || request->zero || wiped <= request->moved)
		return e;
	if (opt.junk_free) {
		wipe_long(e->object + request->moved, wiped - request->moved);
		e->zeroed = false;
	} else if (!e->zeroed) {
		large_clear(pages, e, request->moved, wiped);
	}
	return e;
}

/* New pages, with guards around them. */
static struct extent *
take_guarded(struct page_source *pages, const struct large_request *request)
{
	size_t page = system_info.page_size;
	size_t size = round_up(request->usable, page) + page;
	/*
	 * If the alignment is above a page, there is no guard before the
	 * object.
	 */
	size_t before = request->align <= page ? page : 0;
	struct extent *e = take_kept(pages, request, size + before, before);

	if (e == NULL) {
		e = page_source_take(pages, size + before,
		    max_size(request->align, page));
		if (e == NULL)
			return NULL;
		e->object = e->addr + before;
		guards_set(pages, e);
	}
	return e;
}

static struct extent *
take_pages(struct page_source *pages, const struct large_request *request)
{
	size_t page = system_info.page_size;
	size_t size = round_up(request->usable, page);
	size_t align = max_size(request->align, page);
	struct extent *e = NULL;

	if (unlikely(request->room != 0))
		e = page_source_take(pages,
		    size + round_up(request->room, page), align);
	if (e == NULL)
		e = page_source_take(pages, size, align);
	if (e == NULL)
		return NULL;
	e->object = e->addr;
	e->guarded = e->sealed = false;
	return e;
}

void
large_clear(struct page_source *pages, const struct extent *e, size_t from,
    size_t to)
{
	size_t page = system_info.page_size;
	size_t first = min_size(round_up(from, page), to);
	size_t last = max_size(round_down(to, page), first);

	/* Objects begin at pages. */
	if (likely(last - first < opt.calloc_madvise_threshold) ||
	    !page_source_clear(pages, e, e->object + first, last - first))
		first = last = to;
	memset(e->object + from, 0, first - from);
	memset(e->object + last, 0, to - last);
}

struct extent *
large_take(struct large *large, struct page_source *pages,
    const struct large_request *request)
{
	struct extent *e = unlikely(opt.guard_large)
	    ? take_guarded(pages, request)
	    : take_pages(pages, request);

	if (e == NULL)
		return NULL;
	e->is_slab = false;
	e->usable = request->usable;
	e->sample = NULL;
	e->kind = kind_of(e, request);
	enter(e);
	if (request->zero && !e->zeroed)
		large_clear(pages, e, 0,
		    opt.canary ? request->asked : e->usable);
	large_count_taken(large, e->usable, request->fill);
	return e;
}

void
large_hide(struct extent *e)
{
	pagemap_set_unit(e->object, e, KIND_NONE);
}

void
large_give(struct large *large, struct page_source *pages, struct extent *e)
{
	large_count_given(large, e->usable);
	give_pages(pages, e);
}

bool
large_resize(struct large *large, struct page_source *pages, struct extent *e,
    const struct large_request *request)
{
	size_t size = round_up(request->usable, system_info.page_size);
	size_t old_usable = e->usable;
	char *old_end = extent_end(e);
	size_t dirty_end = request->usable;
	bool zeroed = false;

	if (opt.guard_large) {
		size += (size_t)(e->object - e->addr) + system_info.page_size;
		/*
		 * If it shrank, the guard would have to be where the object
		 * was.
		 */
		if (size < e->size)
			return false;
	}
	if (size > e->size && !page_source_extend(pages, e, size, &zeroed))
		return false;
	if (request->usable > old_usable && !guards_move(e))
		return false;
	/* An object that grows keeps the room that is left. */
	if (size < e->size && request->usable < old_usable &&
	    !page_source_trim(pages, e, size))
		return false;
	if (request->zero && request->usable > old_usable) {
		/*
		 * Even if the new pages are zero, the bytes up to the old end
		 * may not be.
		 */
		if (zeroed)
			dirty_end = min_size(dirty_end,
			    (size_t)(old_end - e->object));
		large_clear(pages, e, old_usable, dirty_end);
	}
	e->usable = request->usable;
	e->kind = kind_of(e, request);
	enter(e);
	large_count_given(large, old_usable);
	large_count_taken(large, e->usable, false);
	return true;
}

bool
large_move(struct large *large, struct page_source *pages, struct extent *from,
    struct extent *to)
{
	size_t length = round_up(min_size(from->usable, to->usable),
	    system_info.page_size);

	if (!page_source_is_plain(pages) || from->pageslab != NULL ||
	    to->pageslab != NULL || dss_contains(from->addr) ||
	    dss_contains(to->addr) ||
	    !pages_move(from->object, to->object, length))
		return false;
	large_count_given(large, from->usable);
	if (wipe_is_on() && length < from->usable)
		memset(from->object + length, 0, from->usable - length);
	/* What lies behind these pages was not moved, so it is dirty. */
	if (from->size == length ||
	    (!opt.guard_large && page_source_trim(pages, from, length)))
		page_source_give_retained(pages, from);
	else
		give_pages(pages, from);
	return true;
}
