#include "conf/options.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "extent/metadata.h"
#include "os/pages.h"
#include "os/system.h"

/* Of each thread, because several map at once. */
static _Thread_local struct {
	struct fault map;
	size_t map_limit; /* larger maps fail; 0 = none does */
	/* The last map, and the highest end of all. */
	char *addr, *highest;
	size_t size;
	bool refuse_advice;
	unsigned nwanted, nrefused, nunmapped, nbreak;
} kernel;

void *__real_pages_map(size_t size, size_t align);
void *__wrap_pages_map(size_t size, size_t align);
bool __wrap_pages_want_huge(void *addr, size_t size);
bool __wrap_pages_refuse_huge(void *addr, size_t size);
bool __real_pages_unmap(void *addr, size_t size);
bool __wrap_pages_unmap(void *addr, size_t size);
void *__wrap_dss_take(size_t size);

void *
__wrap_pages_map(size_t size, size_t align)
{
	if (kernel.map.at != 0 && fault_hits(&kernel.map))
		return NULL;
	if (kernel.map_limit != 0 && size > kernel.map_limit)
		return NULL;
	kernel.addr = __real_pages_map(size, align);
	kernel.size = size;
	if (kernel.addr != NULL && kernel.addr + size > kernel.highest)
		kernel.highest = kernel.addr + size;
	return kernel.addr;
}

bool
__wrap_pages_want_huge(void *addr, size_t size)
{
	assert_int_equal((uintptr_t)addr % system_info.huge_page, 0);
	assert_int_equal(size % system_info.huge_page, 0);
	kernel.nwanted++;
	return !kernel.refuse_advice;
}

bool
__wrap_pages_refuse_huge(void *addr, size_t size)
{
	assert_ptr_equal(addr, kernel.addr);
	assert_int_equal(size, kernel.size);
	kernel.nrefused++;
	return true;
}

bool
__wrap_pages_unmap(void *addr, size_t size)
{
	kernel.nunmapped++;
	return __real_pages_unmap(addr, size);
}

void *
__wrap_dss_take(size_t size)
{
	kernel.nbreak++;
	return __real_pages_map(size, system_info.page_size);
}

static int
kernel_works(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	return 0;
}

struct block {
	char *addr;
	size_t size;
};

static int
by_address(const void *a, const void *b)
{
	const struct block *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void
assert_apart(struct block *blocks, size_t n)
{
	qsort(blocks, n, sizeof(*blocks), by_address);
	for (size_t i = 1; i < n; i++)
		assert_true(blocks[i - 1].addr + blocks[i - 1].size <=
		    blocks[i].addr);
}

static void
memory_is_zero_aligned_and_apart(void **state)
{
	static struct block blocks[3000];
	uint64_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(blocks); i++) {
		size_t size = 1 +
		    random_below(&seed, i % 100 == 0 ? 100000 : 500);
		size_t align = (size_t)1 << random_below(&seed, 13);
		char *p = metadata_take(size, align);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % align, 0);
		assert_filled(p, size, 0);
		memset(p, 0xff, size);
		blocks[i] = (struct block){ p, size };
		assert_true(metadata_contains(p));
		assert_true(metadata_contains(p + size - 1));
	}
	assert_apart(blocks, ARRAY_LEN(blocks));
}

static void
any_size_can_be_had_and_is_counted(void **state)
{
	(void)state;
	for (size_t size = 64; size <= (size_t)32 << 20; size *= 2) {
		struct metadata_stats before = metadata_stats(), after;

		assert_non_null(metadata_take(size, 64));
		after = metadata_stats();
		assert_int_equal(after.used, before.used + size);
		assert_true(after.mapped >= before.mapped);
		assert_true(after.mapped >= after.used);
	}
}

static void
foreign_addresses_are_not_contained(void **state)
{
	int here;

	(void)state;
	assert_false(metadata_contains(NULL));
	assert_false(metadata_contains(&here));
	assert_false(metadata_contains((void *)UINTPTR_MAX));
}

/* Takes until the next block is needed. */
static void
use_up(void)
{
	kernel.map_limit = 1;
	while (metadata_take(4096, 16) != NULL)
		;
	while (metadata_take(16, 16) != NULL)
		;
	kernel.map_limit = 0;
}

/* First: before anything is taken. */
static void
blocks_double_up_to_a_bound(void **state)
{
	size_t expected = (size_t)256 << 10;

	(void)state;
	for (unsigned i = 0; i < 7; i++) {
		size_t mapped = metadata_stats().mapped;
		char *p = metadata_take(64, 64), *end;

		assert_non_null(p);
		assert_int_equal(metadata_stats().mapped - mapped, expected);
		end = kernel.addr + kernel.size;
		assert_true(metadata_contains(kernel.addr));
		assert_true(metadata_contains(end - 1));
		assert_false(metadata_contains(kernel.highest));
		/* All that is left of it can be had at once. */
		kernel.map_limit = 1;
		assert_null(metadata_take((size_t)(end - p) - 64 + 16, 16));
		assert_ptr_equal(metadata_take((size_t)(end - p) - 64, 16),
		    p + 64);
		assert_null(metadata_take(1, 1));
		kernel.map_limit = 0;
		if (expected < (size_t)4 << 20)
			expected *= 2;
	}
}

static void
thp(enum system_thp thp, bool always, bool later)
{
	system_info.thp = thp;
	metadata_set_thp(always, later);
	use_up();
	memset(&kernel, 0, sizeof(kernel));
}

/* Blocks are of 4 MiB by now. */
static void
huge_pages_are_used_where_they_are_wanted(void **state)
{
	enum system_thp before = system_info.thp;
	size_t huge_page = system_info.huge_page, used;

	(void)state;
	system_info.huge_page = (size_t)2 << 20;
	/* The kernel makes none. */
	thp(SYSTEM_THP_NEVER, true, true);
	assert_non_null(metadata_take(64, 64));
	assert_int_equal(kernel.nwanted + kernel.nrefused, 0);
	assert_int_equal(metadata_stats().huge, 0);
	/* Not wanted: where the kernel makes them by itself, it must not. */
	thp(SYSTEM_THP_MADVISE, false, false);
	assert_non_null(metadata_take(64, 64));
	assert_int_equal(kernel.nwanted + kernel.nrefused, 0);
	thp(SYSTEM_THP_ALWAYS, false, false);
	assert_non_null(metadata_take(64, 64));
	assert_int_equal(kernel.nwanted, 0);
	assert_int_equal(kernel.nrefused, 1);
	for (unsigned i = 0; i < 3; i++) {
		/* Always; or later, which is now. */
		used = metadata_stats().huge;
		thp(i == 0 ? SYSTEM_THP_ALWAYS : SYSTEM_THP_MADVISE, i < 2,
		    i == 2);
		used = metadata_stats().huge;
		assert_non_null(metadata_take(64, 64));
		assert_int_equal(kernel.nwanted, 1);
		assert_int_equal(kernel.nrefused, 0);
		assert_int_equal(metadata_stats().huge, used + 1);
		assert_non_null(metadata_take((size_t)2 << 20, 64));
		assert_int_equal(metadata_stats().huge, used + 2);
		assert_int_equal(kernel.nwanted, 1);
	}
	/* The kernel refuses: an ordinary block, and nothing is lost. */
	use_up();
	used = metadata_stats().huge;
	kernel.refuse_advice = true;
	kernel.nunmapped = kernel.nrefused = 0;
	assert_non_null(metadata_take(64, 64));
	assert_int_equal(metadata_stats().huge, used);
	assert_int_equal(kernel.nunmapped, 1);
	use_up();
	system_info.thp = SYSTEM_THP_ALWAYS;
	assert_non_null(metadata_take(64, 64));
	assert_int_equal(kernel.nrefused, 1);
	thp(SYSTEM_THP_MADVISE, false, false);
	system_info.thp = before;
	system_info.huge_page = huge_page;
}

static void
the_break_stands_in_if_that_is_allowed(void **state)
{
	(void)state;
	for (int allowed = 0; allowed < 2; allowed++) {
		use_up();
		opt_at_start.dss = allowed ? DSS_SECONDARY : DSS_DISABLED;
		fault_set(&kernel.map, 1, true);
		kernel.nbreak = 0;
		assert_int_equal(metadata_take(64, 64) != NULL, allowed);
		assert_int_equal(kernel.nbreak, allowed);
		fault_set(&kernel.map, 0, false);
	}
	/* Where memory can be mapped, it is. */
	opt_at_start.dss = DSS_DISABLED;
	use_up();
	opt_at_start.dss = DSS_SECONDARY;
	kernel.nbreak = 0;
	assert_non_null(metadata_take(64, 64));
	assert_int_equal(kernel.nbreak, 0);
	opt_at_start.dss = DSS_DISABLED;
}

static void
without_memory_the_answer_is_null_and_later_memory(void **state)
{
	struct metadata_stats before;

	(void)state;
	use_up();
	before = metadata_stats();
	fault_set(&kernel.map, 1, true);
	assert_null(metadata_take(64, 64));
	assert_null(metadata_take_piece(64));
	assert_int_equal(metadata_stats().mapped, before.mapped);
	assert_int_equal(metadata_stats().used, before.used);
	fault_set(&kernel.map, 0, false);
	assert_non_null(metadata_take(64, 64));
}

static void
near_the_limit_a_smaller_block_does(void **state)
{
	size_t page = system_info.page_size, mapped;

	(void)state;
	use_up();
	mapped = metadata_stats().mapped;
	kernel.map_limit = 8 * page;
	assert_non_null(metadata_take(6 * page, 64));
	assert_in_range(metadata_stats().mapped - mapped, 7 * page, 8 * page);
	use_up();
	kernel.map_limit = page;
	assert_non_null(metadata_take(64, 64));
	assert_null(metadata_take(2 * page, 64));
}

static void
pieces_come_back_for_requests_of_their_power_of_two(void **state)
{
	(void)state;
	for (unsigned lg = 6; lg <= 20; lg++) {
		size_t size = (size_t)1 << lg;
		size_t used = metadata_stats().used;
		void *a = metadata_take_piece(size), *b;

		assert_int_equal(metadata_stats().used - used, size);
		used += size;

		assert_non_null(a);
		memset(a, 0xff, size);
		b = metadata_take_piece(size);
		assert_ptr_not_equal(a, b);
		assert_int_equal(metadata_stats().used - used, size);
		metadata_give_piece(a, size);
		assert_ptr_equal(metadata_take_piece(size / 2 + 1), a);
		metadata_give_piece(b, size / 2 + 1);
		assert_ptr_equal(metadata_take_piece(size), b);
	}
	assert_int_equal((uintptr_t)metadata_take_piece(1) % 64, 0);
}

#define THREADS 4
#define TAKES   2000

static struct block taken[THREADS * TAKES];

static void *
take_many(void *arg)
{
	struct block *blocks = arg;

	for (unsigned i = 0; i < TAKES; i++) {
		size_t size = 16 + i % 50 * 16;

		blocks[i] = (struct block){ i % 7 == 0
			    ? metadata_take_piece(size)
			    : metadata_take(size, 16),
			size };
	}
	return NULL;
}

static void
threads_get_different_memory(void **state)
{
	pthread_t thread[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, take_many,
				     &taken[i * TAKES]),
		    0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_apart(taken, ARRAY_LEN(taken));
	assert_non_null(taken[0].addr);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(blocks_double_up_to_a_bound,
		    kernel_works),
		cmocka_unit_test(memory_is_zero_aligned_and_apart),
		cmocka_unit_test(any_size_can_be_had_and_is_counted),
		cmocka_unit_test(foreign_addresses_are_not_contained),
		cmocka_unit_test_teardown(
		    without_memory_the_answer_is_null_and_later_memory,
		    kernel_works),
		cmocka_unit_test_teardown(near_the_limit_a_smaller_block_does,
		    kernel_works),
		cmocka_unit_test(
		    pieces_come_back_for_requests_of_their_power_of_two),
		cmocka_unit_test_teardown(
		    huge_pages_are_used_where_they_are_wanted, kernel_works),
		cmocka_unit_test_teardown(
		    the_break_stands_in_if_that_is_allowed, kernel_works),
		cmocka_unit_test(threads_get_different_memory),
	};

	system_init();
	/* The tests say what the kernel does. */
	system_info.thp = SYSTEM_THP_MADVISE;
	metadata_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
