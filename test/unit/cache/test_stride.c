#include "cache/stride.h"

#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/tcache.h"
#include "cache/tcache_guard.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/system.h"
#include "pages/ageing.h"

#define KEY       ((uintptr_t)UINT64_C(0x1234567887654321))
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  (1000 * NS_PER_MS)
#define MIB       ((size_t)1 << 20)
#define DECAY_S   10
#define NBLOCKS   200

static uint64_t now_ns;
static struct tcache *cache;

uint64_t __wrap_clock_coarse_ns(void);

uint64_t
__wrap_clock_coarse_ns(void)
{
	return now_ns;
}

static int
start(void **state)
{
	size_t size = round_up(sizeof(*cache), CACHELINE);

	(void)state;
	now_ns += 3600 * NS_PER_S;
	arena_table_purge();
	cache = aligned_alloc(CACHELINE, size);
	assert_non_null(cache);
	memset(cache, 0, size);
	tcache_init(cache, arena_table_need(0), KEY);
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	assert_int_equal(cache->guard.depth, 0); /* each slow path has ended */
	for (unsigned i = CACHE_BINS; i < CACHE_BINS_MAX; i++)
		assert_int_equal(cache->cold[i].stride, 0);
	tcache_fini(cache);
	free(cache);
	return 0;
}

/* As malloc and free do, fast path first. */
static void
pair(unsigned i)
{
	struct cache_bin *bin = &cache->bins[i + 1];
	void *object = cache_bin_take(bin);

	if (object == NULL)
		object = tcache_take_slow(cache, i);
	assert_non_null(object);
	if (bin->head == bin->full)
		tcache_give_slow(cache, i, object);
	else
		cache_bin_give(bin, bin->head, object);
}

static size_t
unused(unsigned arena)
{
	return ageing_unused(&arena_table_need(arena)->pages);
}

/*
 * Large objects are taken from an arena, and given back past the cache; with
 * `by` = NULL by a thread that sleeps then.
 */
static void
burst_by(struct tcache *by, unsigned index)
{
	struct arena *arena = arena_table_need(index);
	struct extent *block[NBLOCKS];

	for (unsigned i = 0; i < NBLOCKS; i++) {
		block[i] = large_take(&arena->large, &arena->pages,
		    &(struct large_request){ .usable = 300 << 10, .align = 1 });
		assert_non_null(block[i]);
	}
	for (unsigned i = 0; i < NBLOCKS; i++) {
		large_give(&arena->large, &arena->pages, block[i]);
		if (by != NULL)
			stride_passed(by, arena, now_ns);
		arena_tick_and_sweep(arena, now_ns);
	}
	assert_true(unused(index) > 50 * MIB);
}

static void
burst(unsigned index)
{
	burst_by(cache, index);
}

/*
 * Does little for a while: ten calls a second, which go from bin to bin.
 * Returns the bytes that are unused then.
 */
static size_t
trickle(unsigned arena, unsigned seconds, unsigned nbins)
{
	for (unsigned i = 0; i < seconds * 10; i++) {
		now_ns += NS_PER_S / 10;
		pair(i % nbins);
	}
	return unused(arena);
}

/* Uses some bins for `ms`, a thousand times in each, which is much. */
static void
be_busy(unsigned ms, unsigned nbins)
{
	for (unsigned i = 0; i < ms * 1000; i++) {
		now_ns += NS_PER_MS / 1000;
		pair(i % nbins);
	}
}

static void
after_a_burst_a_slow_thread_ages_whatever_it_calls(void **state)
{
	static const unsigned nbins[] = { 1, 3, 10, SMALL_CLASSES, 300 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(nbins); i++) {
		burst(0);
		assert_true(trickle(0, 2 * DECAY_S,
				nbins[i] < CACHE_BINS ? nbins[i] : CACHE_BINS) <
		    2 * MIB);
	}
}

/*
 * The stride after a late event of a bin, with so much unused in this arena; of
 * a slow thread, or of one that had another event just now.
 */
static uint32_t
stride_with(size_t size, unsigned index, bool slow)
{
	struct arena *arena = arena_table_need(index);
	struct extent *block;

	finish(NULL);
	start(NULL);
	pair(0); /* its slab comes from pages that are unused */
	block = large_take(&arena->large, &arena->pages,
	    &(struct large_request){ .usable = size, .align = 1 });
	large_give(&arena->large, &arena->pages, block);
	assert_int_equal(unused(index), size);
	now_ns += NS_PER_S;
	cache->guard.event_ns = slow ? 0 : now_ns;
	tcache_enter(cache);
	stride_event(cache, 0, 1, now_ns);
	tcache_leave(cache);
	return cache->cold[0].stride;
}

static void
from_one_mib_on_more_events_are_worth_it(void **state)
{
	(void)state;
	for (unsigned slow = 0; slow < 2; slow++) {
		assert_true(stride_with(MIB - system_info.page_size, 0, slow) >=
		    8192);
		assert_true(stride_with(MIB, 0, slow) <= 1024);
	}
	/* A slow thread has them for other arenas as well. */
	assert_true(stride_with(MIB - system_info.page_size, 1, true) >= 8192);
	assert_true(stride_with(MIB, 1, false) >= 8192);
	assert_true(stride_with(MIB, 1, true) <= 1024);
}

static void
give_block(struct extent *block)
{
	struct arena *arena = arena_table_need(0);

	large_give(&arena->large, &arena->pages, block);
	stride_passed(cache, arena, now_ns);
}

/* Do all bins have an event at their next object? */
static bool
events_come(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CACHE_BINS; i++)
		n += cache->bins[i + 1].countdown == 0;
	assert_true(n == 0 || n == CACHE_BINS);
	return n != 0;
}

/* While it goes on, that is once in 10 ms. */
static void
more_than_four_mib_are_a_burst(void **state)
{
	struct arena *arena = arena_table_need(0);
	struct extent *block[34];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(block); i++)
		block[i] = large_take(&arena->large, &arena->pages,
		    &(struct large_request){ .usable = MIB / 4, .align = 1 });
	for (unsigned i = 0; i < 16; i++)
		give_block(block[i]);
	assert_int_equal(unused(0), 4 * MIB);
	assert_false(events_come());
	give_block(block[16]);
	assert_true(events_come());
	for (unsigned i = 0; i < CACHE_BINS; i++)
		stride_grant(cache, i, 0);
	for (unsigned i = 17; i < 33; i++)
		give_block(block[i]);
	now_ns += 10 * NS_PER_MS - 1;
	give_block(block[33]);
	assert_false(events_come());
	now_ns++;
	stride_passed(cache, arena, now_ns);
	assert_true(events_come());
}

/* It was busy after the burst, too, so that each bin has a long stride. */
static void
bins_that_are_seldom_used_do_not_wait_for_their_stride(void **state)
{
	(void)state;
	burst(0);
	be_busy(200, SMALL_CLASSES);
	be_busy(3000, 1);
	for (unsigned i = 0; i < 2 * DECAY_S * 10; i++) {
		now_ns += NS_PER_S / 10;
		pair(1 + i % (SMALL_CLASSES - 1));
	}
	assert_true(unused(0) < 2 * MIB);
}

/* A look at all bins takes time, so a busy thread has one a second. */
static void
bins_that_rest_are_left_alone_for_a_second(void **state)
{
	(void)state;
	burst(0);
	be_busy(1050, SMALL_CLASSES);
	be_busy(500, 1);
	for (unsigned i = 1; i < SMALL_CLASSES; i++)
		assert_true(cache->bins[i + 1].countdown > 0);
	be_busy(500, 1);
	for (unsigned i = 1; i < SMALL_CLASSES; i++)
		assert_int_equal(cache->bins[i + 1].countdown, 0);
}

/* So does one for which another arena serves large requests. */
static void
another_arena_with_much_is_aged_as_well(void **state)
{
	(void)state;
	burst(1);
	assert_true(trickle(1, 2 * DECAY_S, SMALL_CLASSES) < 2 * MIB);
}

/* Its own bursts are long ago, so its next event may be a minute away. */
static void
a_slow_thread_ages_what_a_sleeping_one_left(void **state)
{
	(void)state;
	do {
		now_ns += NS_PER_S / 2;
		pair(0);
	} while (cache->bins[1].countdown > 0);
	burst_by(NULL, 1);
	pair(0);
	assert_true(trickle(1, 2 * DECAY_S, 1) < 2 * MIB);
}

/* A burst costs a busy thread some events, not each call. */
static void
a_busy_thread_comes_back_to_long_strides(void **state)
{
	(void)state;
	burst(0);
	be_busy(50, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_true(cache->cold[i].stride >= 128);
}

/* The longest way from slow path to slow path, in bytes of a bin. */
static size_t
longest_way(unsigned i)
{
	struct cache_bin *bin = &cache->bins[i + 1];
	uint64_t far = 0, way = 0;

	for (unsigned n = 0; n < 20000; n++) {
		bool slow = bin->countdown <= 0 || bin->head == bin->empty;

		way = slow ? 0 : way + bin->usable;
		far = way > far ? way : far;
		pair(i);
	}
	return far;
}

/* Last, because the bound stays. */
static void
with_a_bound_no_way_is_longer(void **state)
{
	static const unsigned bins[] = { 3, 20, 35 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(bins); i++)
		assert_true(longest_way(bins[i]) >= 64 << 10);
	stride_bound(cache, 32 << 10);
	stride_bound(cache, 64 << 10); /* the smaller one counts */
	for (unsigned i = 0; i < ARRAY_LEN(bins); i++)
		assert_true(longest_way(bins[i]) <= 32 << 10);
	finish(NULL);
	start(NULL);
	for (unsigned i = 0; i < ARRAY_LEN(bins); i++)
		assert_true(longest_way(bins[i]) <= 32 << 10);
	stride_bound(NULL, 0); /* so each call is slow */
	for (unsigned i = 0; i < ARRAY_LEN(bins); i++)
		longest_way(bins[i]);
	for (unsigned i = 0; i < ARRAY_LEN(bins); i++)
		assert_int_equal(longest_way(bins[i]), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    after_a_burst_a_slow_thread_ages_whatever_it_calls, start,
		    finish),
		cmocka_unit_test_setup_teardown(more_than_four_mib_are_a_burst,
		    start, finish),
		cmocka_unit_test_setup_teardown(
		    from_one_mib_on_more_events_are_worth_it, start, finish),
		cmocka_unit_test_setup_teardown(
		    bins_that_are_seldom_used_do_not_wait_for_their_stride,
		    start, finish),
		cmocka_unit_test_setup_teardown(
		    bins_that_rest_are_left_alone_for_a_second, start, finish),
		cmocka_unit_test_setup_teardown(
		    another_arena_with_much_is_aged_as_well, start, finish),
		cmocka_unit_test_setup_teardown(
		    a_slow_thread_ages_what_a_sleeping_one_left, start, finish),
		cmocka_unit_test_setup_teardown(
		    a_busy_thread_comes_back_to_long_strides, start, finish),
		cmocka_unit_test_setup_teardown(with_a_bound_no_way_is_longer,
		    start, finish),
	};

	system_init();
	metadata_init();
	extent_records_init();
	options_init(&opt_at_start);
	opt_at_start.junk_alloc = opt_at_start.junk_free = false;
	opt_at_start.zero = false;
	opt_at_start.dirty_decay_ms = DECAY_S * 1000;
	opt_at_start.muzzy_decay_ms = 0;
	size_class_init(system_info.page_size, NULL);
	if (!arena_table_init(3, 0))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
