/*
 * pairs: a block is freed by the thread that has just allocated it.
 *
 * The shortest life there is: temporary strings, iterators, small nodes. All
 * threads do the same and share nothing, so the figure shows the cost of one
 * call with a warm cache, and whether threads get in each other's way.
 */
#include "bench.h"

enum { NSIZES = 1024 };

static void
pairs_work(struct bench_thread *thread)
{
	uint64_t rounds = scale_count(thread->scale, 90000);
	uint32_t sizes[NSIZES];

	for (unsigned i = 0; i < NSIZES; i++) {
		size_t size = size_typical(&thread->prng);

		sizes[i] = size > 4096 ? 64 : (uint32_t)size;
	}
	for (uint64_t round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < NSIZES; i++) {
			void *block = block_need(malloc(sizes[i]));

			block_stamp(block, sizes[i], round + i);
			block = block_hide(block);
			block_check(block, sizes[i], round + i);
			free(block);
		}
	}
	thread->nops = rounds * NSIZES;
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("pairs", 0, argc, argv);
	uint64_t nops;
	double seconds = bench_run(&bench, pairs_work, NULL, &nops);

	bench_result(&bench, nops, seconds, 0);
	return 0;
}
