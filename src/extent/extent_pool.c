#include "extent/extent_pool.h"

#include "extent/extent.h"

static bool
extent_before(const struct tree_node *a, const struct tree_node *b)
{
	const struct extent *x = container_of(a, struct extent, node);
	const struct extent *y = container_of(b, struct extent, node);

	if (x->size != y->size)
		return x->size < y->size;
	return x->addr < y->addr;
}

unsigned
extent_pool_bucket(size_t size)
{
	size_t units = size >> LG_UNIT;
	unsigned lg;

	if (units <= POOL_EXACT)
		return (unsigned)units - 1;
	lg = lg_floor(units);
	return POOL_EXACT + (lg - 6) * 4 + (unsigned)((units >> (lg - 2)) & 3);
}

size_t
extent_pool_bucket_min(unsigned i)
{
	unsigned lg, quarter;

	if (i <= POOL_EXACT)
		return (size_t)(i + 1) << LG_UNIT;
	lg = 6 + (i - POOL_EXACT) / 4;
	quarter = (i - POOL_EXACT) % 4;
	return (size_t)(4 + quarter) << (lg - 2 + LG_UNIT);
}

AT_START void
extent_pool_init(struct extent_pool *pool)
{
	list_init(&pool->age);
}

void
extent_pool_insert(struct extent_pool *pool, struct extent *e)
{
	unsigned i = extent_pool_bucket(e->size);

	tree_insert(&pool->bucket[i], &e->node, extent_before);
	pool->nonempty[i / 64] |= (uint64_t)1 << (i % 64);
	list_push_back(&pool->age, &e->age);
	ADD_RELAXED(pool->size, e->size);
	pool->count++;
	pool->bucket_size[i] += e->size;
	pool->bucket_count[i]++;
}

void
extent_pool_remove(struct extent_pool *pool, struct extent *e)
{
	unsigned i = extent_pool_bucket(e->size);

	tree_remove(&pool->bucket[i], &e->node, extent_before);
	if (pool->bucket[i] == NULL)
		pool->nonempty[i / 64] &= ~((uint64_t)1 << (i % 64));
	list_remove(&e->age);
	ADD_RELAXED(pool->size, -e->size);
	pool->count--;
	pool->bucket_size[i] -= e->size;
	pool->bucket_count[i]--;
}

static struct extent *
first_above(struct extent_pool *pool, unsigned bucket)
{
	unsigned i = bucket + 1;
	uint64_t word;

	for (unsigned w = i / 64; w < ARRAY_LEN(pool->nonempty); w++) {
		word = pool->nonempty[w];
		if (w == i / 64)
			word &= ~(uint64_t)0 << (i % 64);
		if (word != 0)
			return container_of(
			    tree_first(pool->bucket[w * 64 + lowest_bit(word)]),
			    struct extent, node);
	}
	return NULL;
}

struct extent *
extent_pool_find(struct extent_pool *pool, size_t size)
{
	unsigned i = extent_pool_bucket(size);
	struct extent key;
	struct tree_node *node;

	/* No address space is this large, so there is no bucket. */
	if (unlikely(i >= POOL_BUCKETS))
		return NULL;
	node = pool->bucket[i];
	if (node != NULL) {
		key.size = size;
		key.addr = NULL;
		node = tree_find_from(node, &key.node, extent_before);
	}
	if (node != NULL)
		return container_of(node, struct extent, node);
	return first_above(pool, i);
}

struct extent *
extent_pool_oldest(struct extent_pool *pool)
{
	if (list_empty(&pool->age))
		return NULL;
	return container_of(pool->age.next, struct extent, age);
}

void
extent_pool_make_oldest(struct extent_pool *pool, struct extent *e)
{
	list_remove(&e->age);
	list_push_back(pool->age.next, &e->age);
}

void
extent_pool_check(struct extent_pool *pool)
{
	size_t size = 0, count = 0, bucket_size = 0, bucket_count = 0;

	for (struct list *l = pool->age.next; l != &pool->age; l = l->next) {
		struct extent *e = container_of(l, struct extent, age);

		assert(e->size != 0 && e->size % UNIT == 0);
		size += e->size;
		count++;
	}
	assert(size == pool->size && count == pool->count);
	for (unsigned i = 0; i < POOL_BUCKETS; i++) {
		assert((pool->bucket[i] != NULL) ==
		    ((pool->nonempty[i / 64] >> (i % 64) & 1) != 0));
		assert((pool->bucket[i] != NULL) ==
		    (pool->bucket_count[i] != 0));
		bucket_size += pool->bucket_size[i];
		bucket_count += pool->bucket_count[i];
	}
	assert(bucket_size == size && bucket_count == count);
	(void)bucket_size;
	(void)bucket_count;
	(void)size;
	(void)count;
}
