/*
 * words: what a word of memory may point to.
 *
 * Owns:       nothing.
 * Invariants: results are guesses. No pointer is followed.
 * Locking:    none.
 */
#ifndef HEAP_WORDS_H
#define HEAP_WORDS_H

#include <stdint.h>

#include "heap.h"
#include "session.h"
#include "symbols.h"

enum word_kind {
	WORD_ZERO,
	WORD_LIVE,
	WORD_CACHED,
	WORD_FREE,
	WORD_STACK,
	WORD_IMAGE,
	WORD_MAPPED,
	WORD_OTHER,
};

struct word {
	enum word_kind kind;
	uint64_t value;
	struct region region; /* of LIVE, CACHED, FREE */
	uint32_t tid;         /* of STACK */
	struct symbol symbol; /* of IMAGE, if asked for */
};

void word_look(const struct session *session, uint64_t value, bool names,
    struct word *word);

/* " <name+16>", " [live 64 +0]" and so on; "" for a number. */
const char *word_note(const struct word *word);

#endif
