#include "cache/stack.h"

#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/tcache.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/system.h"

#define KEY ((uintptr_t)UINT64_C(0x1234567887654321))
#define KIB ((int64_t)1 << 10)
/* What all stacks of a thread may hold. */
#define ROOM_SMALL (4096 * KIB)
#define ROOM_LARGE (1024 * KIB)

static struct tcache cache;

static int
begin(void **state)
{
	(void)state;
	memset(&cache, 0, sizeof(cache));
	tcache_init(&cache, arena_table_need(0), KEY);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	tcache_fini(&cache);
	return 0;
}

static int64_t
usable(unsigned i)
{
	return (int64_t)cache_bin_usable(i);
}

static uint32_t
limit(unsigned i)
{
	return cache.cold[i].limit;
}

static uint32_t
first(unsigned i)
{
	return usable(i) <= 512 ? 16 : i < SMALL_CLASSES ? 8 : 1;
}

static uint32_t
most(unsigned i)
{
	int64_t bytes = i < SMALL_CLASSES ? 256 * KIB : 1024 * KIB;

	return bytes / usable(i) < 2048 ? (uint32_t)(bytes / usable(i)) : 2048;
}

/* Takes and gives in turn until the stack gets no deeper. */
static uint32_t
miss_both_ways(unsigned i)
{
	uint32_t lacked = 0;

	for (unsigned n = 0; n < 20; n++) {
		lacked = stack_missed(&cache, i, MISS_TAKE);
		lacked |= stack_missed(&cache, i, MISS_GIVE);
	}
	return lacked;
}

/* --- tests ---------------------------------------------------------------- */

static void
a_stack_starts_small_and_doubles_at_every_second_miss(void **state)
{
	for (unsigned i = 0; i < CACHE_BINS; i++) {
		uint32_t want = first(i);

		begin(state);
		assert_int_equal(limit(i), 0);
		stack_missed(&cache, i, MISS_TAKE);
		assert_int_equal(limit(i), want);
		while (want < most(i)) {
			stack_missed(&cache, i, MISS_GIVE);
			assert_int_equal(limit(i), want);
			stack_missed(&cache, i, MISS_TAKE);
			want = 2 * want < most(i) ? 2 * want : most(i);
			assert_int_equal(limit(i), want);
		}
		assert_int_equal(miss_both_ways(i), 0);
		assert_int_equal(limit(i), most(i));
		assert_int_equal(stack_most(&cache, i), most(i));
		assert_int_equal(cache.room[0] + cache.room[1],
		    ROOM_SMALL + ROOM_LARGE -
			(most(i) - stack_gratis(i)) * usable(i));
		end(state);
	}
}

/* So at the ends of a queue, where a deep stack is no use. */
static void
one_kind_of_misses_makes_no_deep_stack(void **state)
{
	for (unsigned i = 0; i < CACHE_BINS; i++)
		for (enum miss kind = MISS_TAKE; kind <= MISS_GIVE; kind++) {
			int64_t fit = 16 * KIB / usable(i);
			int64_t bound = fit < 16 ? 16 : fit < 128 ? fit : 128;

			begin(state);
			for (unsigned n = 0; n < 100; n++)
				assert_int_equal(stack_missed(&cache, i, kind),
				    0);
			if (i >= SMALL_CLASSES)
				bound = 1;
			assert_int_equal(limit(i), bound);
			end(state);
		}
}

/* For 64 of the other kind. */
static void
one_miss_of_the_other_kind_counts_for_a_while(void **state)
{
	unsigned i = 3, grown = 0;
	uint32_t bound;

	(void)state;
	for (unsigned n = 0; n < 100; n++)
		stack_missed(&cache, i, MISS_TAKE);
	bound = limit(i);
	stack_missed(&cache, i, MISS_GIVE);
	stack_lower(&cache, i, bound);
	for (unsigned n = 0; n < 200; n++) {
		stack_missed(&cache, i, MISS_TAKE);
		grown += limit(i) > bound;
		stack_lower(&cache, i, bound);
	}
	assert_int_equal(grown, 32);
}

/* Small and large ones have room of their own. */
static void
all_stacks_together_take_no_more_than_the_room(void **state)
{
	uint32_t lacked = 0;

	(void)state;
	for (unsigned n = 0; n < 2; n++)
		for (unsigned i = 0; i < CACHE_BINS; i++) {
			bool large = i >= SMALL_CLASSES;
			int64_t sum = 0;

			lacked = miss_both_ways(i);
			for (unsigned k = large ? SMALL_CLASSES : 0;
			     k < (large ? CACHE_BINS : SMALL_CLASSES); k++)
				sum += (limit(k) > stack_gratis(k)
					       ? limit(k) - stack_gratis(k)
					       : 0) *
				    usable(k);
			assert_int_equal(sum + cache.room[large],
			    large ? ROOM_LARGE : ROOM_SMALL);
			assert_true(cache.room[large] >= 0);
			/* It took all that there was, and the first slots. */
			assert_true(limit(i) == most(i) ||
			    cache.room[large] < usable(i));
			assert_true(limit(i) >= stack_gratis(i));
			assert_int_equal(lacked != 0, limit(i) < most(i));
		}
	assert_true(lacked != 0);
}

/* Both may change while the bin has a stack. */
static void
options_say_how_many_objects_a_bin_may_hold(void **state)
{
	unsigned i = 10, size_class = size_class_of(cache_bin_usable(10));

	(void)state;
	opt_at_start.tcache_ncached_max[size_class] = 5;
	assert_int_equal(stack_most(&cache, i), 5);
	opt_at_start.tcache_ncached_max[size_class] = 0;
	assert_int_equal(stack_most(&cache, i), 0);
	opt_at_start.tcache_ncached_max[size_class] = NCACHED_COMPUTED;
	assert_int_equal(stack_most(&cache, i), most(i));
	cache.max_size = cache_bin_usable(i);
	assert_int_equal(stack_most(&cache, i), most(i));
	cache.max_size--;
	assert_int_equal(stack_most(&cache, i), 0);
	/* The first slots are no more than it may hold, either. */
	cache.cold[i].max = 3;
	miss_both_ways(i);
	assert_int_equal(limit(i), 3);
	cache.cold[i].max = 40;
	miss_both_ways(i);
	assert_int_equal(limit(i), 40);
}

static void
where_calls_are_checked_only_small_objects_are_cached(void **state)
{
	(void)state;
	opt_at_start.checked = true;
	assert_true(stack_may_be(SMALL_CLASSES - 1));
	assert_false(stack_may_be(SMALL_CLASSES));
	opt_at_start.checked = false;
	assert_true(stack_may_be(SMALL_CLASSES));
	opt_at_start.junk_free = true;
	assert_false(stack_may_be(0));
	opt_at_start.junk_free = false;
}

/* In the order in which they will be taken. */
static void
objects_stay_in_a_stack_that_grows(void **state)
{
	unsigned i = 2;
	char object[8];
	uint32_t capacity;

	(void)state;
	stack_missed(&cache, i, MISS_TAKE);
	for (unsigned n = 0; n < ARRAY_LEN(object); n++)
		*--cache.bins[i + 1].head = &object[n];
	capacity = cache.cold[i].capacity;
	assert_int_equal(miss_both_ways(i), 0);
	assert_true(cache.cold[i].capacity > capacity);
	stack_conceal(&cache, i);
	assert_null(cache.bins[i + 1].head);
	assert_ptr_equal(cache.bins[i + 1].full, cache.bins[i + 1].empty);
	stack_show(&cache, i);
	assert_int_equal(stack_count(&cache, i), ARRAY_LEN(object));
	for (unsigned n = ARRAY_LEN(object); n-- > 0;)
		assert_ptr_equal(*cache.bins[i + 1].head++, &object[n]);
	assert_ptr_equal(cache.bins[i + 1].head, cache.bins[i + 1].empty);
	assert_ptr_equal(cache.bins[i + 1].head - limit(i),
	    cache.bins[i + 1].full);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_stack_starts_small_and_doubles_at_every_second_miss),
		cmocka_unit_test(one_kind_of_misses_makes_no_deep_stack),
		cmocka_unit_test_setup_teardown(
		    one_miss_of_the_other_kind_counts_for_a_while, begin, end),
		cmocka_unit_test_setup_teardown(
		    all_stacks_together_take_no_more_than_the_room, begin, end),
		cmocka_unit_test_setup_teardown(
		    options_say_how_many_objects_a_bin_may_hold, begin, end),
		cmocka_unit_test_setup_teardown(
		    where_calls_are_checked_only_small_objects_are_cached,
		    begin, end),
		cmocka_unit_test_setup_teardown(
		    objects_stay_in_a_stack_that_grows, begin, end),
	};

	system_init();
	metadata_init();
	extent_records_init();
	options_init(&opt_at_start);
	opt_at_start.junk_alloc = opt_at_start.junk_free = false;
	size_class_init(system_info.page_size, NULL);
	if (!arena_table_init(1, 0))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
