#include "json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define DEPTH_MAX 16

static struct {
	unsigned depth;
	bool array[DEPTH_MAX];
	bool filled[DEPTH_MAX];		/* the next one needs a comma */
} json;

static void
text_write(const char *text)
{
	putchar('"');
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
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
		putchar('\n');
		for (unsigned i = 0; i < json.depth; i++)
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
