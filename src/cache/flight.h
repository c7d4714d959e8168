/*
 * flight: a batch of objects that is on its way between a cache and an arena.
 *
 * Owns:       struct flight, one in each cache.
 * Invariants: written before the batch leaves its place, and ended after it has
 *             come to another. So a tool that stops the process, or reads its
 *             core, knows where these objects are (util/heap_layout.h).
 * Locking:    none: its thread writes it, and only who has stopped this thread
 *             reads it. So the order of the stores matters to the compiler
 *             only.
 */
#ifndef CACHE_FLIGHT_H
#define CACHE_FLIGHT_H

#include <stdatomic.h>
#include <stdint.h>

enum flight_direction {
	FLIGHT_NONE,
	FLIGHT_FILL,	/* from a slab into the array */
	FLIGHT_FLUSH,	/* from the array to slabs */
	FLIGHT_MOVE,	/* the array has all objects of a stack */
	FLIGHT_OUT,	/* to the program */
};

struct flight {
	void **objects;
	uint32_t count;
	uint16_t bin;
	uint16_t direction;	/* enum flight_direction */
};

/* Returns what flight_end() puts back: a flight may begin inside of another. */
static inline struct flight
flight_begin(struct flight *flight, enum flight_direction direction,
    unsigned bin, void **objects, uint32_t count)
{
	struct flight before = *flight;

	flight->direction = FLIGHT_NONE;
	atomic_signal_fence(memory_order_seq_cst);
	flight->objects = objects;
	flight->count = count;
	flight->bin = (uint16_t)bin;
	atomic_signal_fence(memory_order_seq_cst);
	flight->direction = (uint16_t)direction;
	atomic_signal_fence(memory_order_seq_cst);
	return before;
}

static inline void
flight_end(struct flight *flight, struct flight before)
{
	atomic_signal_fence(memory_order_seq_cst);
	flight->direction = FLIGHT_NONE;
	if (__builtin_expect(before.direction == FLIGHT_NONE, 1))
		return;
	atomic_signal_fence(memory_order_seq_cst);
	flight->objects = before.objects;
	flight->count = before.count;
	flight->bin = before.bin;
	atomic_signal_fence(memory_order_seq_cst);
	flight->direction = before.direction;
}

#endif
