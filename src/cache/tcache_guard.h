/*
 * tcache_guard: keeps the slow paths of a cache's owner and trim.c apart.
 *
 * Owns:       struct tcache_guard, except the members that are for trim.c.
 * Invariants: between tcache_enter() and tcache_leave() all bins are in order,
 *             and trim.c takes nothing. The two calls may be nested.
 * Locking:    the owner calls these, except for tcache_fork_child().
 *             upkeep/trim.h describes the whole protocol.
 */
#ifndef CACHE_TCACHE_GUARD_H
#define CACHE_TCACHE_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "arena/arena.h"
#include "cache/tcache_state.h"
#include "util/compiler.h"

/*
 * How many threads trim now. If any does, an owner's slow path takes the guard.
 */
extern HIDDEN _Atomic unsigned tcache_guarded;

/* Takes the guard, unless somebody has it; gives it back. */
static inline bool
tcache_try_guard(struct tcache_guard *guard)
{
	return !atomic_exchange_explicit(&guard->held, true,
	    memory_order_acquire);
}

static inline void
tcache_release_guard(struct tcache_guard *guard)
{
	atomic_store_explicit(&guard->held, false, memory_order_release);
}

/*
 * Takes the guard. trim.c holds it only for a moment, so this waits. It repairs
 * all bins, so the slow path finds them as if trim.c did not exist.
 */
COLD void tcache_enter_guarded(struct tcache *tcache);

/* Releases the guard. */
COLD void tcache_leave_guarded(struct tcache_guard *guard);

/*
 * The start of every slow path. It must not cost an atomic operation or a fence
 * while nobody trims. So the owner and trim.c each write one variable and then
 * read the other's: the owner makes `entries` odd, then reads tcache_guarded;
 * trim.c raises tcache_guarded, then reads `entries`. trim.c has a barrier in
 * between that all threads pass, so at least one of the two sees the other: the
 * owner takes the guard, or trim.c leaves this cache alone.
 */
static inline void
tcache_enter(struct tcache *tcache)
{
	struct tcache_guard *guard = &tcache->guard;

	if (guard->depth++ != 0)
		return;
	atomic_store_explicit(&guard->entries,
	    atomic_load_explicit(&guard->entries, memory_order_relaxed) + 1,
	    memory_order_relaxed);
	/*
	 * Only the compiler must keep the order here; trim.c has the barrier.
	 */
	atomic_signal_fence(memory_order_seq_cst);
	/*
	 * trim.c leaves its marks in place when it is done. Acquire: a thread
	 * that reads 0 in tcache_guarded sees all marks set before.
	 */
	if (unlikely(atomic_load_explicit(&tcache_guarded,
			 memory_order_acquire) != 0 ||
		atomic_load_explicit(&guard->marked, memory_order_relaxed)))
		tcache_enter_guarded(tcache);
}

/*
 * Is the owner in a slow path? Such a call comes from a function of the
 * program, to which the slow path reports something, and stacks may be half
 * changed.
 */
static inline bool
tcache_is_busy(const struct tcache *tcache)
{
	return tcache->guard.depth != 0;
}

/* The end of every slow path. */
static inline void
tcache_leave(struct tcache *tcache)
{
	struct tcache_guard *guard = &tcache->guard;

	if (--guard->depth != 0)
		return;
	if (unlikely(guard->mine))
		tcache_leave_guarded(guard);
	atomic_store_explicit(&guard->entries,
	    atomic_load_explicit(&guard->entries, memory_order_relaxed) + 1,
	    memory_order_release);
	if (unlikely(atomic_load_explicit(&arena_upkeep.wants_caches,
		memory_order_relaxed)))
		arena_upkeep.wake();
}

/*
 * Fast paths call these two around their access to the top of a bin whose
 * objects are larger than CLASS_FINE_MAX. After a barrier that all threads
 * pass, trim.c knows from `taking` whether such an access is under way.
 */
static ALWAYS_INLINE void
tcache_begin_take(struct tcache *tcache)
{
	atomic_store_explicit(&tcache->guard.taking, true,
	    memory_order_relaxed);
	/*
	 * The object is looked at after the store; the barrier of trim.c orders
	 * the two for other threads.
	 */
	atomic_signal_fence(memory_order_seq_cst);
}

static ALWAYS_INLINE void
tcache_end_take(struct tcache *tcache)
{
	atomic_store_explicit(&tcache->guard.taking, false,
	    memory_order_release);
}

/*
 * In the child of a fork: releases the guard if a thread that is gone held it.
 */
void tcache_fork_child(struct tcache *tcache);

#endif
