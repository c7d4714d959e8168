/*
 * guess: what an object is, by its contents.
 *
 * Owns:       the rules and their order.
 * Invariants: results are only guesses. Labels are unique strings, so that
 *             equal ones have equal pointers.
 * Locking:    none.
 */
#ifndef HEAP_GUESS_H
#define HEAP_GUESS_H

#include <stddef.h>

#include "heap.h"
#include "session.h"

struct guess {
	const char *label;
	const char *note; /* of this object, such as its text; or NULL */
};

/* The first `size` bytes of a region, which are in `bytes`. */
struct contents {
	struct session *session;
	const struct region *region;
	const unsigned char *bytes;
	size_t size;
};

struct guess guess_object(const struct contents *contents);

/* The entropy of the contents in bits for each byte, 0 to 8. */
double guess_entropy(const struct contents *contents);

#endif
