/*
 * trim: takes back what threads that sleep have in their caches.
 *
 * Owns:       the marks in a cache that is being trimmed, and what it knows of
 *             each cache (struct tcache_guard).
 * Invariants: an object is taken only from where its owner can't be: fast
 *             paths touch nothing but the top of a stack, take nothing at or
 *             below `empty`, put nothing above `full`.
 * Locking:    one thread at a time; others find it busy. The owner of a cache is not waited for, and
 *             is held up for a moment only, in a slow path.
 *
 * In two steps, for some threads at once:
 *
 *	1. Under the guard, marks are set: `empty` and `full` at the top of the
 *	   stack. From when a thread sees them, each of its calls takes the slow
 *	   path.
 *	2. A barrier that all threads pass. What a thread began before it, it
 *	   may still finish: one call, which takes the top, or puts above it.
 *	   All that lies deeper belongs to nobody now, unless the owner came to
 *	   a slow path meanwhile, where it takes the marks away.
 *
 * So fast paths need no atomic operation, and one object stays. But fast paths
 * tell while they take one that is larger than CLASS_FINE_MAX: when no taking
 * is under way behind the barrier, the top of such a bin goes as well. Marks
 * stay until the owner's next slow path, whoever trims then.
 */
#ifndef CACHE_TRIM_H
#define CACHE_TRIM_H

#include <stdbool.h>
#include <stdint.h>

/**
 * Trims some threads that had no event since `before_ns`, in passing: for
 * processes in which no thread trims all the time.
 * @return  true: there are more of them
 */
bool trim_silent(uint64_t before_ns);

/* In the child of a fork nobody trims. */
void trim_fork_child(void);

/* From now on caches are guarded; false: this kernel has no such barrier. */
bool trim_start(void);

/* That one will trim no more. */
void trim_stop(void);

/**
 * Looks at all threads: those that came by no slow path since the last time
 * are trimmed.
 * @return  false: nothing is left to be done until some thread wakes us
 */
bool trim_idle(void);

#endif
