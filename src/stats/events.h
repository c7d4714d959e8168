/*
 * events: counters for the whole process.
 *
 * Owns:       struct stats_events.
 * Invariants: counters only rise (and wrap).
 * Locking:    none: relaxed atomics.
 */
#ifndef STATS_EVENTS_H
#define STATS_EVENTS_H

#include <stdatomic.h>
#include <stddef.h>

struct stats_events {
	_Atomic size_t zero_reallocs;     /* realloc of an object to size 0 */
	_Atomic size_t foreign_forwarded; /* pointers for the next allocator */
};

extern struct stats_events stats_events;

static inline void
event_count(_Atomic size_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static inline size_t
event_read(_Atomic size_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
