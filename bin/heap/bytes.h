/*
 * bytes: reads numbers with the byte order of another machine.
 *
 * Owns:       nothing.
 * Invariants: a number is read byte by byte, so neither its alignment nor the
 *             byte order of this machine matters.
 * Locking:    none.
 */
#ifndef HEAP_BYTES_H
#define HEAP_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* `width` is at most 8. */
static inline uint64_t
bytes_number(const void *at, unsigned width, bool big_endian)
{
	const unsigned char *byte = at;
	uint64_t number = 0;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	if (!big_endian && width == 8) {
		memcpy(&number, byte, 8);
		return number;
	}
#endif
	for (unsigned i = 0; i < width; i++) {
		unsigned shift = 8 * (big_endian ? width - 1 - i : i);

		number |= (uint64_t)byte[i] << shift;
	}
	return number;
}

/* Is [at, at + size) inside [0, end)? */
static inline bool
range_inside(uint64_t at, uint64_t size, uint64_t end)
{
	return at <= end && size <= end - at;
}

#endif
