/*
 * What is mapped for an arena that has to find all it has, and where the memory
 * for that knowledge comes from. Part of page_source.h.
 *
 * A source made on functions of the program has its records in memory of
 * theirs, unless the program did not want it: the first block when it is made,
 * more when that is full. Each goes back to the functions that gave it. What
 * they refuse later, the library has itself, as for all other sources.
 */
#include "extent/extent_hooks.h"
#include "extent/metadata.h"
#include "extent/page_source.h"
#include "extent/pagemap.h"
#include "os/system.h"

#define HOOKED_MIN	((size_t)16 << 10)	/* bytes of the first block */
#define HOOKED_MAX	((size_t)2 << 20)
#define PIECE_SIZE	((size_t)1 << 10)	/* of metadata */

/* --- blocks ---------------------------------------------------------------- */

static struct region_block *
ask(struct extent_hooks *hooks, unsigned arena_index, size_t size)
{
	struct hooked_range range = { .hooks = hooks, .size = round_up(size,
	    system_info.page_size), .arena = arena_index };
	struct region_block *block;

	if (!extent_hooks_alloc_records(&range))
		return NULL;
	block = (struct region_block *)(void *)range.addr;
	block->hooks = hooks;
	block->size = range.size;
	return block;
}

struct region_block *
region_block_ask(struct extent_hooks *hooks, unsigned arena_index)
{
	return ask(hooks, arena_index, HOOKED_MIN);
}

void
region_block_give_back(struct region_block *block, unsigned arena_index)
{
	struct hooked_range range = { .hooks = block->hooks,
	    .addr = (char *)block, .size = block->size, .committed = true,
	    .arena = arena_index };

	if (range.hooks == NULL)
		metadata_give_piece(block, PIECE_SIZE);
	else if (range.hooks->destroy != NULL)
		extent_hooks_destroy(&range);
	else if (!extent_hooks_dalloc(&range) &&
	    !extent_hooks_decommit(&range))
		extent_hooks_purge_forced(&range);
}

void
page_source_use_block(struct page_source *source, struct region_block *block)
{
	regions_add_block(&source->regions, block);
}

static struct region_block *
take_piece(void)
{
	struct region_block *block = metadata_take_piece(PIECE_SIZE);

	if (block == NULL)
		return NULL;
	block->hooks = NULL;
	block->size = PIECE_SIZE;
	return block;
}

/* Functions that gave one are asked for as much again as there is. */
static struct region_block *
need_block(struct page_source *source, size_t given)
{
	struct extent_hooks *hooks = atomic_load_explicit(&source->hooks,
	    memory_order_acquire);
	struct region_block *block = NULL;

	if (given != 0 && hooks != &extent_hooks_default &&
	    !extent_hooks_inside())
		block = ask(hooks, source->arena_index, min_size(given,
		    HOOKED_MAX));
	return block != NULL ? block : take_piece();
}

void
page_source_give_blocks(struct page_source *source)
{
	struct region_block *block, *next;

	lock_acquire(&source->lock);
	block = regions_clear(&source->regions);
	lock_release(&source->lock);
	for (; block != NULL; block = next) {
		next = block->next;
		region_block_give_back(block, source->arena_index);
	}
}

/* --- ranges ---------------------------------------------------------------- */

bool
page_source_lock_to_map(struct page_source *source)
{
	struct region_block *block;
	size_t given;

	while (page_source_lock_with_spares(source)) {
		if (!source->track_regions ||
		    likely(regions_have_room(&source->regions)))
			return true;
		given = source->regions.given;
		lock_release(&source->lock);
		block = need_block(source, given);
		if (block == NULL)
			return false;
		lock_acquire(&source->lock);
		regions_add_block(&source->regions, block);
		lock_release(&source->lock);
	}
	return false;
}

void
page_source_expect_locked(struct page_source *source)
{
	LOCK_ASSERT_HELD(&source->lock);
	if (source->track_regions)
		regions_expect(&source->regions);
}

void
page_source_mapped_locked(struct page_source *source, char *addr, size_t size)
{
	LOCK_ASSERT_HELD(&source->lock);
	ADD_RELAXED(source->mapped, size);
	if (source->track_regions)
		regions_settle(&source->regions, addr, size, true);
}

void
page_source_not_mapped_locked(struct page_source *source)
{
	LOCK_ASSERT_HELD(&source->lock);
	if (source->track_regions)
		regions_settle(&source->regions, NULL, 0, false);
}

bool
page_source_leave(struct page_source *source, struct extent *e)
{
	if (source->track_regions) {
		if (!page_source_lock_to_map(source))
			return false;
		regions_lift(&source->regions, e->addr, e->size);
		lock_release(&source->lock);
	}
	pagemap_forget_ends(e);
	return true;
}

void
page_source_stay(struct page_source *source, const struct extent *e, bool gone)
{
	if (!source->track_regions)
		return;
	lock_acquire(&source->lock);
	regions_settle(&source->regions, e->addr, e->size, !gone);
	lock_release(&source->lock);
}
