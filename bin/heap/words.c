#include "words.h"

#include <inttypes.h>

#include "target.h"
#include "tool.h"

static uint32_t
stack_of(const struct target *target, uint64_t value)
{
	const struct mapping *mapping = target_mapping(target, value);

	if (mapping == NULL || !mapping->writable)
		return 0;
	for (size_t i = 0; i < target->nthreads; i++) {
		uint64_t stack = target->threads[i].stack;

		if (stack >= mapping->start && stack < mapping->end &&
		    value >= stack)
			return target->threads[i].tid;
	}
	return 0;
}

void
word_look(const struct session *session, uint64_t value, bool names,
    struct word *word)
{
	static const enum word_kind kinds[] = {
		[REGION_LIVE] = WORD_LIVE,
		[REGION_CACHED] = WORD_CACHED,
		[REGION_FREE] = WORD_FREE,
	};

	*word = (struct word){ .kind = WORD_OTHER, .value = value };
	if (value == 0) {
		word->kind = WORD_ZERO;
	} else if (heap_find(session->heap, value, &word->region)) {
		word->kind = kinds[word->region.state];
	} else if (modules_at(&session->modules, value) != NULL) {
		word->kind = WORD_IMAGE;
		if (names)
			symbol_find(&session->modules, value, &word->symbol);
	} else if ((word->tid = stack_of(session->target, value)) != 0) {
		word->kind = WORD_STACK;
	} else if (target_mapping(session->target, value) != NULL) {
		word->kind = WORD_MAPPED;
	}
}

const char *
word_note(const struct word *word)
{
	switch (word->kind) {
	case WORD_LIVE:
		return print(" [live %" PRIu64 " +%" PRIu64 "]",
		    word->region.size, word->value - word->region.address);
	case WORD_CACHED:
		return " [cached]";
	case WORD_FREE:
		return " [free]";
	case WORD_STACK:
		return print(" [stack %" PRIu32 "]", word->tid);
	case WORD_IMAGE:
		return print(" <%s>", symbol_title(&word->symbol));
	case WORD_ZERO:
	case WORD_MAPPED:
	case WORD_OTHER:
		return "";
	}
	return "";
}
