/*
 * cfi_reader: reads numbers and pointers in unwind information.
 *
 * Owns:       nothing; a reader is a place in a range of bytes.
 * Invariants: never reads at `end` or after it. A read that would do so moves
 *             the place to `end` and sets `failed`. Then all reads give 0.
 * Locking:    none.
 */
#ifndef UNWIND_CFI_READER_H
#define UNWIND_CFI_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cfi_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

/*
 * How pointers are written: the low half is a format, the high half says what
 * they are relative to.
 */
enum {
	CFI_POINTER = 0x00,
	CFI_ULEB = 0x01,
	CFI_U16 = 0x02,
	CFI_U32 = 0x03,
	CFI_U64 = 0x04,
	CFI_SIGNED_POINTER = 0x08,
	CFI_SLEB = 0x09,
	CFI_S16 = 0x0a,
	CFI_S32 = 0x0b,
	CFI_S64 = 0x0c,
	CFI_FORMAT = 0x0f,
	CFI_RELATIVE = 0x70,
	CFI_FROM_HERE = 0x10,
	CFI_ALIGNED = 0x50,
	CFI_INDIRECT = 0x80,
	CFI_OMITTED = 0xff,
};

static inline void
cfi_skip(struct cfi_reader *reader, uint64_t size)
{
	if ((uint64_t)(reader->end - reader->at) < size) {
		reader->at = reader->end;
		reader->failed = true;
		return;
	}
	reader->at += size;
}

/* An unsigned number of `size` bytes, 1 to 8, in the machine's byte order. */
static inline uint64_t
cfi_read(struct cfi_reader *reader, size_t size)
{
	uint64_t value8 = 0;
	uint32_t value4 = 0;
	uint16_t value2 = 0;

	cfi_skip(reader, size);
	if (reader->failed)
		return 0;
	switch (size) {
	case 1:
		return reader->at[-1];
	case 2:
		memcpy(&value2, reader->at - 2, 2);
		return value2;
	case 4:
		memcpy(&value4, reader->at - 4, 4);
		return value4;
	default:
		memcpy(&value8, reader->at - 8, 8);
		return value8;
	}
}

static inline int64_t
cfi_read_signed(struct cfi_reader *reader, size_t size)
{
	unsigned unused = 64 - 8 * (unsigned)size;

	return (int64_t)(cfi_read(reader, size) << unused) >> unused;
}

/*
 * A number of variable length. `extend`: it is signed, bit 6 of its last byte
 * is the sign.
 */
static inline uint64_t
cfi_read_leb(struct cfi_reader *reader, bool extend)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = (uint8_t)cfi_read(reader, 1);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) != 0);
	if (extend && shift < 64 && (byte & 0x40) != 0)
		value |= ~(uint64_t)0 << shift;
	return value;
}

static inline uint64_t
cfi_read_uleb(struct cfi_reader *reader)
{
	return cfi_read_leb(reader, false);
}

static inline int64_t
cfi_read_sleb(struct cfi_reader *reader)
{
	return (int64_t)cfi_read_leb(reader, true);
}

/*
 * A pointer that is absolute or relative to its own place. Call frame
 * information uses no other kinds. An indirect pointer is not followed.
 */
static inline uintptr_t
cfi_read_pointer(struct cfi_reader *reader, uint8_t encoding)
{
	uintptr_t here = (uintptr_t)reader->at;
	uintptr_t value;

	switch (encoding & CFI_FORMAT) {
	case CFI_POINTER:
	case CFI_SIGNED_POINTER:
		value = (uintptr_t)cfi_read(reader, sizeof(value));
		break;
	case CFI_ULEB:
		value = (uintptr_t)cfi_read_uleb(reader);
		break;
	case CFI_SLEB:
		value = (uintptr_t)cfi_read_sleb(reader);
		break;
	case CFI_U16:
		value = (uintptr_t)cfi_read(reader, 2);
		break;
	case CFI_S16:
		value = (uintptr_t)cfi_read_signed(reader, 2);
		break;
	case CFI_U32:
		value = (uintptr_t)cfi_read(reader, 4);
		break;
	case CFI_S32:
		value = (uintptr_t)cfi_read_signed(reader, 4);
		break;
	default:
		value = (uintptr_t)cfi_read(reader, 8);
		break;
	}
	switch (encoding & CFI_RELATIVE) {
	case 0:
		return value;
	case CFI_FROM_HERE:
		return here + value;
	default:
		reader->failed = true;
		return 0;
	}
}

#endif
