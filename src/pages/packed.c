#include "pages/packed.h"

#include "extent/pagemap.h"
#include "huge/huge_cache.h"
#include "pages/pools.h"

void
packed_count(struct page_source *source, size_t size)
{
	lock_acquire(&source->lock);
	pools_count_active_locked(source, size);
	ADD_RELAXED(source->packed, -size);
	lock_release(&source->lock);
}

size_t
packed_unused(const struct page_source *source)
{
	/* A few dirty pages may stay for ever; these do not count. */
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
		packed_count(source, size);
	return e;
}

void
packed_give(struct page_source *source, struct extent *e)
{
	/*
	 * No page map entry may lead to the record: it will be used for
	 * another extent.
	 */
	pagemap_forget_ends(e);
	e->is_slab = false;
	packed_count(source, -e->size);
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
		packed_count(source, size - old);
	return extended;
}

void
packed_trim(struct page_source *source, struct extent *e, size_t size)
{
	size_t old = e->size;

	pagemap_forget_ends(e);
	huge_pages_trim(&source->huge->shard, e, size);
	packed_count(source, size - old);
	pagemap_set_ends(e, e->kind);
}
