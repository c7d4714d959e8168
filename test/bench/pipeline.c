/*
 * pipeline: one thread allocates, another one frees.
 *
 * Messages go through a bounded queue in chunks; the threads are the number
 * of producers, each with a consumer of its own. All memory flows one way, so
 * the figure shows the price of handing blocks back to where they came from,
 * and peak/live shows whether blocks pile up on the consumer's side.
 */
#include "bench.h"

enum { CHUNK = 128, DEPTH = 64 };

struct message {
	uint32_t body_size;
	uint32_t tag;
	void *body;
};

struct queue {
	pthread_mutex_t lock; /* protects all that follows */
	pthread_cond_t moved;
	unsigned head, tail; /* chunks put and taken so far */
	struct message *chunks[DEPTH][CHUNK];
};

static struct queue queues[BENCH_THREADS_MAX / 2];
static uint64_t nchunks;
static _Atomic size_t live_now, live_peak;

static void
live_add(size_t bytes)
{
	size_t now = atomic_fetch_add(&live_now, bytes) + bytes;
	size_t peak = atomic_load(&live_peak);

	while (now > peak &&
	    !atomic_compare_exchange_weak(&live_peak, &peak, now))
		;
}

static struct message *
message_create(struct prng *prng, uint32_t tag)
{
	struct message *message = block_need(malloc(sizeof(*message)));

	message->body_size = (uint32_t)size_typical(prng);
	message->tag = tag;
	message->body = block_need(malloc(message->body_size));
	block_touch(message->body, message->body_size, tag);
	return message;
}

static void
message_destroy(struct message *message)
{
	block_check(message->body, message->body_size, message->tag);
	free(message->body);
	free(message);
}

static void
produce(struct queue *queue, struct prng *prng)
{
	for (uint64_t n = 0; n < nchunks; n++) {
		struct message *chunk[CHUNK];
		size_t bytes = 0;

		for (unsigned i = 0; i < CHUNK; i++) {
			chunk[i] = message_create(prng, (uint32_t)n + i);
			bytes += sizeof(*chunk[i]) + chunk[i]->body_size;
		}
		live_add(bytes);
		pthread_mutex_lock(&queue->lock);
		while (queue->head - queue->tail == DEPTH)
			pthread_cond_wait(&queue->moved, &queue->lock);
		memcpy(queue->chunks[queue->head++ % DEPTH], chunk,
		    sizeof(chunk));
		pthread_cond_signal(&queue->moved);
		pthread_mutex_unlock(&queue->lock);
	}
}

static void
consume(struct queue *queue)
{
	for (uint64_t n = 0; n < nchunks; n++) {
		struct message *chunk[CHUNK];
		size_t bytes = 0;

		pthread_mutex_lock(&queue->lock);
		while (queue->head == queue->tail)
			pthread_cond_wait(&queue->moved, &queue->lock);
		memcpy(chunk, queue->chunks[queue->tail++ % DEPTH],
		    sizeof(chunk));
		pthread_cond_signal(&queue->moved);
		pthread_mutex_unlock(&queue->lock);
		for (unsigned i = 0; i < CHUNK; i++) {
			bytes += sizeof(*chunk[i]) + chunk[i]->body_size;
			message_destroy(chunk[i]);
		}
		atomic_fetch_sub(&live_now, bytes);
	}
}

static void
pipeline_work(struct bench_thread *thread)
{
	struct queue *queue = &queues[thread->index / 2];

	if (thread->index % 2 == 0)
		produce(queue, &thread->prng);
	else
		consume(queue);
	thread->nops = thread->index % 2 == 0 ? nchunks * CHUNK : 0;
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("pipeline", 1, argc, argv);
	uint64_t nops;
	double seconds;

	if (bench.nthreads > BENCH_THREADS_MAX / 2)
		bench.nthreads = BENCH_THREADS_MAX / 2;
	nchunks = scale_count(bench.scale / bench.nthreads, 48000);
	for (unsigned i = 0; i < bench.nthreads; i++) {
		pthread_mutex_init(&queues[i].lock, NULL);
		pthread_cond_init(&queues[i].moved, NULL);
	}
	bench.nthreads *= 2;
	seconds = bench_run(&bench, pipeline_work, NULL, &nops);
	bench_result(&bench, nops, seconds,
	    (double)atomic_load(&live_peak) / (1 << 20));
	return 0;
}
