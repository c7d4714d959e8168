/*
 * prof: the heap profile: samples of what is allocated, and who asked for it.
 *
 * Owns:       whether it is on, its period, the names of dumps; the records
 *             of samples, which the objects' extents point to.
 * Invariants: a sample that can't be recorded is none: the allocation goes on
 *             without. While a thread records one, what it allocates itself is
 *             no sample. While it is off, fast paths do not know that it exists.
 * Locking:    LOCK_PROF_NAMES for the prefix; the table has its own lock.
 *             Dumps need none: each has its own snapshot and number.
 * Used by:    api/ (request, boot, fork), ctl/ctl_prof.
 */
#ifndef PROF_PROF_H
#define PROF_PROF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/compiler.h"

struct lock;
struct prof_sample;
struct thread;

struct prof_state {
	_Atomic uint64_t period;	/* bytes from sample to sample; 0: off */
	_Atomic bool active;		/* prof.active */
	_Atomic bool thread_active_init;
	_Atomic unsigned lg_sample;
};

extern HIDDEN struct prof_state prof;

/* Starts it as the options say, if they do. */
void prof_init(void);

static inline uint64_t
prof_period(void)
{
	return atomic_load_explicit(&prof.period, memory_order_relaxed);
}

/* A number for a thread's sampler, another one each time. */
uint64_t prof_seed(void);

/**
 * Begins a sample of an object that the thread is about to get.
 * @param usable  bytes it gets
 * @return        NULL: none, for whatever reason
 */
struct prof_sample *prof_begin(struct thread *thread, size_t usable);

/* The object is freed, or was not to be had. */
void prof_end(struct prof_sample *sample);

/* thread.prof.active, thread.prof.name; false: no memory for a name. */
bool prof_thread_is_active(const struct thread *thread);
void prof_thread_set_active(struct thread *thread, bool active);
const char *prof_thread_name(const struct thread *thread);
bool prof_thread_set_name(struct thread *thread, const char *name);

/* The thread ends. */
void prof_thread_end(struct thread *thread);

/* Forgets all; from now on 2^lg_sample bytes are between two samples. */
void prof_reset(unsigned lg_sample);

/* Dumps into a file of this name, or of an automatic one (NULL). */
bool prof_dump_now(const char *path);

/* What automatic names begin with; "": there are none. */
void prof_set_prefix(const char *prefix);

/* At the end of the process: the last dump, and what has leaked. */
void prof_at_exit(void);

struct lock *prof_names_lock(void);

#endif
