/*
 * ledger: which regions of a slab the program has, and how many bytes it
 * requested.
 *
 * Owns:       an array of entries for each slab, while opt.checked is set.
 * Invariants: an entry is one of the values below, or the requested size plus
 *             one. Regions in a cache, in the quarantine or free in the slab
 *             are not with the program. If regions are wiped, each region with
 *             LEDGER_FREED is. Each region with a size has a whole canary. The
 *             memory of an array is only used again for arrays of the same
 *             class: so a double free while the slab goes back damages no other
 *             record.
 * Locking:    LOCK_LEDGER for the spare arrays. The entry of a region that was
 *             taken out of the slab belongs to the owner of the region; it is
 *             atomic because two threads may free the same object.
 */
#ifndef ARENA_LEDGER_H
#define ARENA_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "extent/extent.h"

struct lock;

#define LEDGER_NEW   0      /* not handed out since the slab was made */
#define LEDGER_FREED 0xffff /* was handed out and freed, or is wiped */
#define LEDGER_BUSY  0xfffe /* changes just now, or is damaged */

static_assert(SMALL_MAX + 1 < LEDGER_BUSY, "an entry holds each size");

struct ledger {
	struct ledger *next; /* among the spare ones */
	uint64_t random;     /* for opt.random_slots */
	_Atomic uint16_t entry[];
};

void ledger_init(void);
struct lock *ledger_lock(void);

/* Where in a slab's record the pointer to its ledger is. */
extern HIDDEN size_t ledger_offset;

static inline struct ledger **
ledger_slot(struct extent *slab)
{
	return (struct ledger **)(void *)((char *)slab + ledger_offset);
}

/*
 * Gives a new slab an array of new entries, and wipes its pages if regions are
 * wiped. False: no memory.
 */
bool ledger_begin(struct extent *slab, unsigned size_class);

/* Takes it back from a slab that nobody can find any more. */
void ledger_end(struct extent *slab);

/* Is an entry that of a region which the program has? */
static inline bool
ledger_is_live(uint16_t entry)
{
	return entry != LEDGER_NEW && entry < LEDGER_BUSY;
}

/* The entry of a region of which the program has requested `size` bytes. */
static inline uint16_t
ledger_entry_of(size_t size)
{
	return (uint16_t)(size + 1);
}

/* The requested size of a live entry. */
static inline size_t
ledger_size(uint16_t entry)
{
	return entry - 1u;
}

/*
 * To be called around a change of the region's bytes. Another thread that looks
 * at them (api/checked) then does not take the change for damage.
 */
static inline void
ledger_begin_change(_Atomic uint16_t *entry)
{
	atomic_store_explicit(entry, LEDGER_BUSY, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

/*
 * The program frees a region whose entry was `value`: the change begins. If two
 * threads give back the same one, only one of them gets true. With `alone` no
 * other thread can do that, which saves an expensive instruction.
 */
static ALWAYS_INLINE bool
ledger_claim(_Atomic uint16_t *entry, uint16_t value, bool alone)
{
	if (alone)
		atomic_store_explicit(entry, LEDGER_BUSY, memory_order_relaxed);
	else if (unlikely(!atomic_compare_exchange_strong_explicit(entry,
		     &value, LEDGER_BUSY, memory_order_relaxed,
		     memory_order_relaxed)))
		return false;
	atomic_thread_fence(memory_order_release);
	return true;
}

static inline void
ledger_end_change(_Atomic uint16_t *entry, uint16_t value)
{
	atomic_store_explicit(entry, value, memory_order_release);
}

#endif
