#include "prof/prof_proto.h"

#include <assert.h>
#include <string.h>

#include "util/bits.h"

enum { VARINT_MAX = 10 };

/* The lower bits of a field's tag say how its value is encoded. */
enum wire { WIRE_VARINT = 0, WIRE_BYTES = 2 };

static size_t
varint_size(uint64_t value)
{
	return lg_floor64(value | 1) / 7 + 1;
}

static void
put_varint(struct prof_proto *to, uint64_t value)
{
	assert(to->used + VARINT_MAX <= sizeof(to->bytes));
	for (; value >= 0x80; value >>= 7)
		to->bytes[to->used++] = (uint8_t)(value | 0x80);
	to->bytes[to->used++] = (uint8_t)value;
}

void
prof_proto_number(struct prof_proto *to, unsigned field, uint64_t value)
{
	if (value == 0)
		return;
	put_varint(to, field << 3 | WIRE_VARINT);
	put_varint(to, value);
}

void
prof_proto_heading(struct prof_proto *to, unsigned field, size_t length)
{
	put_varint(to, field << 3 | WIRE_BYTES);
	put_varint(to, length);
}

void
prof_proto_numbers(struct prof_proto *to, unsigned field, const uint64_t *value,
    size_t n)
{
	size_t length = 0;

	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		length += varint_size(value[i]);
	prof_proto_heading(to, field, length);
	for (size_t i = 0; i < n; i++)
		put_varint(to, value[i]);
}

/*
 * The bytes of the UTF-8 character at `at`; 0: it is not valid. A character is
 * only valid in its shortest form. Surrogates of UTF-16 are not valid.
 */
static size_t
character_length(const uint8_t *at, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = *at < 0x80 ? 1
	    : (*at & 0xe0) == 0xc0 ? 2
	    : (*at & 0xf0) == 0xe0 ? 3
	    : (*at & 0xf8) == 0xf0 ? 4
				   : 0;
	uint32_t value;

	if (length <= 1 || length > left)
		return length > left ? 0 : length;
	value = *at & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (at[i] & 0x3f);
	}
	return value < least[length] || value > 0x10ffff ||
		(value >= 0xd800 && value < 0xe000)
	    ? 0
	    : length;
}

void
prof_proto_text(struct prof_proto *to, unsigned field, const char *text,
    size_t length)
{
	const uint8_t *from = (const uint8_t *)text;
	size_t room = sizeof(to->bytes) - to->used, n;

	assert(room > 2 * VARINT_MAX);
	length = min_size(length, room - 2 * VARINT_MAX);
	prof_proto_heading(to, field, length);
	for (size_t at = 0; at < length; at += n) {
		n = character_length(from + at, length - at);
		if (n == 0)
			to->bytes[to->used] = '?';
		else
			memcpy(to->bytes + to->used, from + at, n);
		n = max_size(n, 1);
		to->used += n;
	}
}

void
prof_proto_message(struct prof_proto *to, unsigned field,
    const struct prof_proto *message)
{
	prof_proto_heading(to, field, message->used);
	assert(to->used + message->used <= sizeof(to->bytes));
	memcpy(to->bytes + to->used, message->bytes, message->used);
	to->used += message->used;
}
