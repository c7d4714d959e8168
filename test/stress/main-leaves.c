/*
 * main-leaves: the main thread ends by pthread_exit while others run on.
 *
 * Provokes: the thread that has started the allocator, and holds blocks, is
 * gone; others free its blocks, start more threads, fork, and end the
 * process by exit, which runs handlers that allocate.
 * Must hold: all goes on as usual, and the exit status is that of exit.
 */
#include "stress.h"

enum { NBLOCKS = 2000, NROUNDS = 10, NSHORT = 4, STATUS = 42 };

static char *blocks[NBLOCKS];

static void
at_exit(void)
{
	char *block = needed(malloc(5000));

	bytes_fill(block, 5000, 1);
	bytes_verify(block, 5000, 1);
	free(block);
	/* The last word: main itself can't say it any more. */
	_exit(STATUS);
}

static void *
allocate_some(void *argument)
{
	struct prng prng = { (uintptr_t)argument };

	for (unsigned i = 0; i < 20000; i++) {
		size_t size = prng_size(&prng, 20000);
		char *block = needed(malloc(size + 1));

		block[0] = block[size] = 1;
		free(block);
	}
	return NULL;
}

static void *
survive(void *argument)
{
	int status;
	pid_t pid;

	(void)argument;
	pthread_join(*(pthread_t *)argument, NULL);
	for (unsigned i = 0; i < NBLOCKS; i++) {
		bytes_verify(blocks[i], 10 + i * 7, i);
		if (i % 2 == 0)
			blocks[i] = needed(realloc(blocks[i], 40000));
		free(blocks[i]);
	}
	threads_run(4, allocate_some);
	pid = fork();
	if (pid == 0) {
		alarm(20 * STRESS_PATIENCE);
		allocate_some(NULL);
		threads_run(2, allocate_some);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	exit(1); /* at_exit makes it STATUS */
}

static void
leave(void *argument)
{
	static pthread_t self;
	pthread_t id;

	(void)argument;
	self = pthread_self();
	for (unsigned i = 0; i < NBLOCKS; i++) {
		blocks[i] = needed(malloc(10 + i * 7));
		bytes_fill(blocks[i], 10 + i * 7, i);
	}
	atexit(at_exit);
	CHECK(pthread_create(&id, NULL, survive, &self) == 0);
	pthread_exit(NULL);
}

int
main(int argc, char **argv)
{
	unsigned scale = stress_start(argc, argv, 60);
	unsigned nrounds = stress_is_short(argc, argv) ? NSHORT
						       : NROUNDS * scale;

	for (unsigned i = 0; i < nrounds; i++) {
		static struct child child;

		child_run(&child, leave, NULL, 30);
		if (!WIFEXITED(child.status) ||
		    WEXITSTATUS(child.status) != STATUS)
			stress_fail("status %#x: %s", (unsigned)child.status,
			    child.text);
	}
	return 0;
}
