/*
 * prof_proto: messages in the encoding of protocol buffers.
 *
 * Owns:       nothing; a message lies in its caller's memory.
 * Invariants: a message never outgrows its memory: callers see to numbers, text
 *             is cut. Text is valid UTF-8 afterwards, because readers refuse
 *             all of a profile that has other text in it.
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

/* A field of a number. Zero is what readers take a missing one for. */
void prof_proto_number(struct prof_proto *to, unsigned field, uint64_t value);

/* A field of `n` numbers, zeros included. */
void prof_proto_numbers(struct prof_proto *to, unsigned field,
    const uint64_t *value, size_t n);

/* A field of text; what is no UTF-8 in it becomes question marks. */
void prof_proto_text(struct prof_proto *to, unsigned field, const char *text,
    size_t length);

/* A field that is a message itself. */
void prof_proto_message(struct prof_proto *to, unsigned field,
    const struct prof_proto *message);

/* What comes before the bytes of a message as a field: its tag and length. */
void prof_proto_heading(struct prof_proto *to, unsigned field, size_t length);

#endif
