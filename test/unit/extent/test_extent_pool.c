#include "extent/extent_pool.h"

#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "extent/extent.h"

#define EXTENTS 300

struct model {
	struct extent_pool pool;
	struct extent extent[EXTENTS];
	unsigned order[EXTENTS]; /* of those inside, oldest first */
	unsigned n;
	bool inside[EXTENTS];
};

static struct extent *
naive_find(struct model *model, size_t size)
{
	struct extent *best = NULL;

	for (unsigned i = 0; i < model->n; i++) {
		struct extent *e = &model->extent[model->order[i]];

		if (e->size < size)
			continue;
		if (best == NULL || e->size < best->size ||
		    (e->size == best->size && e->addr < best->addr))
			best = e;
	}
	return best;
}

static size_t
random_size(uint64_t *seed)
{
	size_t units = 1 +
	    random_below(seed, (size_t)1 << random_below(seed, 35));

	return units * UNIT;
}

static void
check(struct model *model, uint64_t *seed)
{
	size_t size = 0;

	for (unsigned i = 0; i < model->n; i++)
		size += model->extent[model->order[i]].size;
	extent_pool_check(&model->pool);
	assert_int_equal(model->pool.size, size);
	assert_int_equal(model->pool.count, model->n);
	assert_ptr_equal(extent_pool_oldest(&model->pool),
	    model->n == 0 ? NULL : &model->extent[model->order[0]]);
	for (unsigned i = 0; i < 4; i++) {
		size = i == 0 && model->n != 0
		    ? model->extent[model->order[random_below(seed, model->n)]]
			  .size
		    : random_size(seed);
		assert_ptr_equal(extent_pool_find(&model->pool, size),
		    naive_find(model, size));
	}
}

static void
insert(struct model *model, unsigned i, uint64_t *seed)
{
	struct extent *e = &model->extent[i];

	/* Few sizes, so that equal ones are told apart by address. */
	e->size = random_below(seed, 2) == 0
	    ? random_size(seed)
	    : (1 + random_below(seed, 6)) * 20 * UNIT;
	e->addr = (char *)(uintptr_t)((1 + random_below(seed, 1 << 20)) << 14);
	extent_pool_insert(&model->pool, e);
	model->inside[i] = true;
	model->order[model->n++] = i;
}

static void
drop(struct model *model, unsigned i)
{
	unsigned k = 0;

	extent_pool_remove(&model->pool, &model->extent[i]);
	while (model->order[k] != i)
		k++;
	model->n--;
	memmove(&model->order[k], &model->order[k + 1],
	    (model->n - k) * sizeof(model->order[0]));
	model->inside[i] = false;
}

static void
the_pool_answers_like_a_plain_list(void **state)
{
	struct model *model = aligned_alloc(CACHELINE, sizeof(*model));
	uint64_t seed = 1;

	(void)state;
	memset(model, 0, sizeof(*model));
	extent_pool_init(&model->pool);
	check(model, &seed);
	for (unsigned step = 0; step < 20000; step++) {
		unsigned i = (unsigned)random_below(&seed,
		    step / 2500 % 2 ? 20 : EXTENTS);

		if (model->inside[i])
			drop(model, i);
		else
			insert(model, i, &seed);
		check(model, &seed);
	}
	while (model->n > 0)
		drop(model, model->order[model->n - 1]);
	check(model, &seed);
	for (unsigned i = 0; i < ARRAY_LEN(model->pool.nonempty); i++)
		assert_int_equal(model->pool.nonempty[i], 0);
	free(model);
}

/* Of a size that no address space has room for more than once. */
#define LG_LARGE (WORD_BITS == 64 ? 46 : 30)

static void
no_size_is_too_large_to_ask_for(void **state)
{
	static struct extent_pool pool;
	static struct extent e = { .size = (size_t)1 << LG_LARGE };

	(void)state;
	extent_pool_init(&pool);
	for (unsigned lg = LG_UNIT; lg < WORD_BITS; lg++)
		assert_null(extent_pool_find(&pool, (size_t)1 << lg));
	extent_pool_insert(&pool, &e);
	for (unsigned lg = LG_UNIT; lg < WORD_BITS; lg++)
		assert_ptr_equal(extent_pool_find(&pool, (size_t)1 << lg),
		    lg <= LG_LARGE ? &e : NULL);
	assert_null(extent_pool_find(&pool, SIZE_MAX & ~(UNIT - 1)));
}

static void
buckets_rise_with_size_and_hold_one_size_up_to_64_units(void **state)
{
	unsigned last = 0;

	(void)state;
	for (size_t units = 1; units <= 64; units++)
		assert_int_equal(extent_pool_bucket(units * UNIT), units - 1);
	for (size_t units = 1; units < (size_t)1 << (LG_LARGE - LG_UNIT + 1);
	     units += 1 + units / 64) {
		unsigned bucket = extent_pool_bucket(units * UNIT);

		assert_true(bucket >= last && bucket <= last + 1);
		assert_true(bucket < POOL_BUCKETS);
		last = bucket;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pool_answers_like_a_plain_list),
		cmocka_unit_test(no_size_is_too_large_to_ask_for),
		cmocka_unit_test(
		    buckets_rise_with_size_and_hold_one_size_up_to_64_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
