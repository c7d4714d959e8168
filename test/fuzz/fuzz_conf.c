/*
 * Any text as options.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/options.h"
#include "os/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct options options;
	unsigned lines;
} fixture;

static void
expect(bool truth)
{
	if (!truth)
		abort();
}

/* One line, with the name in front and nothing that a terminal would act on. */
static void
hear(void *opaque, const char *s)
{
	size_t length = strlen(s);

	expect(opaque == NULL);
	expect(length > 12 && length < MESSAGE_MAX + 64);
	expect(memcmp(s, "<jemalloc>: ", 12) == 0);
	expect(strchr(s, '\n') == s + length - 1);
	for (size_t i = 0; i < length - 1; i++)
		expect((uint8_t)s[i] >= ' ' && s[i] != 0x7f);
	fixture.lines++;
}

/* Every option can be read, and a word is one that can be set. */
static void
read_all(void)
{
	const struct option_row *row;
	union {
		char bytes[8];
		const char *text;
	} value;
	size_t size;

	for (unsigned i = 0; (row = options_row(i)) != NULL; i++) {
		size = option_get(row, &fixture.options, value.bytes);
		expect((size == 0) == row->no_ctl);
		if (row->type == OPTION_WORD)
			expect(option_set(row, &fixture.options, value.text,
				   strlen(value.text)) == OPTION_SET);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	const char *contradiction;
	bool good;

	expect(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	malloc_message = hear;
	fixture.lines = 0;
	options_init(&fixture.options);
	good = conf_parse(&fixture.options, text);
	expect(good || fixture.lines > 0);
	read_all();
	options_finish(&fixture.options, &contradiction);
	read_all();
	free(text);
	return 0;
}
