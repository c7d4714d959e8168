/*
 * pagemap: what is at this address, and which extent contains it?
 *
 * Owns:       the root and its leaves.
 * Invariants: the kind is 0 where nothing can be freed. Every unit of a slab
 *             has the slab's kind and extent. Of any other extent, the first
 *             and the last unit have the extent; of a large object, the first
 *             unit also has its kind. Any address may be looked up.
 * Locking:    reads take no lock. A leaf is made once and stays. Only the owner
 *             of an extent (see extent.h) writes its entries.
 *
 *	address: | must be 0 |  root index  |  leaf index  | 12 bits |
 *
 * With addresses of 32 bits, there is one leaf, and its index is all the rest.
 *
 * A root slot holds the distance of its leaf from the all-zero leaf. So a slot
 * that was never written leads to the all-zero leaf, where every kind is 0. The
 * root needs no initialisation, and a look-up need not test for a missing leaf.
 */
#ifndef EXTENT_PAGEMAP_H
#define EXTENT_PAGEMAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/compiler.h"
#include "util/size_class.h"

struct extent;

/*
 * One leaf has room for all addresses of 32 bits: it is address space, and in
 * memory are only the parts that are used. A shift by LG_SPACE or LG_LEAF needs
 * an operand of 64 bits.
 */
#define PAGEMAP_LG_SPACE LG_USER_SPACE
#define PAGEMAP_LG_LEAF  (BUILD_ADDRESS_BITS == 64 ? 30 : 32)
#define PAGEMAP_ROOT_LEN ((size_t)1 << (PAGEMAP_LG_SPACE - PAGEMAP_LG_LEAF))
#define PAGEMAP_LEAF_LEN ((size_t)1 << (PAGEMAP_LG_LEAF - LG_UNIT))
/* Is there a second leaf that the first one can be left for? */
#define PAGEMAP_HAS_MORE (PAGEMAP_ROOT_LEN > 1)

/*
 * A kind is the byte offset of a cache bin in the thread record, so that free()
 * finds the bin without arithmetic. Bins are KIND_STEP bytes. The first one is
 * a dummy that is always full, so an object that must not be cached takes the
 * slow path. The own kinds below KIND_STEP lead to the dummy, too: they read it
 * at another place, where it is also full. That place is misaligned if pointers
 * have 64 bits: such a bin has no room for four others.
 */
#define LG_KIND_STEP 5
#define KIND_STEP    (1 << LG_KIND_STEP)
#define KIND_NONE    0 /* nothing that can be freed */
#define KIND_OWN(n)  (BUILD_ADDRESS_BITS == 64 ? 2 * (n)-1 : 4 * (n))
#define KIND_LARGE   KIND_OWN(1) /* a large object that no cache takes */
#define KIND_SAMPLE  KIND_OWN(2) /* a slab of samples of a profile */
#define KIND_CHECKED KIND_OWN(3) /* a slab, with opt.checked */
#define KIND_GUARDED KIND_OWN(4) /* for an object between guard pages */

static inline uint16_t
kind_of_bin(unsigned bin)
{
	return (uint16_t)((bin + 1) * KIND_STEP);
}

static inline bool
kind_is_bin(uint16_t kind)
{
	return kind >= KIND_STEP;
}

static inline unsigned
bin_of_kind(uint16_t kind)
{
	return kind / KIND_STEP - 1;
}

/* Is it a slab that knows for certain which objects the program has? */
static inline bool
kind_is_certain_slab(uint16_t kind)
{
	return kind == KIND_SAMPLE || kind == KIND_CHECKED;
}

struct pagemap_leaf {
	_Atomic uint16_t kind[PAGEMAP_LEAF_LEN];
	/* See pagemap_home_start. */
	uint16_t nothing[PAGEMAP_HAS_MORE ? PAGEMAP_LEAF_LEN : 2];
	_Atomic(struct extent *) extent[PAGEMAP_LEAF_LEN];
};

struct pagemap {
	intptr_t root[PAGEMAP_ROOT_LEN]; /* atomic */
	/* Used for every leaf that does not exist; never written. */
	_Atomic uint16_t zero_leaf[PAGEMAP_LEAF_LEN];
};

extern HIDDEN struct pagemap pagemap;

/*
 * Most heaps need only one leaf. This is that leaf: a look-up in it takes one
 * load that depends on the address instead of two. The base is where the kind
 * of address 0 would be. As soon as there is a second leaf, the slot is set to
 * a value that fits no address, so that the branch stays predictable. These are
 * two variables, not a struct, because then each can be an operand of one
 * instruction.
 */
extern HIDDEN uintptr_t pagemap_home_slot; /* atomic */
extern HIDDEN uintptr_t pagemap_home_base;

/*
 * The first address of that leaf, for pagemap_kind_of_start(). Any value of it
 * matches some addresses. So if there is no such leaf, or more than one, its
 * value matches only unaligned addresses of the leaf behind. For these the base
 * leads to `nothing`, so KIND_NONE is found, which is right.
 */
extern HIDDEN uintptr_t pagemap_home_start; /* atomic */

/* The root index of an address; too high if it must not be there. */
static ALWAYS_INLINE uintptr_t
pagemap_slot(uintptr_t a)
{
	return (uintptr_t)((uint64_t)a >> PAGEMAP_LG_LEAF);
}

/* The address where a leaf begins. */
static ALWAYS_INLINE uintptr_t
pagemap_slot_start(uintptr_t slot)
{
	return (uintptr_t)((uint64_t)slot << PAGEMAP_LG_LEAF);
}

static ALWAYS_INLINE uint16_t
pagemap_kind_in_slot(uintptr_t a, uintptr_t slot)
{
	uintptr_t base = (uintptr_t)&pagemap;
	const _Atomic uint16_t *kinds;

	/*
	 * Relaxed loads are enough: the leaf of a valid pointer was made
	 * before the pointer was handed out.
	 */
	base = add_relaxed(base, &pagemap.root[slot]);
	HIDE(base);
	kinds = (const _Atomic uint16_t *)(base +
	    offsetof(struct pagemap, zero_leaf));
	return atomic_load_explicit(
	    &kinds[(a >> LG_UNIT) & (PAGEMAP_LEAF_LEN - 1)],
	    memory_order_relaxed);
}

static ALWAYS_INLINE uint16_t
pagemap_kind_anywhere(uintptr_t a)
{
	uintptr_t slot = pagemap_slot(a);

	if (unlikely(slot >= PAGEMAP_ROOT_LEN))
		return KIND_NONE;
	return pagemap_kind_in_slot(a, slot);
}

static ALWAYS_INLINE uint16_t
pagemap_kind_at_home(uintptr_t a)
{
	return atomic_load_explicit(
	    (const _Atomic uint16_t *)(READ_RELAXED(pagemap_home_base) +
		(a >> LG_UNIT) * sizeof(uint16_t)),
	    memory_order_relaxed);
}

/* The kind at `addr`, which may be any address. */
static ALWAYS_INLINE uint16_t
pagemap_kind(const void *addr)
{
	uintptr_t a = (uintptr_t)addr;

	if (likely(equals_acquire(pagemap_slot(a), &pagemap_home_slot)))
		return pagemap_kind_at_home(a);
	return pagemap_kind_anywhere(a);
}

/*
 * The same for free(): KIND_NONE if no object can start at `addr`, because it
 * is not aligned. In a heap with one leaf this costs nothing: one mask covers
 * the bits that must be those of the leaf, and those that must be 0. With more
 * leaves it costs three instructions: the low bits are rotated to the top of
 * the slot number, which then is too high. Only objects of 8 bytes may lie
 * between the multiples of QUANTUM: for every other one of them it costs some
 * more.
 */
static ALWAYS_INLINE uint16_t
pagemap_kind_of_start(const void *addr)
{
	uintptr_t a = (uintptr_t)addr, slot;
	uintptr_t apart = xor_acquire(a, &pagemap_home_start);
	uintptr_t other_leaf = pagemap_slot_start(~(uintptr_t)0);
	uint16_t kind;

	if (likely((apart & (other_leaf | (QUANTUM - 1))) == 0))
		return pagemap_kind_at_home(a);
	if ((apart & (other_leaf | 7)) == 0) {
		kind = pagemap_kind_at_home(a);
	} else {
		slot = (a >> LG_QUANTUM | a << (8 * sizeof(a) - LG_QUANTUM)) >>
		    (PAGEMAP_LG_LEAF - LG_QUANTUM);
		if (likely(slot < PAGEMAP_ROOT_LEN))
			return pagemap_kind_in_slot(a, slot);
		slot ^= (uintptr_t)8 << (8 * sizeof(a) - PAGEMAP_LG_LEAF);
		if (slot >= PAGEMAP_ROOT_LEN)
			return KIND_NONE;
		kind = pagemap_kind_in_slot(a, slot);
	}
	return kind == kind_of_bin(0) ? kind : KIND_NONE;
}

/* The leaf that describes `addr`, or NULL. */
static inline struct pagemap_leaf *
pagemap_leaf(uintptr_t addr)
{
	uintptr_t slot = pagemap_slot(addr);
	intptr_t distance;

	if (unlikely(slot >= PAGEMAP_ROOT_LEN))
		return NULL;
	/* Pairs with the release in leaf_make(). */
	distance = __atomic_load_n(&pagemap.root[slot], __ATOMIC_ACQUIRE);
	if (unlikely(distance == 0))
		return NULL;
	/*
	 * Computes with integers, because C has no pointer arithmetic between
	 * objects.
	 */
	return (struct pagemap_leaf *)((uintptr_t)pagemap.zero_leaf +
	    (uintptr_t)distance);
}

static inline size_t
pagemap_index(uintptr_t addr)
{
	return (addr >> LG_UNIT) & (PAGEMAP_LEAF_LEN - 1);
}

/*
 * The extent at `addr`, which may be any address, or NULL. Pages inside a large
 * extent are not found, see the invariants.
 */
static inline struct extent *
pagemap_find(const void *addr)
{
	struct pagemap_leaf *leaf = pagemap_leaf((uintptr_t)addr);

	if (unlikely(leaf == NULL))
		return NULL;
	return atomic_load_explicit(
	    &leaf->extent[pagemap_index((uintptr_t)addr)],
	    memory_order_acquire);
}

/* Makes the leaves for a range, so that later writes cannot fail. */
bool pagemap_reserve(const void *addr, size_t size);

/* Can the page map describe this range at all? */
bool pagemap_covers(const void *addr, size_t size);

/* Enters `e` at its first and last unit, with `kind` at the first. */
void pagemap_set_ends(struct extent *e, uint16_t kind);

/* Enters `e` and `kind` at each of its units. */
void pagemap_set_all(struct extent *e, uint16_t kind);

/* Removes all that pagemap_set_all() has entered. */
void pagemap_clear_all(struct extent *e);

/* Removes what pagemap_set_ends() has entered. */
void pagemap_forget_ends(struct extent *e);

/*
 * Enters `e`, which may be NULL, and `kind` at one unit: where a large object
 * begins that is not at the start of its extent, or where something ended.
 */
void pagemap_set_unit(const void *addr, struct extent *e, uint16_t kind);

/*
 * The extent that contains `addr`, active or free, even in the middle of it.
 * This walks back page by page, so it is only for reports.
 */
struct extent *pagemap_find_any(const void *addr);

/* The same for active extents only. */
struct extent *pagemap_find_around(const void *addr);

/* How many leaves there are. */
size_t pagemap_leaves(void);

#endif
