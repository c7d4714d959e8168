/*
 * cache_bin: a bounded stack of free objects of one kind, in one thread.
 *
 * Owns:       the part of a bin that the fast paths touch: half a cache line.
 * Invariants: full <= head <= bottom; objects lie in [head, bottom). `empty` is
 *             bottom, or above it where the cache's ageing wants to know whether
 *             the stack ever goes so low; `full` is the least place head may
 *             reach. In a bin that has no stack all three are equal, so that
 *             it is empty and full at once. countdown falls with each object
 *             taken; below 0 an event is due.
 * Locking:    none: one thread.
 *
 *	full          head       empty    bottom
 *	  |  room       |  objects |        |
 */
#ifndef CACHE_CACHE_BIN_H
#define CACHE_CACHE_BIN_H

#include <assert.h>
#include <stdint.h>

#include "extent/pagemap.h"
#include "util/compiler.h"

struct cache_bin {
	void **head;
	void **full;
	void **empty;
	int32_t countdown;
	uint32_t usable;	/* bytes of one object */
};

static_assert(sizeof(struct cache_bin) == KIND_STEP, "a kind finds its bin");

/*
 * The object on top, or NULL when the slow path has to look: no object, or an
 * event. Clears the mark that a freed object bears.
 */
static ALWAYS_INLINE void *
cache_bin_take(struct cache_bin *bin)
{
	void **head = bin->head;
	void *object;

	/* Not ==: the mark may have been set above the head (trim.h). */
	if (unlikely(head >= bin->empty))
		return NULL;
	if (unlikely(--bin->countdown < 0))
		return NULL;
	HIDE_MEMORY(bin->head);
	bin->head++;
	object = *head;
	*(uintptr_t *)object = 0;
	return object;
}

/* Puts an object on top; the bin is not full. */
static ALWAYS_INLINE void
cache_bin_give(struct cache_bin *bin, void **head, void *object)
{
	HIDE_MEMORY(bin->head);
	bin->head--;
	head[-1] = object;
}

#endif
