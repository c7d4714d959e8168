/*
 * spawn: other programs are started while threads allocate.
 *
 * Provokes: posix_spawn, system, popen and vfork with exec, 40 times each, or
 * 10 if it is to be short, beside 3 busy threads. A child made by vfork shares
 * the parent's memory and runs no fork handler.
 * Must hold: all output arrives, and the parent's blocks are intact.
 */
#include "stress.h"

#include <spawn.h>

enum { NBUSY = 3, NROUNDS = 10, FULL = 4, NBLOCKS = 500 };

extern char **environ;

static atomic_bool stop;
static char *blocks[NBLOCKS];

static void *
busy_work(void *argument)
{
	struct prng prng = { (uintptr_t)argument };

	while (!atomic_load(&stop)) {
		size_t size = prng_size(&prng, 200000);
		char *block = needed(malloc(size + 1));

		block[size] = block[0] = 1;
		free(block);
	}
	return NULL;
}

static void
check_exit(pid_t pid, int wanted)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		CHECK(errno == EINTR);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == wanted);
}

static void
use_popen(unsigned round)
{
	char text[64], want[64];
	FILE *stream;

	snprintf(want, sizeof(want), "echo round %u", round);
	stream = popen(want, "r");
	CHECK(stream != NULL);
	CHECK(fgets(text, sizeof(text), stream) != NULL);
	CHECK(strncmp(text, want + 5, strlen(want + 5)) == 0);
	CHECK(pclose(stream) == 0);
}

static void
use_spawn(void)
{
	char *command[] = { "sh", "-c", "exit 7", NULL };
	pid_t pid;

	CHECK(posix_spawnp(&pid, "sh", NULL, NULL, command, environ) == 0);
	check_exit(pid, 7);
}

static void
use_vfork(void)
{
	char *const command[] = { "sh", "-c", "exit 8", NULL };
	pid_t pid = vfork();

	if (pid == 0) {
		execve("/bin/sh", command, environ);
		_exit(1);
	}
	CHECK(pid > 0);
	check_exit(pid, 8);
}

int
main(int argc, char **argv)
{
	unsigned scale = stress_start(argc, argv, 60) *
	    (stress_is_short(argc, argv) ? 1 : FULL);
	pthread_t busy[NBUSY];

	for (unsigned i = 0; i < NBLOCKS; i++) {
		blocks[i] = needed(malloc(i * 20));
		bytes_fill(blocks[i], i * 20, i);
	}
	for (unsigned i = 0; i < NBUSY; i++)
		CHECK(pthread_create(&busy[i], NULL, busy_work,
			  (void *)(uintptr_t)i) == 0);
	for (unsigned round = 0; round < NROUNDS * scale; round++) {
		use_popen(round);
		use_spawn();
		use_vfork();
		CHECK(WEXITSTATUS(system("exit 5")) == 5);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < NBUSY; i++)
		CHECK(pthread_join(busy[i], NULL) == 0);
	for (unsigned i = 0; i < NBLOCKS; i++) {
		bytes_verify(blocks[i], i * 20, i);
		free(blocks[i]);
	}
	return 0;
}
