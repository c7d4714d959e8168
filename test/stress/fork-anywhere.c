/*
 * fork-anywhere: fork() where programs call it, beside what they do meanwhile.
 *
 * Provokes: a thread forks while others flush all streams, read lines of a file
 * that are longer and longer, and a stream calls a function of the program that
 * allocates. Then, with one thread, a signal handler forks while the program is
 * in the middle of malloc() and free(); handlers and both processes go on.
 * Must hold: no hang, right contents, in the parent and in each child.
 */
#include "stress.h"

#include <sys/time.h>

enum { LINES = 100, NSLOTS = 64, MICROSECONDS = 700 };

static atomic_bool stop;
static char path[] = "fork-anywhere.XXXXXX";

/* --- beside streams ------------------------------------------------------- */

static void
write_lines(void)
{
	int fd = mkstemp(path);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	CHECK(file != NULL);
	for (unsigned i = 1; i <= LINES; i++)
		fprintf(file, "%*u\n", (int)(i * 1200), i);
	CHECK(fclose(file) == 0);
}

static void *
read_lines(void *unused)
{
	while (!stop) {
		FILE *file = fopen(path, "r");
		char *line = NULL;
		size_t size = 0;
		unsigned n = 0;

		CHECK(file != NULL);
		while (getline(&line, &size, file) > 0) {
			CHECK(atoi(line) == (int)++n);
			free(line);
			line = NULL;
			size = 0;
		}
		CHECK(n == LINES);
		free(line);
		fclose(file);
	}
	return unused;
}

static ssize_t
take_and_give(void *cookie, const char *data, size_t size)
{
	char *copy = malloc(size);

	(void)cookie;
	CHECK(copy != NULL);
	memcpy(copy, data, size);
	free(copy);
	return (ssize_t)size;
}

static void *
flush_all(void *unused)
{
	cookie_io_functions_t functions = { .write = take_and_give };
	FILE *file = fopencookie(NULL, "w", functions);

	CHECK(file != NULL);
	while (!stop) {
		fputs("some text", file);
		fflush(NULL);
	}
	fclose(file);
	return unused;
}

static void
fork_once(void)
{
	int status;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		free(needed(malloc(100000)));
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void
beside_streams(unsigned forks)
{
	pthread_t thread[3];

	write_lines();
	stop = false;
	CHECK(pthread_create(&thread[0], NULL, read_lines, NULL) == 0);
	CHECK(pthread_create(&thread[1], NULL, flush_all, NULL) == 0);
	CHECK(pthread_create(&thread[2], NULL, flush_all, NULL) == 0);
	for (unsigned i = 0; i < forks; i++)
		fork_once();
	stop = true;
	for (unsigned i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	unlink(path);
}

/* --- in a signal handler -------------------------------------------------- */

static volatile sig_atomic_t nforks, nuses, nuses_before;
static volatile bool is_child;

/*
 * Allocates nothing itself. A fork may take longer than the timer, so the next
 * signal may come at once, again and again. So what is interrupted has to go on
 * before the next fork.
 */
static void
fork_here(int signal)
{
	int saved = errno, status;
	bool went_on = nuses != nuses_before;
	pid_t child = is_child || !went_on ? -1 : fork();

	(void)signal;
	nuses_before = nuses;
	if (child == 0) {
		is_child = true;
	} else if (child > 0) {
		if (waitpid(child, &status, 0) != child || status != 0)
			_exit(3);
		nforks = nforks + 1;
	}
	errno = saved;
}

static void
use_heap(struct prng *prng, unsigned char **slot, size_t *size)
{
	unsigned i = (unsigned)prng_below(prng, NSLOTS);

	if (slot[i] != NULL) {
		for (size_t k = 0; k < size[i]; k += size[i] / 3 + 1)
			CHECK(slot[i][k] == i);
		free(slot[i]);
		slot[i] = NULL;
		return;
	}
	size[i] = 1 +
	    prng_below(prng, prng_below(prng, 8) == 0 ? 200000 : 3000);
	slot[i] = needed(malloc(size[i]));
	memset(slot[i], (int)i, size[i]);
}

static void
in_a_handler(unsigned forks)
{
	static unsigned char *slot[NSLOTS];
	static size_t size[NSLOTS];
	struct sigaction action = { .sa_handler = fork_here };
	struct itimerval often = { { 0, MICROSECONDS }, { 0, MICROSECONDS } };
	struct prng prng = { 1 };

	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	while ((unsigned)nforks < forks && !is_child) {
		use_heap(&prng, slot, &size[0]);
		nuses = (nuses + 1) % 1000000;
	}
	/* Each child goes on where it was, without its parent's timer. */
	if (is_child) {
		for (unsigned i = 0; i < 50; i++)
			use_heap(&prng, slot, &size[0]);
		_exit(0);
	}
	memset(&often, 0, sizeof(often));
	setitimer(ITIMER_REAL, &often, NULL);
}

int
main(int argc, char **argv)
{
	unsigned scale = stress_start(argc, argv, 120);
	pid_t child;
	int status;

	/* The alarm of this test is the other one's signal. */
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		in_a_handler(100 * scale);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	if (status != 0)
		stress_fail("fork in a handler: status %#x", (unsigned)status);
	beside_streams(100 * scale);
	return 0;
}
