/*
 * fault-workload: uses memory while system calls fail; run by faultrun.
 *
 * usage: fault-workload once|many
 *
 * Provokes: all entry points, with blocks from 1 byte to 24 MiB that grow,
 * shrink and go, in the main thread and in two others; a fork; enough freed
 * memory that some is given back.
 * Must hold: a request that fails gives NULL and ENOMEM and changes nothing
 * else, the same request then succeeds (`once`: one call fails in the whole
 * run) or may fail again (`many`); frees do not fail and keep errno; contents
 * are intact, calloc's memory is zero.
 */
#include "stress.h"

enum { NSLOTS = 120, NSTEPS = 1000, NLONG = 2500, NTHREADS = 2 };

struct block {
	char *start;
	size_t size;
};

static bool once;
static _Atomic unsigned nfailed;

/* One request, by the entry point `how`. */
static void *
request(unsigned how, struct block *old, size_t size)
{
	void *start = NULL;
	int error;

	switch (how) {
	case 0:
		return calloc(1, size);
	case 1:
		return aligned_alloc(4096, size);
	case 2:
		error = posix_memalign(&start, 256, size);
		errno = error != 0 ? error : errno;
		return error == 0 ? start : NULL;
	case 3:
		return realloc(old->start, size);
	default:
		return malloc(size);
	}
}

/* Repeats a request that has failed; NULL only if many may fail. */
static void *
request_twice(unsigned how, struct block *old, size_t size)
{
	void *start;

	errno = 0;
	start = hidden(request(how, old, size));
	if (start != NULL)
		return start;
	CHECK(errno == ENOMEM);
	atomic_fetch_add(&nfailed, 1);
	if (how == 3 && old->start != NULL)
		bytes_verify(old->start, old->size, old->size);
	errno = 0;
	start = hidden(request(how, old, size));
	if (start == NULL) {
		CHECK(errno == ENOMEM);
		if (once)
			stress_fail("%zu bytes can't be had again", size);
	}
	return start;
}

static void
block_release(struct block *block)
{
	if (block->start == NULL)
		return;
	bytes_verify(block->start, block->size, block->size);
	errno = EXDEV;
	free(block->start);
	CHECK(errno == EXDEV);
	block->start = NULL;
	block->size = 0;
}

static void
block_request(struct block *block, unsigned how, size_t size)
{
	size_t kept = block->size < size ? block->size : size;
	size_t old_size = block->size;
	char *start;

	if (how != 3)
		block_release(block);
	start = request_twice(how, block, size);
	if (start == NULL)
		return;
	if (how == 0)
		bytes_verify_zero(start, size);
	if (how == 3)
		bytes_verify(start, kept & ~(size_t)7, old_size);
	block->start = start;
	block->size = size;
	bytes_fill(start, size, size);
}

static size_t
pick_size(struct prng *prng)
{
	size_t draw = prng_below(prng, 1000);

	if (draw < 800)
		return 1 + prng_size(prng, 4096);
	if (draw < 980)
		return 1 + prng_size(prng, 200 * KIB);
	return draw < 998 ? 1 + prng_size(prng, 3 * MIB)
			  : 1 + prng_size(prng, 24 * MIB);
}

static void *
workload(void *argument)
{
	struct prng prng = { 5 + (uintptr_t)argument };
	struct block slots[NSLOTS] = { 0 };
	unsigned nsteps = stress_is_long() ? NLONG : NSTEPS;

	for (unsigned step = 0; step < nsteps; step++) {
		struct block *block = &slots[prng_below(&prng, NSLOTS)];
		unsigned how = (unsigned)prng_below(&prng, 6);

		if (prng_below(&prng, 4) == 0)
			block_release(block);
		else
			block_request(block, how, pick_size(&prng));
	}
	for (unsigned i = 0; i < NSLOTS; i++)
		block_release(&slots[i]);
	return NULL;
}

/* A thread's stack is mapped by the C library, and that may fail too. */
static void
workload_in_thread(uintptr_t seed)
{
	pthread_t id;

	if (pthread_create(&id, NULL, workload, (void *)seed) != 0) {
		atomic_fetch_add(&nfailed, 1);
		if (pthread_create(&id, NULL, workload, (void *)seed) != 0)
			return;
	}
	CHECK(pthread_join(id, NULL) == 0);
}

static void
workload_in_child(void)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return;
	if (pid == 0) {
		alarm(30 * STRESS_PATIENCE);
		workload((void *)(uintptr_t)9);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(status == 0);
}

int
main(int argc, char **argv)
{
	once = argc > 1 && strcmp(argv[1], "once") == 0;
	stress_watchdog(60);
	workload(NULL);
	for (uintptr_t i = 0; i < NTHREADS; i++)
		workload_in_thread(i);
	workload_in_child();
	workload((void *)(uintptr_t)77);
	/* A call may be tried again in other ways before the request fails. */
	if (once && nfailed > 1)
		stress_fail("%u requests failed for one call", nfailed);
	return 0;
}
