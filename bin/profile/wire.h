/*
 * wire: the encoding of protocol buffers, read and written.
 *
 * Owns:       the memory of messages that are written.
 * Invariants: reading never goes beyond the end that was given. A message that
 *             breaks the encoding ends with `broken` set.
 * Locking:    none.
 */
#ifndef PROFILE_WIRE_H
#define PROFILE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
	const uint8_t *at, *end;
	bool broken;
};

struct wire_field {
	unsigned number;
	bool is_bytes;
	uint64_t value;    /* if it is a number */
	struct wire bytes; /* else */
};

/* Reads the next field; false: at the end, or broken. */
bool wire_next(struct wire *from, struct wire_field *field);
/*
 * For a field of repeated numbers, which are packed or stand alone: reads the
 * next number of this field. Begin with the field as wire_next() returned it.
 */
bool wire_number(struct wire_field *field, uint64_t *value);

struct wire_out {
	uint8_t *bytes;
	size_t used;
	size_t room;
};

/* A number that is 0 is left out: it is what readers take a lack for. */
void wire_put_number(struct wire_out *to, unsigned field, uint64_t value);
void wire_put_numbers(struct wire_out *to, unsigned field,
    const uint64_t *values, size_t count);
void wire_put_bytes(struct wire_out *to, unsigned field, const void *bytes,
    size_t length);
/* Adds fields that are encoded already. */
void wire_put_raw(struct wire_out *to, const void *bytes, size_t length);
/* Adds a message as a field, and empties it for the next one. */
void wire_put_message(struct wire_out *to, unsigned field,
    struct wire_out *message);

#endif
