#include "conf/value.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../before_guard.h"

#define SEED   20240607u
#define ROUNDS 300000

static uint64_t random_state = SEED;

static uint64_t
random_word(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* A copy without terminator, behind which nothing can be read. */
static char *
bare(const char *text)
{
	size_t length = strlen(text);

	return memcpy(before_guard(length), text, length);
}

static bool
parse_unsigned(const char *text, uint64_t *value)
{
	return value_unsigned(bare(text), strlen(text), value);
}

static bool
parse_signed(const char *text, int64_t *value)
{
	return value_signed(bare(text), strlen(text), value);
}

static bool
parse_ratio(const char *text, uint32_t *value)
{
	return value_ratio(bare(text), strlen(text), value);
}

/* 0b: newer C libraries know it, older ones don't, and our grammar does not. */
static bool
is_binary(const char *text)
{
	text += strspn(text, " \t\n\v\f\r");
	text += *text == '+' || *text == '-';
	return text[0] == '0' && (text[1] == 'b' || text[1] == 'B');
}

/* What the C library makes of it, which the grammar refers to. */
static void
assert_same_as_libc(const char *text)
{
	uint64_t ours = 42;
	int64_t ours_signed = 42;
	char *end;
	uintmax_t theirs;
	intmax_t theirs_signed;
	bool good;

	errno = 0;
	theirs = strtoumax(text, &end, 0);
	good = end > text && *end == '\0' && errno == 0 && !is_binary(text);
	if (parse_unsigned(text, &ours) != good || (good && ours != theirs))
		fail_msg("unsigned '%s'", text);
	if (!good)
		assert_int_equal(ours, 42);

	errno = 0;
	theirs_signed = strtoimax(text, &end, 0);
	good = end > text && *end == '\0' && errno == 0 && !is_binary(text);
	if (parse_signed(text, &ours_signed) != good ||
	    (good && ours_signed != theirs_signed))
		fail_msg("signed '%s'", text);
	if (!good)
		assert_int_equal(ours_signed, 42);
}

static void
integers_are_those_of_the_c_library(void **state)
{
	static const char *const texts[] = { "", " ", "0", "-0", "+0", "00",
		"0x", "0x0", "0xg", "0X1F", "-0x10", "08", "017", "0b", "0b1",
		"0B11", "-0b0", " +0b10", " \t\n\v\f\r5", "5 ", "5k", "--5",
		"+-5", "- 5", "1e3", "1.0", "0x 1", "x", "18446744073709551615",
		"18446744073709551616", "-18446744073709551615",
		"-18446744073709551616", "9223372036854775807",
		"9223372036854775808", "-9223372036854775808",
		"-9223372036854775809", "0xffffffffffffffff",
		"0x10000000000000000", "01777777777777777777777",
		"02000000000000000000000",
		"000000000000000000000000000000000000001",
		"99999999999999999999999999999999999999" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_same_as_libc(texts[i]);
}

/* Whatever the C library of the day makes of them. */
static void
binary_numbers_are_refused(void **state)
{
	static const char *const texts[] = { "0b0", "0b1", "0B11", "-0b1",
		" +0B10" };
	uint64_t value = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(parse_unsigned(texts[i], &value));
	assert_int_equal(value, 42);
}

static void
random_texts_read_as_by_the_c_library(void **state)
{
	static const char letters[] = "0123456789012345678901234567890123456789"
				      "xXabcdefABCDEFgz+- \t";
	char text[32];

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		size_t length = random_word() % 24;

		for (size_t j = 0; j < length; j++)
			text[j] =
			    letters[random_word() % (sizeof(letters) - 1)];
		text[length] = '\0';
		assert_same_as_libc(text);
	}
}

static void
random_numbers_survive_writing_and_reading(void **state)
{
	static const char *const formats[] = { "%" PRIu64, "0x%" PRIx64,
		"0%" PRIo64, "+%" PRIu64, "  0X%" PRIX64 };
	char text[40];
	uint64_t value;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t number = random_word() >> random_word() % 64;

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof(text), formats[i % 5], number);
		assert_true(parse_unsigned(text, &value));
		assert_true(value == number);
	}
}

static void
only_true_and_false_are_bools(void **state)
{
	static const char *const wrong[] = { "", "True", "TRUE", "tru", "true ",
		" true", "truefalse", "1", "0", "yes", "no", "fals", "falsee" };
	unsigned value = 5;

	(void)state;
	assert_true(value_word("trueX", 4, value_bool_words, &value));
	assert_int_equal(value, true);
	assert_true(value_word("false", 5, value_bool_words, &value));
	assert_int_equal(value, false);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(value_word(wrong[i], strlen(wrong[i]),
		    value_bool_words, &value));
}

static void
signals_have_names_and_numbers(void **state)
{
	static const char *const wrong[] = { "", "SIG", "KILL", "9", "0",
		"usr1", "USR", "USR11", "SIG10", "-1", "99",
		"18446744073709551626" };
	char number[16];
	int value = 0;

	(void)state;
	assert_true(value_signal("USR2,", 4, &value));
	assert_int_equal(value, SIGUSR2);
	assert_true(value_signal("SIGHUP", 6, &value));
	assert_int_equal(value, SIGHUP);
	for (int i = 1; i <= SIGRTMAX; i++) {
		bool usable = i == SIGUSR1 || i == SIGPWR || i >= SIGRTMIN;

		if (!usable && i != SIGSEGV && i != SIGTERM)
			continue;
		sprintf(number, "%d", i);
		assert_int_equal(value_signal(number, strlen(number), &value),
		    usable);
		assert_true(!usable || value == i);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(value_signal(wrong[i], strlen(wrong[i]), &value));
}

static void
words_match_whole(void **state)
{
	static const char *const words[] = { "a", "ab", "abc", NULL };
	unsigned value = 9;

	(void)state;
	assert_true(value_word("abcd", 2, words, &value));
	assert_int_equal(value, 1);
	assert_true(value_word("abcd", 3, words, &value));
	assert_int_equal(value, 2);
	assert_false(value_word("abcd", 4, words, &value));
	assert_false(value_word("", 0, words, &value));
	assert_false(value_word("A", 1, words, &value));
	assert_int_equal(value, 2);
}

static void
ratios_have_sixteen_bits_of_fraction(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text;
		uint32_t value;
	} cases[] = {
		{ "0", 0 }, { "1", 0x10000 }, { "65535", 0xffff0000 },
		{ "0.5", 0x8000 }, { ".5", 0x8000 }, { "1.25", 0x14000 },
		{ "0.95", 62259 }, { "00004.0", 0x40000 },
		{ "0.00001525878907", 1 }, { "0.00001525878906", 0 },
		{ "0.99999999999999999999999999999", 0xffff },
		{ "65535.99999999999999999999", 0xffffffff },
	};
	/* clang-format on */
	uint32_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(parse_ratio(cases[i].text, &value));
		assert_int_equal(value, cases[i].value);
	}
}

static void
what_is_no_ratio_is_refused(void **state)
{
	static const char *const wrong[] = { "", ".", "1.", "-1", "+1", " 1",
		"1 ", "65536", "99999999999999999999", "1e3", "1.5.", "1,5",
		"0x1", "a", "1.a", "..5" };
	uint32_t value = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(parse_ratio(wrong[i], &value));
	assert_int_equal(value, 7);
}

static void
random_ratios_are_exact_to_the_last_bit(void **state)
{
	char text[40];
	uint32_t value;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		/* All six digits matter; the product is exact in 64 bits. */
		uint64_t millionths = random_word() % 65536000000;

		snprintf(text, sizeof(text), "%" PRIu64 ".%06" PRIu64,
		    millionths / 1000000, millionths % 1000000);
		assert_true(parse_ratio(text, &value));
		assert_int_equal(value, (millionths << 16) / 1000000);
	}
}

static void
a_list_of_ranges_is_taken_apart(void **state)
{
	const char *rest = bare("1-2:3|0x10-020: 5|7-6:-1");
	size_t length = 24;
	struct value_range range;

	(void)state;
	assert_true(value_range_next(&rest, &length, &range));
	assert_int_equal(range.low, 1);
	assert_int_equal(range.high, 2);
	assert_int_equal(range.value, 3);
	assert_true(value_range_next(&rest, &length, &range));
	assert_int_equal(range.low, 16);
	assert_int_equal(range.high, 16);
	assert_int_equal(range.value, 5);
	assert_true(value_range_next(&rest, &length, &range));
	assert_int_equal(range.low, 7);
	assert_int_equal(range.high, 6);
	assert_true(range.value == UINT64_MAX);
	assert_int_equal(length, 0);
}

static void
broken_ranges_are_refused(void **state)
{
	static const char *const wrong[] = { "", "1", "1-", "1-2", "1-2:", "-",
		"1:2", "1-2:3|", "1-2:3x", "1-2:x", "a-2:3", "1-b:3", "1_2:3",
		"1-2-3", "|1-2:3", "1-2:3:4", "1-18446744073709551616:3" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const char *list = bare(wrong[i]);
		const char *rest = list;
		size_t length = strlen(wrong[i]);
		struct value_range range;

		if (value_range_next(&rest, &length, &range))
			fail_msg("accepted '%s'", wrong[i]);
		assert_ptr_equal(rest, list);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_those_of_the_c_library),
		cmocka_unit_test(binary_numbers_are_refused),
		cmocka_unit_test(random_texts_read_as_by_the_c_library),
		cmocka_unit_test(random_numbers_survive_writing_and_reading),
		cmocka_unit_test(only_true_and_false_are_bools),
		cmocka_unit_test(signals_have_names_and_numbers),
		cmocka_unit_test(words_match_whole),
		cmocka_unit_test(ratios_have_sixteen_bits_of_fraction),
		cmocka_unit_test(what_is_no_ratio_is_refused),
		cmocka_unit_test(random_ratios_are_exact_to_the_last_bit),
		cmocka_unit_test(a_list_of_ranges_is_taken_apart),
		cmocka_unit_test(broken_ranges_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
