#include "arena/large.h"

#include <string.h>

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
	    opt.safety != SAFETY_FULL ?
	    kind_of_bin(cache_bin_of_large(request->usable)) : KIND_LARGE;
}

struct extent *
large_take(struct large *large, struct page_source *pages,
    const struct large_request *request)
{
	size_t page = system_info.page_size;
	size_t size = round_up(request->usable, page);
	struct extent *e = page_source_take(pages, size,
	    max_size(request->align, page));

	if (e == NULL)
		return NULL;
	e->is_slab = false;
	e->object = e->addr;
	e->usable = request->usable;
	e->sample = NULL;
	e->kind = kind_of(request);
	pagemap_set_ends(e, e->kind);
	if (request->zero && !e->zeroed)
		memset(e->object, 0, e->usable);
	count_taken(large, e->usable, request->fill);
	return e;
}

void
large_give(struct large *large, struct page_source *pages, struct extent *e)
{
	count_given(large, e->usable);
	page_source_give(pages, e);
}

bool
large_resize(struct large *large, struct page_source *pages, struct extent *e,
    const struct large_request *request)
{
	size_t size = round_up(request->usable, system_info.page_size);
	size_t old_usable = e->usable;
	char *old_end = extent_end(e), *dirty_end;
	bool zeroed = false;

	if (size > e->size && !page_source_extend(pages, e, size, &zeroed))
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
	pagemap_set_kind(e, e->kind);
	count_given(large, old_usable);
	count_taken(large, e->usable, false);
	return true;
}

bool
large_move(struct large *large, struct page_source *pages,
    struct extent *from, struct extent *to)
{
	if (!page_source_is_plain(pages) ||
	    from->pageslab != NULL || to->pageslab != NULL ||
	    dss_contains(from->addr) || dss_contains(to->addr) ||
	    from->object != from->addr || to->object != to->addr ||
	    !pages_move(from->addr, to->addr, min_size(from->size, to->size)))
		return false;
	count_given(large, from->usable);
	if (from->size <= to->size)
		page_source_give_retained(pages, from);
	else
		page_source_give(pages, from);
	return true;
}
