#include "cache/quarantine.h"

#include "../allocated.h"
#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "arena/wipe.h"
#include "cache/exchange.h"
#include "cache/tcache.h"
#include "cache/tcache_counts.h"
#include "cache/tcache_look.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/limit.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/system.h"

/* The most that one batch may hold beyond what the queue does. */
#define BATCH_MAX ((size_t)16 << 10)
#define HELD_MAX  20000
#define LIMIT     ((size_t)256 << 10)

static struct fault piece;
static unsigned reports;

void *__real_metadata_take_piece(size_t size);
void *__wrap_metadata_take_piece(size_t size);
void __wrap_safety_report(const char *kind, const void *addr,
    const char *details, ...) PRINTF(3, 4);

void *
__wrap_metadata_take_piece(size_t size)
{
	return fault_hits(&piece) ? NULL : __real_metadata_take_piece(size);
}

void
__wrap_safety_report(const char *kind, const void *addr, const char *details,
    ...)
{
	(void)addr;
	(void)details;
	assert_string_equal(kind, "use-after-free");
	reports++;
}

/* --- what was freed, in its order ----------------------------------------- */

static struct {
	void *object[HELD_MAX];
	size_t size[HELD_MAX]; /* usable */
	bool small[HELD_MAX];
	unsigned nput;
	uint64_t taken, given; /* bytes, counted as callers do */
} freed;

static struct tcache *tcache;

static void
begin(size_t limit)
{
	memset(&freed, 0, sizeof(freed));
	fault_set(&piece, 0, false);
	reports = 0;
	opt_at_start.quarantine = limit;
	opt_at_start.quarantine_by_heap = opt_at_start.uaf_check = false;
	tcache = aligned_alloc(CACHELINE, round_up(sizeof(*tcache), CACHELINE));
	assert_non_null(tcache);
	memset(tcache, 0, sizeof(*tcache));
	tcache_init(tcache, arena_table_first(), 12345);
}

static void *
put(size_t size)
{
	struct arena *arena = arena_table_first();
	struct extent *e;
	void *object;

	assert_true(freed.nput < HELD_MAX);
	if (size <= SMALL_MAX) {
		object = exchange_take_one(arena, small_class_of(size));
		size = small_class_size(small_class_of(size));
		e = pagemap_find(object);
	} else {
		size = round_up(size, UNIT);
		e = large_take(&arena->large, &arena->pages,
		    &(struct large_request){
			.usable = size, .align = 1, .asked = size });
		object = e->object;
		large_hide(e);
	}
	if (opt.uaf_check)
		memset(object, 0, size);
	freed.object[freed.nput] = object;
	freed.size[freed.nput] = size;
	freed.small[freed.nput++] = size <= SMALL_MAX;
	freed.given += size;
	tcache->uncached_given += size;
	quarantine_put(tcache, e, object);
	/* One object never drives out more than half of the others. */
	if (size > opt.quarantine / 2)
		freed.nput--;
	return object;
}

/* --- what is held --------------------------------------------------------- */

static void *held[HELD_MAX];

/* Copies what is held, oldest first; returns how many. */
static unsigned
copy_held(void)
{
	size_t queued = quarantine_copy(NULL, held, HELD_MAX);

	return (unsigned)(queued +
	    quarantine_copy(tcache, held + queued, HELD_MAX - queued));
}

static size_t
cached(void)
{
	size_t sum = 0;

	for (unsigned i = 0; i < CACHE_BINS; i++)
		sum += tcache_count(tcache, i) * cache_bin_usable(i);
	return sum;
}

static uint64_t
given(void)
{
	uint64_t sum = tcache->uncached_given;

	for (unsigned i = 0; i < CACHE_BINS; i++) {
		tcache_settle(tcache, i);
		sum += tcache->cold[i].given * cache_bin_usable(i);
	}
	return sum;
}

/*
 * Those that are held are the last ones freed, in their order. Figures agree,
 * each byte is counted once, and what is not held is in the cache or gone.
 */
static size_t
check(void)
{
	struct held_objects sum = { .nsmall = 0 }, want = { .nsmall = 0 };
	unsigned n = copy_held();

	quarantine_add_held(NULL, &sum);
	quarantine_add_held(tcache, &sum);
	for (unsigned i = 0; i < n; i++) {
		unsigned k = freed.nput - n + i;

		assert_ptr_equal(held[i], freed.object[k]);
		if (freed.small[k]) {
			want.nsmall++;
			want.small_size += freed.size[k];
		} else {
			want.nlarge++;
			want.large_size += freed.size[k];
		}
	}
	assert_int_equal(sum.nsmall, want.nsmall);
	assert_int_equal(sum.small_size, want.small_size);
	assert_int_equal(sum.nlarge, want.nlarge);
	assert_int_equal(sum.large_size, want.large_size);
	assert_int_equal(given(), freed.given);
	assert_int_equal(arena_allocated(arena_table_first()),
	    want.small_size + want.large_size + cached());
	return want.small_size + want.large_size;
}

static void
end(void)
{
	quarantine_flush(tcache);
	assert_int_equal(check(), 0);
	tcache_fini(tcache);
	assert_int_equal(arena_allocated(arena_table_first()), 0);
	free(tcache);
}

/* --- tests ---------------------------------------------------------------- */

static void
the_last_ones_freed_are_held_up_to_the_limit(void **state)
{
	static const size_t limits[] = { 100, 5000, 40000, LIMIT };
	uint64_t seed = 1;

	(void)state;
	for (unsigned k = 0; k < ARRAY_LEN(limits); k++) {
		begin(limits[k]);
		for (unsigned i = 0; i < 2000; i++) {
			size_t size = 1 +
			    random_below(&seed,
				(size_t)16 << random_below(&seed, 9)),
			       bytes;

			put(size);
			bytes = check();
			assert_true(bytes <= limits[k] + 2 * BATCH_MAX);
			/* Nothing leaves before there is too much. */
			if (i > 1000 && k == 3)
				assert_true(bytes >= limits[k] / 2);
		}
		end();
	}
}

static void
a_very_large_object_is_not_held(void **state)
{
	size_t bytes;

	(void)state;
	begin(LIMIT);
	for (unsigned i = 0; i < 3000; i++)
		put(100);
	bytes = check();
	put(LIMIT / 2 + UNIT);
	assert_int_equal(check(), bytes);
	put(LIMIT / 2);
	assert_true(check() >= LIMIT / 2);
	end();
}

static void
without_memory_for_a_batch_nothing_is_held(void **state)
{
	(void)state;
	begin(LIMIT);
	/* The stacks of the cache get theirs. */
	for (unsigned i = 0; i < 100; i++)
		put(100);
	quarantine_flush(tcache);
	fault_set(&piece, 1, true);
	for (unsigned i = 0; i < 100; i++) {
		put(100);
		put(20000);
		assert_int_equal(check(), 0);
	}
	assert_int_equal(copy_held(), 0);
	fault_set(&piece, 0, false);
	put(100);
	assert_int_equal(check(), 112);
	end();
}

/* The batch of a thread that ends goes to the others. */
static void
a_thread_leaves_its_batch_in_the_queue(void **state)
{
	size_t bytes;

	(void)state;
	begin(LIMIT);
	for (unsigned i = 0; i < 10; i++)
		put(50);
	assert_int_equal(quarantine_copy(NULL, held, HELD_MAX), 0);
	bytes = check();
	quarantine_leave(tcache);
	assert_int_equal(quarantine_copy(NULL, held, HELD_MAX), 10);
	assert_int_equal(quarantine_copy(tcache, held, HELD_MAX), 0);
	assert_int_equal(check(), bytes);
	/* A copy is never longer than its room. */
	assert_int_equal(quarantine_copy(NULL, held, 3), 3);
	end();
}

/* What the program wrote to is reported once, and never given out again. */
static void
what_was_written_to_stays_out_of_use(void **state)
{
	static const size_t sizes[] = { 8, 100, 14336, 20000 };
	char *object;

	(void)state;
	for (unsigned k = 0; k < ARRAY_LEN(sizes); k++) {
		size_t usable;

		begin(LIMIT);
		opt_at_start.uaf_check = true;
		put(sizes[k]);
		object = put(sizes[k]);
		put(sizes[k]);
		usable = freed.size[1];
		object[usable - 1] = 1;
		check();
		quarantine_flush(tcache);
		assert_int_equal(reports, 1);
		assert_int_equal(arena_allocated(arena_table_first()),
		    cached() + usable);
		for (unsigned bin = 0; bin < CACHE_BINS; bin++)
			assert_false(tcache_contains(tcache, bin, object));
		opt_at_start.uaf_check = false;
		/* For the next test. */
		if (sizes[k] > SMALL_MAX)
			large_give(&arena_table_first()->large,
			    &arena_table_first()->pages, pagemap_find(object));
		else
			exchange_give_one(small_class_of(sizes[k]), object);
		tcache_fini(tcache);
		assert_int_equal(arena_allocated(arena_table_first()), 0);
		free(tcache);
	}
}

/* In safety:full a small heap has a small quarantine. */
static void
the_limit_follows_the_heap(void **state)
{
	size_t small;

	(void)state;
	begin((size_t)64 << 20);
	opt_at_start.quarantine_by_heap = true;
	for (unsigned i = 0; i < 3000; i++)
		put(1000);
	small = check();
	assert_true(small >= (size_t)1 << 19);
	assert_true(small <= (size_t)3 << 19);
	limit_add((size_t)64 << 20);
	for (unsigned i = 0; i < 3000; i++)
		put(1000);
	assert_true(check() >= small + ((size_t)1 << 19));
	limit_give((size_t)64 << 20);
	end();
}

static void
objects_of_manual_arenas_are_not_wanted(void **state)
{
	struct arena *manual = arena_table_create(NULL, false);

	(void)state;
	assert_non_null(manual);
	opt_at_start.quarantine = 1;
	assert_true(quarantine_wants(arena_table_first()));
	assert_false(quarantine_wants(manual));
	opt_at_start.quarantine = 0;
	assert_false(quarantine_wants(arena_table_first()));
}

int
main(void)
{
	static const char *const none[CONF_SOURCES];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_ones_freed_are_held_up_to_the_limit),
		cmocka_unit_test(a_very_large_object_is_not_held),
		cmocka_unit_test(without_memory_for_a_batch_nothing_is_held),
		cmocka_unit_test(a_thread_leaves_its_batch_in_the_queue),
		cmocka_unit_test(what_was_written_to_stays_out_of_use),
		cmocka_unit_test(the_limit_follows_the_heap),
		cmocka_unit_test(objects_of_manual_arenas_are_not_wanted),
	};

	system_init();
	metadata_init();
	extent_records_init();
	conf_settle(&opt_at_start, none);
	opt_at_start.junk_alloc = opt_at_start.junk_free = false;
	size_class_init(system_info.page_size, opt.slab_sizes);
	if (!arena_table_init(1, 0))
		return 1;
	quarantine_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
