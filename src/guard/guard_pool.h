/*
 * guard_pool: a few objects, each alone on its pages, between inaccessible
 * pages.
 *
 * Owns:       the slots, and the address space of each.
 * Invariants: the number of objects that may be live at once is fixed at the
 *             start. There are twice as many slots, so a freed slot rests until
 *             at least that many others were freed. While it rests, its pages
 *             are inaccessible. If the kernel refuses a call, no slot is lost.
 *             A slot that may be accessible in a wrong place is repaired before
 *             its next use. The page map has KIND_GUARDED for all of the
 *             address space of a slot. Slots are never freed: the record of an
 *             address may be read at any time, also by a signal handler.
 * Locking:    LOCK_GUARD for the list of idle slots, not over a system call. A
 *             slot that is BUSY or LEAVING belongs to one thread.
 *
 *	EMPTY -> BUSY -> LIVE -> LEAVING -> FREED -> BUSY ...
 *	idle                                idle
 *
 *	 guard page |      window: accessible      | guard pages |
 *	            |  gap    |  object  |   gap   |
 */
#ifndef GUARD_GUARD_POOL_H
#define GUARD_GUARD_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "extent/extent.h"
#include "util/compiler.h"
#include "util/list.h"

struct heap_part;

#define GUARD_DEPTH 32

/* Which thread did something, and where. */
struct guard_stack {
	uint32_t thread; /* the kernel's id; 0: nobody has done it */
	unsigned depth;
	void *pcs[GUARD_DEPTH]; /* instructions, and calls */
};

enum guard_state {
	GUARD_EMPTY, /* not used yet */
	GUARD_BUSY,  /* being prepared for an object */
	GUARD_LIVE,
	GUARD_LEAVING, /* its object is being freed */
	GUARD_FREED,   /* rests */
};

struct guard_slot {
	struct extent extent; /* its address space; size 0: none yet */
	struct list idle;
	_Atomic int state;
	/* A report has made all pages accessible: it is never used again. */
	_Atomic bool opened;
	bool unsure; /* pages outside the window may be open */
	bool fresh;  /* the window was never written */
	char *window;
	size_t window_size;
	size_t used; /* bytes of the window, unless it is idle */
	size_t kept; /* bytes of the window that are in memory */
	/*
	 * While it is BUSY: only these bytes of the window may have changed
	 * since it was handed out before. NULL: all of them.
	 */
	char *changed;
	size_t changed_size;
	_Atomic(char *) object;
	size_t size;            /* bytes requested */
	size_t usable;          /* size of its class */
	_Atomic(void *) sample; /* its sample of the heap profile, or NULL */
	struct guard_stack allocated;
	struct guard_stack freed;
};

/* Where the slot's object is, or was; NULL: it has had none. */
static inline char *
guard_slot_object(const struct guard_slot *slot)
{
	return atomic_load_explicit(&slot->object, memory_order_relaxed);
}

/* If it is, all that was written for its object can be read. */
static inline bool
guard_slot_is_live(const struct guard_slot *slot)
{
	return atomic_load_explicit(&slot->state, memory_order_acquire) ==
	    GUARD_LIVE;
}

/* To be called before all other functions. */
void guard_pool_init(void);

/* Makes slots for `live` objects, unless slots exist. True: they exist. */
bool guard_pool_make(unsigned live);

struct guard_place {
	size_t size;   /* bytes, at least 1 */
	size_t align;  /* power of two */
	bool at_start; /* of the window, not at its end */
};

enum guard_taken { GUARD_TAKEN, GUARD_NONE_IDLE, GUARD_REFUSED };

/*
 * Prepares an idle slot. It is BUSY then; guard_pool_hand_out() follows when
 * its record is complete. GUARD_REFUSED: the kernel has refused a call.
 */
enum guard_taken guard_pool_take(const struct guard_place *place,
    struct guard_slot **slot);
void guard_pool_hand_out(struct guard_slot *slot);

/* LIVE -> LEAVING, if its object is at `object`; false: it is not. */
bool guard_pool_claim(struct guard_slot *slot, const void *object);

/* LEAVING -> LIVE: undoes guard_pool_claim(). */
void guard_pool_unclaim(struct guard_slot *slot);

/*
 * LEAVING -> FREED. False: the kernel refused to make its pages inaccessible.
 */
bool guard_pool_give(struct guard_slot *slot);

/*
 * The slot whose address space has `addr`, which may be any address; or NULL.
 * For signal handlers, too.
 */
struct guard_slot *guard_pool_find(const void *addr);

/* Makes all pages of a slot accessible, for a signal handler. */
bool guard_pool_open(struct guard_slot *slot);

struct guard_pool_stats {
	size_t live;      /* slots with an object */
	size_t in_use;    /* bytes of windows with an object */
	size_t in_memory; /* bytes of windows, also of idle ones */
};

struct guard_pool_stats guard_pool_stats(void);

/*
 * In the child of a fork: frees slots that belonged to threads that are gone.
 */
void guard_pool_fork_child(void);

struct lock *guard_pool_lock(void);

/* Aborts if the invariants do not hold. Nobody may use the pool meanwhile. */
void guard_pool_check(void);

/* For tools that read the heap. */
extern HIDDEN const struct heap_part guard_pool_heap_part;

#endif
