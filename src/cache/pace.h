/*
 * pace: how many objects a cache bin hands out from one event to the next.
 *
 * Owns:       the rules; the numbers are in the bins.
 * Invariants: events are a matter of time, not of work. A bin counts objects,
 *             because that costs nothing, and this guesses from the last event
 *             how many go in the time that is wanted.
 * Locking:    none; these functions know nothing but their arguments.
 *
 * An event ages the cache, and lets its arena purge. A busy thread has few of
 * them. One that does little has more while much is unused, or what is unused
 * would stay for hours.
 */
#ifndef CACHE_PACE_H
#define CACHE_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The stride of a bin of this size at first, in objects. */
uint32_t pace_first(size_t usable);

/**
 * The next stride, after an event.
 * @param stride       the last one; if nobody calls for an event earlier, the
 *                     bin hands out so many objects before it
 * @param granted      how many it has handed out in fact
 * @param usable       bytes of one object
 * @param since_ns     since the last event; 0: the clock has not gone on
 * @param much_unused  are there pages for which more events would pay?
 */
uint32_t pace_stride(uint32_t stride, uint32_t granted, size_t usable,
    uint64_t since_ns, bool much_unused);

/*
 * How many objects the bin hands out until there may be another purge, if the
 * last `granted` ones took `since_ns`. At least 1.
 */
int32_t pace_soon(uint32_t granted, uint64_t since_ns);

#endif
