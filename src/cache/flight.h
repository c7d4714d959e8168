/*
 * flight: a batch of objects that is on its way between a cache and an arena.
 *
 * Owns:       struct flight, one in each cache.
 * Invariants: a flight is noted before the batch leaves its place, and ends
 *             after it has arrived. So a tool that stops the process or reads
 *             its core file knows where these objects are (util/heap_layout.h).
 * Locking:    none: its thread writes it, and it is read only while this thread
 *             is stopped. So only the compiler must keep the order of the
 *             stores.
 */
#ifndef CACHE_FLIGHT_H
#define CACHE_FLIGHT_H

#include <stdatomic.h>
#include <stdint.h>

enum flight_direction {
	FLIGHT_NONE,
	FLIGHT_FILL,  /* from a slab into the array */
	FLIGHT_FLUSH, /* from the array to slabs */
	FLIGHT_MOVE,  /* the array has all objects of a stack */
	FLIGHT_OUT,   /* to the program */
};

struct flight {
	void **objects;
	uint64_t what; /* count, bin << 32, direction << 48; 0: no flight */
};

#define FLIGHT_BIN_SHIFT       32
#define FLIGHT_DIRECTION_SHIFT 48

/*
 * A flight may begin inside another one if the program's message function
 * allocates. Then the outer one is lost.
 */
static inline void
flight_begin(struct flight *flight, enum flight_direction direction,
    unsigned bin, void **objects, uint32_t count)
{
	flight->objects = objects;
	atomic_signal_fence(memory_order_seq_cst);
	flight->what = count | (uint64_t)bin << FLIGHT_BIN_SHIFT |
	    (uint64_t)direction << FLIGHT_DIRECTION_SHIFT;
	atomic_signal_fence(memory_order_seq_cst);
}

static inline void
flight_end(struct flight *flight)
{
	atomic_signal_fence(memory_order_seq_cst);
	flight->what = 0;
}

#endif
