/*
 * regions: the address ranges that were mapped for one arena.
 *
 * Owns:       a tree of records, one a range, and the blocks of memory that
 *             the records are cut off.
 * Invariants: ranges are apart: adjacent ones are one. So whatever the arena
 *             has lies within a single range. A record stays in its arena, and
 *             is read and written under the lock alone: blocks may be memory
 *             of the program, which takes it back when the arena ends.
 * Locking:    the page lock of the arena.
 */
#ifndef PAGES_REGIONS_H
#define PAGES_REGIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/tree.h"

struct extent_hooks;

struct region {
	struct tree_node node;
	char *addr;
	size_t size;		/* bytes */
	struct region *next;	/* spare */
};

/* Stands at the start of each block, for who gave it. */
struct region_block {
	struct region_block *next;
	struct extent_hooks *hooks;	/* NULL: a piece of metadata */
	size_t size;
};

struct regions {
	struct tree_node *root;
	struct region *spare;
	unsigned nspare;
	unsigned nexpected;	/* ranges for which records are kept */
	struct region_block *blocks;	/* newest first; its part not cut yet: */
	char *cursor, *end;
	size_t given;		/* bytes of blocks from hooks */
	size_t used;		/* and of what was cut off them */
};

static inline char *
region_end(const struct region *region)
{
	return region->addr + region->size;
}

void regions_init(struct regions *regions);

/* Records are cut off this, too; at least 64 bytes. */
void regions_add_block(struct regions *regions, struct region_block *block);

/* Is there room for one more change, whatever is expected already? */
bool regions_have_room(const struct regions *regions);

/*
 * A range will come, perhaps: from now on there is room for it, whatever others
 * do meanwhile. `lift` takes `size` bytes at `addr` out of the range around
 * them, and expects them back.
 */
void regions_expect(struct regions *regions);
void regions_lift(struct regions *regions, char *addr, size_t size);

/* What was expected comes, or does not. */
void regions_settle(struct regions *regions, char *addr, size_t size,
    bool comes);

/* The lowest range that ends above `addr`, or NULL. */
struct region *regions_next(struct regions *regions, const char *addr);

/* Empties it; its blocks, by `next`, which nobody uses any more. */
struct region_block *regions_clear(struct regions *regions);

#endif
