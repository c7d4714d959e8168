/*
 * What threads share of an arena's huge pages is touched under its lock alone.
 */
#include "../unit.h"
#include "../waits.h"
#include "extent/extent.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "huge/huge_cache.h"
#include "huge/huge_tick.h"
#include "os/pages.h"
#include "os/system.h"

static struct huge_cache *cache;
static struct huge_shard *shard;

static struct extent *
backing_take(void *context, size_t size)
{
	struct extent *e = NULL;

	(void)context;
	assert_int_equal(extent_records_take(&e, 1), 1);
	e->addr = pages_map(size, size);
	assert_non_null(e->addr);
	e->size = size;
	e->zeroed = true;
	return e;
}

static void
backing_give(void *context, struct extent *e)
{
	(void)context;
	pages_unmap(e->addr, e->size);
	e->next = NULL;
	extent_records_give(e);
}

static void
take_and_give(void)
{
	struct extent *e = huge_cache_take(cache, system_info.page_size);

	assert_non_null(e);
	huge_cache_give(cache, e);
}

static void
look_for_idle_parts(void)
{
	/* A part that was used since the last look keeps what it has. */
	take_and_give();
	huge_cache_tick(cache, UINT64_MAX / 2);
	cache->looked_ns = 0;
}

static void
empty(void)
{
	huge_cache_purge(cache);
}

static void
count(void)
{
	huge_cache_counts(cache);
}

static void
take_and_give_long(void)
{
	struct extent *e = huge_cache_take(cache,
	    cache->config.max_size + system_info.page_size);

	assert_non_null(e);
	huge_cache_give(cache, e);
}

static void
resize(void)
{
	size_t page = system_info.page_size;
	struct extent *e;
	bool zeroed;

	assert_int_equal(huge_pages_take(shard, page, 1, &e), 1);
	assert_true(huge_pages_extend(shard, e, 2 * page, &zeroed));
	huge_pages_trim(shard, e, page);
	huge_pages_give(shard, e);
}

static void
tick(void)
{
	huge_tick_run(shard, 0);
}

static void
ask_when(void)
{
	huge_tick_wait(shard, 0);
}

static void
purge(void)
{
	huge_tick_purge(shard);
}

static void
read_figures(void)
{
	struct huge_stats stats;

	huge_pages_stats(shard, &stats);
}

static void
check(void)
{
	huge_pages_check(shard);
}

static void
what_threads_share_is_used_under_its_lock(void **state)
{
	const struct use parts[] = {
		USE(take_and_give, &cache->parts[0].lock, 2),
		USE(look_for_idle_parts, &cache->parts[0].lock, 3),
		USE(count, &cache->parts[0].lock, 1),
	};
	const struct use pages[] = {
		USE(take_and_give_long, &shard->lock, 2),
		USE(resize, &shard->lock, 4),
		USE(tick, &shard->lock, 1),
		USE(ask_when, &shard->lock, 1),
		USE(read_figures, &shard->lock, 1),
		USE(check, &shard->lock, 1),
	};
	const struct use last[] = {
		USE(empty, &cache->parts[0].lock, 1),
		USE(purge, &shard->lock, 1),
	};

	(void)state;
	/* Grown, and with records for what is to come. */
	take_and_give();
	resize();
	assert_used(parts, ARRAY_LEN(parts));
	assert_used(pages, ARRAY_LEN(pages));
	/* With nothing to do. */
	huge_cache_purge(cache);
	assert_used(last, ARRAY_LEN(last));
}

int
main(void)
{
	static const struct huge_config pages = {
		.backing = { backing_take, backing_give, NULL },
		.huge_page = (size_t)2 << 20,
		.max_size = 65536 * 4,
		.dense = (size_t)2 << 20,
		.purge_min = 4096,
		.style = HUGIFY_NONE,
		.max_purges = -1,
	};
	static const struct huge_cache_config config = { .nparts = 1,
		.max_size = 65536,
		.max_bytes = (size_t)1 << 20,
		.idle_ns = 1 };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_threads_share_is_used_under_its_lock),
	};

	system_init();
	metadata_init();
	extent_records_init();
	cache = metadata_take(huge_cache_size(1), CACHELINE);
	if (cache == NULL)
		return 1;
	memset(cache, 0, huge_cache_size(1));
	huge_cache_init(cache, &config, &pages);
	shard = &cache->shard;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
