#include "util/pattern.h"

#include "../before_guard.h"
#include "../unit.h"

#define LENGTH_MAX 300
#define WORD       UINT64_C(0x8877665544332211)

static char *memory; /* ends before a page that can't be touched */

/* The eight bytes of the pattern that begin at offset `at`. */
static uint64_t
turned(size_t at)
{
	unsigned char bytes[8];
	uint64_t word = WORD, result;

	memcpy(bytes, &word, 8);
	for (unsigned i = 0; i < 8; i++)
		((unsigned char *)&result)[i] = bytes[(at + i) % 8];
	return result;
}

static void
fill_slowly(char *to, size_t size)
{
	uint64_t word = WORD;

	for (size_t i = 0; i < size; i++)
		to[i] = ((char *)&word)[i % 8];
}

static void
memory_is_filled_as_byte_by_byte(void **state)
{
	char expected[LENGTH_MAX + 1];

	(void)state;
	for (size_t size = 8; size <= LENGTH_MAX; size++) {
		char *to = memory + LENGTH_MAX - size;

		fill_slowly(expected + 1, size);
		expected[0] = to[-1] = 7;
		pattern_fill(to, size, WORD, turned(size));
		assert_memory_equal(to - 1, expected, size + 1);
	}
}

static void
each_changed_byte_is_found(void **state)
{
	(void)state;
	for (size_t size = 8; size <= LENGTH_MAX; size++) {
		char *at = memory + LENGTH_MAX - size;

		/* Bytes outside are not looked at. */
		memset(memory - 1, 7, LENGTH_MAX + 1 - size);
		fill_slowly(at, size);
		assert_true(pattern_is_whole(at, size, WORD, turned(size)));
		for (size_t i = 0; i < size; i++) {
			at[i] ^= 0x10;
			assert_false(pattern_is_whole(at, size, WORD,
			    turned(size)));
			at[i] ^= 0x10;
		}
	}
}

static void
the_same_for_one_word_or_two(void **state)
{
	(void)state;
	for (size_t size = 8; size <= 16; size += 8) {
		char *at = memory + LENGTH_MAX - size;

		fill_slowly(at, size);
		assert_true(pattern_is_here(at, size, WORD));
		for (size_t i = 0; i < size; i++) {
			at[i] ^= 1;
			assert_false(pattern_is_here(at, size, WORD));
			at[i] ^= 1;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_filled_as_byte_by_byte),
		cmocka_unit_test(each_changed_byte_is_found),
		cmocka_unit_test(the_same_for_one_word_or_two),
	};

	memory = (char *)before_guard(LENGTH_MAX + 1) + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
