/*
 * emitter: collects text of any length for a callback: lines, tables or JSON.
 *
 * Owns:       the buffer. It comes from the kernel and goes back at the end.
 * Invariants: the whole text is handed over in one call. If the kernel has no
 *             memory, it comes in several pieces, but nothing is lost. There is
 *             at least one call; a text is empty only if there is no other.
 *             JSON is compact, its strings are escaped, and its numbers are
 *             plain decimals.
 * Locking:    none. The caller must not hold a lock either, because the
 *             callback may allocate and print statistics itself.
 */
#ifndef STATS_EMITTER_H
#define STATS_EMITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/compiler.h"

/* Bytes of the buffer that is used until there is memory for a larger one. */
#define EMITTER_SMALL 1024

typedef void emitter_callback(void *opaque, const char *text);

struct emitter {
	emitter_callback *write;
	void *opaque;
	char *buffer;
	size_t capacity; /* bytes, with the terminating zero */
	size_t length;
	bool comma;   /* JSON: the next member needs a comma before */
	bool written; /* has there been a call of write? */
	char small[EMITTER_SMALL];
};

/*
 * `write` gets the text and `opaque`; NULL: malloc_message or standard error.
 * emitter_end() hands over the rest.
 */
void emitter_begin(struct emitter *emitter, emitter_callback *write,
    void *opaque);
void emitter_end(struct emitter *emitter);

/* --- text ---- */

void emitter_put(struct emitter *emitter, const char *text, size_t length);
void emitter_text(struct emitter *emitter, const char *text);

/* As format_text(); the text may have any length. */
void emitter_print(struct emitter *emitter, const char *template, ...)
    PRINTF(2, 3);

/*
 * One row of a table: right-aligned cells of a fixed width, with a blank
 * between two cells. A text that is too wide moves the cells behind it.
 */
void emitter_cell_text(struct emitter *emitter, unsigned width,
    const char *text);
void emitter_cell(struct emitter *emitter, unsigned width, uint64_t value);
void emitter_row_end(struct emitter *emitter);

/*
 * --- JSON. `key` is NULL for the elements of an array. Other keys have at most
 * 64 bytes, and none that must be escaped. ----
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
