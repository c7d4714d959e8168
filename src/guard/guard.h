/*
 * guard: a few sampled objects lie between inaccessible pages, so that mistakes
 * with them are found at once.
 *
 * Owns:       how often an object is guarded (a cache's sampler draws which),
 *             and the contents of the gaps around it.
 * Invariants: while it is off, nothing is done. If an object can't be guarded,
 *             that is no error: the caller serves the request in another way.
 *             With a guarded object, these mistakes are found: an access
 *             outside its pages, or after the free, at once; a write into the
 *             gaps within its pages, at the free; and each wrong free, realloc
 *             or query. Figures count guarded objects among the large ones of
 *             arena 0, by the size that they have.
 * Locking:    none of its own.
 */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/thread.h"
#include "util/compiler.h"

/* Larger objects are not guarded. */
#define GUARD_SIZE_MAX ((size_t)1 << 20)

struct guard_state_of_all {
	_Atomic unsigned every;     /* one object in this many; 0: off */
	_Atomic uint64_t guarded;   /* objects so far */
	_Atomic uint64_t unguarded; /* guards that the kernel refused */
};

extern HIDDEN struct guard_state_of_all guard;

/* Prepares the module, and turns it on if the options say so. */
void guard_init(void);

static inline unsigned
guard_every(void)
{
	return atomic_load_explicit(&guard.every, memory_order_seq_cst);
}

/*
 * From now on one object in `every` is guarded; 0: none. It holds for the
 * caller at once, for other threads after their next slow path. False: there is
 * no memory for it.
 */
bool guard_set(unsigned every);

/* To be called when a new thread is in the registry. */
static inline void
guard_thread_begin(struct thread *thread)
{
	if (guard_every() != 0)
		tcache_set_rare(&thread->tcache, TCACHE_SAMPLED, true);
}

struct guard_request {
	size_t size;   /* bytes; 0 counts as 1 */
	size_t align;  /* power of two */
	size_t usable; /* of its size class */
	bool zero;
	void *sample; /* of the heap profile, or NULL */
};

/* A guarded object, or NULL. */
void *guard_take(const struct guard_request *request);

/*
 * The next four are for addresses with KIND_GUARDED, which need not be those of
 * objects.
 */

/* Takes the object's sample away, so that the caller can end it; NULL: none. */
void *guard_take_sample(const void *ptr);

/**
 * Frees an object; a mistake is reported, and changes nothing.
 * @return  its size in bytes; 0: it was a mistake
 */
size_t guard_give(const void *ptr);

/* Bytes that the object has, and those of its class; 0: it is no object. */
size_t guard_size(const void *ptr);
size_t guard_class(const void *ptr);

/* Is it an object? If not, reports that as `kind` (conf/safety.h). */
bool guard_is_object(const void *ptr, const char *kind);

#endif
