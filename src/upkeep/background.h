/*
 * background: threads of the library that age unused pages and trim the caches
 * of sleeping threads.
 *
 * Owns:       these threads.
 * Invariants: they exist only while they are wanted, and are started when there
 *             is work for the first time. While nothing is due they sleep
 *             without a timeout. If they can't be started, a message says so
 *             once, and the program's own calls age pages. If another thread is
 *             changing them, a thread that wants a start leaves a note for it.
 *             In the child of a fork the start is delayed for a second, but
 *             only while the child has one thread and less than 1 MiB has
 *             become unused. They never have a thread record. With
 *             BACKGROUND_AUTO there is at most one. It ends when all unused
 *             memory has gone back, when it can do no more because the program
 *             is awake, or when the program has one thread.
 * Locking:    LOCK_BACKGROUND protects `changing`: one thread at a time may
 *             start and end them, and does so without the lock.
 *
 * The first thread is the leader: only the leader looks for what is due, and
 * trims. If several arenas have much to give back, it starts the other threads
 * and wakes them.
 */
#ifndef UPKEEP_BACKGROUND_H
#define UPKEEP_BACKGROUND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/compiler.h"

struct lock;

enum background_mode {
	BACKGROUND_OFF,
	BACKGROUND_ON,
	BACKGROUND_AUTO, /* one, if a program has much that may go */
};

/* `mode` and `most` are the options. No thread is started yet. */
void background_init(enum background_mode mode, size_t most);

/* Says that there is something to do. The caller holds no lock. */
COLD void background_wake(void);

/**
 * Turns them on or off; BACKGROUND_AUTO ends. After turning them off, all of
 * them have ended.
 * @return  0, or the error number of a thread that could not be started
 */
int background_set(bool wanted);

/* Are they wanted, and not waiting to be started again after a fork? */
bool background_is_on(void);

/*
 * Sets the highest number of threads. Those that run are ended and started
 * again. The result is that of background_set().
 */
int background_set_max(size_t most);
size_t background_max(void);

/*
 * Call this when one thread with a cache is left. Some system calls work only
 * in a process with one thread. So with BACKGROUND_AUTO none of ours stays: it
 * has ended when this returns.
 */
void background_alone(void);

/*
 * Call this when the last thread with a cache has ended. A process ends with
 * its last thread, so the background threads end too.
 */
void background_abandon(void);

struct background_stats {
	size_t nthreads;
	uint64_t nruns;
	uint64_t interval_ns; /* mean sleep */
};

struct background_stats background_stats(void);

/* No thread is started during a fork; the child has none, so nobody trims. */
void background_fork_prepare(void);
void background_fork_parent(void);
void background_fork_child(void);

/* In the child of a process that had one thread, instead of all three. */
void background_fork_alone(void);

struct lock *background_lock(void);

#endif
