/*
 * clone-child: a child that clone() makes ends when its function returns.
 *
 * Provokes: clone() without fork handlers; the child allocates, alone and with
 * threads of its own, and its function returns. Then the C library ends only
 * that thread: a thread of the allocator would keep the process for ever. With
 * each setting of background_thread, in a parent that has allocated or not.
 * Must hold: the child ends, with the status that its function returns.
 */
#include "stress.h"

#include <sched.h>

enum { STACK = 256 * KIB, STATUS = 7, NBLOCKS = 3000, LIMIT_S = 20 };

static void *
allocate(void *argument)
{
	char **blocks = needed(malloc(NBLOCKS * sizeof(*blocks)));

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < NBLOCKS; i++) {
			size_t size = i % 50 == 0 ? 200 * KIB : i;

			blocks[i] = needed(malloc(size + 1));
			blocks[i][0] = blocks[i][size] = 1;
		}
		for (unsigned i = 0; i < NBLOCKS; i++)
			free(blocks[i]);
	}
	free(blocks);
	return argument;
}

static int
child(void *with_threads)
{
	alarm(LIMIT_S * STRESS_PATIENCE);
	allocate(NULL);
	if (with_threads != NULL)
		threads_run(2, allocate);
	return STATUS;
}

static void
try_clone(bool with_threads)
{
	/* Not of ours: the parent has done as little as it can. */
	static char stack[STACK] __attribute__((aligned(64)));
	int status = 0;
	pid_t pid = clone(child, stack + STACK, SIGCHLD,
	    with_threads ? stack : NULL);

	CHECK(pid > 0);
	CHECK(waitpid(pid, &status, 0) == pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != STATUS)
		stress_fail("a child%s: status %#x",
		    with_threads ? " with threads" : "", (unsigned)status);
}

int
main(int argc, char **argv)
{
	static const char *const confs[] = { "background_thread:true",
		"background_thread:true,dirty_decay_ms:0", "" };

	stress_start(argc, argv, 60);
	for (unsigned i = 0; getenv("CLONE_CHILD") == NULL &&
	     i < sizeof(confs) / sizeof(*confs);
	     i++)
		stress_start_again(argv, "CLONE_CHILD", "1", confs[i]);
	try_clone(false);
	try_clone(true);
	allocate(NULL);
	try_clone(false);
	try_clone(true);
	return 0;
}
