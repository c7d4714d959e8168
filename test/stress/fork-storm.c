/*
 * fork-storm: forks while other threads are in the allocator.
 *
 * Provokes: 4 threads that allocate and free without pause, and 25 forks
 * beside them. Each child frees, resizes and reads blocks of the parent, does
 * work of its own, starts threads, uses mallctl where there is one, and forks
 * again. Then two threads fork at once, and a thread forks as its first act.
 * Must hold: no child hangs or finds wrong bytes, and the parent's blocks are
 * intact afterwards.
 */
#include "stress.h"

enum {
	NBUSY = 4,
	/* Of each: five times as many, but if it is to be short. */
	NFORKS = 5,
	NTWO = 2,
	NFRESH = 1,
	FULL = 5,
	NBLOCKS = 600,
	CHILD_SECONDS = 20
};

struct block {
	char *start;
	size_t size;
};

static struct block blocks[NBLOCKS];
static atomic_bool stop;
static unsigned scale;

static void
blocks_take(struct block *list, unsigned nblocks, struct prng *prng)
{
	for (unsigned i = 0; i < nblocks; i++) {
		list[i].size = prng_below(prng, 20) == 0
		    ? prng_size(prng, MIB)
		    : prng_size(prng, 4096);
		list[i].start = needed(malloc(list[i].size));
		bytes_fill(list[i].start, list[i].size, i);
	}
}

static void
blocks_verify(const struct block *list, unsigned nblocks)
{
	for (unsigned i = 0; i < nblocks; i++)
		bytes_verify(list[i].start, list[i].size, i);
}

static void
blocks_free(struct block *list, unsigned nblocks)
{
	blocks_verify(list, nblocks);
	for (unsigned i = 0; i < nblocks; i++)
		free(list[i].start);
}

static void
workload(uint64_t seed)
{
	struct prng prng = { seed };
	struct block own[60];

	for (unsigned round = 0; round < 10; round++) {
		blocks_take(own, 60, &prng);
		blocks_free(own, 60);
	}
}

static void *
busy_work(void *argument)
{
	struct prng prng = { 1000 + (uintptr_t)argument };
	struct block own[40];

	while (!atomic_load(&stop)) {
		blocks_take(own, 40, &prng);
		blocks_free(own, 40);
	}
	return NULL;
}

static void *
thread_in_child(void *argument)
{
	workload((uintptr_t)argument);
	return NULL;
}

/* All of these may be missing or refused, but must come back. */
static void
use_mallctl(void)
{
	uint64_t epoch = 1;
	unsigned arena;
	size_t size = sizeof(arena);

	control("epoch", NULL, NULL, &epoch, sizeof(epoch));
	control("arena.4096.purge", NULL, NULL, NULL, 0);
	control("arena.0.decay", NULL, NULL, NULL, 0);
	control("thread.tcache.flush", NULL, NULL, NULL, 0);
	control("arenas.create", &arena, &size, NULL, 0);
}

static void
wait_for(pid_t pid, const char *what)
{
	int status;

	if (pid < 0)
		stress_fail("%s: fork: %s", what, strerror(errno));
	while (waitpid(pid, &status, 0) < 0)
		CHECK(errno == EINTR);
	if (WIFSIGNALED(status))
		stress_fail("%s: killed by signal %d%s", what, WTERMSIG(status),
		    WTERMSIG(status) == SIGALRM ? " (hangs)" : "");
	if (WEXITSTATUS(status) != 0)
		stress_fail("%s: status %d", what, WEXITSTATUS(status));
}

static void
child_uses_parents_blocks(uint64_t seed)
{
	blocks_verify(blocks, NBLOCKS);
	for (unsigned i = 0; i < NBLOCKS; i += 3) {
		free(blocks[i].start);
		blocks[i].start = NULL;
	}
	for (unsigned i = 1; i < NBLOCKS; i += 3) {
		size_t size = blocks[i].size;
		char *moved = needed(realloc(blocks[i].start, size + 5000));

		bytes_verify(moved, size & ~(size_t)7, i);
		free(moved);
	}
	for (unsigned i = 2; i < NBLOCKS; i += 3)
		bytes_verify(blocks[i].start, blocks[i].size, i);
	workload(seed);
}

static void
child_work(uint64_t seed)
{
	pid_t grandchild;

	child_uses_parents_blocks(seed);
	threads_run(3, thread_in_child);
	use_mallctl();
	grandchild = fork();
	if (grandchild == 0) {
		child_starts(CHILD_SECONDS);
		workload(seed + 1);
		threads_run(2, thread_in_child);
		_exit(0);
	}
	wait_for(grandchild, "grandchild");
	workload(seed + 2);
}

static void
fork_once(uint64_t seed, const char *what)
{
	pid_t pid = fork();

	if (pid == 0) {
		child_starts(CHILD_SECONDS);
		child_work(seed);
		_exit(0);
	}
	wait_for(pid, what);
}

static void *
forking_work(void *argument)
{
	for (unsigned i = 0; i < NTWO * scale; i++)
		fork_once(i + (uintptr_t)argument, "one of two that fork");
	return NULL;
}

static void *
forks_first(void *argument)
{
	fork_once((uintptr_t)argument, "fork in a fresh thread");
	return NULL;
}

int
main(int argc, char **argv)
{
	struct prng prng = { 7 };
	pthread_t busy[NBUSY];

	scale = stress_start(argc, argv, 100) *
	    (stress_is_short(argc, argv) ? 1 : FULL);
	blocks_take(blocks, NBLOCKS, &prng);
	for (unsigned i = 0; i < NBUSY; i++)
		CHECK(pthread_create(&busy[i], NULL, busy_work,
			  (void *)(uintptr_t)i) == 0);
	for (unsigned i = 0; i < NFORKS * scale; i++)
		fork_once(i, "child");
	threads_run(2, forking_work);
	for (unsigned i = 0; i < NFRESH * scale; i++)
		thread_run(forks_first, (void *)(uintptr_t)i);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < NBUSY; i++)
		CHECK(pthread_join(busy[i], NULL) == 0);
	blocks_free(blocks, NBLOCKS);
	return 0;
}
