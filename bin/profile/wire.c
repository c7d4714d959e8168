#include "wire.h"

#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static bool
varint(struct wire *from, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 64 && from->at < from->end;
	     shift += 7) {
		uint8_t byte = *from->at++;

		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	from->broken = true;
	from->at = from->end;
	return false;
}

static bool
skip(struct wire *from, uint64_t length, struct wire *part)
{
	if (length > (uint64_t)(from->end - from->at)) {
		from->broken = true;
		from->at = from->end;
		return false;
	}
	*part = (struct wire){ .at = from->at, .end = from->at + length };
	from->at += length;
	return true;
}

bool
wire_next(struct wire *from, struct wire_field *field)
{
	uint64_t tag, length;

	if (from->at >= from->end || !varint(from, &tag))
		return false;
	*field = (struct wire_field){ .number = (unsigned)(tag >> 3) };
	switch (tag & 7) {
	case VARINT:
		return varint(from, &field->value);
	case BYTES:
		field->is_bytes = true;
		return varint(from, &length) &&
		    skip(from, length, &field->bytes);
	case FIXED64:
	case FIXED32:
		/* No field that we know: number 0 is none. */
		field->number = 0;
		return skip(from, (tag & 7) == FIXED64 ? 8 : 4, &field->bytes);
	default:
		from->broken = true;
		from->at = from->end;
		return false;
	}
}

bool
wire_number(struct wire_field *field, uint64_t *value)
{
	if (field->is_bytes)
		return field->bytes.at < field->bytes.end &&
		    varint(&field->bytes, value);
	*value = field->value;
	/* Next time it is an empty list. */
	field->is_bytes = true;
	field->bytes = (struct wire){ .at = NULL, .end = NULL };
	return true;
}

static void
room(struct wire_out *to, size_t more)
{
	if (to->room - to->used >= more)
		return;
	to->room = 2 * (to->used + more) + 64;
	to->bytes = realloc(to->bytes, to->room);
	if (to->bytes == NULL)
		fail("out of memory");
}

static void
put(struct wire_out *to, uint64_t value)
{
	room(to, 10);
	for (; value >= 0x80; value >>= 7)
		to->bytes[to->used++] = (uint8_t)(value | 0x80);
	to->bytes[to->used++] = (uint8_t)value;
}

void
wire_put_number(struct wire_out *to, unsigned field, uint64_t value)
{
	if (value == 0)
		return;
	put(to, field << 3 | VARINT);
	put(to, value);
}

void
wire_put_bytes(struct wire_out *to, unsigned field, const void *bytes,
    size_t length)
{
	put(to, field << 3 | BYTES);
	put(to, length);
	wire_put_raw(to, bytes, length);
}

void
wire_put_raw(struct wire_out *to, const void *bytes, size_t length)
{
	room(to, length);
	if (length > 0)
		memcpy(to->bytes + to->used, bytes, length);
	to->used += length;
}

void
wire_put_numbers(struct wire_out *to, unsigned field, const uint64_t *values,
    size_t count)
{
	struct wire_out list = { NULL, 0, 0 };

	for (size_t i = 0; i < count; i++)
		put(&list, values[i]);
	wire_put_bytes(to, field, list.bytes, list.used);
	free(list.bytes);
}

void
wire_put_message(struct wire_out *to, unsigned field, struct wire_out *message)
{
	wire_put_bytes(to, field, message->bytes, message->used);
	message->used = 0;
}
