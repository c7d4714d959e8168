/*
 * thread: the record of a thread, and its way through life.
 *
 * Owns:       the thread-local pointer, records in use and spare ones.
 * Invariants: thread_self points to thread_unborn before a thread's first
 *             call, to its own record, then to thread_dead for good. The two
 *             shared records are all zero where the fast paths look: every bin
 *             is empty and full, so ordinary code meets its slow path.
 *             Records are never freed, only reused.
 * Locking:    a record is its thread's; LOCK_THREADS for the registry.
 * Used by:    cache/tcache, api/.
 */
#ifndef CACHE_THREAD_H
#define CACHE_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/cache_bin.h"
#include "util/list.h"
#include "util/size_class.h"

struct arena;
struct lock;

/* What the slow paths know about a bin. */
struct cache_bin_cold {
	void **bottom;		/* end of the stack's memory */
	uint32_t capacity;	/* slots in that memory */
	uint32_t limit;		/* slots in use of them: bottom - full */
	uint32_t granted;	/* countdown at the last settling */
	uint32_t counted;	/* objects in the stack at the last settling */
	uint32_t misses;	/* refills and flushes since the last growth */
	uint32_t max;		/* most slots; 0 = this bin does not cache */
	uint64_t taken;		/* objects handed out, settled */
	uint64_t given;		/* objects taken back, settled */
};

struct thread {
	/* bins[0] is the dummy for kinds that are not bins. */
	struct cache_bin bins[1 + CACHE_BINS_MAX];
	/* Request size -> byte offset of its bin. */
	uint16_t fine[CLASS_FINE_LEN];
	uint16_t coarse[CLASS_COARSE_LEN];
	uintptr_t key;		/* the mark of freed objects */
	bool cached;		/* does this thread cache at all? */
	bool dying;		/* its destructor has run */
	unsigned char exit_rounds;
	uint32_t id;
	unsigned age_cursor;	/* next bin to age */
	unsigned tick_cursor;	/* next foreign arena to tick */
	int64_t room[2];	/* bytes that stacks may hold more: small, large */
	struct arena *arena;
	uint64_t uncached_taken;	/* bytes, past the cache */
	uint64_t uncached_given;
	struct list registered;
	struct cache_bin_cold cold[CACHE_BINS_MAX];
};

extern struct thread thread_unborn;
extern struct thread thread_dead;

/* Eight bytes of static TLS: a late dlopen finds room for it. */
extern __thread struct thread *thread_self
    __attribute__((tls_model("initial-exec")));

void thread_init(uintptr_t key);

static inline bool
thread_is_own(const struct thread *thread)
{
	return thread != &thread_unborn && thread != &thread_dead;
}

/**
 * Gives the calling thread its record.
 * @return  the record; NULL without memory (the thread stays unborn)
 */
struct thread *thread_birth(void);

/* Empties and returns the calling thread's record. */
void thread_death(struct thread *thread);

/* Sets the exact counters in bytes (usable sizes) of the calling thread. */
void thread_counters(struct thread *thread, uint64_t *taken, uint64_t *given);

/* What the caches of all living threads hold. */
struct thread_cached {
	size_t nsmall;
	size_t small_size;	/* bytes */
	size_t nlarge;
	size_t large_size;	/* bytes */
};

/* Exact for the caller and for threads at rest; close for all others. */
struct thread_cached thread_cached(void);

/* In the child of a fork: only the caller lives on. */
void thread_fork_child(struct thread *survivor);

struct lock *thread_lock(void);

#endif
