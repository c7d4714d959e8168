/*
 * emitter: text of any length for a callback, as lines and tables or as JSON.
 *
 * Owns:       the buffer, from the kernel and returned to it at the end.
 * Invariants: all is collected and handed over in one call, or, where the
 *             kernel has no memory, in pieces as large as it allowed; nothing
 *             is dropped. At least one call is made, none with an empty text
 *             after others. JSON is compact, its strings are escaped, its
 *             numbers plain decimals.
 * Locking:    none, and none may be held by the caller: the callback may
 *             allocate, and print statistics itself.
 */
#ifndef STATS_EMITTER_H
#define STATS_EMITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/compiler.h"

/* What serves while there is no memory. */
#define EMITTER_SMALL	1024

typedef void emitter_callback(void *opaque, const char *text);

struct emitter {
	emitter_callback *write;
	void *opaque;
	char *buffer;
	size_t capacity;	/* bytes, one of them for the terminating zero */
	size_t length;
	bool comma;		/* JSON: a member stands before the next one */
	bool written;		/* has there been a call? */
	char small[EMITTER_SMALL];
};

/* `write` gets pieces of text with `opaque`; it is called by end at the latest. */
void emitter_begin(struct emitter *emitter, emitter_callback *write,
    void *opaque);
void emitter_end(struct emitter *emitter);

/* --- text ---- */

void emitter_put(struct emitter *emitter, const char *text, size_t length);

/* As format_text(); the text may have any length. */
void emitter_print(struct emitter *emitter, const char *template, ...)
    PRINTF(2, 3);

/*
 * One row of a table: cells of a fixed width, right-aligned, a blank between
 * two of them. What is too wide moves the rest.
 */
void emitter_cell_text(struct emitter *emitter, unsigned width,
    const char *text);
void emitter_cell(struct emitter *emitter, unsigned width, uint64_t value);
void emitter_row_end(struct emitter *emitter);

/*
 * --- JSON; `key` is NULL for the elements of an array, else at most 64 bytes
 * without any that must be escaped ----
 */

void emitter_object(struct emitter *emitter, const char *key);
void emitter_object_end(struct emitter *emitter);
void emitter_array(struct emitter *emitter, const char *key);
void emitter_array_end(struct emitter *emitter);
void emitter_bool(struct emitter *emitter, const char *key, bool value);
void emitter_unsigned(struct emitter *emitter, const char *key, uint64_t value);
void emitter_signed(struct emitter *emitter, const char *key, int64_t value);
void emitter_string(struct emitter *emitter, const char *key,
    const char *value);

#endif
