#include "cache/thread.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../allocated.h"
#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/holding.h"
#include "cache/exchange.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/lock.h"
#include "os/os_thread.h"
#include "os/system.h"

#define KEY    ((uintptr_t)UINT64_C(0x1234567887654321))
#define ARENAS 3

static struct fault metadata;

void *__real_metadata_take(size_t size, size_t align);
void *__wrap_metadata_take(size_t size, size_t align);

void *
__wrap_metadata_take(size_t size, size_t align)
{
	return fault_hits(&metadata) ? NULL : __real_metadata_take(size, align);
}

static size_t
allocated(void)
{
	size_t sum = 0;

	for (unsigned i = 0; i < ARENAS; i++)
		if (arena_table_owner(i) != NULL)
			sum += arena_allocated(arena_table_owner(i));
	return sum;
}

static unsigned
threads_in_arenas(void)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < ARENAS; i++)
		if (arena_table_owner(i) != NULL)
			sum += arena_table_owner(i)->nthreads;
	return sum;
}

/* What malloc and free do once a thread has its record. */
static void *
take(struct thread *thread, unsigned bin)
{
	void *object = cache_bin_take(&thread->tcache.bins[bin + 1]);

	return object != NULL ? object : tcache_take_slow(&thread->tcache, bin);
}

/* Each test's threads are its own; this runs one to its end. */
static void
in_thread(void *(*body)(void *), void *arg)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, body, arg), 0);
	pthread_join(thread, NULL);
}

static void
records_of_the_unborn_and_dead_are_empty_and_full(void **state)
{
	struct thread *shared[] = { &thread_unborn, &thread_dead };
	static const struct thread zero;

	(void)state;
	assert_ptr_equal(thread_self, &thread_unborn);
	for (unsigned i = 0; i < 2; i++) {
		assert_memory_equal(shared[i], &zero, sizeof(zero));
		assert_false(thread_is_own(shared[i]));
		for (unsigned bin = 0; bin < 1 + CACHE_BINS_MAX; bin++)
			assert_null(
			    cache_bin_take(&shared[i]->tcache.bins[bin]));
		assert_memory_equal(shared[i], &zero, sizeof(zero));
	}
}

static void
who_is_away_stays_so_until_the_outer_call_comes_back(void **state)
{
	void *outer, *inner;

	(void)state;
	outer = thread_go_away();
	assert_ptr_equal(outer, &thread_unborn);
	inner = thread_go_away();
	assert_null(inner);
	thread_come_back(inner);
	assert_ptr_equal(thread_self, &thread_away);
	thread_come_back(outer);
	assert_ptr_equal(thread_self, &thread_unborn);
}

static void *
live_and_die(void *arg)
{
	struct thread **record = arg, *thread;
	void *object;

	assert_ptr_equal(thread_self, &thread_unborn);
	thread = thread_birth();
	assert_non_null(thread);
	assert_ptr_equal(thread_self, thread);
	assert_true(thread_is_own(thread));
	assert_int_equal(thread->tcache.mark, cache_mark_of(KEY));
	assert_int_equal(threads_in_arenas(), 1);
	for (unsigned bin = 0; bin < CACHE_BINS; bin++) {
		object = take(thread, bin);
		assert_non_null(object);
		tcache_give_slow(&thread->tcache, bin, object);
	}
	assert_true(thread_cached().nsmall > 0);
	assert_true(thread_cached().nlarge > 0);
	assert_int_equal(allocated(),
	    thread_cached().small_size + thread_cached().large_size);
	thread_death(thread);
	assert_ptr_equal(thread_self, &thread_dead);
	assert_int_equal(threads_in_arenas(), 0);
	*record = thread;
	return NULL;
}

static void
a_thread_that_dies_leaves_nothing_and_its_record_is_reused(void **state)
{
	struct thread *first, *second;

	(void)state;
	in_thread(live_and_die, &first);
	assert_int_equal(allocated(), 0);
	assert_int_equal(thread_cached().nsmall, 0);
	in_thread(live_and_die, &second);
	assert_ptr_equal(first, second);
	assert_int_equal(allocated(), 0);
}

static void *
birth_without_memory(void *arg)
{
	(void)arg;
	/* The spare record is somebody's for a while. */
	fault_set(&metadata, 1, true);
	assert_null(thread_birth());
	assert_ptr_equal(thread_self, &thread_unborn);
	assert_int_equal(threads_in_arenas(), 1);
	fault_set(&metadata, 0, false);
	assert_non_null(thread_birth());
	thread_death(thread_self);
	return NULL;
}

static void *
hold_the_spare(void *arg)
{
	struct thread *thread = thread_birth();

	(void)arg;
	in_thread(birth_without_memory, NULL);
	thread_death(thread);
	return NULL;
}

static void
without_memory_a_thread_stays_unborn_and_may_try_again(void **state)
{
	(void)state;
	in_thread(hold_the_spare, NULL);
	assert_int_equal(threads_in_arenas(), 0);
}

static void
assert_counters(struct thread *thread, uint64_t taken, uint64_t given)
{
	uint64_t t, g;

	thread_counters(thread, &t, &g);
	assert_int_equal(t, taken);
	assert_int_equal(g, given);
}

static void *
count_bytes(void *arg)
{
	struct thread *thread = thread_birth();
	uint64_t seed = 1, taken = 0, given = 0;
	void *held[200] = { NULL };
	unsigned bins[200];

	(void)arg;
	assert_counters(thread, 0, 0);
	for (unsigned i = 0; i < 5000; i++) {
		unsigned k = (unsigned)random_below(&seed, 200);

		if (held[k] == NULL) {
			bins[k] = (unsigned)random_below(&seed, CACHE_BINS);
			held[k] = take(thread, bins[k]);
			assert_non_null(held[k]);
			taken += cache_bin_usable(bins[k]);
		} else {
			tcache_give_slow(&thread->tcache, bins[k], held[k]);
			held[k] = NULL;
			given += cache_bin_usable(bins[k]);
		}
		if (i % 101 == 0)
			assert_counters(thread, taken, given);
		if (i == 3000)
			thread_set_arena(thread, 2);
	}
	assert_counters(thread, taken, given);
	assert_int_equal(arena_table_owner(2)->nthreads, 1);
	assert_int_equal(threads_in_arenas(), 1);
	/* Not while a slow path of its cache calls the program. */
	thread->tcache.guard.depth = 1;
	assert_false(thread_go_live(thread));
	thread->tcache.guard.depth = 0;
	assert_false(thread->live);
	assert_true(thread_go_live(thread));
	assert_true(thread_go_live(thread));
	assert_counters(thread, taken, given);
	thread_count(thread, 100, 30);
	assert_int_equal(thread->allocated, taken + 100);
	assert_int_equal(thread->deallocated, given + 30);
	assert_counters(thread, taken + 100, given + 30);
	for (unsigned k = 0; k < 200; k++)
		if (held[k] != NULL)
			tcache_give_slow(&thread->tcache, bins[k], held[k]);
	thread_death(thread);
	return NULL;
}

static void
bytes_are_counted_exactly_whenever_they_are_asked_for(void **state)
{
	(void)state;
	in_thread(count_bytes, NULL);
	assert_int_equal(allocated(), 0);
	assert_int_equal(threads_in_arenas(), 0);
}

static void
collect(struct thread *thread, void *context)
{
	struct thread **list = context;

	while (*list != NULL)
		list++;
	*list = thread;
}

static void *
be_seen(void *arg)
{
	pthread_barrier_t *barrier = arg;
	struct thread *thread = thread_birth();
	struct thread *all[8] = { NULL };
	bool seen = false;

	pthread_barrier_wait(barrier);
	thread_each(collect, all);
	for (unsigned i = 0; i < 4; i++) {
		assert_non_null(all[i]);
		seen |= all[i] == thread;
	}
	assert_null(all[4]);
	assert_true(seen);
	pthread_barrier_wait(barrier);
	/* One of the four ends last, and is told so. */
	return thread_death(thread) == 0 ? thread : NULL;
}

static void
all_living_threads_are_registered(void **state)
{
	pthread_t thread[4];
	pthread_barrier_t barrier;
	struct thread *none[4] = { NULL };
	void *last;
	unsigned nlast = 0;

	(void)state;
	pthread_barrier_init(&barrier, NULL, 4);
	for (unsigned i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, be_seen, &barrier);
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(thread[i], &last);
		nlast += last != NULL;
	}
	assert_int_equal(nlast, 1);
	pthread_barrier_destroy(&barrier);
	thread_each(collect, none);
	assert_null(none[0]);
	assert_int_equal(threads_in_arenas(), 0);
}

static void *
only_survivor(void *arg)
{
	struct thread *thread = thread_birth();
	struct thread *all[4] = { NULL }, *lost[4] = { NULL };
	void *object = tcache_take_slow(&thread->tcache, 5);
	int status;
	pid_t pid;

	(void)arg;
	assert_in_range(thread->tcache.held, 1, holding_sum() - 1);
	pid = fork();
	if (pid == 0) {
		thread_fork_child(thread);
		/* What the others have cached is lost. */
		if (holding_sum() != thread->tcache.held)
			_exit(1);
		thread_each(collect, all);
		/* The others are known, too, but not as living ones. */
		thread_each_lost(collect, lost);
		_exit(all[0] != thread || all[1] != NULL || lost[0] == NULL ||
		    lost[0] == thread || lost[1] != NULL);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	thread_each(collect, all);
	assert_non_null(all[1]);
	tcache_give_slow(&thread->tcache, 5, object);
	thread_death(thread);
	return NULL;
}

static void *
fork_beside_me(void *arg)
{
	struct thread *thread = thread_birth();
	void *object = tcache_take_slow(&thread->tcache, 5);

	in_thread(only_survivor, arg);
	tcache_give_slow(&thread->tcache, 5, object);
	thread_death(thread);
	return NULL;
}

static void
after_a_fork_only_the_caller_is_registered(void **state)
{
	(void)state;
	in_thread(fork_beside_me, NULL);
}

/* The trimmer of the parent held the guard of a record at that moment. */
static void *
fork_while_a_spare_record_is_trimmed(void *arg)
{
	struct thread *thread = thread_birth(), *next;
	int status;
	pid_t pid;

	(void)arg;
	thread_death(thread);
	atomic_store(&thread->tcache.guard.held, true);
	pid = fork();
	if (pid == 0) {
		alarm(60);
		thread_fork_child(&thread_dead);
		/* It is used again, by one who can take its guard. */
		do
			next = thread_birth();
		while (next != NULL && next != thread);
		_exit(next == NULL || atomic_load(&thread->tcache.guard.held));
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	atomic_store(&thread->tcache.guard.held, false);
	return NULL;
}

static void
a_record_whose_guard_was_held_over_fork_serves_again(void **state)
{
	(void)state;
	in_thread(fork_while_a_spare_record_is_trimmed, NULL);
}

#define MAILBOXES 256
static _Atomic(void *) mail[MAILBOXES];

static void *
exchange(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	for (unsigned life = 0; life < 10; life++) {
		struct thread *thread = thread_birth();

		for (unsigned i = 0; i < 1000; i++) {
			unsigned bin = (unsigned)random_below(&seed,
			    CACHE_BINS);
			void *object = take(thread, bin);

			assert_non_null(object);
			*(unsigned *)object = bin;
			object = atomic_exchange(
			    &mail[random_below(&seed, MAILBOXES)], object);
			if (object != NULL)
				tcache_give_slow(&thread->tcache,
				    *(unsigned *)object, object);
		}
		thread_death(thread);
		if (life == 9)
			break;
		/* A dead thread is born again only in this test. */
		thread_self = &thread_unborn;
	}
	return NULL;
}

static void
threads_that_come_and_go_and_exchange_objects_lose_none(void **state)
{
	pthread_t thread[4];

	(void)state;
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, exchange, (void *)(i + 1));
	for (unsigned i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < MAILBOXES; i++)
		if (mail[i] != NULL)
			exchange_give_one(*(unsigned *)mail[i], mail[i]);
	assert_int_equal(allocated(), 0);
	assert_int_equal(threads_in_arenas(), 0);
	for (unsigned i = 0; i < ARENAS; i++)
		if (arena_table_owner(i) != NULL)
			arena_check(arena_table_owner(i));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    records_of_the_unborn_and_dead_are_empty_and_full),
		cmocka_unit_test(
		    who_is_away_stays_so_until_the_outer_call_comes_back),
		cmocka_unit_test(
		    a_thread_that_dies_leaves_nothing_and_its_record_is_reused),
		cmocka_unit_test(
		    without_memory_a_thread_stays_unborn_and_may_try_again),
		cmocka_unit_test(
		    bytes_are_counted_exactly_whenever_they_are_asked_for),
		cmocka_unit_test(all_living_threads_are_registered),
		cmocka_unit_test(after_a_fork_only_the_caller_is_registered),
		cmocka_unit_test(
		    a_record_whose_guard_was_held_over_fork_serves_again),
		cmocka_unit_test(
		    threads_that_come_and_go_and_exchange_objects_lose_none),
	};

	system_init();
	metadata_init();
	extent_records_init();
	options_init(&opt_at_start);
	opt_at_start.junk_alloc = opt_at_start.junk_free = false;
	opt_at_start.zero = false;
	size_class_init(system_info.page_size, NULL);
	thread_init(KEY);
	if (!arena_table_init(ARENAS, 0))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
