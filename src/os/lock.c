#include "os/lock.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>

#include "os/clock.h"
#include "os/message.h"
#include "os/os_thread.h"
#include "os/syscalls.h"

#define RE_ENTERED \
	"re-entered from a signal handler: this thread holds " \
	"the lock that it waits for"

enum { OWN_SECONDS = 3 };

static struct {
	_Atomic int64_t spins;
	_Atomic uintptr_t fork_owner;
} lock_state = { .spins = 100 };

AT_START void
lock_init(struct lock *lock, enum lock_rank rank)
{
	*lock = (struct lock){ .rank = rank };
}

AT_START void
lock_init_zeroed(struct lock *lock, enum lock_rank rank)
{
#if CONFIG_DEBUG
	lock->rank = rank;
#else
	(void)lock;
	(void)rank;
#endif
}

AT_START void
lock_set_spin(int64_t spins)
{
	atomic_store_explicit(&lock_state.spins, spins, memory_order_relaxed);
}

/* Returns false if nothing has happened for a second. */
static bool
futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	struct os_time second = { .seconds = 1 };

	return os_syscall4(SYS_futex, (long)(uintptr_t)word, FUTEX_WAIT_PRIVATE,
		   (long)value, (long)(uintptr_t)&second) != -ETIMEDOUT;
}

static void
futex_wake(_Atomic uint32_t *word, int32_t threads)
{
	os_syscall3(SYS_futex, (long)(uintptr_t)word, FUTEX_WAKE_PRIVATE,
	    threads);
}

/* Does this thread hold all locks for a fork? */
static bool
lock_forking(void)
{
	return atomic_load_explicit(&lock_state.fork_owner,
		   memory_order_relaxed) == os_thread_self();
}

static bool
lock_is_ours_for_fork(const struct lock *lock)
{
	return atomic_load_explicit(&lock->word, memory_order_relaxed) ==
	    LOCK_HELD_FORK &&
	    lock_forking();
}

static bool
lock_spin(struct lock *lock)
{
	int64_t spins = atomic_load_explicit(&lock_state.spins,
	    memory_order_relaxed);

	for (int64_t i = 0; spins < 0 || i < spins; i++) {
		uint32_t word = atomic_load_explicit(&lock->word,
		    memory_order_relaxed);

		if (word == LOCK_FREE &&
		    atomic_compare_exchange_weak_explicit(&lock->word, &word,
			LOCK_HELD, memory_order_acquire,
			memory_order_relaxed)) {
			lock->stats.num_spin_acq++;
			return true;
		}
		if (word >= LOCK_CONTENDED)
			return false;
		cpu_relax();
	}
	return false;
}

/*
 * An owner sets last_owner just after it has taken the lock, so after some
 * seconds it is certainly set. If it is this thread, this thread holds the
 * lock. A fork does not set last_owner, and may take long. Where threads have
 * no number, nothing is known.
 */
static bool
lock_looks_own(const struct lock *lock)
{
	uintptr_t self = thread_number();

	return self != 0 && READ_RELAXED(lock->last_owner) == self &&
	    atomic_load_explicit(&lock->word, memory_order_relaxed) !=
	    LOCK_HELD_FORK;
}

static void
lock_wait(struct lock *lock)
{
	unsigned idle = 0;
	uint32_t waiters = atomic_fetch_add_explicit(&lock->waiters, 1,
			       memory_order_relaxed) +
	    1;
	uint64_t start = BUILD_STATS ? clock_now_ns() : 0;
	uint64_t waited;

	/*
	 * A waiter sets the word to CONTENDED even when it gets the lock: it
	 * can't know whether others wait, too. At worst this costs an
	 * unnecessary wake-up. LOCK_HELD_FORK does not change, because the end
	 * of the fork wakes all waiters.
	 */
	for (;;) {
		uint32_t word = atomic_load_explicit(&lock->word,
		    memory_order_relaxed);

		if ((word == LOCK_FREE || word == LOCK_HELD) &&
		    !atomic_compare_exchange_weak_explicit(&lock->word, &word,
			LOCK_CONTENDED, memory_order_acquire,
			memory_order_relaxed))
			continue;
		if (word == LOCK_FREE)
			break;
		if (futex_wait(&lock->word,
			word == LOCK_HELD ? LOCK_CONTENDED : word) ||
		    !lock_looks_own(lock))
			idle = 0;
		else if (++idle == OWN_SECONDS)
			fatal(RE_ENTERED);
	}
	atomic_fetch_sub_explicit(&lock->waiters, 1, memory_order_relaxed);
	waited = BUILD_STATS ? clock_now_ns() - start : 0;
	lock->stats.num_wait++;
	lock->stats.total_wait_ns += waited;
	if (waited > lock->stats.max_wait_ns)
		lock->stats.max_wait_ns = waited;
	if (waiters > lock->stats.max_waiters)
		lock->stats.max_waiters = waiters;
}

void
lock_acquire_slow(struct lock *lock)
{
	if (lock_is_ours_for_fork(lock))
		return;
	if (!lock_spin(lock))
		lock_wait(lock);
}

void
lock_release_slow(struct lock *lock)
{
	if (lock_is_ours_for_fork(lock))
		return;
	atomic_store_explicit(&lock->word, LOCK_FREE, memory_order_release);
	futex_wake(&lock->word, 1);
}

void
lock_fork_owner(uintptr_t thread)
{
	atomic_store_explicit(&lock_state.fork_owner, thread,
	    memory_order_relaxed);
}

void
lock_fork_hold(struct lock *lock)
{
	if (!lock_take_free(lock))
		lock_acquire_slow(lock);
	atomic_store_explicit(&lock->word, LOCK_HELD_FORK,
	    memory_order_relaxed);
}

void
lock_fork_parent(struct lock *lock)
{
	uint32_t held = LOCK_HELD_FORK;

	/*
	 * A lock that was made after the prepare step is not marked; another
	 * thread may hold it.
	 */
	if (!atomic_compare_exchange_strong_explicit(&lock->word, &held,
		LOCK_FREE, memory_order_release, memory_order_relaxed))
		return;
	futex_wake(&lock->word, INT32_MAX);
}

void
lock_fork_child(struct lock *lock)
{
	atomic_store_explicit(&lock->waiters, 0, memory_order_relaxed);
	atomic_store_explicit(&lock->word, LOCK_FREE, memory_order_release);
}

#if CONFIG_DEBUG

/* The locks that a thread holds, linked by `outer`, the last taken first. */
static __thread struct lock *lock_innermost;

bool
lock_none_is_held(void)
{
	return lock_innermost == NULL;
}

void
lock_order_check(const struct lock *lock)
{
	const struct lock *last = lock_innermost;

	if (last == NULL || last->rank < lock->rank || lock_forking())
		return;
	if (lock_is_held(lock))
		fatal(RE_ENTERED);
	else
		fatal("lock order: rank %u taken under rank %u", lock->rank,
		    last->rank);
}

/*
 * Acquiring a lock that a fork holds does nothing, so it is not recorded. A
 * lock that was made after the prepare step is an ordinary one.
 */
void
lock_order_push(struct lock *lock)
{
	if (lock_is_ours_for_fork(lock))
		return;
	lock->outer = lock_innermost;
	lock_innermost = lock;
}

void
lock_order_pop(struct lock *lock)
{
	struct lock **link = &lock_innermost;

	if (lock_is_ours_for_fork(lock))
		return;
	while (*link != NULL && *link != lock)
		link = &(*link)->outer;
	if (*link == NULL) {
		fatal("lock order: rank %u released but not held", lock->rank);
		return;
	}
	*link = lock->outer;
}

bool
lock_is_held(const struct lock *lock)
{
	if (atomic_load_explicit(&lock->word, memory_order_relaxed) ==
	    LOCK_HELD_FORK)
		return true;
	for (const struct lock *l = lock_innermost; l != NULL; l = l->outer)
		if (l == lock)
			return true;
	return false;
}

#endif
