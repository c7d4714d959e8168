#include "extent/regions.h"

#include "extent/extent.h"

static bool
region_before(const struct tree_node *a, const struct tree_node *b)
{
	return container_of(a, struct extent, node)->addr <
	    container_of(b, struct extent, node)->addr;
}

static struct extent *
region_of(struct tree_node *node)
{
	return node == NULL ? NULL : container_of(node, struct extent, node);
}

/* The range at or below `addr` that starts highest, or NULL. */
static struct extent *
at_or_below(struct regions *regions, const char *addr)
{
	struct tree_node *node = regions->root;
	struct extent *found = NULL;

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

static struct extent *
at_or_above(struct regions *regions, char *addr)
{
	struct extent key;

	key.addr = addr;
	return region_of(tree_find_from(regions->root, &key.node,
	    region_before));
}

struct extent *
regions_add(struct regions *regions, struct extent *record)
{
	struct extent *below = at_or_below(regions, record->addr);
	struct extent *above = at_or_above(regions, extent_end(record));
	struct extent *unused = NULL;

	if (above != NULL && above->addr == extent_end(record)) {
		tree_remove(&regions->root, &above->node, region_before);
		record->size += above->size;
		above->next = unused;
		unused = above;
	}
	if (below != NULL && extent_end(below) == record->addr) {
		below->size += record->size;
		record->next = unused;
		unused = record;
	} else {
		tree_insert(&regions->root, &record->node, region_before);
	}
	return unused;
}

struct extent *
regions_cut(struct regions *regions, char *addr, size_t size,
    struct extent *spare)
{
	struct extent *region = at_or_below(regions, addr);
	char *end = addr + size, *region_end;

	assert(region != NULL && end <= extent_end(region));
	region_end = extent_end(region);
	spare->next = NULL;
	if (addr == region->addr && end == region_end) {
		tree_remove(&regions->root, &region->node, region_before);
		region->next = spare;
		return region;
	}
	if (addr == region->addr) {
		/* It keeps its place in the order. */
		region->addr = end;
		region->size -= size;
		return spare;
	}
	region->size = (size_t)(addr - region->addr);
	if (end == region_end)
		return spare;
	spare->addr = end;
	spare->size = (size_t)(region_end - end);
	tree_insert(&regions->root, &spare->node, region_before);
	return NULL;
}

struct extent *
regions_next(struct regions *regions, const char *addr)
{
	struct extent *region = at_or_below(regions, addr);

	if (region != NULL && extent_end(region) > addr)
		return region;
	return at_or_above(regions, (char *)(uintptr_t)addr);
}

struct extent *
regions_clear(struct regions *regions)
{
	struct extent *chain = NULL, *region;

	while (regions->root != NULL) {
		region = region_of(regions->root);
		tree_remove(&regions->root, &region->node, region_before);
		region->next = chain;
		chain = region;
	}
	return chain;
}
