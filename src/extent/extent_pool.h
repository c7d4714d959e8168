/*
 * extent_pool: the free extents of one state, found by best fit or by age.
 *
 * Owns:       the links of the extents in it.
 * Invariants: every extent is in exactly one bucket and once in the age list;
 *             `size` is the sum of their sizes. Up to 64 units each bucket
 *             holds one size. Above, there are four buckets for each doubling;
 *             a bucket is a tree ordered by size and address.
 * Locking:    the page lock of the arena.
 */
#ifndef EXTENT_EXTENT_POOL_H
#define EXTENT_EXTENT_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "util/list.h"
#include "util/tree.h"

struct extent;

#define POOL_EXACT   64
#define POOL_BUCKETS 192

struct extent_pool {
	struct tree_node *bucket[POOL_BUCKETS];
	uint64_t nonempty[POOL_BUCKETS / 64];
	struct list age; /* oldest first */
	size_t size;     /* bytes */
	size_t count;
	/* Size and count of each bucket, for statistics. */
	size_t bucket_size[POOL_BUCKETS];
	uint32_t bucket_count[POOL_BUCKETS];
};

/* `pool` is all zero. */
void extent_pool_init(struct extent_pool *pool);
void extent_pool_insert(struct extent_pool *pool, struct extent *e);
void extent_pool_remove(struct extent_pool *pool, struct extent *e);

/*
 * The smallest extent of at least `size` bytes, or NULL. Of equal ones, the one
 * with the lowest address.
 */
struct extent *extent_pool_find(struct extent_pool *pool, size_t size);

/* The extent that has been in the pool for the longest time, or NULL. */
struct extent *extent_pool_oldest(struct extent_pool *pool);

/* Makes `e`, which is in the pool, the oldest extent there. */
void extent_pool_make_oldest(struct extent_pool *pool, struct extent *e);

/* The bucket of extents of `size` bytes. */
unsigned extent_pool_bucket(size_t size);

/* The least size in bytes of an extent in bucket `i`. */
size_t extent_pool_bucket_min(unsigned i);

void extent_pool_check(struct extent_pool *pool);

#endif
