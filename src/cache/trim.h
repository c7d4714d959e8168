/*
 * trim: takes back what threads that sleep have in their caches.
 *
 * Owns:       the marks in a cache that is being trimmed, and what it knows of
 *             each cache (struct tcache_guard).
 * Invariants: an object is taken only from where its owner can't be: fast
 *             paths touch nothing but the top of a stack, take nothing at or
 *             below `empty`, put nothing above `full`.
 * Locking:    one thread at a time. The owner of a cache is not waited for, and
 *             is held up for a moment only, in a slow path.
 * Used by:    arena/background, by way of an upcall.
 *
 * In two steps, for some threads at once:
 *
 *	1. Under the guard, marks are set: `empty` just above the top of the
 *	   stack, `full` at the top. From when a thread sees them, each of its
 *	   calls takes the slow path, but for one that takes the top.
 *	2. A barrier that all threads pass. What a thread began before it, it
 *	   may still finish: one call, which takes the top, or puts above it.
 *	   All that lies deeper belongs to nobody now, unless the owner came to
 *	   a slow path meanwhile, where it takes the marks away.
 *
 * So fast paths need no atomic operation, and one small object stays. Stacks of
 * large objects are out of the fast paths' sight as long as there is somebody
 * who trims, and are emptied.
 */
#ifndef CACHE_TRIM_H
#define CACHE_TRIM_H

#include <stdbool.h>

/* From now on caches are guarded; false: this kernel has no such barrier. */
bool trim_start(void);

/* No cache will be trimmed any more. */
void trim_stop(void);

/**
 * Looks at all threads: those that came by no slow path since the last time
 * are trimmed.
 * @return  false: nothing is left to be done until some thread wakes us
 */
bool trim_idle(void);

#endif
