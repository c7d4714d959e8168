#include "cache/thread_event.h"

#include <assert.h>
#include <stddef.h>

#include "os/lock.h"

_Atomic unsigned thread_event_count;

static struct {
	struct lock lock; /* protects adding */
	/* The first thread_event_count entries do not change any more. */
	struct thread_event event[THREAD_EVENTS_MAX];
} registered;

AT_START void
thread_event_init(void)
{
	lock_init_zeroed(&registered.lock, LOCK_THREAD_EVENTS);
}

struct lock *
thread_event_lock(void)
{
	return &registered.lock;
}

static bool
is_same(const struct thread_event *a, const struct thread_event *b)
{
	return a->function == b->function && a->interval == b->interval &&
	    a->taking_only == b->taking_only;
}

bool
thread_event_add(const struct thread_event *event)
{
	unsigned count, i = 0;

	if (event->function == NULL || event->interval == 0)
		return false;
	lock_acquire(&registered.lock);
	count = atomic_load_explicit(&thread_event_count, memory_order_relaxed);
	while (i < count && !is_same(&registered.event[i], event))
		i++;
	if (i == count && count < THREAD_EVENTS_MAX) {
		registered.event[i] = *event;
		atomic_store_explicit(&thread_event_count, count + 1,
		    memory_order_release);
	}
	lock_release(&registered.lock);
	return i < THREAD_EVENTS_MAX;
}

/*
 * Has `now` reached the mark? Then the mark moves on. A mark of 0 is not set
 * yet.
 */
static bool
reach(uint64_t *mark, uint64_t now, uint64_t interval)
{
	bool due = *mark != 0 && now >= *mark;

	if ((due || *mark == 0) && __builtin_add_overflow(now, interval, mark))
		*mark = UINT64_MAX;
	return due;
}

void
thread_event_look(struct thread_event_marks *marks, uint64_t taken,
    uint64_t given)
{
	unsigned count = atomic_load_explicit(&thread_event_count,
	    memory_order_acquire);

	if (marks->busy)
		return;
	LOCK_ASSERT_NONE();
	marks->busy = true;
	for (unsigned i = 0; i < count; i++) {
		const struct thread_event *event = &registered.event[i];

		if (reach(&marks->next[i].taken, taken, event->interval))
			event->function(true, taken, given);
		if (!event->taking_only &&
		    reach(&marks->next[i].given, given, event->interval))
			event->function(false, taken, given);
	}
	marks->busy = false;
}
