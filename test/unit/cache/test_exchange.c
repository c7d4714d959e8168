#include "cache/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "../allocated.h"
#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/cache_bin.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/message.h"
#include "os/system.h"

#define COUNT_MAX 400

static struct {
	unsigned count;
	char last[300];
} reports;

static void
note_report(void *opaque, const char *text)
{
	(void)opaque;
	reports.count++;
	strncpy(reports.last, text, sizeof(reports.last) - 1);
}

static uint64_t
requests(struct arena *arena, unsigned bin)
{
	return atomic_load(&arena->requests[bin]);
}

static struct arena *
other_arena(void)
{
	return arena_table_need(1);
}

/* --- taking and giving -------------------------------------------------- */

/* More than go back at once, of two arenas, in any order. */
static void
objects_return_to_where_they_are_from(void **state)
{
	struct arena *arenas[2] = { arena_table_first(), other_arena() };
	unsigned bin = small_class_of(100), n = 0;
	void *objects[COUNT_MAX];

	(void)state;
	for (unsigned count = 0; count < COUNT_MAX / 2; count += 50)
		for (unsigned i = 0; i < 2; i++) {
			assert_int_equal(exchange_take(arenas[i], 0, bin,
					     objects + n, 50),
			    50);
			n += 50;
		}
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(extent_arena(pagemap_find(objects[i])),
		    i / 50 % 2);
		memset(objects[i], 1, 100);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(arena_allocated(arenas[i]),
		    COUNT_MAX / 2 * small_class_size(bin));
	exchange_give(bin, objects, n);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(arena_allocated(arenas[i]), 0);
	assert_int_equal(reports.count, 0);
}

static void
large_objects_go_one_by_one(void **state)
{
	struct arena *arena = other_arena();
	unsigned bin = cache_bin_of_large(32768);
	void *objects[5];

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(exchange_take(arena, 0, bin, objects + i, 9),
		    1);
		memset(objects[i], 1, 32768);
	}
	assert_int_equal(arena_allocated(arena), 5 * 32768);
	exchange_give(bin, objects, 4);
	assert_int_equal(arena_allocated(arena), 32768);
	exchange_give_one(bin, objects[4]);
	assert_int_equal(arena_allocated(arena), 0);
}

/* --- what counts as a request ------------------------------------------- */

static void
a_cache_counts_its_requests_itself(void **state)
{
	struct arena *arena = arena_table_first();
	unsigned bins[] = { small_class_of(48), cache_bin_of_large(20480) };
	void *objects[10];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t before = requests(arena, bins[i]);
		unsigned n = exchange_take(arena, 0, bins[i], objects, 10);

		assert_int_equal(n, i == 0 ? 10 : 1);
		assert_int_equal(requests(arena, bins[i]), before);
		exchange_give(bins[i], objects, n);
		n = exchange_take_many(arena, 0, bins[i], objects, 10);
		assert_int_equal(requests(arena, bins[i]), before + n);
		exchange_give(bins[i], objects, n);
		objects[0] = exchange_take_one(arena, bins[i]);
		assert_non_null(objects[0]);
		assert_int_equal(requests(arena, bins[i]), before + n + 1);
		exchange_give_one(bins[i], objects[0]);
		assert_int_equal(requests(arena, bins[i]), before + n + 1);
	}
	assert_int_equal(arena_allocated(arena), 0);
}

/* Neither single objects of the program nor its batches are for a cache. */
static void
only_caches_fill_and_flush(void **state)
{
	struct arena *arena = arena_table_first();
	unsigned bin = small_class_of(48);
	const struct bin_stats *stats = &arena_bin(arena, bin, 0)->stats;
	uint64_t fills = stats->nfills, flushes = stats->nflushes;
	void *objects[10];

	(void)state;
	objects[0] = exchange_take_one(arena, bin);
	exchange_give_one(bin, objects[0]);
	assert_int_equal(exchange_take_many(arena, 0, bin, objects, 10), 10);
	for (unsigned i = 0; i < 10; i++)
		exchange_give_one(bin, objects[i]);
	assert_int_equal(stats->nfills, fills);
	assert_int_equal(stats->nflushes, flushes);
	assert_int_equal(exchange_take(arena, 0, bin, objects, 10), 10);
	exchange_give(bin, objects, 10);
	assert_int_equal(stats->nfills, fills + 1);
	assert_int_equal(stats->nflushes, flushes + 1);
}

/* Samples lie apart: none shares a slab with an object that is no sample. */
static void
samples_lie_apart(void **state)
{
	struct arena *arena = arena_table_first();
	unsigned bin = small_class_of(64);
	void *object = exchange_take_one(arena, bin), *sample[3];
	uint64_t before = requests(arena, bin);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		sample[i] = exchange_take_sample(arena, bin);
		assert_non_null(sample[i]);
		assert_int_equal(requests(arena, bin), before + i + 1);
		assert_ptr_not_equal(pagemap_find(sample[i]),
		    pagemap_find(object));
		assert_int_equal(pagemap_kind(sample[i]), KIND_SAMPLE);
	}
	assert_int_equal(arena_allocated(arena), 4 * 64);
	for (unsigned i = 0; i < 3; i++)
		exchange_give_one(bin, sample[i]);
	exchange_give_one(bin, object);
	assert_int_equal(arena_allocated(arena), 0);
}

/* --- mistakes ----------------------------------------------------------- */

static void
expect_report(const char *kind)
{
	if (reports.count != 1 || strstr(reports.last, kind) == NULL)
		fail_msg("%u reports, the last: %s", reports.count,
		    reports.last);
	reports.count = 0;
}

/* They are told, and the others go where they belong. */
static void
mistakes_are_told_and_do_no_harm(void **state)
{
	struct arena *arena = arena_table_first();
	unsigned bin = small_class_of(256), large = cache_bin_of_large(65536);
	void *objects[10], *again;

	(void)state;
	assert_int_equal(exchange_take(arena, 0, bin, objects, 10), 10);
	again = objects[4];
	exchange_give_one(bin, objects[4]);
	objects[4] = again;
	exchange_give(bin, objects, 10);
	expect_report("double-free");
	assert_int_equal(arena_allocated(arena), 0);
	assert_int_equal(exchange_take(arena, 0, bin, objects, 2), 2);
	exchange_give_one(bin, (char *)objects[0] + 16);
	expect_report("invalid-free");
	/* Of another class, or no slab at all. */
	exchange_give_one(small_class_of(512), objects[0]);
	expect_report("double-free");
	exchange_give(bin, objects, 2);
	again = exchange_take_one(arena, large);
	exchange_give_one(large, (char *)again + system_info.page_size);
	expect_report("free");
	exchange_give_one(large, again);
	assert_int_equal(reports.count, 0);
	exchange_give_one(large, again);
	expect_report("double-free");
	assert_int_equal(arena_allocated(arena), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_return_to_where_they_are_from),
		cmocka_unit_test(large_objects_go_one_by_one),
		cmocka_unit_test(a_cache_counts_its_requests_itself),
		cmocka_unit_test(only_caches_fill_and_flush),
		cmocka_unit_test(samples_lie_apart),
		cmocka_unit_test(mistakes_are_told_and_do_no_harm),
	};

	system_init();
	metadata_init();
	extent_records_init();
	options_init(&opt_at_start);
	opt_at_start.safety_action = SAFETY_ACTION_REPORT;
	malloc_message = note_report;
	size_class_init(system_info.page_size, NULL);
	if (!arena_table_init(2, 0))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
