/*
 * lock: a mutex on a futex word, with statistics.
 *
 * Owns:       struct lock, the spin limit, the fork exception.
 * Invariants: all-zero bytes are a valid unlocked lock of rank 0. Only the
 *             holder writes the counters.
 * Locking:    spins for a while, then waits in the kernel. Debug builds check
 *             lock_order.h on each acquisition.
 *
 * Fork: the child must not find a lock that was held by a thread that does not
 * exist there, and data in the middle of a change. So the forking thread takes
 * all locks before the fork, and releases them after it, in parent and child.
 * In between, atfork handlers of other libraries run in this thread, and they
 * may allocate. Then the thread would wait for locks that it holds itself. So
 * there is an exception: for this thread, acquiring and releasing a lock in the
 * state LOCK_HELD_FORK succeeds and does nothing. That is safe, because no
 * other thread can be inside. All other threads wait until the fork is over.
 *
 * A signal handler that interrupts the allocator and calls it may wait for ever
 * for a lock that its own thread holds. So a thread that has waited for some
 * seconds, while it was itself the owner, ends the process with a message.
 */
#ifndef OS_LOCK_H
#define OS_LOCK_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "os/lock_order.h"
#include "util/build.h"
#include "util/compiler.h"

enum lock_word {
	LOCK_FREE,
	LOCK_HELD,
	LOCK_CONTENDED, /* held, and other threads may wait for it */
	LOCK_HELD_FORK, /* held for a fork in progress */
};

struct lock_stats {
	uint64_t num_ops;
	uint64_t num_wait;
	uint64_t num_spin_acq;
	uint64_t num_owner_switch;
	uint64_t total_wait_ns;
	uint64_t max_wait_ns;
	uint32_t max_waiters;
};

struct lock {
	_Atomic uint32_t word;
	_Atomic uint32_t waiters;
	uintptr_t last_owner; /* set soon after it is taken */
	uint32_t rank;
	struct lock *outer; /* debug builds: the holder took it before */
	struct lock_stats stats;
};

void lock_init(struct lock *lock, enum lock_rank rank);

/*
 * The same for a lock whose memory is zero, such as a static one. In a release
 * build it is as it should be, and is not touched: most small processes never
 * use most locks.
 */
void lock_init_zeroed(struct lock *lock, enum lock_rank rank);

/*
 * The number of spins before a thread waits in the kernel; -1 = spin for ever.
 * With one CPU it should be 0.
 */
void lock_set_spin(int64_t spins);

COLD void lock_acquire_slow(struct lock *lock);
COLD void lock_release_slow(struct lock *lock);

#if CONFIG_DEBUG
void lock_order_check(const struct lock *lock);
void lock_order_push(struct lock *lock);
void lock_order_pop(struct lock *lock);
bool lock_is_held(const struct lock *lock);
#else
/* clang-format off */
static inline void lock_order_check(const struct lock *lock) { (void)lock; }
static inline void lock_order_push(struct lock *lock) { (void)lock; }
static inline void lock_order_pop(struct lock *lock) { (void)lock; }
/* clang-format on */
#endif

static inline void
lock_count(struct lock *lock)
{
	uintptr_t self = thread_number();

	lock->stats.num_ops++;
	if (unlikely(READ_RELAXED(lock->last_owner) != self)) {
		SET_RELAXED(lock->last_owner, self);
		lock->stats.num_owner_switch++;
	}
}

/* Takes the lock if it is free, and does nothing else. */
static ALWAYS_INLINE bool
lock_take_free(struct lock *lock)
{
	uint32_t expected = LOCK_FREE;

	return atomic_compare_exchange_strong_explicit(&lock->word, &expected,
	    LOCK_HELD, memory_order_acquire, memory_order_relaxed);
}

static inline void
lock_acquire(struct lock *lock)
{
	lock_order_check(lock);
	if (unlikely(!lock_take_free(lock)))
		lock_acquire_slow(lock);
	lock_order_push(lock);
	lock_count(lock);
}

static inline bool
lock_try(struct lock *lock)
{
	if (!lock_take_free(lock))
		return false;
	lock_order_check(lock);
	lock_order_push(lock);
	lock_count(lock);
	return true;
}

static inline void
lock_release(struct lock *lock)
{
	uint32_t expected = LOCK_HELD;

	lock_order_pop(lock);
	if (unlikely(!atomic_compare_exchange_strong_explicit(&lock->word,
		&expected, LOCK_FREE, memory_order_release,
		memory_order_relaxed)))
		lock_release_slow(lock);
}

/*
 * The three steps of fork for one lock. The first one takes the lock and marks
 * it. After fork the parent releases it, and the child makes it new.
 */
void lock_fork_hold(struct lock *lock);
void lock_fork_parent(struct lock *lock);
void lock_fork_child(struct lock *lock);

/* Sets the thread that holds all locks for a fork; 0 = none. */
void lock_fork_owner(uintptr_t thread);

/*
 * LOCK_ASSERT_NONE() is used before a function of the program is called: this
 * thread must not hold a lock then.
 */
#if CONFIG_DEBUG
bool lock_none_is_held(void);
#define LOCK_ASSERT_HELD(lock) assert(lock_is_held(lock))
#define LOCK_ASSERT_NONE()     assert(lock_none_is_held())
#else
#define LOCK_ASSERT_HELD(lock) ((void)0)
#define LOCK_ASSERT_NONE()     ((void)0)
#endif

#endif
