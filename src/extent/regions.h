/*
 * regions: the address ranges that were mapped for one arena.
 *
 * Owns:       a tree of records, one a range; they describe no extents.
 * Invariants: ranges are apart: adjacent ones are one. So whatever the arena
 *             has lies within a single range.
 * Locking:    the page lock of the arena.
 */
#ifndef EXTENT_REGIONS_H
#define EXTENT_REGIONS_H

#include <stddef.h>

#include "util/tree.h"

struct extent;

struct regions {
	struct tree_node *root;
};

/**
 * Adds the range that `record` describes.
 * @return  records that are not needed any more, by `next`
 */
struct extent *regions_add(struct regions *regions, struct extent *record);

/**
 * Takes `size` bytes at `addr` out of the range around them.
 * @param spare  a record, in case that range falls into two
 * @return       records that are not needed any more, by `next`
 */
struct extent *regions_cut(struct regions *regions, char *addr, size_t size,
    struct extent *spare);

/* The lowest range that ends above `addr`, or NULL. */
struct extent *regions_next(struct regions *regions, const char *addr);

/* Empties it; all records, by `next`. */
struct extent *regions_clear(struct regions *regions);

#endif
