#include "pages/mapped.h"

#include "extent/extent_hooks.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/system.h"
#include "pages/pools.h"

#define HOOKED_MAX ((size_t)2 << 20)
#define PIECE_SIZE ((size_t)1 << 10) /* of metadata */

/* --- blocks --------------------------------------------------------------- */

struct region_block *
mapped_ask_block(struct extent_hooks *hooks, unsigned arena_index, size_t size)
{
	struct hooked_range range = { .hooks = hooks,
		.size = round_up(size, system_info.page_size),
		.arena = arena_index };
	struct region_block *block;

	if (!extent_hooks_alloc_records(&range))
		return NULL;
	block = (struct region_block *)(void *)range.addr;
	block->hooks = hooks;
	block->size = range.size;
	return block;
}

static void
give_block(struct region_block *block, unsigned arena_index)
{
	struct hooked_range range = { .hooks = block->hooks,
		.addr = (char *)block,
		.size = block->size,
		.committed = true,
		.arena = arena_index };

	/*
	 * The arena is being destroyed, so `destroy` comes first. Without that
	 * hook the block is handled as a free extent: if the hooks do not take
	 * it back, at least its pages should leave memory.
	 */
	if (range.hooks == NULL)
		metadata_give_piece(block, PIECE_SIZE);
	else if (range.hooks->destroy != NULL)
		extent_hooks_destroy(&range);
	else if (!extent_hooks_dalloc(&range) && !extent_hooks_decommit(&range))
		extent_hooks_purge_forced(&range);
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

/*
 * If the hooks have given `given` bytes so far, they are asked for as many
 * again. So the number of blocks stays small, however many ranges there are.
 * Hooks that gave nothing are not asked. A call from inside a hook must not
 * call a hook, either.
 */
static struct region_block *
need_block(struct page_source *source, size_t given)
{
	struct extent_hooks *hooks = atomic_load_explicit(&source->hooks,
	    memory_order_acquire);
	struct region_block *block = NULL;

	if (given != 0 && hooks != &extent_hooks_default &&
	    !extent_hooks_inside())
		block = mapped_ask_block(hooks, source->arena_index,
		    min_size(given, HOOKED_MAX));
	return block != NULL ? block : take_piece();
}

void
mapped_give_blocks(struct page_source *source)
{
	struct region_block *block, *next;

	lock_acquire(&source->lock);
	block = regions_clear(&source->regions);
	lock_release(&source->lock);
	for (; block != NULL; block = next) {
		next = block->next;
		give_block(block, source->arena_index);
	}
}

/* --- ranges --------------------------------------------------------------- */

/*
 * Locks the source with two spare records, and with room to note one change of
 * its ranges; false: there is no memory for that, it is not locked.
 */
static bool
mapped_lock(struct page_source *source)
{
	struct region_block *block;
	size_t given;

	/*
	 * The lock can't be held while memory is fetched, because that may call
	 * a hook. So fetch it without the lock, and look again afterwards:
	 * another thread may have used it.
	 */
	while (pools_lock_with_spares(source)) {
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

struct extent *
mapped_lock_for_new(struct page_source *source)
{
	if (!mapped_lock(source))
		return NULL;
	if (source->track_regions)
		regions_expect(&source->regions);
	return spare_records_take(&source->spares);
}

void
mapped_came_locked(struct page_source *source, struct extent *e, char *addr,
    size_t size)
{
	LOCK_ASSERT_HELD(&source->lock);
	ADD_RELAXED(source->mapped, size);
	if (source->track_regions)
		regions_settle(&source->regions, addr, size, true);
	SET_RELAXED(e->addr, addr);
	e->size = size;
}

void
mapped_came_not(struct page_source *source, struct extent *e)
{
	lock_acquire(&source->lock);
	spare_records_give(&source->spares, e);
	if (source->track_regions)
		regions_settle(&source->regions, NULL, 0, false);
	lock_release(&source->lock);
}

bool
mapped_leave(struct page_source *source, struct extent *e)
{
	if (source->track_regions) {
		if (!mapped_lock(source))
			return false;
		regions_lift(&source->regions, e->addr, e->size);
		lock_release(&source->lock);
	}
	pagemap_forget_ends(e);
	return true;
}

void
mapped_stay(struct page_source *source, const struct extent *e, bool gone)
{
	if (!source->track_regions)
		return;
	lock_acquire(&source->lock);
	regions_settle(&source->regions, e->addr, e->size, !gone);
	lock_release(&source->lock);
}
