/*
 * checked_small: the checks of one object of a slab (opt.checked), as inline
 * functions for the paths that most calls take.
 *
 * Owns:       nothing.
 * Invariants: see api/checked.h.
 * Locking:    none: the caller has the object. Its neighbours may change while
 *             they are looked at; see below.
 */
#ifndef API_CHECKED_SMALL_H
#define API_CHECKED_SMALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "arena/canary.h"
#include "arena/ledger.h"
#include "arena/slab.h"
#include "arena/wipe.h"
#include "conf/options.h"
#include "util/compiler.h"

/* Bytes around a freed object that are looked at. */
#define AROUND 16

/* So the compiler need not turn the end of a canary. */
static ALWAYS_INLINE size_t
capacity_in(const struct slab_geometry *g)
{
	size_t capacity = g->region_size;

	if (capacity % 8 != 0)
		__builtin_unreachable();
	return capacity;
}

/* --- handing out ---------------------------------------------------------- */

/*
 * The program gets the object of this slab for a request of `size` bytes. With
 * `zero`, all that it may use becomes zero. False: the program wrote into the
 * object after freeing it. That is reported, and the caller must find another
 * object.
 */
static ALWAYS_INLINE bool
checked_hand_out_small(struct extent *slab, void *object, size_t size,
    bool zero)
{
	const struct slab_geometry *g =
	    &size_class_tables.slab[slab->size_class];
	_Atomic uint16_t *entry = slab_entry_at(slab, g, object);
	size_t capacity = capacity_in(g);

	ledger_begin_change(entry);
	if (opt.uaf_check && unlikely(!wipe_is_whole(object, capacity))) {
		wipe_report(object, wipe_damage(object, capacity), capacity);
		return false;
	}
	if (zero && (!opt.uaf_check || opt.junk_free))
		memset(object, 0, opt.canary ? size : capacity);
	if (opt.canary)
		canary_fill(object, size, capacity);
	ledger_end_change(entry, ledger_entry_of(size));
	return true;
}

/* --- neighbours ----------------------------------------------------------- */

/* A region beside a freed object. */
struct neighbour {
	const char *object;
	_Atomic uint16_t *entry;
	size_t capacity;
	bool behind;
};

static ALWAYS_INLINE struct neighbour
neighbour_before(const char *object, size_t capacity, _Atomic uint16_t *entry)
{
	return (struct neighbour){ object - capacity, entry - 1, capacity,
		false };
}

static ALWAYS_INLINE struct neighbour
neighbour_behind(const char *object, size_t capacity, _Atomic uint16_t *entry)
{
	return (struct neighbour){ object + capacity, entry + 1, capacity,
		true };
}

/* Are the first or the last bytes of a freed region as wipe() left them? */
static ALWAYS_INLINE bool
neighbour_is_wiped(const struct neighbour *n)
{
	size_t length = min_size(AROUND, n->capacity);
	const char *side = n->behind ? n->object
				     : n->object + n->capacity - length;

	return pattern_is_here(side, length, wipe_word());
}

/* Are the neighbour's bytes next to our object intact? */
static ALWAYS_INLINE bool
neighbour_side_is_right(const struct neighbour *n, uint16_t entry)
{
	if (entry == LEDGER_FREED)
		return !opt.uaf_check || neighbour_is_wiped(n);
	if (n->behind || !ledger_is_live(entry) || !opt.canary)
		return true;
	return canary_end_is_whole(n->object, n->capacity);
}

/*
 * One look. The bytes may change meanwhile. Then the entry changes, too, and
 * the result is not used. A race detector can't know this, so it gets no look.
 */
static ALWAYS_INLINE bool
neighbour_seems_right(const struct neighbour *n)
{
	return RACE_DETECTOR ||
	    likely(neighbour_side_is_right(n,
		atomic_load_explicit(n->entry, memory_order_acquire)));
}

/* Both neighbours, with one look and without a report. */
static ALWAYS_INLINE bool
surroundings_seem_right(const struct extent *slab, const char *object,
    size_t capacity, _Atomic uint16_t *entry)
{
	struct neighbour before = neighbour_before(object, capacity, entry);
	struct neighbour behind = neighbour_behind(object, capacity, entry);

	return (object == slab->addr || neighbour_seems_right(&before)) &&
	    (behind.object == extent_end(slab) ||
		neighbour_seems_right(&behind));
}

/* --- taking back ---------------------------------------------------------- */

/* The last step of a free. */
static ALWAYS_INLINE void
checked_end_take_back(void *object, size_t capacity, _Atomic uint16_t *entry)
{
	if (wipe_is_on())
		wipe(object, capacity);
	ledger_end_change(entry, LEDGER_FREED);
}

/* Is the canary of an object of `size` bytes intact? */
static ALWAYS_INLINE bool
canary_seems_right(const char *object, size_t size, size_t capacity)
{
	return !opt.canary ||
	    likely(canary_damage(object, size, capacity) == capacity);
}

/*
 * checked_take_back() for a pointer into this slab that may be no object.
 * `alone`: the process has one thread. False: something is wrong. Then nothing
 * has changed, and the usual path finds and reports the fault.
 */
static ALWAYS_INLINE bool
checked_take_back_whole(struct extent *slab, void *object, bool alone)
{
	const struct slab_geometry *g =
	    &size_class_tables.slab[slab->size_class];
	_Atomic uint16_t *entry = slab_entry_at(slab, g, object);
	size_t capacity = capacity_in(g);
	uint16_t value;

	/* These bytes may be in no cache of the processor. */
	__builtin_prefetch((char *)object - AROUND);
	__builtin_prefetch((char *)object + capacity);
	if (unlikely(entry == NULL))
		return false;
	value = atomic_load_explicit(entry, memory_order_relaxed);
	if (unlikely(!ledger_is_live(value) ||
		!canary_seems_right(object, ledger_size(value), capacity) ||
		!surroundings_seem_right(slab, object, capacity, entry) ||
		!ledger_claim(entry, value, alone)))
		return false;
	checked_end_take_back(object, capacity, entry);
	return true;
}

#endif
