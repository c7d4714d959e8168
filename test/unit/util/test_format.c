#include "util/format.h"

#include <limits.h>
#include <stdio.h>
#include <sys/types.h>

#include "../unit.h"
#include "util/compiler.h"

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

#define SEED 20240607u
/* Each of some 3500 templates about 14 times; at full length more often. */
#define ROUNDS (test_is_long() ? 200000u : 50000u)

static uint64_t random_state = SEED;

static uint64_t
random_word(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Small, large and boundary values all come up. */
static uint64_t
random_value(void)
{
	static const uint64_t edges[] = { 0, 1, 9, 10, INT_MAX, UINT_MAX,
		(uint64_t)INT_MIN, INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX };

	if (random_word() % 3 == 0)
		return edges[random_word() % ARRAY_LEN(edges)];
	return random_word() >> random_word() % 64;
}

/* Same text, same length, nothing behind the end, at any buffer size. */
static void
assert_same_as_libc(const char *template, ...)
{
	char ours[96], theirs[96];
	size_t size = random_word() % sizeof(ours);
	va_list args, again;

	memset(ours, '#', sizeof(ours));
	memset(theirs, '#', sizeof(theirs));
	va_start(args, template);
	va_copy(again, args);
	assert_int_equal(format_text_va(ours, size, template, args),
	    vsnprintf(theirs, size, template, again));
	va_end(again);
	va_end(args);
	assert_memory_equal(ours, theirs, sizeof(ours));
}

/* Between two plain letters, so that what follows a conversion is seen. */
static void
make_template(char *template, const char *letters)
{
	static const char *const flags[] = { "", "", "-", "0", "-0", "0-" };
	char width[8] = "";

	if (random_word() % 2 == 0)
		snprintf(width, sizeof(width), "%u",
		    (unsigned)(random_word() % 40));
	/* A width of 0 would read as a flag, which means the same. */
	sprintf(template, "a%%%s%s%sz", flags[random_word() % 6], width,
	    letters);
}

static void
integers_are_formatted_as_by_libc(void **state)
{
	char template[32];

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		static const char *const narrow[] = { "d", "i", "u", "x" };
		static const char *const wide[] = { "ld", "li", "lu", "lx",
			"lld", "lli", "llu", "llx", "zd", "zu", "zx", "jd",
			"ju", "jx", "td", "tu", "tx" };

		make_template(template, narrow[random_word() % 4]);
		assert_same_as_libc(template, (int)random_value());
		make_template(template, wide[random_word() % 17]);
		assert_same_as_libc(template, (long long)random_value());
	}
}

static void
texts_are_formatted_as_by_libc(void **state)
{
	char template[32], text[64], precision[8];

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		size_t length = random_word() % sizeof(text);

		for (size_t j = 0; j < length; j++)
			text[j] = (char)(random_word() % 255 + 1);
		text[length] = '\0';
		make_template(template, "s");
		/* glibc pads texts with blanks also if asked for zeros. */
		assert_same_as_libc(template, text);
		snprintf(precision, sizeof(precision), ".%us",
		    (unsigned)(random_word() % 80));
		make_template(template, precision);
		assert_same_as_libc(template, text);
		make_template(template, ".*s");
		assert_same_as_libc(template, (int)(random_word() % 80) - 10,
		    text);
		make_template(template, "c");
		assert_same_as_libc(template, text[0]);
	}
}

static void
a_width_may_be_an_argument(void **state)
{
	(void)state;
	for (int width = -30; width <= 30; width++) {
		assert_same_as_libc("[%*d|%*s]", width, width, -width, "text");
		assert_same_as_libc("[%0*x|%-*u]", width, 255u, width, 7u);
	}
}

static void
pointers_are_lower_case_hexadecimal(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++)
		assert_same_as_libc("%p|%24p|%-24p",
		    (void *)(uintptr_t)(random_word() | 1),
		    (void *)(uintptr_t)(random_word() | 1),
		    (void *)(uintptr_t)(random_word() | 1));
}

static void
null_is_shown_rather_than_followed(void **state)
{
	const char *volatile nothing = NULL;
	char text[32];

	(void)state;
	assert_int_equal(format_text(text, sizeof(text), "%s|%.3s|%p", nothing,
			     nothing, (void *)nothing),
	    14);
	assert_string_equal(text, "(null)|(nu|0x0");
}

static void
a_text_with_precision_need_not_end(void **state)
{
	/* On the heap, where a sanitizer sees a byte too many read. */
	char *text = malloc(3), out[8];

	(void)state;
	memcpy(text, "abc", 3);
	assert_int_equal(format_text(out, sizeof(out), "%.*s", 3, text), 3);
	assert_string_equal(out, "abc");
	free(text);
}

static void
size_zero_only_counts(void **state)
{
	(void)state;
	assert_int_equal(format_text(NULL, 0, "%s %d%%", "hello", 42), 9);
}

static void
every_cut_is_terminated_and_writes_no_further(void **state)
{
	const char *whole = "size 12345, 0xff";
	char text[24];

	(void)state;
	for (size_t size = 1; size < sizeof(text); size++) {
		size_t kept = size - 1;

		if (kept > strlen(whole))
			kept = strlen(whole);

		memset(text, '#', sizeof(text));
		assert_int_equal(format_text(text, size, "size %zu, 0x%x",
				     (size_t)12345, 255u),
		    strlen(whole));
		assert_int_equal(strlen(text), kept);
		assert_memory_equal(text, whole, kept);
		for (size_t i = kept + 1; i < sizeof(text); i++)
			assert_int_equal(text[i], '#');
	}
}

static void
an_unknown_conversion_is_copied_and_takes_no_argument(void **state)
{
	const char *volatile template = "%q %d %";
	char text[32];

	(void)state;
	assert_int_equal(format_text(text, sizeof(text), template, 5), 6);
	assert_string_equal(text, "%q 5 %");
}

static size_t
format_twice(char *buf, size_t size, const char *template, ...)
{
	va_list args;
	size_t length;

	va_start(args, template);
	length = format_text_va(NULL, 0, template, args);
	assert_int_equal(format_text_va(buf, size, template, args), length);
	va_end(args);
	return length;
}

static void
an_argument_list_can_be_used_again(void **state)
{
	char text[32];

	(void)state;
	assert_int_equal(format_twice(text, sizeof(text), "%d %s", 3, "x"), 3);
	assert_string_equal(text, "3 x");
}

static void
every_text_is_a_string_of_json(void **state)
{
	static const struct {
		const char *text, *json;
	} rows[] = {
		{ "plain ~", "plain ~" },
		{ "a\"b\\c", "a\\\"b\\\\c" },
		{ "\t\n\x7f", "\\u0009\\u000a\\u007f" },
		{ "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		    "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
		/* Cut off, overlong, a surrogate, beyond the last one. */
		{ "\xc3", "\\u00c3" },
		{ "\xe2\x82", "\\u00e2\\u0082" },
		{ "\xc0\x80", "\\u00c0\\u0080" },
		{ "\xed\xa0\x80", "\\u00ed\\u00a0\\u0080" },
		{ "\xf4\x90\x80\x80", "\\u00f4\\u0090\\u0080\\u0080" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		char got[64] = "", character[FORMAT_JSON_MAX];

		for (const char *at = rows[i].text; *at != '\0';) {
			size_t length = format_json(&at, character);

			strncat(got, character, length);
		}
		assert_string_equal(got, rows[i].json);
	}
}

/* How many bytes of `text` are one character beyond ASCII, by its number. */
static size_t
character_length(const unsigned char *text)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = text[0] >= 0xf8 ? 0
	    : text[0] >= 0xf0           ? 4
	    : text[0] >= 0xe0           ? 3
	    : text[0] >= 0xc0           ? 2
					: 0;
	uint32_t number = text[0] & (0x7fu >> length);

	for (size_t i = 1; i < length; i++) {
		if (text[i] < 0x80 || text[i] > 0xbf)
			return 0;
		number = number << 6 | (text[i] & 0x3f);
	}
	return length == 0 || number < least[length] || number > 0x10ffff ||
		(number >= 0xd800 && number < 0xe000)
	    ? 0
	    : length;
}

static void
only_characters_of_utf_8_stay_as_they_are(void **state)
{
	static const unsigned char more[] = { 0x01, 0x7f, 0x80, 0xa5, 0xbf,
		0xc0, 0xff };

	(void)state;
	for (unsigned first = 0x80; first < 0x100; first++)
		for (unsigned second = 1; second < 0x100; second++)
			for (unsigned i = 0;
			     i < ARRAY_LEN(more) * ARRAY_LEN(more); i++) {
				const char text[] = { (char)first, (char)second,
					(char)more[i / ARRAY_LEN(more)],
					(char)more[i % ARRAY_LEN(more)], '\0' };
				const char *at = text;
				char to[FORMAT_JSON_MAX];
				size_t expected = character_length(
				    (const unsigned char *)text);
				size_t length = format_json(&at, to);

				assert_int_equal(at - text,
				    expected != 0 ? expected : 1);
				assert_int_equal(length,
				    expected != 0 ? expected : 6);
				if (expected != 0)
					assert_memory_equal(to, text, length);
				else
					assert_int_equal(to[0], '\\');
			}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_formatted_as_by_libc),
		cmocka_unit_test(texts_are_formatted_as_by_libc),
		cmocka_unit_test(a_width_may_be_an_argument),
		cmocka_unit_test(pointers_are_lower_case_hexadecimal),
		cmocka_unit_test(null_is_shown_rather_than_followed),
		cmocka_unit_test(a_text_with_precision_need_not_end),
		cmocka_unit_test(size_zero_only_counts),
		cmocka_unit_test(every_cut_is_terminated_and_writes_no_further),
		cmocka_unit_test(
		    an_unknown_conversion_is_copied_and_takes_no_argument),
		cmocka_unit_test(an_argument_list_can_be_used_again),
		cmocka_unit_test(every_text_is_a_string_of_json),
		cmocka_unit_test(only_characters_of_utf_8_stay_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
