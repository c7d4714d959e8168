#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "json.h"
#include "session.h"
#include "target.h"
#include "tool.h"
#include "words.h"

#define WORDS_PRESET 2
#define WORDS_MAX    1048576

struct examine {
	struct session *session;
	uint64_t words;
	unsigned char *bytes;
};

static void
word_show(const struct examine *examine, uint64_t value)
{
	struct word word;

	word_look(examine->session, value, true, &word);
	const char *note = word_note(&word);

	if (examine->session->options.json) {
		json_object(NULL);
		json_address("value", value);
		json_text("note", note[0] == '\0' ? NULL : note + 1);
		json_end();
	} else {
		printf("  %#" PRIx64 "%s", value, note);
	}
}

static bool
region_show(void *context, const struct region *region)
{
	struct examine *examine = context;
	struct session *session = examine->session;
	unsigned width = session->heap->layout->pointer_size;
	uint64_t count = region->readable / width < examine->words
	    ? region->readable / width
	    : examine->words;
	size_t lost = target_read_some(session->target, region->address,
	    examine->bytes, count * width);

	session->heap->unreadable_data += lost;
	if (session->options.json) {
		json_object(NULL);
		json_address("address", region->address);
		json_number("size", region->size);
		json_array("words");
	} else {
		printf("%#" PRIx64 ":", region->address);
		if (region->state == REGION_CACHED)
			fputs(" c", stdout);
	}
	if (lost > 0 && !session->options.json)
		fputs("  unreadable", stdout);
	for (uint64_t i = 0; i < count && lost == 0; i++)
		word_show(examine,
		    bytes_number(examine->bytes + i * width, width,
			session->heap->layout->big_endian));
	if (session->options.json) {
		json_end();
		json_end();
	} else {
		putchar('\n');
	}
	return true;
}

void
command_examine(struct session *session)
{
	struct examine examine = { session, WORDS_PRESET, NULL };

	if (session->options.words >= 0)
		examine.words = (uint64_t)session->options.words;
	if (examine.words > WORDS_MAX)
		fail("--words=%" PRIu64 ": at most %d", examine.words,
		    WORDS_MAX);
	examine.bytes = memory(examine.words, 8);
	if (session->options.json)
		json_array("regions");
	session_each(session, region_show, &examine);
	if (session->options.json)
		json_end();
	free(examine.bytes);
}
