#include "util/bits.h"

#include "../unit.h"

static void
exactly_the_powers_of_two_are_powers_of_two(void **state)
{
	unsigned count = 0;

	(void)state;
	assert_false(is_pow2(0));
	for (unsigned lg = 0; lg < WORD_BITS; lg++) {
		assert_true(is_pow2((size_t)1 << lg));
		if (lg > 1)
			assert_false(is_pow2(((size_t)1 << lg) + 1));
	}
	for (size_t x = 0; x < 1000; x++)
		count += is_pow2(x);
	assert_int_equal(count, 10);
}

static void
logarithms_are_rounded_down_and_up(void **state)
{
	(void)state;
	for (unsigned lg = 0; lg < WORD_BITS; lg++) {
		size_t x = (size_t)1 << lg;

		assert_int_equal(lg_floor(x), lg);
		assert_int_equal(lg_ceil(x), lg);
		if (lg < 2)
			continue;
		assert_int_equal(lg_floor(x - 1), lg - 1);
		assert_int_equal(lg_ceil(x - 1), lg);
		assert_int_equal(lg_floor(x + 1), lg);
		assert_int_equal(lg_ceil(x + 1), lg + 1);
	}
	assert_int_equal(lg_floor(SIZE_MAX), WORD_BITS - 1);
	assert_int_equal(lg_ceil(SIZE_MAX), WORD_BITS);
	assert_int_equal(lg_floor64(1), 0);
	assert_int_equal(lg_floor64(UINT64_C(1) << 40), 40);
	assert_int_equal(lg_floor64(UINT64_MAX), 63);
}

static void
the_lowest_bit_is_found_below_any_others(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < 64; i++)
		for (unsigned n = 0; n < 50; n++)
			assert_int_equal(lowest_bit((random_next(&seed) | 1)
					     << i),
			    i);
}

static void
rounding_moves_to_the_nearest_multiple(void **state)
{
	(void)state;
	for (size_t align = 1; align <= 64; align *= 2)
		for (size_t x = 0; x < 300; x++) {
			size_t down = x / align * align;
			size_t up = down == x ? x : down + align;

			assert_int_equal(round_down(x, align), down);
			assert_int_equal(round_up(x, align), up);
		}
	assert_int_equal(round_down(SIZE_MAX, 4096), SIZE_MAX - 4095);
	assert_int_equal(round_up(SIZE_MAX - 4095, 4096), SIZE_MAX - 4095);
}

static void
the_smaller_and_the_larger_of_two_are_told(void **state)
{
	(void)state;
	assert_int_equal(min_size(3, 5), 3);
	assert_int_equal(min_size(SIZE_MAX, 5), 5);
	assert_int_equal(max_size(3, 5), 5);
	assert_int_equal(max_size(SIZE_MAX, 5), SIZE_MAX);
	assert_int_equal(min_size(4, 4), max_size(4, 4));
}

static void
what_leads_to_a_multiple_is_known_up_to_the_last_address(void **state)
{
	(void)state;
	assert_int_equal(lead_to((void *)4096, 4096), 0);
	assert_int_equal(lead_to((void *)4097, 4096), 4095);
	assert_int_equal(lead_to((void *)4096, 8192), 4096);
	assert_int_equal(lead_to((void *)(UINTPTR_MAX - 4095), (size_t)1 << 30),
	    4096);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exactly_the_powers_of_two_are_powers_of_two),
		cmocka_unit_test(logarithms_are_rounded_down_and_up),
		cmocka_unit_test(the_lowest_bit_is_found_below_any_others),
		cmocka_unit_test(rounding_moves_to_the_nearest_multiple),
		cmocka_unit_test(the_smaller_and_the_larger_of_two_are_told),
		cmocka_unit_test(
		    what_leads_to_a_multiple_is_known_up_to_the_last_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
