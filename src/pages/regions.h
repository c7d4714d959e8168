/*
 * regions: the address ranges that were mapped for one arena.
 *
 * Owns:       a tree of records, one for each range, and the memory blocks
 *             that the records are cut from.
 * Invariants: two ranges never touch, because adjacent ones are joined. So
 *             each extent of the arena lies within a single range. A record
 *             stays in its arena, and is read and written only under the lock:
 *             its block may be memory of the program, which takes it back when
 *             the arena ends.
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
	size_t size;         /* bytes */
	struct region *next; /* in the list of spare records */
};

/* The header of each block, with the hooks that gave it. */
struct region_block {
	struct region_block *next;
	struct extent_hooks *hooks; /* NULL: a piece of metadata */
	size_t size;
};

/* All zero bytes are an empty one. */
struct regions {
	struct tree_node *root;
	struct region *spare;
	unsigned nspare;
	unsigned nexpected;          /* ranges for which records are kept */
	struct region_block *blocks; /* newest first */
	char *cursor, *end;          /* the part of it that is not cut yet */
	size_t given;                /* bytes of blocks from hooks */
	size_t used;                 /* bytes that were cut from these blocks */
};

static inline char *
region_end(const struct region *region)
{
	return region->addr + region->size;
}

/* Adds a block, of at least 64 bytes, to cut records from. */
void regions_add_block(struct regions *regions, struct region_block *block);

/* Is there room for one more change, besides those already expected? */
bool regions_have_room(const struct regions *regions);

/*
 * regions_expect() reserves the room for one range that may be added later,
 * whatever other threads do until then. regions_lift() takes `size` bytes at
 * `addr` out of the range around them, and reserves the room to add them again.
 */
void regions_expect(struct regions *regions);
void regions_lift(struct regions *regions, char *addr, size_t size);

/*
 * Ends one reservation; if `comes`, adds the range of `size` bytes at `addr`.
 */
void regions_settle(struct regions *regions, char *addr, size_t size,
    bool comes);

/* The lowest range that ends above `addr`, or NULL. */
struct region *regions_next(struct regions *regions, const char *addr);

/* Forgets all ranges; returns the blocks, linked by `next`, now unused. */
struct region_block *regions_clear(struct regions *regions);

#endif
