/*
 * queue: producers and one consumer, with as much alive as ever.
 *
 * usage: queue [producers] [scale] [minutes]
 *
 * Producers hand blocks of typical sizes to one consumer, who frees the
 * oldest as soon as more than 370 MiB are alive. All memory flows one way for
 * minutes; what is resident, as a multiple of what is alive, says whether it
 * comes back to those who need it.
 */
#include "bench.h"
#include "watch.h"

#define LIVE_BYTES ((uint64_t)370 << 20)

enum { CHUNK = 512, DEPTH = 1 << 16 };

struct chunk {
	void *block[CHUNK];
	uint32_t size[CHUNK];
};

static struct {
	pthread_mutex_t lock; /* protects all that follows */
	pthread_cond_t room, work;
	struct chunk *ring[DEPTH];
	uint64_t put, taken; /* chunks so far */
	uint64_t bytes;      /* in chunks that are in the ring */
	uint64_t nblocks;
	bool over;
} queue = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.room = PTHREAD_COND_INITIALIZER,
	.work = PTHREAD_COND_INITIALIZER };

static uint64_t live_bytes;

static void *
produce(void *argument)
{
	struct prng prng = { (uintptr_t)argument };

	for (;;) {
		struct chunk *chunk = block_need(malloc(sizeof(*chunk)));
		uint64_t bytes = sizeof(*chunk);
		bool over;

		for (unsigned i = 0; i < CHUNK; i++) {
			chunk->size[i] = (uint32_t)size_typical(&prng);
			chunk->block[i] = block_need(malloc(chunk->size[i]));
			memset(chunk->block[i], 1, chunk->size[i]);
			bytes += chunk->size[i];
		}
		pthread_mutex_lock(&queue.lock);
		/* The consumer keeps up: at most a few chunks too many. */
		while (!queue.over && queue.bytes > live_bytes + (4 << 20))
			pthread_cond_wait(&queue.room, &queue.lock);
		queue.ring[queue.put++ % DEPTH] = chunk;
		queue.bytes += bytes;
		queue.nblocks += CHUNK;
		over = queue.over;
		pthread_cond_signal(&queue.work);
		pthread_mutex_unlock(&queue.lock);
		if (over)
			return NULL;
	}
}

static void *
consume(void *argument)
{
	(void)argument;
	pthread_mutex_lock(&queue.lock);
	while (!queue.over) {
		uint64_t bytes = sizeof(struct chunk);
		struct chunk *chunk;

		if (queue.bytes <= live_bytes) {
			pthread_cond_wait(&queue.work, &queue.lock);
			continue;
		}
		chunk = queue.ring[queue.taken++ % DEPTH];
		pthread_mutex_unlock(&queue.lock);
		for (unsigned i = 0; i < CHUNK; i++) {
			bytes += chunk->size[i];
			free(chunk->block[i]);
		}
		free(chunk);
		pthread_mutex_lock(&queue.lock);
		queue.bytes -= bytes;
		pthread_cond_broadcast(&queue.room);
	}
	pthread_mutex_unlock(&queue.lock);
	return NULL;
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("queue", 4, argc, argv);
	double minutes = argc > 3 ? atof(argv[3]) : 10, live, most = 0;
	double sum = 0, start = clock_seconds();
	unsigned nsamples = 0;
	pthread_t consumer, id;

	live_bytes = scale_count(bench.scale, LIVE_BYTES);
	live = (double)live_bytes / (1 << 20);
	for (unsigned i = 0; i < bench.nthreads; i++)
		if (pthread_create(&id, NULL, produce, (void *)(i + 1ul)) != 0)
			bench_die("no thread");
	if (pthread_create(&consumer, NULL, consume, NULL) != 0)
		bench_die("no thread");
	while (clock_seconds() - start < minutes * 60) {
		double now;

		watch_sleep(0.2);
		now = memory_now_mib() / live;
		most = now > most ? now : most;
		sum += now;
		nsamples++;
	}
	pthread_mutex_lock(&queue.lock);
	figure("million-blocks", (double)queue.nblocks / 1e6);
	pthread_mutex_unlock(&queue.lock);
	figure("mean-rss/live", sum / nsamples);
	figure("peak-rss/live", most);
	_exit(0);
}
