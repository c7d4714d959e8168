/*
 * prof: the heap profile: samples of what is allocated, and who asked for it.
 *
 * Owns:       whether it is on, its period; the records of samples, which the
 *             objects' extents point to.
 * Invariants: a sample that can't be recorded is none: the allocation goes on
 *             without. While a thread records one, what it allocates itself is
 *             no sample. While it is off, fast paths do not know that it exists.
 * Locking:    none; the table has its own lock, a sample belongs to who holds
 *             the object.
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
	_Atomic uint64_t period;	/* bytes from sample to sample; 0: off */
	_Atomic bool active;		/* prof.active */
	_Atomic bool thread_active_init;
	_Atomic unsigned lg_sample;
};

extern HIDDEN struct prof_state prof;

#define PROF_ENTRIES	2

/* Return addresses from `start` to `end` are those of calls to `function`. */
struct prof_entry {
	const char *start;
	const char *end;
	const void *function;
};

/* Starts it as the options say, if they do. */
void prof_init(const struct prof_entry entries[PROF_ENTRIES]);

static inline uint64_t
prof_period(void)
{
	return atomic_load_explicit(&prof.period, memory_order_seq_cst);
}

/* Is it on: by the option, or since then? */
static inline bool
prof_is_on(void)
{
	return prof_period() != 0;
}

/*
 * Turns it on or off. On, it begins with nothing and knows what is allocated
 * from then on: by the caller at once, by other threads after their next slow
 * path.
 */
void prof_enable(bool on);

/* A thread begins, when it is in the registry. */
void prof_thread_begin(struct thread *thread);

/* A number for a thread's sampler, another one each time. */
uint64_t prof_seed(void);

/**
 * Begins a sample of an object that the thread is about to get. Either
 * prof_taken() or prof_cancel() follows.
 * @param requested  bytes the program asked for
 * @param usable     bytes it gets
 * @return           NULL: none, for whatever reason
 */
struct prof_sample *prof_begin(struct thread *thread, size_t requested,
    size_t usable);
void prof_taken(struct thread *thread, struct prof_sample *sample,
    void *object);
void prof_cancel(struct prof_sample *sample);

/* What a small object's sample is found by: the address. */
void prof_taken_small(struct thread *thread, struct prof_sample *sample,
    void *object);
struct prof_sample *prof_claim_small(const void *object);

/* The object is about to be freed, by `thread` (NULL: one without a record). */
void prof_end(struct thread *thread, struct prof_sample *sample);

/* thread.prof.active, thread.prof.name; false: no memory for a name. */
bool prof_thread_is_active(const struct thread *thread);
void prof_thread_set_active(struct thread *thread, bool active);
const char *prof_thread_name(const struct thread *thread);
bool prof_thread_set_name(struct thread *thread, const char *name);

/* The thread ends. */
void prof_thread_end(struct thread *thread);

/* Forgets all; from now on 2^lg_sample bytes are between two samples. */
void prof_reset(unsigned lg_sample);

#endif
