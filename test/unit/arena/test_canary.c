#include "arena/canary.h"

#include <string.h>

#include "arena/wipe.h"
#include "conf/options.h"

#include "../unit.h"

static char object[1200];

static void
every_changed_byte_is_found_at_its_place(void **state)
{
	(void)state;
	canary_init();
	for (size_t size = 0; size <= 40; size++)
		for (size_t end = size + 1; end <= 60; end++) {
			memset(object, 7, sizeof(object));
			canary_fill(object, size, end);
			for (size_t i = 0; i < sizeof(object); i++)
				if (i < size || i >= end)
					assert_int_equal(object[i], 7);
			assert_int_equal(canary_damage(object, size, end), end);
			for (size_t i = size; i < end; i++) {
				object[i] = (char)~object[i];
				assert_int_equal(canary_damage(object, size,
						     end),
				    i);
				assert_int_equal(canary_damage_is_last(object,
						     end),
				    i == end - 1);
				object[i] = (char)~object[i];
			}
			memset(object + size, 0, end - size);
			assert_int_equal(canary_damage(object, size, end),
			    size);
		}
}

/* Or the end of a string behind the object would not be noticed. */
static void
no_byte_of_a_canary_is_zero(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		canary_init();
		canary_fill(object, 3, 40);
		assert_null(memchr(object + 3, 0, 37));
	}
}

static void
canaries_of_other_objects_differ(void **state)
{
	char copy[40];

	(void)state;
	canary_init();
	canary_fill(object, 0, 40);
	memcpy(copy, object, sizeof(copy));
	canary_fill(object + 16, 0, 40);
	assert_memory_not_equal(copy, object + 16, 40);
	assert_memory_not_equal(copy + 16, object + 16, 8);
}

static void
an_empty_canary_is_whole(void **state)
{
	(void)state;
	memset(object, 7, sizeof(object));
	canary_fill(object, 16, 16);
	assert_int_equal(object[15], 7);
	assert_int_equal(object[8], 7);
	assert_int_equal(canary_damage(object, 16, 16), 16);
}

static void
only_the_first_bytes_of_a_long_rest_are_used(void **state)
{
	(void)state;
	assert_int_equal(canary_end(100, 112), 112);
	assert_int_equal(canary_end(0, 16 * UNIT), 16 * UNIT);
	assert_int_equal(canary_end(5, (size_t)1 << 30), 5 + 16 * UNIT);
}

static void
what_is_written_after_a_wipe_is_found(void **state)
{
	(void)state;
	for (int junk = 0; junk < 2; junk++) {
		opt_at_start.junk_free = junk != 0;
		memset(object, 7, sizeof(object));
		wipe(object, 80);
		assert_int_equal(object[80], 7);
		assert_int_equal(object[79], junk != 0 ? JUNK_FREE : 0);
		assert_int_equal(wipe_damage(object, 80), 80);
		for (size_t i = 0; i < 80; i++) {
			object[i] ^= 1;
			assert_int_equal(wipe_damage(object, 80), i);
			object[i] ^= 1;
		}
	}
	opt_at_start.junk_free = false;
}

/* With all sizes around the one from which the C library compares. */
static void
what_is_written_into_long_wiped_memory_is_found(void **state)
{
	(void)state;
	for (size_t size = 248; size <= 1000; size += size < 280 ? 1 : 97)
		for (int junk = 0; junk < 2; junk++) {
			opt_at_start.junk_free = junk != 0;
			memset(object, 7, sizeof(object));
			wipe(object, size);
			assert_int_equal(object[size], 7);
			assert_true(wipe_is_whole(object, size));
			for (size_t i = 0; i < size; i++) {
				object[i] ^= 1;
				assert_false(wipe_is_whole(object, size));
				assert_int_equal(wipe_damage(object, size), i);
				object[i] ^= 1;
			}
			memset(object, 7, size);
			assert_int_equal(wipe_damage(object, size), 0);
		}
	opt_at_start.junk_free = false;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_changed_byte_is_found_at_its_place),
		cmocka_unit_test(no_byte_of_a_canary_is_zero),
		cmocka_unit_test(canaries_of_other_objects_differ),
		cmocka_unit_test(an_empty_canary_is_whole),
		cmocka_unit_test(only_the_first_bytes_of_a_long_rest_are_used),
		cmocka_unit_test(what_is_written_after_a_wipe_is_found),
		cmocka_unit_test(
		    what_is_written_into_long_wiped_memory_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
