#include "cache/cache_bin.h"

#include <string.h>

#include "../unit.h"

#define SLOTS 16

static void *slots[SLOTS];
static uintptr_t objects[SLOTS][4];

static struct cache_bin
bin_with(unsigned count)
{
	struct cache_bin bin = { .head = slots + SLOTS,
		.full = slots,
		.empty = slots + SLOTS,
		.countdown = 1000,
		.usable = 32 };

	for (unsigned i = 0; i < count; i++) {
		memset(objects[i], 0xee, sizeof(objects[i]));
		cache_bin_give(&bin, bin.head, objects[i]);
	}
	return bin;
}

static void
what_was_given_last_is_taken_first(void **state)
{
	struct cache_bin bin = bin_with(SLOTS);

	(void)state;
	assert_ptr_equal(bin.head, bin.full);
	for (unsigned i = SLOTS; i-- > 0;)
		assert_ptr_equal(cache_bin_take(&bin), objects[i]);
	assert_ptr_equal(bin.head, slots + SLOTS);
	assert_null(cache_bin_take(&bin));
	assert_ptr_equal(bin.head, slots + SLOTS);
}

static void
the_mark_of_a_freed_object_is_wiped_and_no_more(void **state)
{
	struct cache_bin bin = bin_with(1);
	uintptr_t *object = cache_bin_take(&bin);

	(void)state;
	assert_int_equal(object[0], 0);
	assert_int_not_equal(object[1], 0);
}

/* So that a program seldom stores it by chance. */
static void
a_mark_is_no_text_no_small_number_and_no_address(void **state)
{
	bool known[1 << 16] = { false };
	unsigned n = 0;

	(void)state;
	for (uintptr_t random = 0; random < 100000; random++) {
		cache_mark mark = cache_mark_of(random * 0x9e3779b9u);
		unsigned char byte[2];

		memcpy(byte, &mark, sizeof(mark));
		assert_true(mark > 0x1000 && mark < 0xff00);
		/* The low byte of an address, or the high one of none. */
		assert_int_equal(byte[0] % 2, 1);
		/* UTF-8 has no such first byte; others are not in text. */
		assert_true(byte[0] == 0xc1 || byte[0] >= 0xf8);
		assert_true(byte[1] >= 0x80);
		n += !known[mark];
		known[mark] = true;
	}
	assert_in_range(n, 100, 1000);
}

static void
a_bin_without_a_stack_is_empty_and_full(void **state)
{
	struct cache_bin bin = { .head = NULL };

	(void)state;
	assert_ptr_equal(bin.head, bin.full);
	for (unsigned i = 0; i < 3; i++)
		assert_null(cache_bin_take(&bin));
	/* Nothing is counted, however often it is asked. */
	assert_int_equal(bin.countdown, 0);
}

static void
each_object_taken_counts_down_and_below_zero_none_is(void **state)
{
	struct cache_bin bin = bin_with(5);

	(void)state;
	bin.countdown = 3;
	for (unsigned i = 3; i-- > 0;) {
		assert_non_null(cache_bin_take(&bin));
		assert_int_equal(bin.countdown, i);
	}
	assert_null(cache_bin_take(&bin));
	assert_true(bin.countdown < 0);
	assert_ptr_equal(bin.head, slots + SLOTS - 2);
}

static void
taking_stops_at_the_mark_of_ageing(void **state)
{
	struct cache_bin bin = bin_with(6);

	(void)state;
	bin.empty = slots + SLOTS - 2;
	for (unsigned i = 0; i < 4; i++)
		assert_non_null(cache_bin_take(&bin));
	assert_null(cache_bin_take(&bin));
	assert_int_equal(bin.countdown, 996);
	bin.empty = slots + SLOTS;
	assert_ptr_equal(cache_bin_take(&bin), objects[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_given_last_is_taken_first),
		cmocka_unit_test(
		    a_mark_is_no_text_no_small_number_and_no_address),
		cmocka_unit_test(
		    the_mark_of_a_freed_object_is_wiped_and_no_more),
		cmocka_unit_test(a_bin_without_a_stack_is_empty_and_full),
		cmocka_unit_test(
		    each_object_taken_counts_down_and_below_zero_none_is),
		cmocka_unit_test(taking_stops_at_the_mark_of_ageing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
