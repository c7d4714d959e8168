/*
 * prof: the heap profile: it takes samples of allocations, with their stacks.
 *
 * Owns:       whether the profile is on, its period, and the record of each
 *             sample. The extent of a large object points to its record; that
 *             of a small object is found through prof_live.
 * Invariants: if a sample can't be recorded, the allocation goes on without it.
 *             While a thread records a sample, its own allocations are no
 *             samples. While the profile is off, fast paths do no work for it.
 * Locking:    none; the table has its own lock. For a sample see prof_sample.h.
 */
#ifndef PROF_PROF_H
#define PROF_PROF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/compiler.h"

struct prof_sample;
struct thread;

struct prof_state {
	_Atomic uint64_t period; /* mean distance in bytes; 0: off */
	_Atomic bool active;     /* prof.active */
	_Atomic bool thread_active_init;
	_Atomic unsigned lg_sample;
};

extern HIDDEN struct prof_state prof;

#define PROF_ENTRIES 2

/* A return address from `start` to `end` stands for a call of `function`. */
struct prof_entry {
	const char *start;
	const char *end;
	const void *function;
};

/* Prepares the profile, and turns it on if the options say so. */
void prof_init(const struct prof_entry entries[PROF_ENTRIES]);

static inline uint64_t
prof_period(void)
{
	return atomic_load_explicit(&prof.period, memory_order_seq_cst);
}

/* Is the profile on, by the option or by prof_enable()? */
static inline bool
prof_is_on(void)
{
	return prof_period() != 0;
}

/*
 * Turns the profile on or off. When it is turned on, it is empty, and it
 * samples new allocations: of the caller at once, of other threads after their
 * next slow path.
 */
void prof_enable(bool on);

/* To be called when a new thread is in the registry. */
void prof_thread_begin(struct thread *thread);

/* A seed for a thread's sampler: another one at each call. */
uint64_t prof_seed(void);

/**
 * Begins a sample of an object that the thread is about to get. Either
 * prof_taken() or prof_cancel() follows.
 * @param requested  bytes the program asked for
 * @param usable     bytes it gets
 * @return           NULL: there is no sample, for whatever reason
 */
struct prof_sample *prof_begin(struct thread *thread, size_t requested,
    size_t usable);
void prof_taken(struct thread *thread, struct prof_sample *sample,
    void *object);
void prof_cancel(struct prof_sample *sample);

/*
 * For a small object: the same as prof_taken(). Afterwards prof_live_remove()
 * finds the sample by the address of the object, once.
 */
void prof_taken_small(struct thread *thread, struct prof_sample *sample,
    void *object);

/*
 * With opt.prof_holes: a second object that lies where this one would lie if it
 * were no sample. Whoever ends the sample frees it. To be set before
 * prof_taken_small(). NULL: there is none.
 */
void prof_set_stand_in(struct prof_sample *sample, void *object);

/*
 * Ends a sample, because `thread` is about to free its object. NULL: a thread
 * without a record.
 */
void prof_end(struct thread *thread, struct prof_sample *sample);

/* thread.prof.name. False: no memory for a name. */
const char *prof_thread_name(const struct thread *thread);
bool prof_thread_set_name(struct thread *thread, const char *name);

/* To be called when the thread ends. */
void prof_thread_end(struct thread *thread);

/*
 * Forgets all samples, and sets the mean distance to 2^lg_sample bytes, at most
 * 2^63: for the calling thread at once, for others at their next event.
 */
void prof_reset(size_t lg_sample);

#endif
