/*
 * waits: does a function do its work under this lock?
 */
#ifndef WAITS_H
#define WAITS_H

#include <pthread.h>
#include <unistd.h>

#include "unit.h"
#include "os/lock.h"
#include "util/build.h"

struct waits {
	void (*work)(void);
	_Atomic bool done;
};

static inline void *
waits_run(void *arg)
{
	struct waits *waits = arg;

	waits->work();
	waits->done = true;
	return NULL;
}

/*
 * Runs `work` in another thread while this one holds `lock`; true if it has to
 * wait for it. The lock is of a kind that may be held while threads begin.
 */
static inline bool
waits_for(struct lock *lock, void (*work)(void))
{
	struct waits waits = { .work = work };
	pthread_t thread;
	bool waited;

	lock_set_spin(0);
	lock_acquire(lock);
	assert_int_equal(pthread_create(&thread, NULL, waits_run, &waits), 0);
	while (!waits.done && lock->waiters == 0)
		usleep(100);
	waited = !waits.done;
	lock_release(lock);
	pthread_join(thread, NULL);
	lock_set_spin(100);
	return waited;
}

/* One use of a lock, by a function that uses it `times` times. */
struct use {
	const char *name;
	void (*work)(void);
	struct lock *lock;
	uint64_t times;
};

#define USE(work, lock, times) \
	{ \
#work, work, lock, times \
	}

/*
 * Each waits while somebody else is inside, and enters so often itself. The
 * lock has a place in the order.
 */
static inline void
assert_used(const struct use *use, size_t n)
{
	for (; n-- > 0; use++) {
		uint64_t before = use->lock->stats.num_ops, after;

		if (BUILD_DEBUG && use->lock->rank == 0)
			fail_msg("%s: the lock has no rank", use->name);
		use->work();
		after = use->lock->stats.num_ops;
		if (after - before != use->times)
			fail_msg("%s: %u times", use->name,
			    (unsigned)(after - before));
		if (!waits_for(use->lock, use->work))
			fail_msg("%s does not wait", use->name);
	}
}

#endif
