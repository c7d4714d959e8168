/*
 * background: threads of our own that age unused pages and trim the caches of
 * threads that sleep.
 *
 * Owns:       these threads.
 * Invariants: they exist only while they are wanted, and are started when there
 *             is something to do for the first time. While nothing is due they
 *             sleep without a timeout. Where they can't be started, that is said
 *             once, and the program's own calls age pages as without them.
 *             Whoever can't start them now leaves a note for who is in the way;
 *             in the child of a fork a start waits for a second only while the
 *             child has one thread and little (1 MiB) came to lie unused.
 *             They never have a thread record.
 * Locking:    LOCK_BACKGROUND for who starts and ends them (`changing`), which
 *             happens without the lock.
 *
 * The first thread leads: it alone looks what is due and trims. It starts the
 * others when there is much to give back in several arenas, and wakes them.
 */
#ifndef ARENA_BACKGROUND_H
#define ARENA_BACKGROUND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/compiler.h"

struct lock;

/* Upcalls into cache/trim; see there. */
struct background_trimmer {
	bool (*start)(void);
	void (*stop)(void);
	bool (*idle)(void);
};

extern HIDDEN struct background_trimmer background_trimmer;

/*
 * Set while the leader wants to know of any slow path in a thread's cache.
 * Whoever finds it set calls background_wake().
 */
extern HIDDEN _Atomic bool background_watches_caches;

/* `wanted` and `most` are the options. No thread is started yet. */
void background_init(bool wanted, size_t most);

/* There is something to do. Not from under a lock. */
COLD void background_wake(void);

/**
 * Turns them on or off; off returns when they are gone.
 * @return  0, or the error number of a thread that could not be started
 */
int background_set(bool wanted);

/* Are they on: wanted, and not missing since a fork? */
bool background_is_on(void);

/* How many at most; those that run go, and others come. As background_set. */
int background_set_max(size_t most);
size_t background_max(void);

/*
 * The last thread that ever allocated has ended. So that the process can end,
 * which it does with the last of its threads, ours go as well.
 */
void background_abandon(void);

struct background_stats {
	size_t nthreads;
	uint64_t nruns;
	uint64_t interval_ns;	/* mean sleep */
};

struct background_stats background_stats(void);

/* While a fork is under way none is started; in the child there are none. */
void background_fork_prepare(void);
void background_fork_parent(void);
void background_fork_child(void);

struct lock *background_lock(void);

#endif
