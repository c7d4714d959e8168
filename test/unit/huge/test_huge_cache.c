#include "huge/huge_cache.h"

#include <string.h>

#include "../unit.h"
#include "extent/extent.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/pages.h"
#include "os/system.h"

#define PARTS 2
#define S     UINT64_C(1000000000)

static unsigned nranges;

static struct extent *
backing_take(void *context, size_t size)
{
	struct extent *e = NULL;

	(void)context;
	if (extent_records_take(&e, 1) != 1)
		return NULL;
	e->addr = pages_map(size, size);
	assert_non_null(e->addr);
	e->size = size;
	e->zeroed = true;
	nranges++;
	return e;
}

static void
backing_give(void *context, struct extent *e)
{
	(void)context;
	nranges--;
	pages_unmap(e->addr, e->size);
	e->next = NULL;
	extent_records_give(e);
}

static char memory[16384] CACHE_ALIGNED;

static struct huge_cache *
start(unsigned nparts, unsigned extra, size_t max_bytes)
{
	struct huge_cache *cache = (struct huge_cache *)(void *)memory;
	struct huge_config shard = {
		.backing = { backing_take, backing_give, NULL },
		.huge_page = (size_t)2 << 20,
		.max_size = 65536,
		.dense = (size_t)2 << 20,
		.purge_min = 4096,
		.purge = true,
		.style = HUGIFY_NONE,
		.max_purges = -1,
	};
	struct huge_cache_config config = { .nparts = nparts,
		.max_size = 32768,
		.max_bytes = max_bytes,
		.extra = extra,
		.idle_ns = 5 * S };

	assert_true(huge_cache_size(PARTS) <= sizeof(memory));
	memset(memory, 0x5a, sizeof(memory));
	huge_cache_init(cache, &config, &shard);
	return cache;
}

static void
finish(struct huge_cache *cache)
{
	huge_cache_check(cache);
	huge_cache_fini(cache);
	assert_int_equal(nranges, 0);
}

static size_t
page(void)
{
	return system_info.page_size;
}

static void
what_was_given_is_taken_again(void **state)
{
	struct huge_cache *cache = start(PARTS, 0, 262144);
	struct extent *a = huge_cache_take(cache, 2 * page());
	struct extent *b = huge_cache_take(cache, 3 * page());

	(void)state;
	assert_int_equal(huge_cache_counts(cache).misses, 2);
	huge_cache_give(cache, a);
	huge_cache_give(cache, b);
	assert_int_equal(huge_cache_counts(cache).kept, 2);
	assert_int_equal(huge_cache_counts(cache).bytes, 5 * page());
	huge_cache_check(cache);
	assert_ptr_equal(huge_cache_take(cache, 3 * page()), b);
	assert_ptr_equal(huge_cache_take(cache, 2 * page()), a);
	assert_false(a->zeroed);
	assert_int_equal(huge_cache_counts(cache).hits, 2);
	assert_int_equal(huge_cache_counts(cache).bytes, 0);
	huge_cache_give(cache, a);
	huge_cache_give(cache, b);
	finish(cache);
}

static void
a_miss_fetches_more_than_one(void **state)
{
	struct huge_cache *cache = start(PARTS, 3, 262144);
	struct extent *e[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		e[i] = huge_cache_take(cache, page());
		assert_true(e[i]->zeroed);
	}
	assert_int_equal(huge_cache_counts(cache).misses, 1);
	assert_int_equal(huge_cache_counts(cache).hits, 3);
	for (unsigned i = 0; i < 4; i++)
		huge_cache_give(cache, e[i]);
	finish(cache);
}

static void
what_has_no_room_goes_back(void **state)
{
	struct huge_cache *cache = start(PARTS, 9, 4 * page());
	struct extent *e[5];

	(void)state;
	e[0] = huge_cache_take(cache, page());
	assert_int_equal(huge_cache_counts(cache).overfills, 1);
	assert_int_equal(huge_cache_counts(cache).bytes, 4 * page());
	for (unsigned i = 1; i < 5; i++)
		e[i] = huge_cache_take(cache, page());
	assert_int_equal(huge_cache_counts(cache).bytes, 0);
	for (unsigned i = 0; i < 4; i++)
		huge_cache_give(cache, e[i]);
	assert_int_equal(huge_cache_counts(cache).flushed, 0);
	huge_cache_give(cache, e[4]);
	assert_int_equal(huge_cache_counts(cache).flushed, 1);
	assert_int_equal(huge_cache_counts(cache).bytes, 2 * page());
	finish(cache);
}

static void
long_ones_and_no_parts_mean_no_cache(void **state)
{
	struct huge_cache *cache = start(PARTS, 3, 262144);
	struct extent *e = huge_cache_take(cache, 32768 + page());

	(void)state;
	huge_cache_give(cache, e);
	assert_int_equal(huge_cache_counts(cache).bytes, 0);
	assert_null(huge_cache_take(cache, 65536 + page()));
	finish(cache);
	cache = start(0, 3, 262144);
	e = huge_cache_take(cache, page());
	huge_cache_give(cache, e);
	assert_int_equal(huge_cache_counts(cache).bytes, 0);
	finish(cache);
}

static void
an_idle_part_is_emptied(void **state)
{
	struct huge_cache *cache = start(PARTS, 0, 262144);
	struct extent *a = huge_cache_take(cache, page());
	struct extent *b = huge_cache_take(cache, page());

	(void)state;
	huge_cache_give(cache, a);
	huge_cache_tick(cache, 100 * S);
	assert_int_equal(huge_cache_counts(cache).bytes, page());
	huge_cache_tick(cache, 104 * S);
	assert_int_equal(huge_cache_counts(cache).bytes, page());
	huge_cache_tick(cache, 105 * S);
	assert_int_equal(huge_cache_counts(cache).bytes, 0);
	huge_cache_give(cache, b);
	finish(cache);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_given_is_taken_again),
		cmocka_unit_test(a_miss_fetches_more_than_one),
		cmocka_unit_test(what_has_no_room_goes_back),
		cmocka_unit_test(long_ones_and_no_parts_mean_no_cache),
		cmocka_unit_test(an_idle_part_is_emptied),
	};

	system_init();
	metadata_init();
	extent_records_init();
	if (system_info.page_size > 4096)
		SKIP_BECAUSE("it is about pages of 4 KiB");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
