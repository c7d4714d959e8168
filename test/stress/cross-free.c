/*
 * cross-free: blocks are freed by other threads than the one that took them.
 *
 * Provokes: producers and consumers over shared queues, all to all, with
 * small and large blocks; then threads whose very first call is a free.
 * Must hold: contents are intact, memory flows back: once the queues have
 * been full, the process grows no more however long it runs.
 */
#include "stress.h"

enum { NPAIRS = 3, NQUEUE = 4096, NSTEPS = 50000, FULL = 4, NFIRST = 1200 };

struct block {
	uint32_t size;
	uint32_t seed;
	char bytes[];
};

static struct {
	pthread_mutex_t lock; /* protects all that follows */
	pthread_cond_t moved;
	struct block *blocks[NQUEUE];
	unsigned head, tail;
} queue = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.moved = PTHREAD_COND_INITIALIZER };

static unsigned scale;

static struct block *
block_create(struct prng *prng)
{
	size_t size = prng_below(prng, 64) == 0 ? prng_size(prng, 128 * KIB)
						: prng_size(prng, 512);
	struct block *block = needed(malloc(sizeof(*block) + size));

	block->size = (uint32_t)size;
	block->seed = (uint32_t)prng_next(prng);
	bytes_fill(block->bytes, size, block->seed);
	return block;
}

static void
block_destroy(struct block *block)
{
	bytes_verify(block->bytes, block->size, block->seed);
	free(block);
}

static void
produce(struct prng *prng)
{
	for (unsigned step = 0; step < NSTEPS * scale; step++) {
		struct block *block = block_create(prng);

		pthread_mutex_lock(&queue.lock);
		while (queue.head - queue.tail == NQUEUE)
			pthread_cond_wait(&queue.moved, &queue.lock);
		if (queue.head == queue.tail)
			pthread_cond_broadcast(&queue.moved);
		queue.blocks[queue.head++ % NQUEUE] = block;
		pthread_mutex_unlock(&queue.lock);
	}
}

static void
consume(void)
{
	for (unsigned step = 0; step < NSTEPS * scale; step++) {
		struct block *block;

		pthread_mutex_lock(&queue.lock);
		while (queue.head == queue.tail)
			pthread_cond_wait(&queue.moved, &queue.lock);
		if (queue.head - queue.tail == NQUEUE)
			pthread_cond_broadcast(&queue.moved);
		block = queue.blocks[queue.tail++ % NQUEUE];
		pthread_mutex_unlock(&queue.lock);
		block_destroy(block);
	}
}

static void *
cross_work(void *argument)
{
	uintptr_t index = (uintptr_t)argument;
	struct prng prng = { index };

	if (index % 2 == 0)
		produce(&prng);
	else
		consume();
	return NULL;
}

static void *
first_call_is_free(void *argument)
{
	block_destroy(argument);
	return NULL;
}

int
main(int argc, char **argv)
{
	struct prng prng = { 99 };
	size_t before;

	scale = stress_start(argc, argv, 60) *
	    (stress_is_short(argc, argv) ? 1 : FULL);
	stress_again_with_caches(argv);
	threads_run(2 * NPAIRS, cross_work);
	before = memory_rss();
	threads_run(2 * NPAIRS, cross_work);
	if (memory_rss() > before + 24 * MIB)
		stress_fail("grew by %zu KiB in a second run that is the same",
		    (memory_rss() - before) / KIB);
	for (unsigned i = 0; i < NFIRST; i++) {
		if (i == NFIRST / 10)
			before = memory_rss();
		thread_run(first_call_is_free, block_create(&prng));
	}
	if (memory_rss() > before + 8 * MIB)
		stress_fail("grew by %zu KiB through threads that only free",
		    (memory_rss() - before) / KIB);
	return 0;
}
