/*
 * A process for test/integration/jeheap.py that notices each signal it loses.
 * usage: signalled [leader-ends]
 * Threads send themselves one signal after the other until standard input
 * ends; then it prints how many were lost. With an argument its first thread
 * has ended by then.
 */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NTHREADS = 8 };

static __thread volatile sig_atomic_t got;
static _Atomic bool ends;
static _Atomic long lost;

static void
count(int number)
{
	(void)number;
	got++;
}

static void *
raise_signals(void *unused)
{
	while (!ends) {
		int before = got;

		raise(SIGUSR1);
		lost += got != before + 1;
	}
	return unused;
}

static void *
wait_for_end(void *unused)
{
	pthread_t thread[NTHREADS];

	free(malloc(100));
	for (int i = 0; i < NTHREADS; i++)
		if (pthread_create(&thread[i], NULL, raise_signals, NULL) != 0)
			_exit(1);
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		continue;
	ends = true;
	for (int i = 0; i < NTHREADS; i++)
		pthread_join(thread[i], NULL);
	printf("lost %ld\n", lost);
	fflush(stdout);
	_exit(0);
	return unused;
}

int
main(int argc, char **argv)
{
	pthread_t thread;

	(void)argv;
	signal(SIGUSR1, count);
	if (argc == 1)
		wait_for_end(NULL);
	if (pthread_create(&thread, NULL, wait_for_end, NULL) != 0)
		return 1;
	pthread_exit(NULL);
}
