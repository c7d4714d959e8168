#include "os/lock.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"
#include "os/message.h"
#include "os/os_thread.h"

#define THREADS 6

static struct {
	struct lock lock;
	unsigned long count; /* under the lock */
	unsigned rounds;
	_Atomic bool go;
	_Atomic unsigned inside;
	_Atomic unsigned wrong;
} shared;

static void
sleep_ms(unsigned ms)
{
	usleep(ms * 1000);
}

/* The clock stands still, and somebody has read it so often. */
static _Atomic uint64_t now_ns = 1;
static _Atomic unsigned nreads;

uint64_t __real_clock_now_ns(void);
uint64_t __wrap_clock_now_ns(void);

uint64_t
__wrap_clock_now_ns(void)
{
	nreads++;
	return now_ns;
}

static int
defaults(void **state)
{
	(void)state;
	lock_set_spin(100);
	return 0;
}

static void *
count_up(void *arg)
{
	bool try = arg != NULL;

	for (unsigned i = 0; i < shared.rounds; i++) {
		if (try)
			while (!lock_try(&shared.lock))
				os_thread_yield();
		else
			lock_acquire(&shared.lock);
		if (shared.inside++ != 0)
			shared.wrong++;
		shared.count++;
		shared.inside--;
		lock_release(&shared.lock);
	}
	return NULL;
}

static void
run_counters(unsigned nthreads, unsigned rounds)
{
	pthread_t thread[THREADS];

	lock_init(&shared.lock, LOCK_BIN);
	shared.count = 0;
	shared.rounds = rounds;
	for (unsigned i = 0; i < nthreads; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, count_up,
				     i % 3 == 2 ? &shared : NULL),
		    0);
	for (unsigned i = 0; i < nthreads; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(shared.wrong, 0);
	assert_int_equal(shared.count, (unsigned long)nthreads * rounds);
	assert_int_equal(shared.lock.stats.num_ops, shared.count);
	assert_int_equal(shared.lock.word, LOCK_FREE);
	assert_int_equal(shared.lock.waiters, 0);
	assert_true(shared.lock.stats.num_wait +
		shared.lock.stats.num_spin_acq <=
	    shared.count);
	assert_true(shared.lock.stats.max_waiters < nthreads);
	assert_true(shared.lock.stats.max_wait_ns <=
	    shared.lock.stats.total_wait_ns);
}

static void
one_thread_at_a_time_is_inside(void **state)
{
	(void)state;
	run_counters(THREADS, 30000);
	lock_set_spin(0);
	run_counters(THREADS, 30000);
	lock_set_spin(-1);
	run_counters(2, 20000);
}

static void
a_lock_of_zero_bytes_is_free(void **state)
{
	struct lock lock;

	(void)state;
	memset(&lock, 0, sizeof(lock));
	lock_acquire(&lock);
	assert_false(lock_try(&lock));
	lock_release(&lock);
	assert_true(lock_try(&lock));
	lock_release(&lock);
	assert_int_equal(lock.stats.num_ops, 2);
}

static void *
acquire_once(void *arg)
{
	(void)arg;
	lock_acquire(&shared.lock);
	shared.count++;
	lock_release(&shared.lock);
	return NULL;
}

static void
a_wait_is_counted_and_timed(void **state)
{
	pthread_t thread[3];

	(void)state;
	lock_init(&shared.lock, LOCK_BIN);
	lock_set_spin(10);
	shared.count = 0;
	nreads = 0;
	lock_acquire(&shared.lock);
	for (unsigned i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, acquire_once, NULL);
	/* Who waits notes when it began to. */
	while (shared.lock.waiters < 3 || (BUILD_STATS && nreads < 3))
		sleep_ms(1);
	now_ns += 20;
	assert_int_equal(shared.count, 0);
	lock_release(&shared.lock);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(shared.count, 3);
	assert_int_equal(shared.lock.stats.num_wait, 3);
	assert_int_equal(shared.lock.stats.max_waiters, 3);
	assert_int_equal(shared.lock.stats.num_ops, 4);
	if (thread_number() != 0)
		assert_in_range(shared.lock.stats.num_owner_switch, 3, 4);
	if (BUILD_STATS) {
		assert_int_equal(shared.lock.stats.max_wait_ns, 20);
		assert_int_equal(shared.lock.stats.total_wait_ns, 60);
	}
}

static void *
spin_once(void *arg)
{
	shared.go = true;
	return acquire_once(arg);
}

/* It may come so late that the lock is free again: then it is tried anew. */
static void
who_only_spins_does_not_wait(void **state)
{
	pthread_t thread;

	(void)state;
	lock_init(&shared.lock, LOCK_BIN);
	lock_set_spin(-1);
	do {
		shared.go = false;
		lock_acquire(&shared.lock);
		pthread_create(&thread, NULL, spin_once, NULL);
		while (!shared.go)
			sleep_ms(1);
		sleep_ms(20);
		lock_release(&shared.lock);
		pthread_join(thread, NULL);
		assert_int_equal(shared.lock.stats.num_wait, 0);
	} while (shared.lock.stats.num_spin_acq == 0);
	assert_int_equal(shared.lock.stats.num_spin_acq, 1);
}

static void
without_spins_a_thread_waits_at_once(void **state)
{
	pthread_t thread;

	(void)state;
	lock_init(&shared.lock, LOCK_BIN);
	lock_set_spin(0);
	lock_acquire(&shared.lock);
	pthread_create(&thread, NULL, acquire_once, NULL);
	while (shared.lock.waiters == 0)
		sleep_ms(1);
	/* The child's threads are gone, and so are those who wait. */
	if (fork() == 0) {
		lock_fork_child(&shared.lock);
		_exit(shared.lock.waiters != 0 ||
		    shared.lock.word != LOCK_FREE);
	} else {
		int status;

		wait(&status);
		assert_int_equal(status, 0);
	}
	lock_release(&shared.lock);
	pthread_join(thread, NULL);
	assert_int_equal(shared.lock.stats.num_wait, 1);
	assert_int_equal(shared.lock.stats.num_spin_acq, 0);
	assert_int_equal(shared.lock.waiters, 0);
}

/* --- fork ---------------------------------------------------------------- */

static void
the_owner_of_a_fork_passes_held_locks_and_others_wait(void **state)
{
	struct lock other, made;
	pthread_t thread[3];

	(void)state;
	lock_init(&shared.lock, LOCK_BIN);
	lock_init(&other, LOCK_DECAY);
	shared.count = 0;
	lock_fork_hold(&other);
	lock_fork_hold(&shared.lock);
	lock_fork_owner(os_thread_self());
	for (unsigned i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, acquire_once, NULL);
	/* Any order and depth: nobody else is inside. */
	lock_acquire(&shared.lock);
	lock_acquire(&other);
	lock_acquire(&shared.lock);
	lock_release(&shared.lock);
	lock_release(&other);
	lock_release(&shared.lock);
	/* One that was made since is like any other. */
	lock_init(&made, LOCK_BIN);
	lock_acquire(&made);
	LOCK_ASSERT_HELD(&made);
	lock_acquire(&shared.lock);
	lock_release(&made);
	lock_release(&shared.lock);
	assert_int_equal(made.word, LOCK_FREE);
	sleep_ms(20);
	assert_int_equal(shared.count, 0);
	lock_fork_owner(0);
	lock_fork_parent(&other);
	lock_fork_parent(&shared.lock);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(shared.count, 3);
	assert_int_equal(shared.lock.word, LOCK_FREE);
	assert_true(lock_try(&other));
	lock_release(&other);
}

static void *
hold_for_a_while(void *arg)
{
	(void)arg;
	lock_acquire(&shared.lock);
	shared.go = true;
	sleep_ms(20);
	shared.count = 99;
	lock_release(&shared.lock);
	return NULL;
}

static void
a_fork_waits_for_who_is_inside(void **state)
{
	pthread_t thread;

	(void)state;
	lock_init(&shared.lock, LOCK_BIN);
	shared.go = false;
	shared.count = 0;
	pthread_create(&thread, NULL, hold_for_a_while, NULL);
	while (!shared.go)
		sleep_ms(1);
	lock_fork_hold(&shared.lock);
	assert_int_equal(shared.count, 99);
	lock_fork_parent(&shared.lock);
	pthread_join(thread, NULL);
}

/* As one that came into being between the two steps of a fork. */
static void
what_fork_does_not_hold_it_does_not_release(void **state)
{
	struct lock lock;

	(void)state;
	lock_init(&lock, LOCK_BIN);
	lock_acquire(&lock);
	lock_fork_parent(&lock);
	assert_false(lock_try(&lock));
	lock_release(&lock);
	lock_fork_parent(&lock);
	assert_true(lock_try(&lock));
	lock_release(&lock);
}

static void
locks_work_on_both_sides_of_a_fork_with_threads(void **state)
{
	pthread_t thread[2];
	int status;

	(void)state;
	lock_init(&shared.lock, LOCK_BIN);
	shared.count = 0;
	shared.rounds = 20000;
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, count_up, NULL);
	for (unsigned i = 0; i < 10; i++) {
		unsigned long count;
		pid_t pid;

		lock_fork_hold(&shared.lock);
		lock_fork_owner(os_thread_self());
		count = shared.count;
		pid = fork();
		lock_fork_owner(0);
		if (pid == 0) {
			lock_fork_child(&shared.lock);
			lock_acquire(&shared.lock);
			status = shared.count != count ||
			    shared.lock.waiters != 0;
			lock_release(&shared.lock);
			/* _exit() would have sanitizers ask for the threads. */
			syscall(SYS_exit_group, status);
		}
		lock_fork_parent(&shared.lock);
		waitpid(pid, &status, 0);
		assert_int_equal(status, 0);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(shared.count, 2 * shared.rounds);
}

/* --- waiting for oneself, and the order in debug builds ------------------- */

/* Runs `body` in a child; the text it left on descriptor 2. */
static int
text_of_child(void (*body)(void), char *text, size_t size)
{
	const struct rlimit none = { 0, 0 };
	int ends[2], status;
	ssize_t length;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		message_init();
		body();
		_exit(0);
	}
	close(ends[1]);
	length = read(ends[0], text, size - 1);
	text[length > 0 ? length : 0] = '\0';
	close(ends[0]);
	waitpid(pid, &status, 0);
	return status;
}

static struct lock outer, inner, innermost;

static int
make_order(void **state)
{
	(void)state;
	lock_init(&outer, LOCK_DECAY);
	lock_init(&inner, LOCK_PAGES);
	lock_init(&innermost, LOCK_METADATA);
	return 0;
}

static void
right_order(void)
{
	lock_acquire(&outer);
	lock_acquire(&inner);
	lock_release(&outer);
	lock_acquire(&innermost);
	lock_release(&inner);
	lock_release(&innermost);
	lock_acquire(&outer);
	lock_release(&outer);
}

static void
wrong_order(void)
{
	lock_acquire(&inner);
	lock_acquire(&outer);
}

static void
same_rank(void)
{
	struct lock twin;

	lock_init(&twin, LOCK_PAGES);
	lock_acquire(&inner);
	lock_acquire(&twin);
}

static void
wrong_order_after_releases(void)
{
	struct lock lowest;

	lock_init(&lowest, LOCK_ARENA_TABLE);
	lock_acquire(&lowest);
	lock_acquire(&outer);
	lock_acquire(&innermost);
	lock_release(&lowest);
	/* Under innermost still, though outer was taken before it. */
	lock_acquire(&inner);
}

static void
wrong_order_by_trying(void)
{
	lock_acquire(&inner);
	if (!lock_try(&outer))
		_exit(3);
}

static void
release_of_a_free_lock(void)
{
	lock_release(&inner);
}

static void
assert_dies(void (*body)(void), const char *text)
{
	char got[200];
	int status = text_of_child(body, got, sizeof(got));

	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
		fail_msg("status %x instead of an abort", (unsigned)status);
	assert_string_equal(got, text);
}

static void
take_inner(int signal_number)
{
	(void)signal_number;
	lock_acquire(&inner);
}

static void
handler_takes_what_its_thread_holds(void)
{
	signal(SIGUSR1, take_inner);
	lock_acquire(&inner);
	raise(SIGUSR1);
}

static void
a_thread_that_waits_for_itself_ends_with_a_line(void **state)
{
	(void)state;
	assert_dies(handler_takes_what_its_thread_holds,
	    "<jemalloc>: "
	    "re-entered from a signal handler: this thread holds the lock "
	    "that it waits for\n");
}

/* As in builds without debug checks. */
static void
waits_for_itself(void)
{
	inner.word = LOCK_HELD;
	inner.last_owner = thread_number();
	lock_acquire(&inner);
}

/* An owner that has just come may not have left its number yet. */
static void
but_not_before_others_had_seconds_to_leave_their_number(void **state)
{
	uint64_t begin_ns = __real_clock_now_ns();

	(void)state;
	assert_dies(waits_for_itself,
	    "<jemalloc>: "
	    "re-entered from a signal handler: this thread holds the lock "
	    "that it waits for\n");
	assert_true(__real_clock_now_ns() - begin_ns >= UINT64_C(2000000000));
}

struct holder {
	bool for_fork;
	_Atomic bool held;
};

static void *
hold_for_long(void *arg)
{
	struct holder *holder = arg;

	(holder->for_fork ? lock_fork_hold : lock_acquire)(&inner);
	holder->held = true;
	sleep_ms(4500);
	(holder->for_fork ? lock_fork_parent : lock_release)(&inner);
	return NULL;
}

/* Even if it held the lock last, before this holder. */
static void
wait_long_for_another(bool for_fork)
{
	struct holder holder = { .for_fork = for_fork };
	pthread_t thread;

	lock_acquire(&inner);
	lock_release(&inner);
	assert_int_equal(pthread_create(&thread, NULL, hold_for_long, &holder),
	    0);
	while (!holder.held)
		os_thread_yield();
	lock_acquire(&inner);
	lock_release(&inner);
	pthread_join(thread, NULL);
}

static void
who_waits_long_for_another_gets_the_lock(void **state)
{
	(void)state;
	wait_long_for_another(false);
}

static void
who_waits_for_a_long_fork_gets_the_lock(void **state)
{
	(void)state;
	wait_long_for_another(true);
}

static void
a_wrong_order_ends_a_debug_build(void **state)
{
	char text[200];

	(void)state;
	if (!BUILD_DEBUG)
		SKIP_TEST("only debug builds check the order");
	assert_int_equal(text_of_child(right_order, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	snprintf(text, sizeof(text),
	    "<jemalloc>: lock order: rank %d taken "
	    "under rank %d\n",
	    LOCK_DECAY, LOCK_PAGES);
	assert_dies(wrong_order, text);
	assert_dies(wrong_order_by_trying, text);
	snprintf(text, sizeof(text),
	    "<jemalloc>: lock order: rank %d taken "
	    "under rank %d\n",
	    LOCK_PAGES, LOCK_PAGES);
	assert_dies(same_rank, text);
	snprintf(text, sizeof(text),
	    "<jemalloc>: lock order: rank %d taken "
	    "under rank %d\n",
	    LOCK_PAGES, LOCK_METADATA);
	assert_dies(wrong_order_after_releases, text);
}

static void
releasing_what_is_not_held_ends_a_debug_build(void **state)
{
	char text[200];

	(void)state;
	if (!BUILD_DEBUG)
		SKIP_TEST("only debug builds check the order");
	snprintf(text, sizeof(text),
	    "<jemalloc>: lock order: rank %d released "
	    "but not held\n",
	    LOCK_PAGES);
	assert_dies(release_of_a_free_lock, text);
}

#if CONFIG_DEBUG
static void *
others_hold_nothing(void *arg)
{
	(void)arg;
	return lock_is_held(&inner) ? &inner : NULL;
}

static void
a_lock_is_held_by_its_thread_alone(void **state)
{
	pthread_t thread;
	void *other;

	(void)state;
	assert_false(lock_is_held(&inner));
	lock_acquire(&inner);
	assert_true(lock_is_held(&inner));
	assert_false(lock_is_held(&outer));
	pthread_create(&thread, NULL, others_hold_nothing, NULL);
	pthread_join(thread, &other);
	assert_null(other);
	lock_release(&inner);
	assert_false(lock_is_held(&inner));
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(one_thread_at_a_time_is_inside,
		    defaults),
		cmocka_unit_test(a_lock_of_zero_bytes_is_free),
		cmocka_unit_test_teardown(a_wait_is_counted_and_timed,
		    defaults),
		cmocka_unit_test_teardown(without_spins_a_thread_waits_at_once,
		    defaults),
		cmocka_unit_test_teardown(who_only_spins_does_not_wait,
		    defaults),
		cmocka_unit_test(
		    the_owner_of_a_fork_passes_held_locks_and_others_wait),
		cmocka_unit_test(a_fork_waits_for_who_is_inside),
		cmocka_unit_test(what_fork_does_not_hold_it_does_not_release),
		cmocka_unit_test(
		    locks_work_on_both_sides_of_a_fork_with_threads),
		cmocka_unit_test_setup(
		    a_thread_that_waits_for_itself_ends_with_a_line,
		    make_order),
		cmocka_unit_test_setup(
		    but_not_before_others_had_seconds_to_leave_their_number,
		    make_order),
		cmocka_unit_test_setup(who_waits_long_for_another_gets_the_lock,
		    make_order),
		cmocka_unit_test_setup(who_waits_for_a_long_fork_gets_the_lock,
		    make_order),
		cmocka_unit_test_setup(a_wrong_order_ends_a_debug_build,
		    make_order),
		cmocka_unit_test_setup(
		    releasing_what_is_not_held_ends_a_debug_build, make_order),
#if CONFIG_DEBUG
		cmocka_unit_test_setup(a_lock_is_held_by_its_thread_alone,
		    make_order),
#endif
	};

	/* For what is tried until it succeeds. */
	alarm(600);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
