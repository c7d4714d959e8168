#include "pages/regions.h"

#include <assert.h>
#include <stdint.h>

static bool
region_before(const struct tree_node *a, const struct tree_node *b)
{
	return container_of(a, struct region, node)->addr <
	    container_of(b, struct region, node)->addr;
}

static struct region *
region_of(struct tree_node *node)
{
	return node == NULL ? NULL : container_of(node, struct region, node);
}

/* --- records ------------------------------------------------------------- */

static size_t
uncut(const struct regions *regions)
{
	return (size_t)(regions->end - regions->cursor) / sizeof(struct region);
}

bool
regions_have_room(const struct regions *regions)
{
	/*
	 * A change needs at most two records: one if the middle of a range is
	 * lifted, which leaves two ranges, and one if it is added again.
	 */
	return regions->nspare + uncut(regions) >=
	    regions->nexpected + (size_t)2;
}

static void
record_give(struct regions *regions, struct region *region)
{
	region->next = regions->spare;
	regions->spare = region;
	regions->nspare++;
}

static struct region *
cut_record(struct regions *regions)
{
	struct region *region = (struct region *)(void *)regions->cursor;

	assert(uncut(regions) > 0);
	regions->cursor += sizeof(*region);
	if (regions->blocks->hooks != NULL)
		ADD_RELAXED(regions->used, sizeof(*region));
	return region;
}

static struct region *
record_take(struct regions *regions)
{
	struct region *region = regions->spare;

	if (region == NULL)
		return cut_record(regions);
	regions->spare = region->next;
	regions->nspare--;
	return region;
}

void
regions_add_block(struct regions *regions, struct region_block *block)
{
	/*
	 * Cut the rest of the older block first: there is only one cursor. This
	 * is rarely more than one record, because a block is added when the
	 * older one is full or nearly full.
	 */
	while (uncut(regions) > 0)
		record_give(regions, cut_record(regions));
	block->next = regions->blocks;
	regions->blocks = block;
	regions->cursor = (char *)(block + 1);
	regions->end = (char *)block + block->size;
	if (block->hooks != NULL) {
		ADD_RELAXED(regions->given, block->size);
		ADD_RELAXED(regions->used, sizeof(*block));
	}
}

/* --- ranges -------------------------------------------------------------- */

/* The last range that starts at or below `addr`, or NULL. */
static struct region *
at_or_below(struct regions *regions, const char *addr)
{
	struct tree_node *node = regions->root;
	struct region *found = NULL;

	while (node != NULL) {
		if (region_of(node)->addr <= addr) {
			found = region_of(node);
			node = node->right;
		} else {
			node = node->left;
		}
	}
	return found;
}

static struct region *
at_or_above(struct regions *regions, char *addr)
{
	struct region key;

	key.addr = addr;
	return region_of(tree_find_from(regions->root, &key.node,
	    region_before));
}

static void
insert(struct regions *regions, char *addr, size_t size)
{
	struct region *region = record_take(regions);

	region->addr = addr;
	region->size = size;
	tree_insert(&regions->root, &region->node, region_before);
}

static void
drop(struct regions *regions, struct region *region)
{
	tree_remove(&regions->root, &region->node, region_before);
	record_give(regions, region);
}

static void
add(struct regions *regions, char *addr, size_t size)
{
	struct region *below = at_or_below(regions, addr);
	struct region *above = at_or_above(regions, addr + size);

	if (above != NULL && above->addr == addr + size) {
		size += above->size;
		drop(regions, above);
	}
	if (below != NULL && region_end(below) == addr)
		below->size += size;
	else
		insert(regions, addr, size);
}

static void
cut(struct regions *regions, char *addr, size_t size)
{
	struct region *region = at_or_below(regions, addr);
	char *end = addr + size, *after;

	assert(region != NULL && end <= region_end(region));
	after = region_end(region);
	if (addr != region->addr) {
		region->size = (size_t)(addr - region->addr);
		if (end != after)
			insert(regions, end, (size_t)(after - end));
	} else if (end != after) {
		/*
		 * No other range is in between, so its place in the tree stays
		 * valid.
		 */
		region->addr = end;
		region->size -= size;
	} else {
		drop(regions, region);
	}
}

void
regions_expect(struct regions *regions)
{
	assert(regions_have_room(regions));
	regions->nexpected++;
}

void
regions_lift(struct regions *regions, char *addr, size_t size)
{
	regions_expect(regions);
	cut(regions, addr, size);
}

void
regions_settle(struct regions *regions, char *addr, size_t size, bool comes)
{
	assert(regions->nexpected > 0);
	regions->nexpected--;
	if (comes)
		add(regions, addr, size);
}

struct region *
regions_next(struct regions *regions, const char *addr)
{
	struct region *region = at_or_below(regions, addr);

	if (region != NULL && region_end(region) > addr)
		return region;
	return at_or_above(regions, (char *)(uintptr_t)addr);
}

struct region_block *
regions_clear(struct regions *regions)
{
	struct region_block *blocks = regions->blocks;

	*regions = (struct regions){ .root = NULL };
	return blocks;
}
