/*
 * idle: a peak, then threads that sleep.
 *
 * usage: idle [threads] [scale] [seconds of the decay]
 *
 * Each thread takes its part of 256 MiB that stay, then of 1 GiB of blocks of
 * typical sizes, frees the latter and sleeps in poll. What is resident then,
 * as a multiple of what was before the peak, says whether memory goes back
 * by itself; switches of threads and CPU time say what the process does while
 * nobody asks for anything. Then the main thread allocates once.
 */
#include "bench.h"
#include "watch.h"

#include <poll.h>

#define LIVE_BYTES ((uint64_t)256 << 20)
#define PEAK_BYTES ((uint64_t)1 << 30)

struct chain {
	struct chain *next;
};

static pthread_barrier_t step;
static uint64_t live_share, peak_share;

static struct chain *
take(struct prng *prng, uint64_t bytes)
{
	struct chain *list = NULL;

	for (uint64_t sum = 0; sum < bytes;) {
		size_t size = size_typical(prng);
		struct chain *block = block_need(malloc(size));

		memset(block, 1, size);
		block->next = list;
		list = block;
		sum += size;
	}
	return list;
}

static void *
work(void *argument)
{
	struct prng prng = { (uintptr_t)argument };
	struct chain *live = take(&prng, live_share), *next;

	pthread_barrier_wait(&step);
	pthread_barrier_wait(&step);
	for (struct chain *list = take(&prng, peak_share); list != NULL;
	     list = next) {
		next = list->next;
		free(list);
	}
	pthread_barrier_wait(&step);
	poll(NULL, 0, -1);
	return live;
}

_Noreturn static void
subject(struct watch *watch, const struct bench *bench)
{
	pthread_t id;

	pthread_barrier_init(&step, NULL, bench->nthreads + 1);
	for (unsigned i = 0; i < bench->nthreads; i++)
		if (pthread_create(&id, NULL, work, (void *)(i + 1ul)) != 0)
			bench_die("no thread");
	pthread_barrier_wait(&step);
	watch_pass(watch); /* the live set is there */
	pthread_barrier_wait(&step);
	pthread_barrier_wait(&step);
	watch_pass(watch); /* the peak is over */
	free(block_need(malloc(1 << 20)));
	watch_pass(watch);
	poll(NULL, 0, -1);
	_exit(0);
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("idle", 16, argc, argv);
	double decay = argc > 3 ? atof(argv[3]) : 10, live;
	struct watch watch = watch_start();
	unsigned long switches, cpu_ns;

	live_share = scale_count(bench.scale, LIVE_BYTES) / bench.nthreads;
	peak_share = scale_count(bench.scale, PEAK_BYTES) / bench.nthreads;
	if (watch.subject == 0)
		subject(&watch, &bench);
	watch_wait(&watch);
	live = watch_rss_mib(&watch);
	figure("live-MiB", live);
	watch_pass(&watch);
	figure("just-freed/live", watch_rss_mib(&watch) / live);
	watch_settle(&watch, decay + 1);
	figure("asleep/live", watch_rss_mib(&watch) / live);
	switches = watch_switches(&watch);
	cpu_ns = watch_cpu_ns(&watch);
	watch_sleep(decay);
	figure("switches-asleep", (double)(watch_switches(&watch) - switches));
	figure("cpu-us-asleep", (double)(watch_cpu_ns(&watch) - cpu_ns) / 1000);
	watch_pass(&watch);
	watch_settle(&watch, 1);
	figure("after-one-call/live", watch_rss_mib(&watch) / live);
	watch_end(&watch);
	return 0;
}
