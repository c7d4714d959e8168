#include "json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define DEPTH_MAX 16

static struct {
	bool one_line;
	unsigned depth;
	bool array[DEPTH_MAX];
	bool filled[DEPTH_MAX]; /* the next one needs a comma */
} json;

/* The bytes of the character at `text`; 0: it is not well-formed UTF-8. */
static unsigned
utf8_length(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	unsigned length = c[0] < 0x80 ? 1
	    : c[0] < 0xc2             ? 0
	    : c[0] < 0xe0             ? 2
	    : c[0] < 0xf0             ? 3
	    : c[0] < 0xf5             ? 4
				      : 0;

	/* The zero at the end of the text is no part of a longer character. */
	for (unsigned i = 1; i < length; i++) {
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	}
	/*
	 * Overlong form, half of a surrogate pair, or beyond the last
	 * character.
	 */
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] >= 0xa0) ||
	    (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] >= 0x90))
		return 0;
	return length;
}

/* A name may have any bytes. Bytes that are not UTF-8 become U+FFFD. */
static void
text_write(const char *text)
{
	putchar('"');
	while (*text != '\0') {
		unsigned char c = (unsigned char)*text;
		unsigned length = utf8_length(text);

		if (length == 0)
			fputs("\\ufffd", stdout);
		else if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			printf("\\u%04x", c);
		else
			fwrite(text, 1, length, stdout);
		text += length == 0 ? 1 : length;
	}
	putchar('"');
}

static void
begin(const char *key)
{
	if (json.depth > 0) {
		if (json.filled[json.depth])
			putchar(',');
		json.filled[json.depth] = true;
		if (!json.one_line)
			putchar('\n');
		for (unsigned i = 0; !json.one_line && i < json.depth; i++)
			putchar(' ');
	}
	if (key != NULL) {
		text_write(key);
		putchar(':');
	}
}

static void
open_with(const char *key, bool array)
{
	assert(json.depth + 1 < DEPTH_MAX);
	begin(key);
	putchar(array ? '[' : '{');
	json.depth++;
	json.array[json.depth] = array;
	json.filled[json.depth] = false;
}

void
json_object(const char *key)
{
	open_with(key, false);
}

void
json_array(const char *key)
{
	open_with(key, true);
}

void
json_end(void)
{
	putchar(json.array[json.depth] ? ']' : '}');
	json.depth--;
	if (json.depth == 0)
		putchar('\n');
}

void
json_one_line(void)
{
	json.one_line = true;
}

void
json_number(const char *key, uint64_t number)
{
	begin(key);
	printf("%" PRIu64, number);
}

void
json_real(const char *key, double number)
{
	begin(key);
	printf("%.6g", number);
}

void
json_bool(const char *key, bool value)
{
	begin(key);
	fputs(value ? "true" : "false", stdout);
}

void
json_text(const char *key, const char *text)
{
	begin(key);
	if (text == NULL)
		fputs("null", stdout);
	else
		text_write(text);
}

void
json_address(const char *key, uint64_t address)
{
	begin(key);
	printf("\"%#" PRIx64 "\"", address);
}
