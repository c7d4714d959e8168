/*
 * cache_bin: a bounded stack of free objects of one kind, in one thread.
 *
 * Owns:       the part of a bin that the fast paths touch: half a cache line.
 * Invariants: full <= head <= bottom; objects lie in [head, bottom). head never
 *             goes below `full`. `empty` is bottom, or a mark inside the stack.
 *             Ageing sets it to find out whether the stack ever sinks so far.
 *             In a bin without a stack all three are equal, so the bin is empty
 *             and full at once. countdown falls with each object taken; below 0
 *             an event is due.
 * Locking:    none: one thread.
 *
 *	full          head       empty    bottom
 *	  |  room       |  objects |        |
 */
#ifndef CACHE_CACHE_BIN_H
#define CACHE_CACHE_BIN_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "extent/pagemap.h"
#include "util/compiler.h"

struct cache_bin {
	void **head;
	void **full;
	void **empty;
	int32_t countdown;
	uint32_t usable; /* bytes of one object */
	char room[KIND_STEP - 3 * sizeof(void **) - 8]; /* may be none */
};

static_assert(sizeof(struct cache_bin) == KIND_STEP, "a kind finds its bin");

/*
 * A freed object begins with a mark, so a second free is noticed. The mark is
 * as narrow as the stores of most programs: if a comparison covered more than
 * the program has just written, the processor would wait until the write is
 * done.
 */
typedef uint16_t __attribute__((may_alias)) cache_mark;

/*
 * Makes a mark, never 0. Text in UTF-8, small numbers and aligned addresses
 * never begin with it.
 */
static inline cache_mark
cache_mark_of(uintptr_t random)
{
	static const unsigned char first[] = { 0xc1, 0xf9, 0xfb, 0xfd };
	unsigned char bytes[2] = { first[random % 4],
		(unsigned char)(0x80 | (random >> 2 & 0x3f)) };
	cache_mark mark;

	memcpy(&mark, bytes, sizeof(mark));
	return mark;
}

static ALWAYS_INLINE bool
cache_is_marked(const void *object, cache_mark mark)
{
	return *(const cache_mark *)object == mark;
}

static ALWAYS_INLINE void
cache_set_mark(void *object, cache_mark mark)
{
	*(cache_mark *)object = mark;
}

/*
 * Takes the top object and clears its mark. NULL: the slow path is needed,
 * because there is no object or an event is due.
 */
static ALWAYS_INLINE void *
cache_bin_take(struct cache_bin *bin)
{
	void **head = bin->head;
	void *object;

	/*
	 * Not ==, because head may already be past `empty` when trim.c sets it.
	 */
	if (unlikely(head >= bin->empty))
		return NULL;
	if (unlikely(falls_below_0(&bin->countdown)))
		return NULL;
	step_relaxed(&bin->head, 1);
	object = *head;
	*(uintptr_t *)object = 0;
	return object;
}

/* The same, but leaves the contents as they are, so they can be checked. */
static inline void *
cache_bin_take_as_it_is(struct cache_bin *bin)
{
	void **head = bin->head;

	if (unlikely(head >= bin->empty) ||
	    unlikely(falls_below_0(&bin->countdown)))
		return NULL;
	step_relaxed(&bin->head, 1);
	return *head;
}

/* Puts an object on top. The bin must not be full. */
static ALWAYS_INLINE void
cache_bin_give(struct cache_bin *bin, void **head, void *object)
{
	step_relaxed(&bin->head, -1);
	head[-1] = object;
}

#endif
