#include "api/fork.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"
#include "os/lock.h"

#define LOCKS_MAX 8192

/* The library is a part of this program: with all that has locks. */
extern const char *malloc_conf;
const char *malloc_conf = "hpa:true,narenas:2,prof:true,lg_prof_sample:12,"
			  "prof_recent_alloc_max:10";
int mallctl(const char *name, void *old, size_t *old_size, void *value,
    size_t size);

/* --- all locks that there are --------------------------------------------- */

static struct {
	struct lock *lock[LOCKS_MAX];
	enum lock_rank rank[LOCKS_MAX];
	_Atomic unsigned n;
} known;

/* How many were not held when fork() was about to happen; of what rank. */
static unsigned nfree, free_rank;

void __real_lock_init(struct lock *lock, enum lock_rank rank);
void __wrap_lock_init(struct lock *lock, enum lock_rank rank);
void __real_lock_init_zeroed(struct lock *lock, enum lock_rank rank);
void __wrap_lock_init_zeroed(struct lock *lock, enum lock_rank rank);

static void
know(struct lock *lock, enum lock_rank rank)
{
	unsigned i = known.n++;

	if (i >= LOCKS_MAX)
		abort();
	known.lock[i] = lock;
	known.rank[i] = rank;
}

void
__wrap_lock_init(struct lock *lock, enum lock_rank rank)
{
	__real_lock_init(lock, rank);
	know(lock, rank);
}

void
__wrap_lock_init_zeroed(struct lock *lock, enum lock_rank rank)
{
	__real_lock_init_zeroed(lock, rank);
	know(lock, rank);
}

/* How many are not in that state. */
static unsigned
count_others(uint32_t state, unsigned *rank)
{
	unsigned n = 0;

	for (unsigned i = 0; i < known.n; i++)
		if (known.lock[i]->word != state) {
			*rank = known.rank[i];
			n++;
		}
	return n;
}

static void
look_at_locks(void)
{
	nfree = count_others(LOCK_HELD_FORK, &free_rank);
}

/* Before the library does it: then this is called when it has done its part. */
__attribute__((constructor(101))) static void
register_look(void)
{
	pthread_atfork(look_at_locks, NULL, NULL);
}

/* --- things that bring locks ---------------------------------------------- */

static void
use_all(void)
{
	void *blocks[200];
	unsigned index;
	size_t size = sizeof(index);

	assert_int_equal(mallctl("arenas.create", &index, &size, NULL, 0), 0);
	assert_int_equal(mallctl("tcache.create", &index, &size, NULL, 0), 0);
	for (unsigned i = 0; i < ARRAY_LEN(blocks); i++) {
		blocks[i] = malloc(i * i * 10);
		assert_non_null(blocks[i]);
	}
	for (unsigned i = 0; i < ARRAY_LEN(blocks); i++)
		free(blocks[i]);
}

static void *
use_all_in_thread(void *unused)
{
	use_all();
	return unused;
}

static void
use_from_threads(void)
{
	pthread_t thread[3];

	for (unsigned i = 0; i < ARRAY_LEN(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL,
				     use_all_in_thread, NULL),
		    0);
	for (unsigned i = 0; i < ARRAY_LEN(thread); i++)
		pthread_join(thread[i], NULL);
}

static int
end_of(pid_t child)
{
	int status = 1;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void
a_lock_of_each_rank_is_known(void **state)
{
	bool seen[LOCK_RANKS] = { false };

	(void)state;
	use_from_threads();
	for (unsigned i = 0; i < known.n; i++)
		seen[known.rank[i]] = true;
	for (unsigned rank = 0; rank < LOCK_RANKS; rank++)
		if (!seen[rank])
			fail_msg("no lock of rank %u: it is not tested", rank);
}

static void
a_fork_holds_every_lock_and_lets_go_on_both_sides(void **state)
{
	unsigned rank = 0, n;
	pid_t child;

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		use_from_threads();
		nfree = ~0u;
		child = fork();
		if (child == 0)
			_exit(count_others(LOCK_FREE, &rank) == 0
				? 0
				: (int)rank + 1);
		n = count_others(LOCK_FREE, &rank);
		if (nfree != 0)
			fail_msg("%u locks were not held, one of rank %u",
			    nfree, free_rank);
		if (n != 0)
			fail_msg("%u locks stay held, one of rank %u", n, rank);
		assert_int_equal(end_of(child), 0);
	}
}

/* --- a thread that has the lock, whichever, when another forks ------------ */

static struct {
	struct lock *lock;
	_Atomic bool held, forked;
} holder;

/* Until the fork waits for it, or is over though it should have waited. */
static void *
hold_until_wanted(void *unused)
{
	lock_acquire(holder.lock);
	holder.held = true;
	while (!holder.forked && holder.lock->waiters == 0)
		sched_yield();
	lock_release(holder.lock);
	return unused;
}

static void
use_all_in_child(void)
{
	alarm(120);
	use_all();
	_exit(0);
}

static void
a_child_can_use_what_another_thread_was_busy_with(void **state)
{
	bool done[LOCK_RANKS] = { false };
	unsigned n = known.n;

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		pthread_t thread;
		pid_t child;

		if (done[known.rank[i]])
			continue;
		done[known.rank[i]] = true;
		holder.lock = known.lock[i];
		holder.held = holder.forked = false;
		/* A thread that starts may need it: it is there before. */
		assert_int_equal(pthread_create(&thread, NULL,
				     hold_until_wanted, NULL),
		    0);
		while (!holder.held)
			sched_yield();
		child = fork();
		holder.forked = true;
		if (child == 0)
			use_all_in_child();
		pthread_join(thread, NULL);
		if (end_of(child) != 0)
			fail_msg("a child can't go on: lock of rank %u",
			    known.rank[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lock_of_each_rank_is_known),
		cmocka_unit_test(
		    a_fork_holds_every_lock_and_lets_go_on_both_sides),
		cmocka_unit_test(
		    a_child_can_use_what_another_thread_was_busy_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
