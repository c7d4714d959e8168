/*
 * sleepers: what is left of many threads that allocated once.
 *
 * usage: sleepers [threads] [scale] [seconds]
 *
 * Each thread takes 1 MiB in one block (scale 0.5: in blocks of typical
 * sizes), uses it, frees it and sleeps. The figure is what is resident some
 * seconds later beyond what the threads had before they allocated: their
 * stacks are not counted.
 */
#include "bench.h"
#include "watch.h"

#include <poll.h>

enum { BYTES = 1 << 20, THREADS_MOST = 32768 };

static pthread_barrier_t step;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static bool typical;

static void
use_once(struct prng *prng)
{
	void *block[BYTES / 64];
	unsigned n = 0;

	/* Ten thousand at once would be a peak of 10 GiB. */
	pthread_mutex_lock(&turn);
	for (size_t sum = 0; sum < BYTES && n < BYTES / 64; n++) {
		size_t size = typical ? size_typical(prng) : BYTES;

		block[n] = block_need(malloc(size));
		memset(block[n], 1, size);
		sum += size;
	}
	while (n > 0)
		free(block[--n]);
	pthread_mutex_unlock(&turn);
}

/* Both ways through this function touch the same pages of the stack. */
static void
use_stack(void)
{
	volatile char pages[BYTES / 64 * sizeof(void *) + 8192];

	for (size_t i = 0; i < sizeof(pages); i += 1024)
		pages[i] = 1;
}

static void *
work(void *argument)
{
	struct prng prng = { (uintptr_t)argument };

	use_stack();
	pthread_barrier_wait(&step);
	pthread_barrier_wait(&step);
	use_once(&prng);
	pthread_barrier_wait(&step);
	poll(NULL, 0, -1);
	return NULL;
}

_Noreturn static void
subject(struct watch *watch, unsigned nthreads)
{
	pthread_attr_t attr;
	pthread_t id;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 512 << 10);
	pthread_barrier_init(&step, NULL, nthreads + 1);
	for (unsigned i = 0; i < nthreads; i++)
		if (pthread_create(&id, &attr, work, (void *)(i + 1ul)) != 0)
			bench_die("no thread");
	pthread_barrier_wait(&step);
	watch_pass(watch);
	pthread_barrier_wait(&step);
	pthread_barrier_wait(&step);
	watch_pass(watch);
	_exit(0);
}

int
main(int argc, char **argv)
{
	unsigned nthreads = argc > 1 ? (unsigned)atoi(argv[1]) : 10000;
	double seconds = argc > 3 ? atof(argv[3]) : 5, before;
	struct watch watch;

	if (nthreads == 0 || nthreads > THREADS_MOST)
		bench_die("usage: sleepers [threads] [scale] [seconds]");
	typical = argc > 2 && atof(argv[2]) < 1;
	watch = watch_start();
	if (watch.subject == 0)
		subject(&watch, nthreads);
	watch_wait(&watch);
	before = watch_rss_mib(&watch);
	watch_pass(&watch);
	figure("at-once-KiB",
	    (watch_rss_mib(&watch) - before) * 1024 / nthreads);
	watch_settle(&watch, seconds);
	figure("asleep-KiB",
	    (watch_rss_mib(&watch) - before) * 1024 / nthreads);
	watch_end(&watch);
	return 0;
}
