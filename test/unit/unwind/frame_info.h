/*
 * frame_info: unwind information for tests, put together byte by byte.
 */
#ifndef FRAME_INFO_H
#define FRAME_INFO_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../unit.h"
#include "os/registers.h"
#include "unwind/cfi.h"
#include "unwind/cfi_reader.h"

enum { IMAGE_BYTES = 4096, IMAGE_HEAD = 12, IMAGE_LINE = 8 };

/* Code that the information is about: never run, only its address counts. */
#define IMAGE_CODE ((uintptr_t)&image.code)
#define CODE_SIZE  1024

static struct {
	_Alignas(8) uint8_t byte[IMAGE_BYTES];
	uint8_t code[1 << 16];
	size_t n;
} image;

struct bytes {
	size_t n;
	uint8_t byte[96];
};

#define BYTES(...) \
	((struct bytes){ \
	    .n = sizeof((const uint8_t[]){ __VA_ARGS__ }), \
	    .byte = { __VA_ARGS__ }, \
	})
#define NO_BYTES ((struct bytes){ .n = 0 })

static inline void
put(const void *from, size_t size)
{
	assert_true(image.n + size <= IMAGE_BYTES);
	memcpy(image.byte + image.n, from, size);
	image.n += size;
}

static inline void
put_number(uint64_t value, size_t size)
{
	put(&value, size);
}

static inline void
put_bytes(const struct bytes *bytes)
{
	put(bytes->byte, bytes->n);
}

static inline void
set_number(size_t at, uint64_t value, size_t size)
{
	memcpy(image.byte + at, &value, size);
}

/* How one entry and the information common to several are to be written. */
struct written {
	uint8_t version;
	const char *letters; /* "zR", with the encoding in data */
	struct bytes data;   /* that the letters announce */
	struct bytes return_register;
	uint8_t code_factor; /* both below 64: one byte each */
	int8_t data_factor;
	struct bytes common; /* instructions */
	uint8_t encoding;
	struct bytes own_data;
	struct bytes own;
	bool wide;          /* lengths have 64 bits */
	bool range_written; /* by the test, in `own_data` */
	uint32_t id;        /* of the common part; 0 */
};

/* At first the CFA is the stack pointer + 8, the return address at -8. */
static inline struct written
usual(void)
{
	return (struct written){
		.version = 1,
		.letters = "zR",
		.data = BYTES(CFI_FROM_HERE | CFI_S32),
		.encoding = CFI_FROM_HERE | CFI_S32,
		.return_register = BYTES(REGISTER_RETURN),
		.code_factor = 1,
		.data_factor = -8,
		.common = BYTES(0x0c, REGISTER_STACK, 8, 0x80 | REGISTER_RETURN,
		    1),
	};
}

static inline size_t
begin_record(bool wide)
{
	if (wide)
		put_number(0xffffffff, 4);
	put_number(0, wide ? 8 : 4);
	return image.n;
}

static inline void
end_record(size_t start, bool wide)
{
	while (image.n % 8 != 0)
		put_number(0, 1);
	set_number(start - (wide ? 8 : 4), image.n - start, wide ? 8 : 4);
}

static inline size_t
put_common(const struct written *w)
{
	size_t at = image.n, start = begin_record(w->wide);

	put_number(w->id, 4);
	put_number(w->version, 1);
	put(w->letters, strlen(w->letters) + 1);
	if (w->version == 4)
		put_number(0x0008, 2);
	put_number(w->code_factor, 1);
	put_number((uint8_t)w->data_factor & 0x7f, 1);
	put_bytes(&w->return_register);
	if (w->letters[0] == 'z') {
		put_number(w->data.n, 1);
		put_bytes(&w->data);
	}
	put_bytes(&w->common);
	end_record(start, w->wide);
	return at;
}

static inline size_t
size_of(uint8_t encoding)
{
	switch (encoding & CFI_FORMAT) {
	case CFI_U16:
	case CFI_S16:
		return 2;
	case CFI_U32:
	case CFI_S32:
		return 4;
	default:
		return 8;
	}
}

static inline void
put_entry(const struct written *w, size_t common, uintptr_t code)
{
	size_t start = begin_record(w->wide);
	uintptr_t here;

	put_number(start - common, 4);
	if (!w->range_written) {
		here = (uintptr_t)image.byte + image.n;
		put_number((w->encoding & CFI_RELATIVE) == CFI_FROM_HERE
			? code - here
			: code,
		    size_of(w->encoding));
		put_number(CODE_SIZE, size_of(w->encoding));
	}
	if (w->letters[0] == 'z' && !w->range_written)
		put_number(w->own_data.n, 1);
	put_bytes(&w->own_data);
	put_bytes(&w->own);
	end_record(start, w->wide);
}

static inline void
put_head(uint32_t lines)
{
	image.n = 0;
	put_number(1, 1);
	put_number(CFI_FROM_HERE | CFI_S32, 1);
	put_number(CFI_U32, 1);
	put_number(0x30 | CFI_S32, 1);
	put_number(0, 4);
	put_number(lines, 4);
	for (uint32_t i = 0; i < lines; i++)
		put_number(0, IMAGE_LINE);
	while (image.n % 8 != 0)
		put_number(0, 1);
}

static inline void
set_line(uint32_t number, uintptr_t code, size_t entry)
{
	size_t at = IMAGE_HEAD + number * IMAGE_LINE;

	set_number(at, code - (uintptr_t)image.byte, 4);
	set_number(at + 4, entry, 4);
}

/* An index with one line, which describes IMAGE_CODE. */
static inline struct cfi_line
write_one(const struct written *w)
{
	size_t common, entry;

	put_head(1);
	common = put_common(w);
	entry = image.n;
	put_entry(w, common, IMAGE_CODE);
	set_line(0, IMAGE_CODE, entry);
	return (struct cfi_line){ .index = (uintptr_t)image.byte };
}

/* What the information says about the code's byte `at`. */
static inline bool
row_at(struct cfi_row *row, const struct written *w, size_t at)
{
	struct cfi_line line = write_one(w);

	memset(row, 1, sizeof(*row));
	return cfi_row_init(row, &line, IMAGE_CODE + at);
}

#endif
