/*
 * thread_event: calls functions of the program each time that a thread has
 * allocated or freed a given number of bytes.
 *
 * Owns:       the functions that were registered. They stay for good.
 * Invariants: an event is noticed when its thread takes a slow path, at the
 *             latest after 64 KiB or 128 objects of one size. If several
 *             intervals have passed then, there is one call. No function is
 *             called while another one runs in the same thread.
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

/*
 * `taken`, `given`: the bytes that the thread has allocated and freed so far.
 */
typedef void thread_event_function(bool taking, uint64_t taken, uint64_t given);

struct thread_event {
	thread_event_function *function;
	uint64_t interval; /* bytes */
	bool taking_only;  /* not called for bytes freed */
};

/* The bytes at which a thread's next events are due; 0: not set yet. */
struct thread_event_marks {
	bool busy;
	struct {
		uint64_t taken;
		uint64_t given;
	} next[THREAD_EVENTS_MAX];
};

extern HIDDEN _Atomic unsigned thread_event_count;

void thread_event_init(void);

/* False: no function, no interval, or the table is full. */
bool thread_event_add(const struct thread_event *event);

/* Is anything registered? */
static inline bool
thread_event_wanted(void)
{
	return atomic_load_explicit(&thread_event_count,
		   memory_order_acquire) != 0;
}

/* Calls the functions that are due. The caller holds no lock. */
COLD void thread_event_look(struct thread_event_marks *marks, uint64_t taken,
    uint64_t given);

struct lock *thread_event_lock(void);

#endif
