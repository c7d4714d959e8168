/*
 * thread: the record of a thread, from its first call to its end.
 *
 * Owns:       the thread-local pointer, records in use and spare ones.
 * Invariants: thread_self points to thread_unborn before a thread's first
 *             call, then to its own record, and after its end to thread_dead.
 *             It points to thread_away while a function of the program runs
 *             inside one of our calls. The three shared records are all zero
 *             where the fast paths look: every bin is empty and full at once,
 *             so each call takes its slow path. Records are never freed, only
 *             reused. In the child of a fork, the records of the parent's other
 *             threads do not change.
 * Locking:    a record is its thread's; LOCK_THREADS for the registry.
 */
#ifndef CACHE_THREAD_H
#define CACHE_THREAD_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/tcache.h"
#include "cache/tcache_counts.h"
#include "cache/thread_event.h"
#include "util/list.h"

struct arena;
struct heap_part;
struct lock;
struct prof_thread;

struct thread {
	struct tcache tcache; /* first: a kind is an offset into the record */
	bool live;            /* the next two are kept with every call */
	unsigned char exit_rounds;
	uint64_t allocated; /* usable bytes, while `live` */
	uint64_t deallocated;
	uint64_t reported; /* bytes that report_interval() got */
	struct thread_event_marks events;
	bool peak_watched;  /* has the program asked for its peak? */
	uint64_t peak_base; /* allocated - deallocated when it was reset */
	uint64_t peak;      /* most bytes above that in a slow path */
	struct prof_thread *prof; /* NULL until its first sample */
	void **prof_pcs;          /* room for a stack */
	uint64_t prof_seen;       /* bytes that prof_output_tick() counted */
	uint64_t prof_estimate;   /* bytes that its last sample stands for */
	unsigned prof_depth;      /* of the stack in prof_pcs */
	bool prof_paused;         /* thread.prof.active is false */
	bool prof_busy;   /* records a sample: its calls are no samples */
	uintptr_t number; /* thread_number(); for tools */
	uint32_t id;      /* see thread_id() */
	struct list registered;
};

static_assert(offsetof(struct thread, tcache) == 0, "see kinds");

extern HIDDEN struct thread thread_unborn;
extern HIDDEN struct thread thread_dead;
extern HIDDEN struct thread thread_away;

/* Only eight bytes of static TLS, so that dlopen finds room for them. */
extern HIDDEN __thread struct thread *thread_self
    __attribute__((tls_model("initial-exec")));

/* The marks of freed objects are made from the random `key`. */
void thread_init(uintptr_t key);
uintptr_t thread_key(void);

static inline bool
thread_is_own(const struct thread *thread)
{
	return thread != &thread_unborn && thread != &thread_dead &&
	    thread != &thread_away;
}

/*
 * The kernel's number of the calling thread. It is read once in the life of a
 * record. So it may be wrong in a child process that the library does not know
 * of: after vfork() or a raw system call.
 */
uint32_t thread_id(void);

/*
 * To be called around a function of the program that may allocate and free. The
 * function does not see the record, because the cache may be in the middle of a
 * change.
 * @return  the argument of thread_come_back(); NULL: the thread is away
 *          already, and stays so
 */
void *thread_go_away(void);
void thread_come_back(void *before);

/**
 * Gives the calling thread its record.
 * @return  the record; NULL without memory (the thread stays unborn)
 */
struct thread *thread_birth(void);

/**
 * Empties the calling thread's record and keeps it for another thread.
 * @return  how many threads have a record now
 */
unsigned thread_death(struct thread *thread);

/* How many threads have a record: those that have ever allocated or freed. */
unsigned thread_living(void);

/* Reads the calling thread's exact counters, in bytes of usable size. */
void thread_counters(struct thread *thread, uint64_t *taken, uint64_t *given);

/*
 * From now on `allocated` and `deallocated` are kept with every call, because
 * the program has their addresses. All calls take the slow path then. False:
 * the cache is busy.
 */
bool thread_go_live(struct thread *thread);

/* Counts for a thread that is live; the slow paths call it. */
static inline void
thread_count(struct thread *thread, size_t taken, size_t given)
{
	if (unlikely(thread->live)) {
		thread->allocated += taken;
		thread->deallocated += given;
	}
}

/*
 * Counts bytes that do not go through the thread's own cache. `thread` may be
 * NULL.
 */
static inline void
thread_count_uncached(struct thread *thread, size_t taken, size_t given)
{
	if (thread == NULL)
		return;
	thread->tcache.uncached_taken += taken;
	thread->tcache.uncached_given += given;
}

/* Raises the peak if the calling thread has more now than ever before. */
void thread_peak_update(struct thread *thread);

/* The slow paths call it: that is often enough for a peak, and costs little. */
static inline void
thread_watch_peak(struct thread *thread)
{
	if (unlikely(thread->peak_watched))
		thread_peak_update(thread);
}

/*
 * Calls the program's functions that are due (thread_event.h). For slow paths.
 */
static inline void
thread_tell_events(struct thread *thread)
{
	uint64_t taken, given;

	if (likely(!thread_event_wanted()))
		return;
	thread_counters(thread, &taken, &given);
	thread_event_look(&thread->events, taken, given);
}

/* From now on the peak is watched, and looked at after few bytes. */
void thread_peak_begin(struct thread *thread);

/* Sets the peak to 0. From now on it is watched. */
void thread_peak_reset(struct thread *thread);

/*
 * Lets the calling thread take from the arena at `index`. False: there is no
 * such arena, or no memory to make it.
 */
bool thread_set_arena(struct thread *thread, unsigned index);

/*
 * What the caches of all living threads and the quarantine hold. Exact for the
 * caller and for idle threads, approximate for others.
 */
struct held_objects thread_cached(void);

/*
 * Is a large object in cache bin `bin` of any thread? The top of a stack may be
 * out of date for a moment.
 */
bool thread_any_contains(unsigned bin, const void *object);

typedef void thread_visit(struct thread *thread, void *context);

/* Calls `visit` for each living thread, under LOCK_THREADS. */
void thread_each(thread_visit *visit, void *context);

/*
 * In the child of a fork: the same for the parent's other threads, as they were
 * when the process was copied. They do not change any more.
 */
void thread_each_lost(thread_visit *visit, void *context);

/*
 * To be called in the child of a fork, where only `survivor` exists; the second
 * one if there was no other thread before, either.
 */
void thread_fork_child(struct thread *survivor);
void thread_fork_alone(struct thread *survivor);

struct lock *thread_lock(void);

/* The registry, for tools. */
extern HIDDEN const struct heap_part thread_heap_part;

#endif
