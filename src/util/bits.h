/*
 * bits: powers of two, rounding, and bit searches on words.
 *
 * Owns:       nothing; pure functions.
 * Invariants: rounding functions expect a power of two as alignment.
 * Locking:    none.
 */
#ifndef UTIL_BITS_H
#define UTIL_BITS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool
is_pow2(size_t x)
{
	return x != 0 && (x & (x - 1)) == 0;
}

/* Floor of log2; x must not be 0. */
static inline unsigned
lg_floor(size_t x)
{
	return (unsigned)(sizeof(long) * CHAR_BIT - 1) -
	    (unsigned)__builtin_clzl(x);
}

/* The same for numbers that may be larger than a size. */
static inline unsigned
lg_floor64(uint64_t x)
{
	return 63 - (unsigned)__builtin_clzll(x);
}

/* Ceiling of log2; x must not be 0. */
static inline unsigned
lg_ceil(size_t x)
{
	return x <= 1 ? 0 : lg_floor(x - 1) + 1;
}

static inline unsigned
lowest_bit(uint64_t x)
{
	return (unsigned)__builtin_ctzll(x);
}

static inline size_t
round_up(size_t x, size_t align)
{
	return (x + align - 1) & ~(align - 1);
}

/*
 * From an address up to the next multiple of `align`, in bytes. That multiple
 * may be beyond the last address; so compare this, not the rounded address.
 */
static inline size_t
lead_to(const void *addr, size_t align)
{
	return -(uintptr_t)addr & (align - 1);
}

static inline size_t
round_down(size_t x, size_t align)
{
	return x & ~(align - 1);
}

static inline size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t
max_size(size_t a, size_t b)
{
	return a > b ? a : b;
}

#endif
