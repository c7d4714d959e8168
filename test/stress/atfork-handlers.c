/*
 * atfork-handlers: the program's own fork handlers allocate.
 *
 * Provokes: handlers registered from .preinit_array, before any library's
 * constructor ran, and others registered in main. Prepare handlers run in
 * reverse order and the others in order, so the early ones allocate and free
 * while an allocator that registered in between holds its locks. With and
 * without threads that are busy in the allocator.
 * Must hold: no hang, right contents, in prepare, parent and child.
 */
#include "stress.h"

enum { NBUSY = 3, NFORKS = 40, NSHORT = 15, NHELD = 40 };

struct handler_state {
	void *held[NHELD];
	size_t sizes[NHELD];
	unsigned ncalls;
};

static struct handler_state early, late;
static atomic_bool stop;

/* Frees what an earlier call left, and leaves blocks of many sizes. */
static void
handler_work(struct handler_state *state)
{
	struct prng prng = { ++state->ncalls };

	for (unsigned i = 0; i < NHELD; i++) {
		if (state->held[i] != NULL)
			bytes_verify(state->held[i], state->sizes[i], i);
		if (i % 3 == 1) {
			state->held[i] = realloc(state->held[i], 9000 + i);
		} else {
			free(state->held[i]);
			state->held[i] = NULL;
		}
		state->sizes[i] = i % 3 == 1 ? 9000 + i
		    : i == 0                 ? 300000
					     : prng_size(&prng, 40000);
		if (i % 3 != 1)
			state->held[i] = malloc(state->sizes[i]);
		needed(state->held[i]);
		bytes_fill(state->held[i], state->sizes[i], i);
	}
}

static void
early_handler(void)
{
	handler_work(&early);
}

static void
late_handler(void)
{
	handler_work(&late);
}

static void
register_early(void)
{
	pthread_atfork(early_handler, early_handler, early_handler);
}

__attribute__((section(".preinit_array"),
    used)) static void (*const preinit)(void) = register_early;

static void *
busy_work(void *argument)
{
	struct prng prng = { (uintptr_t)argument };

	do {
		size_t size = prng_size(&prng, 100000);
		char *block = needed(malloc(size + 1));

		block[size] = block[0] = 1;
		free(block);
	} while (!atomic_load(&stop));
	return NULL;
}

static void
fork_many(const char *what, unsigned nforks)
{
	for (unsigned i = 0; i < nforks; i++) {
		int status;
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0) {
			signal(SIGALRM, SIG_DFL);
			alarm(20 * STRESS_PATIENCE);
			early_handler();
			late_handler();
			if (i % 10 == 0) {
				atomic_store(&stop, true);
				thread_run(busy_work, NULL);
				if (fork() == 0)
					_exit(0);
				wait(NULL);
			}
			_exit(0);
		}
		while (waitpid(pid, &status, 0) < 0)
			CHECK(errno == EINTR);
		if (status != 0)
			stress_fail("%s: child %u has status %#x%s", what, i,
			    (unsigned)status,
			    WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM
				? " (hangs)"
				: "");
	}
}

int
main(int argc, char **argv)
{
	pthread_t busy[NBUSY];
	unsigned scale = stress_start(argc, argv, 60);
	unsigned nforks = stress_is_short(argc, argv) ? NSHORT : NFORKS * scale;

	pthread_atfork(late_handler, late_handler, late_handler);
	fork_many("one thread", nforks);
	CHECK(early.ncalls > 0 && late.ncalls > 0);
	for (unsigned i = 0; i < NBUSY; i++)
		CHECK(pthread_create(&busy[i], NULL, busy_work,
			  (void *)(uintptr_t)i) == 0);
	fork_many("busy threads", nforks);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < NBUSY; i++)
		CHECK(pthread_join(busy[i], NULL) == 0);
	return 0;
}
