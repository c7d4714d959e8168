/*
 * trim: takes back objects from the caches of sleeping threads.
 *
 * Owns:       the marks in a cache that is being trimmed, and what trim knows
 *             of each cache (struct tcache_guard).
 * Invariants: an object is taken only from a place that its owner can't reach.
 *             Fast paths touch only the top of a stack. They take nothing at
 *             `empty` or below, and put nothing beyond `full`.
 * Locking:    one thread trims at a time; others see that and do not wait.
 *             Nobody waits for the owner of a cache. The owner waits only for a
 *             moment, in a slow path.
 *
 * Some threads are trimmed at once, in two steps:
 *
 *	1. Under the guard, trim sets marks: `empty` and `full` are set to the
 *	   top of the stack. When a thread sees them, each of its calls takes
 *	   the slow path.
 *	2. All threads pass a barrier. A call that a thread began before the
 *	   barrier may still go on: it takes the top object, or puts one above
 *	   it. After that call the thread sees the marks. So it can't reach the
 *	   objects below, and trim takes them under the guard. If the owner took
 *	   a slow path meanwhile, it has removed the marks, and trim takes no
 *	   more.
 *
 * This way fast paths need no atomic operation, but the top object must stay.
 * For large objects that would be too much memory. So fast paths set `taking`
 * while they take an object larger than CLASS_FINE_MAX: if none is being taken
 * after the barrier, trim takes the top object of such a bin, too. The marks
 * stay until the owner's next slow path, even if nobody trims then.
 */
#ifndef UPKEEP_TRIM_H
#define UPKEEP_TRIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/compiler.h"

struct heap_part;

/**
 * Trims some threads that had no event since `before_ns`. For processes without
 * a thread for this: any thread may call it.
 * @return  true: there are more such threads, so call it again
 */
bool trim_silent(uint64_t before_ns);

/**
 * Trims threads that had no event since `before_ns`, without a barrier of the
 * kernel: it sets marks, and a later call takes the objects. By then every
 * thread has seen the marks, because no processor keeps a store to itself that
 * long. For a thread of the library that calls this again and again, and
 * trim_patient_stop() in the end. A thread that wakes up soon after it was
 * trimmed gains nothing by it: each time, it must be silent for longer before
 * it is trimmed again.
 * @param taken  the bytes that it takes are added here
 * @return       true: there is more to do, so call it again
 */
bool trim_patient(uint64_t now_ns, uint64_t before_ns, size_t *taken);
void trim_patient_stop(void);

/* To be called in the child of a fork, where nobody trims. */
void trim_fork_child(void);

/*
 * For the leader of the background threads. It will trim: from now on owners
 * take the guard of their caches. False: there is no barrier that all threads
 * pass, so it must not. trim_stop(): it will trim no more.
 */
bool trim_start(void);
void trim_stop(void);

/*
 * False: the barrier was refused at the start, or later, as after the program
 * has set a filter of system calls. Then the leader has stopped trimming.
 */
bool trim_is_possible(void);

/* A barrier for the leader; returns what trim_is_possible() does after it. */
bool trim_barrier(void);

/**
 * Looks at all threads, and trims those that took no slow path since the last
 * call.
 * @return  false: there is nothing to do until a thread takes a slow path, or
 *          the barrier was refused, and nothing is taken
 */
bool trim_idle(void);

/* For tools that read the heap. */
extern HIDDEN const struct heap_part trim_heap_part;

#endif
