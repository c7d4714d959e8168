/*
 * selector: which size classes a command is about.
 *
 * Owns:       struct selector.
 * Invariants: without a range, all sizes. A number stands for the class that
 *             serves a request of this many bytes.
 * Locking:    none.
 */
#ifndef HEAP_SELECTOR_H
#define HEAP_SELECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap;

struct selector {
	struct selector_range {
		uint64_t low, high;
	} * ranges;
	size_t count;
};

/*
 * Reads "16", "1k-64k", "small", "large", or several of them with commas. Ends
 * the program if the text is not valid, or if there is no such class.
 */
void selector_parse(struct selector *selector, const struct heap *heap,
    const char *text);

bool selector_has(const struct selector *selector, uint64_t size);

#endif
