#include "cache/quarantine.h"

#include "../allocated.h"
#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/exchange.h"
#include "cache/tcache.h"
#include "cache/tcache_table.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/limit.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/system.h"

#define KEY ((uintptr_t)UINT64_C(0x1234567887654321))
#define KIB ((size_t)1024)
/* What the manual says that each thread holds more. */
#define OWN  (16 * KIB)
#define MOST 20000

static struct tcache *cache;
static struct arena *arena;

/* --- objects, in the order in which they are freed ----------------------- */

static struct {
	void *object[MOST];
	size_t size[MOST];
	unsigned n;
} freed;

/* What is in memory, if that decides. */
static size_t heap;

static void *
take(size_t size)
{
	struct large_request request = { .usable = round_up(size,
					     system_info.page_size),
		.align = system_info.page_size };
	struct extent *e;

	if (size <= SMALL_MAX)
		return exchange_take_one(arena, small_class_of(size));
	e = large_take(&arena->large, &arena->pages, &request);
	return e != NULL ? e->object : NULL;
}

/* Puts one in; its bytes, as they count for the limit. */
static size_t
put(size_t size)
{
	void *object = take(size);
	struct extent *e = pagemap_find(object);
	size_t counts = e->is_slab ? small_class_size(e->size_class) : e->size;

	assert_non_null(object);
	assert_true(freed.n < MOST);
	freed.object[freed.n] = object;
	freed.size[freed.n++] = counts;
	if (opt.quarantine_by_heap)
		limit.in_memory = heap;
	quarantine_put(cache, e, object);
	return counts;
}

/* --- what is held, as tools see it ---------------------------------------- */

static size_t
copy(void **to)
{
	size_t n = quarantine_copy(NULL, to, MOST);

	return n + quarantine_copy(cache, to + n, MOST - n);
}

static bool
is_held(const void *object)
{
	static void *held[MOST];
	size_t n = copy(held);

	for (size_t i = 0; i < n; i++)
		if (held[i] == object)
			return true;
	return false;
}

static struct held_objects
figures(void)
{
	struct held_objects sum = { .nsmall = 0 };

	quarantine_add_held(NULL, &sum);
	quarantine_add_held(cache, &sum);
	return sum;
}

/* Held are those that were freed last, in that order. Returns their bytes. */
static size_t
verify_last(void)
{
	static void *held[MOST];
	size_t n = copy(held), size = 0;
	struct held_objects sum = figures();

	assert_true(n <= freed.n);
	for (size_t i = 1; i <= n; i++) {
		assert_ptr_equal(held[n - i], freed.object[freed.n - i]);
		size += freed.size[freed.n - i];
	}
	assert_int_equal(sum.nsmall + sum.nlarge, n);
	assert_int_equal(sum.small_size + sum.large_size, size);
	return size;
}

static int
start(void **state)
{
	unsigned id;

	(void)state;
	freed.n = 0;
	opt_at_start.quarantine = 1024 * KIB;
	opt_at_start.quarantine_by_heap = false;
	arena = arena_table_owner(0);
	if (!tcache_table_create(arena, &id))
		return -1;
	cache = tcache_table_get(id);
	return 0;
}

/* Whatever was held, nothing is lost. */
static int
end(void **state)
{
	struct held_objects none = { .nsmall = 0 }, sum;

	(void)state;
	quarantine_flush(cache);
	sum = figures();
	assert_memory_equal(&sum, &none, sizeof(sum));
	tcache_flush(cache);
	assert_int_equal(arena_allocated(arena), 0);
	assert_true(tcache_table_destroy(0));
	return 0;
}

/* --- tests ---------------------------------------------------------------- */

static void
the_last_are_held_up_to_the_limit(void **state)
{
	size_t least = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		size_t size;

		put(8 + i * 37 % 2000);
		size = verify_last();
		assert_true(size <= opt.quarantine + OWN);
		if (i > 5000 && (least == 0 || size < least))
			least = size;
	}
	/* Not much less either: the notes of them count, too. */
	assert_true(least >= opt.quarantine - 4 * OWN);
}

static void
large_ones_go_back_when_they_are_too_old(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		size_t size = put(SMALL_MAX + 1 + i * 997 % 100000);

		assert_true(verify_last() <= opt.quarantine + OWN + size);
		/* The arena has those that are held, and no others. */
		assert_int_equal(arena_allocated(arena), figures().large_size);
	}
	quarantine_flush(cache);
	assert_int_equal(arena_allocated(arena), 0);
}

static void
one_object_may_be_half_of_it(void **state)
{
	size_t limit = opt.quarantine;
	unsigned first = freed.n;

	(void)state;
	assert_int_equal(put(limit / 2), limit / 2);
	assert_true(is_held(freed.object[first]));
	put(limit / 2 + UNIT);
	assert_false(is_held(freed.object[first + 1]));
	/* The first one is still there. */
	assert_true(is_held(freed.object[first]));
	assert_int_equal(arena_allocated(arena), limit / 2);
}

static void
what_a_thread_leaves_stays_until_it_is_old(void **state)
{
	(void)state;
	put(100);
	put(200);
	quarantine_leave(cache);
	assert_int_equal(quarantine_copy(cache, freed.object + 2, 10), 0);
	assert_true(is_held(freed.object[0]) && is_held(freed.object[1]));
	quarantine_leave(cache);
	assert_int_equal(figures().nsmall, 2);
	quarantine_flush(cache);
	assert_int_equal(figures().nsmall, 0);
}

static void
it_is_for_arenas_of_ours_if_at_all(void **state)
{
	(void)state;
	opt_at_start.quarantine = 0;
	assert_false(quarantine_wants(arena));
	opt_at_start.quarantine = 1024 * KIB;
	assert_true(quarantine_wants(arena));
	arena->manual = true;
	assert_false(quarantine_wants(arena));
	arena->manual = false;
}

/* 1 MiB and 1/64 of what is in memory, but no more than the option. */
static void
with_the_heap_its_limit_grows(void **state)
{
	static const struct {
		size_t in_memory, limit;
	} heaps[] = {
		{ 0, 1024 * KIB },
		{ 64 * 1024 * KIB, 2048 * KIB },
		{ SIZE_MAX / 2, 4096 * KIB },
	};
	size_t before = limit.in_memory;

	(void)state;
	opt_at_start.quarantine = 4096 * KIB;
	opt_at_start.quarantine_by_heap = true;
	for (unsigned i = 0; i < ARRAY_LEN(heaps); i++) {
		unsigned at = freed.n;

		heap = heaps[i].in_memory;
		put(heaps[i].limit / 2);
		put(heaps[i].limit / 2 + UNIT);
		assert_true(is_held(freed.object[at]));
		assert_false(is_held(freed.object[at + 1]));
		quarantine_flush(cache);
	}
	limit.in_memory = before;
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
		TEST(the_last_are_held_up_to_the_limit),
		TEST(large_ones_go_back_when_they_are_too_old),
		TEST(one_object_may_be_half_of_it),
		TEST(what_a_thread_leaves_stays_until_it_is_old),
		TEST(it_is_for_arenas_of_ours_if_at_all),
		TEST(with_the_heap_its_limit_grows),
	};

	system_init();
	metadata_init();
	extent_records_init();
	options_init(&opt_at_start);
	opt_at_start.junk_alloc = opt_at_start.junk_free = false;
	size_class_init(system_info.page_size, NULL);
	thread_init(KEY);
	tcache_table_init(KEY);
	quarantine_init();
	if (!arena_table_init(1, 0))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
