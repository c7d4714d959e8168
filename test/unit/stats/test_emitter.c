#include "stats/emitter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "os/system.h"

static struct fault map;

void *__real_pages_map(size_t size, size_t align);
void *__wrap_pages_map(size_t size, size_t align);

void *
__wrap_pages_map(size_t size, size_t align)
{
	return fault_hits(&map) ? NULL : __real_pages_map(size, align);
}

#define RECEIVED_MAX ((size_t)1 << 20)

static struct received {
	unsigned calls;
	unsigned empty;
	size_t longest;
	size_t length;
	char text[RECEIVED_MAX];
} received;

static void
receive(void *opaque, const char *text)
{
	struct received *to = opaque;
	size_t length = strlen(text);

	assert_true(to->length + length < RECEIVED_MAX);
	memcpy(to->text + to->length, text, length + 1);
	to->length += length;
	to->calls++;
	to->empty += length == 0;
	if (length > to->longest)
		to->longest = length;
}

static struct emitter emitter;

static int
begin(void **state)
{
	(void)state;
	system_init();
	fault_set(&map, 0, false);
	received.calls = received.empty = 0;
	received.length = received.longest = 0;
	received.text[0] = '\0';
	emitter_begin(&emitter, receive, &received);
	return 0;
}

static void
a_document_arrives_in_one_call(void **state)
{
	(void)state;
	emitter_object(&emitter, NULL);
	emitter_unsigned(&emitter, "u", UINT64_MAX);
	emitter_signed(&emitter, "i", INT64_MIN);
	emitter_bool(&emitter, "yes", true);
	emitter_bool(&emitter, "no", false);
	emitter_array(&emitter, "a");
	emitter_unsigned(&emitter, NULL, 0);
	emitter_object(&emitter, NULL);
	emitter_object_end(&emitter);
	emitter_array(&emitter, NULL);
	emitter_array_end(&emitter);
	emitter_array_end(&emitter);
	emitter_string(&emitter, "s", "text");
	emitter_object_end(&emitter);
	assert_int_equal(received.calls, 0);
	emitter_end(&emitter);
	assert_int_equal(received.calls, 1);
	assert_string_equal(received.text,
	    "{\"u\":18446744073709551615,"
	    "\"i\":-9223372036854775808,\"yes\":true,\"no\":false,"
	    "\"a\":[0,{},[]],\"s\":\"text\"}");
}

static void
strings_are_escaped(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "\"\"" },
		{ "a\"b\\c/", "\"a\\\"b\\\\c/\"" },
		{ "\n\t\x01\x7f", "\"\\u000a\\u0009\\u0001\\u007f\"" },
		{ "\xc3\xa9", "\"\xc3\xa9\"" },
		{ "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"" },
		/* no UTF-8: lone, cut, overlong, surrogate, too high */
		{ "\xff", "\"\\u00ff\"" },
		{ "\xc3", "\"\\u00c3\"" },
		{ "\xe2\x82", "\"\\u00e2\\u0082\"" },
		{ "\xc0\x80", "\"\\u00c0\\u0080\"" },
		{ "\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\"" },
		{ "\xf4\x90\x80\x80", "\"\\u00f4\\u0090\\u0080\\u0080\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(state);
		emitter_string(&emitter, NULL, cases[i].in);
		emitter_end(&emitter);
		assert_string_equal(received.text, cases[i].out);
	}
	begin(state);
	emitter_string(&emitter, NULL, NULL);
	emitter_end(&emitter);
	assert_string_equal(received.text, "\"\"");
}

static void
an_empty_text_is_one_call(void **state)
{
	(void)state;
	emitter_end(&emitter);
	assert_int_equal(received.calls, 1);
	assert_int_equal(received.length, 0);
}

static void
put_lines(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		emitter_print(&emitter, "line %u\n", i);
}

static void
check_lines(unsigned count)
{
	const char *text = received.text;

	for (unsigned i = 0; i < count; i++) {
		char line[32];
		int length = snprintf(line, sizeof(line), "line %u\n", i);

		assert_memory_equal(text, line, (size_t)length);
		text += length;
	}
	assert_string_equal(text, "");
}

static void
the_buffer_grows(void **state)
{
	(void)state;
	put_lines(50000);
	emitter_end(&emitter);
	check_lines(50000);
	assert_int_equal(received.calls, 1);
}

static void
without_memory_all_arrives_in_pieces(void **state)
{
	(void)state;
	fault_set(&map, 1, true);
	put_lines(5000);
	emitter_end(&emitter);
	check_lines(5000);
	assert_true(received.calls > 1);
	assert_int_equal(received.empty, 0);
	assert_true(received.longest >= EMITTER_SMALL / 2);
}

static void
memory_may_end_at_any_time(void **state)
{
	for (unsigned at = 1; at < 6; at++) {
		begin(state);
		fault_set(&map, at, true);
		put_lines(40000);
		emitter_put(&emitter, "", 0);
		emitter_end(&emitter);
		check_lines(40000);
		assert_int_equal(received.empty, 0);
		if (at > 1)
			assert_true(received.longest >= 65535 - 32);
	}
}

static void
a_piece_that_fills_the_buffer_is_not_followed_by_nothing(void **state)
{
	char text[EMITTER_SMALL];

	(void)state;
	fault_set(&map, 1, true);
	memset(text, 'x', sizeof(text));
	emitter_put(&emitter, text, EMITTER_SMALL - 1);
	emitter_end(&emitter);
	assert_int_equal(received.calls, 1);
	assert_int_equal(received.length, EMITTER_SMALL - 1);
}

static void
no_piece_is_longer_than_the_buffer(void **state)
{
	char text[5 * EMITTER_SMALL];

	memset(text, 'x', sizeof(text));
	for (size_t before = 0; before < 4; before++) {
		begin(state);
		fault_set(&map, 1, true);
		emitter_put(&emitter, text, before);
		emitter_put(&emitter, text, sizeof(text));
		emitter_end(&emitter);
		assert_int_equal(received.length, before + sizeof(text));
		assert_int_equal(received.longest, EMITTER_SMALL - 1);
	}
}

static void
long_texts_are_put_whole(void **state)
{
	char *text = malloc(300000);

	memset(text, 'y', 299999);
	text[299999] = '\0';
	for (unsigned at = 0; at < 2; at++) {
		begin(state);
		fault_set(&map, at, true);
		emitter_string(&emitter, "key", text);
		emitter_end(&emitter);
		assert_int_equal(received.length, 299999 + 8);
		assert_memory_equal(received.text + 7, text, 299999);
	}
	free(text);
}

static void
cells_are_aligned_to_the_right(void **state)
{
	(void)state;
	emitter_cell_text(&emitter, 5, "ab");
	emitter_cell(&emitter, 4, 7);
	emitter_cell(&emitter, 2, 12345);
	emitter_cell(&emitter, 3, 1);
	emitter_row_end(&emitter);
	emitter_end(&emitter);
	assert_string_equal(received.text, "   ab    7 12345   1\n");
}

static void
nest(void *opaque, const char *text)
{
	struct emitter inner;

	receive(opaque, text);
	emitter_begin(&inner, receive, opaque);
	emitter_print(&inner, "inner ");
	emitter_end(&inner);
}

static void
a_callback_may_emit(void **state)
{
	(void)state;
	emitter_begin(&emitter, nest, &received);
	emitter_print(&emitter, "outer ");
	emitter_end(&emitter);
	assert_string_equal(received.text, "outer inner ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_document_arrives_in_one_call, begin),
		cmocka_unit_test_setup(strings_are_escaped, begin),
		cmocka_unit_test_setup(an_empty_text_is_one_call, begin),
		cmocka_unit_test_setup(the_buffer_grows, begin),
		cmocka_unit_test_setup(without_memory_all_arrives_in_pieces,
		    begin),
		cmocka_unit_test_setup(memory_may_end_at_any_time, begin),
		cmocka_unit_test_setup(
		    a_piece_that_fills_the_buffer_is_not_followed_by_nothing,
		    begin),
		cmocka_unit_test_setup(no_piece_is_longer_than_the_buffer,
		    begin),
		cmocka_unit_test_setup(long_texts_are_put_whole, begin),
		cmocka_unit_test_setup(cells_are_aligned_to_the_right, begin),
		cmocka_unit_test_setup(a_callback_may_emit, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
