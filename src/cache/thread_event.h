/*
 * thread_event: functions of the program that hear of every so many bytes of a
 * thread.
 *
 * Owns:       the functions that were registered, for good.
 * Invariants: noticed where a thread takes a slow path: after 64 KiB or 128
 *             objects of one size at the latest. What was missed is one call.
 *             A function is not called inside of one.
 * Locking:    LOCK_THREAD_EVENTS to register; none to look.
 */
#ifndef CACHE_THREAD_EVENT_H
#define CACHE_THREAD_EVENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/compiler.h"

struct lock;

#define THREAD_EVENTS_MAX 4

/* What a thread has taken and given, ever. */
typedef void thread_event_function(bool taking, uint64_t taken, uint64_t given);

struct thread_event {
	thread_event_function *function;
	uint64_t interval;	/* bytes */
	bool taking_only;	/* what is freed is no event */
};

/* Of one thread: where its next events are; 0: not known yet. */
struct thread_event_marks {
	bool busy;
	struct {
		uint64_t taken;
		uint64_t given;
	} next[THREAD_EVENTS_MAX];
};

extern HIDDEN _Atomic unsigned thread_event_count;

void thread_event_init(void);

/* False: nothing to call, no interval, or there are so many already. */
bool thread_event_add(const struct thread_event *event);

/* Is anything registered? */
static inline bool
thread_event_wanted(void)
{
	return atomic_load_explicit(&thread_event_count,
	    memory_order_acquire) != 0;
}

/* Calls who is due. No lock is held. */
COLD void thread_event_look(struct thread_event_marks *marks, uint64_t taken,
    uint64_t given);

struct lock *thread_event_lock(void);

#endif
