/*
 * limit: how much memory the program may have from us.
 *
 * Owns:       the bytes of pages that may be in memory: used, dirty and muzzy
 *             ones of all arenas; the two limits.
 * Invariants: the hard limit is never exceeded by a take: room is reserved
 *             first. Pages of a huge page that is being packed count all of it.
 *             The soft limit refuses nothing.
 * Locking:    the bytes and the limits are atomic; LOCK_LISTENER for who is
 *             told, which is two words that belong together.
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
	_Atomic size_t soft;	/* bytes; 0 = none */
	_Atomic size_t hard;
	_Atomic bool crossed;	/* soft, and nobody has seen to it */
};

extern HIDDEN struct limit limit;

void limit_init(void);
struct lock *limit_lock(void);

/* Pages come into memory; false: they must not. */
bool limit_take(size_t size);

/* Pages have come into memory without being asked for. */
void limit_add(size_t size);

/* Pages have left it. */
void limit_give(size_t size);

/* Sets a limit; if there is more already, the soft one is crossed. */
void limit_set_soft(size_t bytes);
void limit_set_hard(size_t bytes);

/* Has the soft limit been crossed since the last time? The caller sees to it. */
static inline bool
limit_was_crossed(void)
{
	return unlikely(atomic_load_explicit(&limit.crossed,
	    memory_order_relaxed)) && atomic_exchange(&limit.crossed, false);
}

typedef void limit_callback(size_t in_memory, size_t soft, void *context);

/*
 * Who is told when purging was not enough; NULL = nobody. Once for each time
 * that the limit is crossed. The former one may be running still in another
 * thread.
 */
void limit_set_callback(limit_callback *callback, void *context);

/* Tells; no lock may be held. */
void limit_tell(void);

#endif
