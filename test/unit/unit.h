/*
 * unit: what unit tests share: cmocka, random numbers that repeat, faults.
 */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/compiler.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#else
#define UNDER_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#else
#define UNDER_TSAN 0
#endif

/* valgrind loads a library of its own into the program. */
static inline bool
under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

/*
 * Skipping, only for what this machine or build can't do, never for a failure:
 * a whole program, in its main, and one test of it. `why` names what is
 * missing.
 */
#define UNIT_SKIPPED 77
#define SKIP_BECAUSE(why) \
	do { \
		print_message("skipped: %s\n", why); \
		return UNIT_SKIPPED; \
	} while (0)
#define SKIP_TEST(why) \
	do { \
		print_message("skipped: %s\n", why); \
		skip(); \
	} while (0)

/* Whether tests run at full length: TEST_LONG=1. */
static inline bool
test_is_long(void)
{
	const char *lengthened = getenv("TEST_LONG");

	return lengthened != NULL && strcmp(lengthened, "0") != 0;
}

static inline uint64_t
random_next(uint64_t *seed)
{
	uint64_t x = *seed += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* Each byte from start on is `byte`. */
static inline void
assert_filled(const void *start, size_t size, unsigned char byte)
{
	const unsigned char *bytes = start;

	/* Each byte equals the one before it, says libc, many at a time. */
	if (size == 0 ||
	    (bytes[0] == byte && memcmp(bytes, bytes + 1, size - 1) == 0))
		return;
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != byte)
			fail_msg("byte %zu of %zu is %u, not %u", i, size,
			    bytes[i], byte);
}

/* The bits of a size or an address. */
#define WORD_BITS (8u * (unsigned)sizeof(size_t))

/* 0 .. n - 1 */
static inline size_t
random_below(uint64_t *seed, size_t n)
{
	return (size_t)(random_next(seed) % n);
}

/* A call that can be made to fail: number `at`, counted from 1; 0 = none. */
struct fault {
	_Atomic unsigned calls; /* threads may share a fault */
	unsigned at;
	bool and_later;
};

static inline bool
fault_hits(struct fault *fault)
{
	unsigned call = ++fault->calls;

	if (fault->at == 0)
		return false;
	return fault->and_later ? call >= fault->at : call == fault->at;
}

static inline void
fault_set(struct fault *fault, unsigned at, bool and_later)
{
	*fault = (struct fault){ .at = at, .and_later = and_later };
}

#endif
