/*
 * batches: many blocks are allocated in a row, then all are freed.
 *
 * What a parser, a query or a frame does. The batches are longer than any
 * thread cache, so caches are filled and flushed all the time; the order of
 * freeing is that of allocation, its reverse, or a stride through the batch.
 */
#include "bench.h"

enum { NBLOCKS = 8192 };

static size_t
batch_size(struct prng *prng, unsigned kind)
{
	static const uint16_t fixed[] = { 16, 40, 64, 112, 256, 768 };

	if (kind % 2 == 0)
		return fixed[kind / 2 % 6];
	return prng_between(prng, 8, 320);
}

static void
batch_run(struct prng *prng, void **blocks, uint32_t *sizes, unsigned kind)
{
	unsigned nblocks = kind % 3 == 0 ? NBLOCKS : NBLOCKS / 8;
	unsigned stride = kind % 4 == 3 ? 2731 : 1; /* prime to both counts */

	for (unsigned i = 0; i < nblocks; i++) {
		sizes[i] = (uint32_t)batch_size(prng, kind);
		blocks[i] = block_need(malloc(sizes[i]));
		block_stamp(blocks[i], sizes[i], kind + i);
	}
	for (unsigned i = 0; i < nblocks; i++) {
		unsigned at = kind % 4 == 1 ? nblocks - 1 - i
					    : i * stride % nblocks;

		block_check(blocks[at], sizes[at], kind + at);
		free(blocks[at]);
	}
}

static void
batches_work(struct bench_thread *thread)
{
	uint64_t rounds = scale_count(thread->scale, 8000);
	void **blocks = block_need(calloc(NBLOCKS, sizeof(*blocks)));
	uint32_t *sizes = block_need(calloc(NBLOCKS, sizeof(*sizes)));

	for (uint64_t round = 0; round < rounds; round++) {
		batch_run(&thread->prng, blocks, sizes, (unsigned)round % 12);
		thread->nops += round % 12 % 3 == 0 ? NBLOCKS : NBLOCKS / 8;
	}
	free(sizes);
	free(blocks);
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("batches", 0, argc, argv);
	uint64_t nops;
	double seconds = bench_run(&bench, batches_work, NULL, &nops);

	bench_result(&bench, nops, seconds, 0);
	return 0;
}
