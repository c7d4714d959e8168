/*
 * Between a page source and its huge pages. Part of page_source.h.
 *
 * A pageslab is an extent like others, taken from the pools or newly mapped;
 * it counts as `packed` instead of active, less the bytes that were cut of it.
 */
#include "extent/huge_cache.h"
#include "extent/page_source.h"
#include "extent/pagemap.h"
#include "os/pages.h"
#include "os/system.h"

/* `size` bytes of pageslabs are handed out; or come back, below zero. */
static void
count(struct page_source *source, size_t size)
{
	lock_acquire(&source->lock);
	page_source_count_active_locked(source, size);
	ADD_RELAXED(source->packed, -size);
	lock_release(&source->lock);
}

static struct extent *
backing_take(void *context, size_t size)
{
	struct page_source *source = context;
	bool plain;
	struct extent *e = page_source_take_apart(source, size, size, &plain);

	if (e != NULL)
		count(source, -size);
	return e;
}

/* It has no contents, so without `retain` it only has to wait to be unmapped. */
static void
backing_give(void *context, struct extent *e)
{
	struct page_source *source = context;
	/* What came locked is in memory though nobody has touched it. */
	bool retained = e->zeroed && source->retain &&
	    page_source_is_plain(source) && !pages_come_locked();

	count(source, e->size);
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

size_t
packed_unused(const struct page_source *source)
{
	/* What may stay for ever, being little, is not waiting. */
	return huge_pages_too_dirty(&source->huge->shard) +
	    huge_cache_bytes(source->huge);
}

struct extent *
packed_take(struct page_source *source, size_t size)
{
	struct extent *e;

	if (unlikely(!page_source_is_plain(source)))
		return NULL;
	e = huge_cache_take(source->huge, size);
	if (e != NULL)
		count(source, size);
	return e;
}

void
packed_give(struct page_source *source, struct extent *e)
{
	/* Nothing may lead to it: its record becomes another's. */
	pagemap_forget_ends(e);
	e->is_slab = false;
	count(source, -e->size);
	huge_cache_give(source->huge, e);
}

bool
packed_extend(struct page_source *source, struct extent *e, size_t size,
    bool *zeroed)
{
	size_t old = e->size;

	bool extended;

	pagemap_forget_ends(e);
	extended = huge_pages_extend(&source->huge->shard, e, size, zeroed);
	pagemap_set_ends(e, e->kind);
	if (extended)
		count(source, size - old);
	return extended;
}

void
packed_trim(struct page_source *source, struct extent *e, size_t size)
{
	size_t old = e->size;

	pagemap_forget_ends(e);
	huge_pages_trim(&source->huge->shard, e, size);
	count(source, size - old);
	pagemap_set_ends(e, e->kind);
}
