/*
 * trade: many threads build structures, trade parts of them, and drop all.
 *
 * Blocks of all sizes, most of them small, most bytes in few large ones. Each
 * thread keeps some, drops some at once, and exchanges some with others. Then
 * it ends, and new threads begin. Each thread has its peak at another time:
 * peak/live says whether the memory of one serves the next.
 */
#include "bench.h"

enum { NTRADED = 1000, NROUNDS = 10, NSTEPS = 5000 };

struct block {
	size_t size;
	size_t words[];
};

static _Atomic(struct block *) traded[NTRADED];
static _Atomic long live_now, live_peak;

static void
live_add(long bytes)
{
	long now = atomic_fetch_add(&live_now, bytes) + bytes;
	long peak = atomic_load(&live_peak);

	while (now > peak &&
	    !atomic_compare_exchange_weak(&live_peak, &peak, now))
		;
}

/* One in 100 is a hundred times as large as others, or more. */
static size_t
size_skewed(struct prng *prng)
{
	size_t words = (size_t)1 << prng_below(prng, 7);

	if (prng_below(prng, 100) == 0)
		words *= prng_below(prng, 100) == 0 ? 10000
		    : prng_below(prng, 10) == 0     ? 1000
						    : 100;
	return sizeof(struct block) + words * 8;
}

static struct block *
block_new(struct prng *prng)
{
	size_t size = size_skewed(prng);
	struct block *block = block_need(calloc(1, size));

	block->size = size;
	for (size_t i = 0; i < size / 8 - 1; i++)
		block->words[i] = i;
	live_add((long)size);
	return block;
}

static void
block_drop(struct block *block)
{
	if (block == NULL)
		return;
	if (block->words[0] != 0)
		bench_die("a block has lost its contents");
	live_add(-(long)block->size);
	free(block);
}

static void *
build(void *argument)
{
	uintptr_t seed = (uintptr_t)argument;
	struct prng prng = { seed };
	uint32_t count = NSTEPS * (uint32_t)(seed % 8 + 1);
	struct block **blocks = block_need(calloc(count, sizeof(*blocks)));

	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = prng_below(&prng, i + 1);

		blocks[i] = block_new(&prng);
		if (prng_below(&prng, 3) == 0) {
			block_drop(blocks[at]);
			blocks[at] = NULL;
		}
		if (prng_below(&prng, 4) == 0)
			blocks[at] = atomic_exchange(
			    &traded[prng_below(&prng, NTRADED)], blocks[at]);
	}
	for (uint32_t i = 0; i < count; i++)
		block_drop(blocks[i]);
	free(blocks);
	return NULL;
}

static void
trade_work(struct bench_thread *thread)
{
	uint64_t nrounds = scale_count(thread->scale, NROUNDS);

	for (uint64_t round = 0; round < nrounds; round++) {
		uintptr_t seed = round * thread->nthreads + thread->index;
		pthread_t id;

		if (pthread_create(&id, NULL, build, (void *)seed) != 0)
			bench_die("no thread");
		pthread_join(id, NULL);
		thread->nops += NSTEPS * (seed % 8 + 1);
	}
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("trade", 16, argc, argv);
	uint64_t nops;
	double seconds = bench_run(&bench, trade_work, NULL, &nops);

	for (unsigned i = 0; i < NTRADED; i++)
		block_drop(atomic_load(&traded[i]));
	bench_result(&bench, nops, seconds,
	    (double)atomic_load(&live_peak) / (1 << 20));
	return 0;
}
