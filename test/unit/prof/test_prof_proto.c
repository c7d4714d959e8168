#include "prof/prof_proto.h"

#include <string.h>

#include "../unit.h"

static struct prof_proto message, inner;

static int
clear(void **state)
{
	(void)state;
	memset(message.bytes, 0xee, sizeof(message.bytes));
	message.used = inner.used = 0;
	return 0;
}

#define IS(...) \
	do { \
		static const uint8_t expected[] = { __VA_ARGS__ }; \
		assert_int_equal(message.used, sizeof(expected)); \
		assert_memory_equal(message.bytes, expected, \
		    sizeof(expected)); \
		message.used = 0; \
	} while (0)

static void
numbers_are_as_short_as_they_can_be(void **state)
{
	(void)state;
	prof_proto_number(&message, 1, 0);
	assert_int_equal(message.used, 0);
	prof_proto_number(&message, 1, 1);
	IS(0x08, 0x01);
	prof_proto_number(&message, 2, 127);
	IS(0x10, 0x7f);
	prof_proto_number(&message, 2, 128);
	IS(0x10, 0x80, 0x01);
	prof_proto_number(&message, 2, 300);
	IS(0x10, 0xac, 0x02);
	prof_proto_number(&message, 16, 1);
	IS(0x80, 0x01, 0x01);
	prof_proto_number(&message, 1, UINT64_MAX);
	IS(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
}

static void
many_numbers_have_a_length_in_front(void **state)
{
	const uint64_t value[] = { 0, 1, 127, 128, 16383, 16384, UINT64_MAX };

	(void)state;
	prof_proto_numbers(&message, 1, NULL, 0);
	assert_int_equal(message.used, 0);
	prof_proto_numbers(&message, 3, value, ARRAY_LEN(value));
	IS(0x1a, 20, 0, 1, 0x7f, 0x80, 0x01, 0xff, 0x7f, 0x80, 0x80, 0x01, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
}

static void
messages_nest(void **state)
{
	(void)state;
	prof_proto_number(&inner, 1, 150);
	prof_proto_message(&message, 3, &inner);
	IS(0x1a, 0x03, 0x08, 0x96, 0x01);
	prof_proto_heading(&message, 2, 300);
	IS(0x12, 0xac, 0x02);
}

static void
text(const char *from, const char *expected)
{
	size_t length = strlen(from);

	prof_proto_text(&message, 6, from, length);
	assert_int_equal(message.used, length + 2);
	assert_int_equal(message.bytes[0], 0x32);
	assert_int_equal(message.bytes[1], length);
	assert_memory_equal(message.bytes + 2, expected, length);
	message.used = 0;
}

static void
text_is_made_valid(void **state)
{
	(void)state;
	text("", "");
	text("plain\t\x7f", "plain\t\x7f");
	text("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
	    "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
	text("\xf4\x8f\xbf\xbf\xed\x9f\xbf", "\xf4\x8f\xbf\xbf\xed\x9f\xbf");
	text("a\xff"
	     "b\x80",
	    "a?b?");
	text("cut \xe2\x82", "cut ??");
	text("\xc0\x80 \xe0\x9f\xbf \xf0\x8f\xbf\xbf", "?? ??? ????");
	text("\xed\xa0\x80 \xf4\x90\x80\x80", "??? ????");
	text("\xe2\x28\xa1", "?(?");
}

static void
long_text_is_cut(void **state)
{
	static char many[3 * PROF_PROTO_SIZE];
	uint64_t length;

	(void)state;
	memset(many, 'x', sizeof(many));
	prof_proto_text(&message, 6, many, sizeof(many));
	assert_true(message.used <= PROF_PROTO_SIZE);
	assert_true(message.used > PROF_PROTO_SIZE - 64);
	length = (message.bytes[1] & 0x7fu) | (message.bytes[2] & 0x7fu) << 7 |
	    (uint64_t)message.bytes[3] << 14;
	if (message.bytes[2] < 0x80)
		length &= (1u << 14) - 1;
	assert_int_equal(message.used - length,
	    message.bytes[2] < 0x80 ? 3 : 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(numbers_are_as_short_as_they_can_be,
		    clear),
		cmocka_unit_test_setup(many_numbers_have_a_length_in_front,
		    clear),
		cmocka_unit_test_setup(messages_nest, clear),
		cmocka_unit_test_setup(text_is_made_valid, clear),
		cmocka_unit_test_setup(long_text_is_cut, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
