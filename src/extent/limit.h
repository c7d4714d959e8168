/*
 * limit: how much memory the program may have from the library.
 *
 * Owns:       the number of bytes that may be in memory: the active, dirty and
 *             muzzy pages of all arenas, and the pages of guarded objects; the
 *             soft and the hard limit; the room that a container has.
 * Invariants: limit_take() never exceeds the hard limit, because the bytes are
 *             reserved before they are used. Only a limit that is set later can
 *             be below what is in memory: limit_is_exceeded(). A pageslab of
 *             opt.hpa counts as a whole. The soft limit and the room never make
 *             a call fail.
 * Locking:    the bytes and the limits are atomic. LOCK_LISTENER protects the
 *             callback and its context, two words that belong together.
 */
#ifndef EXTENT_LIMIT_H
#define EXTENT_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/compiler.h"

struct lock;

struct limit {
	_Atomic size_t in_memory;
	_Atomic size_t soft;     /* bytes; 0 = none */
	_Atomic size_t hard;     /* bytes; 0 = none */
	_Atomic size_t room;     /* bytes; 0 = not known */
	_Atomic size_t purge_at; /* bytes: nearly all of the room, or more */
	_Atomic bool crossed;    /* one of these; nobody has reacted yet */
	_Atomic size_t refusals; /* how often the hard limit has refused */
};

extern HIDDEN struct limit limit;

void limit_init(void);
struct lock *limit_lock(void);

/*
 * Is more in memory than a hard limit that was set later? Then nobody may take
 * free pages, even if they are in memory already, and what becomes unused goes
 * back at once.
 */
static inline bool
limit_is_exceeded(void)
{
	size_t hard = atomic_load_explicit(&limit.hard, memory_order_relaxed);

	return unlikely(hard != 0) &&
	    atomic_load_explicit(&limit.in_memory, memory_order_relaxed) > hard;
}

/* Counts `size` bytes that will be in memory; false: the limit forbids it. */
bool limit_take(size_t size);

/*
 * How often limit_take() has refused. If this has not changed, it was the
 * kernel that had no memory.
 */
static inline size_t
limit_refusals(void)
{
	return atomic_load_explicit(&limit.refusals, memory_order_relaxed);
}

/* Counts bytes that are already in memory, so a refusal would be too late. */
void limit_add(size_t size);

/* Counts bytes that have left memory. */
void limit_give(size_t size);

/*
 * Sets a limit. A soft limit below what is in memory is crossed at once. After
 * setting either, the caller has to react, see limit_is_exceeded() and
 * limit_was_crossed().
 */
void limit_set_soft(size_t bytes);
void limit_set_hard(size_t bytes);

/*
 * The kernel kills the process if it has more than `bytes` in memory, and no
 * call fails before; 0 = not known. So when 7/8 of them are used, unused memory
 * must go back before more is taken: limit_was_crossed() says so, and again
 * each time that 1/64 more has been taken.
 */
void limit_set_room(size_t bytes);

/*
 * Has the soft limit been crossed since the last call, or is the room nearly
 * used up? If so, the caller has to react: it purges, and tells the program if
 * that is not enough for the soft limit.
 */
static inline bool
limit_was_crossed(void)
{
	return unlikely(atomic_load_explicit(&limit.crossed,
		   memory_order_relaxed)) &&
	    atomic_exchange(&limit.crossed, false);
}

typedef void limit_callback(size_t in_memory, size_t soft, void *context);

/*
 * Sets the function that is called when purging was not enough; NULL: none. It
 * is called once each time that the limit is crossed. When this returns, the
 * former function may still be running in another thread.
 */
void limit_set_callback(limit_callback *callback, void *context);

/* Calls that function, if it is due; the caller holds no lock. */
void limit_tell(void);

#endif
