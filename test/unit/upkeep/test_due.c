#include "upkeep/due.h"

#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/clock.h"
#include "os/system.h"
#include "pages/ageing.h"

#define MS        UINT64_C(1000000)
#define MIB       ((size_t)1 << 20)
#define PERIOD_NS (10000 * MS)

enum { NARENAS = 7 };

static uint64_t now_ns = 1000 * PERIOD_NS;

uint64_t __wrap_clock_now_ns(void);

uint64_t
__wrap_clock_now_ns(void)
{
	return now_ns;
}

static struct page_source *
source(unsigned i)
{
	return &arena_table_owner(i)->pages;
}

/*
 * In pieces of 1 MiB. They are purged one by one, because what lies between
 * them stays in use.
 */
static void
leave_unused(unsigned i, size_t size)
{
	struct extent *taken[2 * 64];
	size_t n = size / MIB;

	assert_true(n <= 64);
	for (size_t k = 0; k < 2 * n; k++)
		taken[k] = page_source_take(source(i), MIB,
		    system_info.page_size);
	for (size_t k = 0; k < n; k++)
		page_source_give(source(i), taken[2 * k]);
	ageing_tick(source(i), now_ns);
}

/* Nothing is unused, and pages become so as by default. */
static int
begin(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NARENAS; i++) {
		source(i)->shares = false; /* or they would borrow */
		ageing_purge(source(i));
		ageing_set_decay(source(i), 0, PERIOD_NS / MS, now_ns);
		ageing_set_decay(source(i), 1, 0, now_ns);
		ageing_tick(source(i), now_ns);
	}
	return 0;
}

static uint64_t
wait_of(unsigned i)
{
	return ageing_wait(source(i), now_ns);
}

/*
 * As the threads do it, with any number of them: each sleeps as long as it was
 * told, and then ages. All memory has gone soon after its time, and whoever is
 * told to sleep for ever has nothing.
 */
static void
sleepers_give_back_all_in_time(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned of = 1; of <= NARENAS + 2; of++) {
		uint64_t wake[NARENAS + 2], end;
		unsigned wakes = 0;

		begin(NULL);
		for (unsigned i = 0; i < NARENAS; i++)
			if (i % 3 != 1)
				leave_unused(i,
				    (1 + random_below(&seed, 20)) * MIB);
		end = now_ns + PERIOD_NS + PERIOD_NS / 10;
		for (unsigned k = 0; k < of; k++)
			wake[k] = now_ns;
		for (;;) {
			unsigned next = 0;
			uint64_t wait;

			for (unsigned k = 1; k < of; k++)
				if (wake[k] < wake[next])
					next = k;
			if (wake[next] > end)
				break;
			now_ns = wake[next];
			wait = due_age(next, of);
			wake[next] = wait == UINT64_MAX ? UINT64_MAX
							: now_ns + wait;
			assert_int_not_equal(wait, 0);
			assert_true(++wakes < 10000 * of);
		}
		assert_int_equal(arena_table_unused(), 0);
		for (unsigned k = 0; k < of; k++)
			assert_true(wake[k] == UINT64_MAX);
	}
}

/* The arenas of others are left alone, and the first thing due is told. */
static void
a_share_has_each_arena_of_its_own_and_no_other(void **state)
{
	(void)state;
	for (unsigned of = 1; of <= NARENAS; of++)
		for (unsigned share = 0; share < of; share++) {
			uint64_t least = UINT64_MAX;
			size_t before[NARENAS];

			begin(NULL);
			for (unsigned i = 0; i < NARENAS; i++) {
				leave_unused(i, (1 + i) * MIB);
				now_ns += MS;
			}
			now_ns += PERIOD_NS / 2;
			for (unsigned i = 0; i < NARENAS; i++)
				before[i] = ageing_unused(source(i));
			assert_int_not_equal(due_age(share, of), 0);
			for (unsigned i = 0; i < NARENAS; i++) {
				bool own = i % of == share;

				assert_true((ageing_unused(source(i)) <
						before[i]) == own);
				if (own && wait_of(i) < least)
					least = wait_of(i);
			}
			assert_int_equal(due_age(share, of), least);
		}
}

static void
what_is_unused_is_the_sum_over_all_arenas(void **state)
{
	size_t sum = 0;

	(void)state;
	assert_int_equal(arena_table_unused(), 0);
	for (unsigned i = 0; i < NARENAS; i++) {
		leave_unused(i, (3 + i) * MIB);
		sum += (3 + i) * MIB;
		assert_int_equal(arena_table_unused(), sum);
	}
}

/* Only much that is due now is worth another thread. */
static void
much_is_what_is_due_now_in_an_arena_of_the_share(void **state)
{
	(void)state;
	leave_unused(4, 15 * MIB);
	now_ns += PERIOD_NS / 2;
	assert_false(due_is_much(0, 1));
	leave_unused(4, 40 * MIB);
	due_age(0, 1);
	/* It is much, but all that was due has just gone. */
	assert_int_not_equal(wait_of(4), 0);
	assert_false(due_is_much(0, 1));
	now_ns += PERIOD_NS / 4;
	assert_int_equal(wait_of(4), 0);
	for (unsigned of = 1; of <= NARENAS; of++)
		for (unsigned share = 0; share < of; share++)
			assert_int_equal(due_is_much(share, of),
			    4 % of == share);
	/* What may stay for ever is not due. */
	ageing_set_decay(source(4), 0, -1, now_ns);
	assert_false(due_is_much(0, 1));
	assert_true(due_age(0, 1) == UINT64_MAX);
}

int
main(void)
{
	static const char *const none[CONF_SOURCES];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(sleepers_give_back_all_in_time, begin),
		cmocka_unit_test_setup(
		    a_share_has_each_arena_of_its_own_and_no_other, begin),
		cmocka_unit_test_setup(
		    what_is_unused_is_the_sum_over_all_arenas, begin),
		cmocka_unit_test_setup(
		    much_is_what_is_due_now_in_an_arena_of_the_share, begin),
	};

	system_init();
	metadata_init();
	extent_records_init();
	conf_settle(&opt_at_start, none);
	size_class_init(system_info.page_size, opt.slab_sizes);
	if (!arena_table_init(NARENAS, 0))
		return 1;
	for (unsigned i = 1; i < NARENAS; i++)
		if (arena_table_need(i) == NULL)
			return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
