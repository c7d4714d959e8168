/*
 * allocated: usable bytes that were taken from an arena and have not returned.
 */
#ifndef ALLOCATED_H
#define ALLOCATED_H

#include "arena/arena.h"

static inline size_t
arena_allocated(struct arena *arena)
{
	struct arena_summary sum = { .active = 0 };

	arena_summary_add(arena, &sum);
	return sum.small_size + sum.large_size;
}

#endif
