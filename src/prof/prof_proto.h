/*
 * prof_proto: makes messages in the encoding of protocol buffers.
 *
 * Owns:       nothing; a message lies in its caller's memory.
 * Invariants: a message always fits into its memory: callers must not add too
 *             many numbers, and text is cut. Text becomes valid UTF-8, because
 *             readers refuse a whole profile if one text in it is not.
 * Locking:    none.
 */
#ifndef PROF_PROF_PROTO_H
#define PROF_PROF_PROTO_H

#include <stddef.h>
#include <stdint.h>

enum { PROF_PROTO_SIZE = 16384 };

struct prof_proto {
	size_t used;
	uint8_t bytes[PROF_PROTO_SIZE];
};

/* Adds a number. 0 is left out, because readers take a missing field for 0. */
void prof_proto_number(struct prof_proto *to, unsigned field, uint64_t value);

/* Adds a field of `n` numbers. Zeros are not left out. */
void prof_proto_numbers(struct prof_proto *to, unsigned field,
    const uint64_t *value, size_t n);

/* Adds a text. Each byte that is not valid UTF-8 becomes a question mark. */
void prof_proto_text(struct prof_proto *to, unsigned field, const char *text,
    size_t length);

/* Adds a message as a field. */
void prof_proto_message(struct prof_proto *to, unsigned field,
    const struct prof_proto *message);

/* Adds what precedes the bytes of such a message: its tag and length. */
void prof_proto_heading(struct prof_proto *to, unsigned field, size_t length);

#endif
