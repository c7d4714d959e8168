/*
 * start-end: memory is needed before main and after it.
 *
 * Provokes: blocks taken in .preinit_array and in constructors of all
 * priorities live on through the run; more are taken in atexit and on_exit
 * handlers and destructors, while threads are busy; the process ends by
 * return, exit, quick_exit, _exit, and exit in another thread, many times.
 * Must hold: contents are intact, the exit status is right, all output that
 * was buffered arrives, and nothing hangs.
 */
#include "stress.h"

enum { NSTAGES = 12, NROUNDS = 8, STATUS = 33 };

struct held {
	char *start;
	size_t size;
};

static struct held stages[NSTAGES];
static unsigned nstages;
static bool in_case; /* a child whose end is tested */

/* Checks what all earlier stages have left, then leaves something. */
static void
stage(void)
{
	for (unsigned i = 0; i < nstages; i++)
		bytes_verify(stages[i].start, stages[i].size, i);
	if (nstages == NSTAGES)
		return;
	stages[nstages].size = 100 + nstages * 9000;
	stages[nstages].start = needed(malloc(stages[nstages].size));
	bytes_fill(stages[nstages].start, stages[nstages].size, nstages);
	nstages++;
	free(needed(calloc(100, 77)));
	free(needed(realloc(needed(malloc(10)), 100000)));
}

__attribute__((section(".preinit_array"),
    used)) static void (*const preinit)(void) = stage;

__attribute__((constructor(101))) static void
first_constructor(void)
{
	stage();
}

__attribute__((constructor)) static void
last_constructor(void)
{
	stage();
}

__attribute__((destructor)) static void
first_destructor(void)
{
	stage();
}

__attribute__((destructor(101))) static void
last_destructor(void)
{
	stage();
	if (in_case && write(2, "end\n", 4) != 4)
		_exit(3);
}

static void
at_exit(void)
{
	stage();
}

static void
at_quick_exit_handler(void)
{
	stage();
	if (write(2, "end\n", 4) != 4)
		_exit(3);
}

static void
on_exit_handler(int status, void *argument)
{
	CHECK(status == STATUS);
	bytes_verify(argument, 500, 9);
	free(argument);
	stage();
}

static void *
busy_work(void *argument)
{
	struct prng prng = { (uintptr_t)argument };

	for (;;) {
		size_t size = prng_size(&prng, 100000);
		char *block = malloc(size + 1);

		if (block != NULL)
			block[size] = block[0] = 1;
		free(block);
	}
	return NULL;
}

static void *
exit_in_thread(void *argument)
{
	exit((int)(uintptr_t)argument);
}

static void
end_by(void *argument)
{
	char *block = needed(malloc(500));
	pthread_t id;

	in_case = true;
	bytes_fill(block, 500, 9);
	on_exit(on_exit_handler, block);
	atexit(at_exit);
	at_quick_exit(at_quick_exit_handler);
	for (uintptr_t i = 0; i < 3; i++)
		CHECK(pthread_create(&id, NULL, busy_work, (void *)i) == 0);
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	dup2(2, 1);
	printf("buffered output");
	switch (*(const char *)argument) {
	case 'e':
		exit(STATUS);
	case 'q':
		quick_exit(STATUS);
	case '_':
		_exit(STATUS);
	case 't':
		pthread_create(&id, NULL, exit_in_thread,
		    (void *)(uintptr_t)STATUS);
		pause();
	}
}

static void
case_run(char *how)
{
	static struct child child;
	bool full = *how == 'e' || *how == 't';

	child_run(&child, end_by, how, 20);
	if (!WIFEXITED(child.status) || WEXITSTATUS(child.status) != STATUS)
		stress_fail("%s: status %#x: %.300s", how,
		    (unsigned)child.status, child.text);
	if (full && strstr(child.text, "buffered output") == NULL)
		stress_fail("%s: buffered output is lost: %.200s", how,
		    child.text);
	if (*how != '_' && strstr(child.text, "end\n") == NULL)
		stress_fail("%s: the last handler did not run: %.200s", how,
		    child.text);
}

int
main(int argc, char **argv)
{
	unsigned scale = stress_start(argc, argv, 60);

	stage();
	CHECK(nstages == 4);
	for (unsigned round = 0; round < NROUNDS * scale; round++) {
		case_run("exit");
		case_run("quick_exit");
		case_run("_exit");
		case_run("thread exit");
	}
	return 0;
}
