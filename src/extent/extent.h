/*
 * extent: a run of pages and its out-of-line record.
 *
 * Owns:       struct extent.
 * Invariants: the memory of a record never becomes anything else and stays
 *             readable. So a stale pointer to a record can be read; what it
 *             says has to be checked under the lock of the arena that it names.
 *             An ACTIVE extent belongs to the thread that took it, a BUSY one
 *             to the thread that moves or purges it. An extent in any other
 *             state is in the pool of that state of its arena, and changes
 *             only under that arena's page lock.
 * Locking:    as above. `place` has state and arena in one word, because the
 *             owner of a neighbour reads them before it knows which lock to
 *             take. With two words, it could read the state of one moment and
 *             the arena of another.
 */
#ifndef EXTENT_EXTENT_H
#define EXTENT_EXTENT_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/list.h"
#include "util/size_class.h"
#include "util/tree.h"

enum extent_state {
	EXTENT_ACTIVE,   /* a slab or a large object */
	EXTENT_DIRTY,    /* free, contents still in memory */
	EXTENT_MUZZY,    /* free, the kernel may drop the contents */
	EXTENT_RETAINED, /* free, address space only */
	EXTENT_BUSY,     /* free, and in no pool at the moment */
};

#define EXTENT_POOLS 3 /* DIRTY, MUZZY, RETAINED */
#define SLAB_WORDS   (SLAB_REGIONS_MAX / 64)

struct pageslab;

struct extent {
	/*
	 * A record stays one for good, so whoever finds it in the page map may
	 * read `addr`, `place`, `size_class` and `shard` without a lock, and
	 * then ask under the bin's lock whether the slab is still there. These
	 * are written as relaxed atomics.
	 */
	char *addr;
	size_t size;            /* bytes, multiple of the page size */
	struct tree_node node;  /* in a pool, or in a bin's slabs */
	_Atomic uint32_t place; /* extent_place(): state and arena */
	bool is_slab;
	bool zeroed;               /* every byte is known to be zero */
	bool decommitted;          /* free: to be committed before use */
	bool hidden;               /* free: core dumps leave it out */
	uint8_t size_class;        /* slab: the class of its regions */
	bool listed;               /* slab: in its bin's tree */
	uint8_t shard;             /* slab: index among bins of a class */
	uint16_t nfree;            /* slab: free regions */
	uint16_t hint;             /* slab: the words below are all 0 */
	uint16_t kind;             /* large: what the page map says */
	uint16_t lender;           /* arena that lent it + 1, or 0 */
	uint32_t freed_at;         /* in a pool: `takes` of its source */
	struct pageslab *pageslab; /* that it was cut from, or NULL */
	union {
		/* See extent_words(). */
		uint64_t free[SLAB_WORDS] CACHE_ALIGNED;
		struct {
			struct list age;     /* in a pool: oldest first */
			struct extent *next; /* in a chain of extents */
			char *object;        /* large: the user's pointer */
			size_t usable;       /* large: bytes from object */
			void *sample;        /* large: its heap sample */
			size_t asked; /* large, checked: bytes requested */
			bool guarded; /* large: pages around are guards */
			bool sealed;  /* large, freed: all its pages are */
		};
	};
} CACHE_ALIGNED;

static_assert(sizeof(struct extent) == 128, "a record fills two cache lines");
static_assert(offsetof(struct extent, free) + SLAB_WORDS * 8 ==
	sizeof(struct extent),
    "free[] may continue behind");

/*
 * The size of a record in bytes. On larger pages a slab has more regions, so
 * free[] goes on behind the struct. A pointer to the ledger may follow
 * (arena/ledger), which is not counted here.
 */
static inline size_t
extent_record_size(size_t page_size)
{
	return sizeof(struct extent) +
	    (slab_regions_max(page_size) / 64 - SLAB_WORDS) * sizeof(uint64_t);
}

/*
 * The bitmap of a slab: one bit for each region, 1 = free. On large pages it is
 * longer than free[], so the pointer comes from the offset.
 */
static inline uint64_t *
extent_words(struct extent *slab)
{
	return (uint64_t *)(void *)((char *)slab +
	    offsetof(struct extent, free));
}

#define PLACE_STATE_BITS 8

static inline uint32_t
extent_place(enum extent_state state, unsigned arena_index)
{
	return (uint32_t)(arena_index << PLACE_STATE_BITS | (unsigned)state);
}

/* Is it in this state, in this arena? */
static inline bool
extent_is_at(const struct extent *e, enum extent_state state,
    unsigned arena_index)
{
	return atomic_load_explicit(&e->place, memory_order_acquire) ==
	    extent_place(state, arena_index);
}

static inline void
extent_set_place(struct extent *e, enum extent_state state,
    unsigned arena_index)
{
	/* Pairs with extent_is_at() of a neighbour. */
	atomic_store_explicit(&e->place, extent_place(state, arena_index),
	    memory_order_release);
}

/* Only for the extent's owner, or the holder of its arena's page lock. */
static inline enum extent_state
extent_state(const struct extent *e)
{
	return (enum extent_state)(atomic_load_explicit(&e->place,
				       memory_order_acquire) &
	    ((1u << PLACE_STATE_BITS) - 1));
}

static inline unsigned
extent_arena(const struct extent *e)
{
	return atomic_load_explicit(&e->place, memory_order_relaxed) >>
	    PLACE_STATE_BITS;
}

static inline char *
extent_end(const struct extent *e)
{
	return e->addr + e->size;
}

#endif
