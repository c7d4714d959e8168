/*
 * zeroed: calloc of small records, tables and large arrays.
 *
 * The blocks are written before they are freed, so memory comes back dirty
 * and must be cleared, unless the allocator knows that the kernel has just
 * done so. Every block is checked to be zero at places that change.
 */
#include "bench.h"

enum { NSLOTS = 2000 };

struct slot {
	unsigned char *block;
	size_t size;
};

static size_t
zeroed_size(struct prng *prng)
{
	unsigned draw = prng_below(prng, 1000);

	if (draw < 930)
		return size_typical(prng);
	if (draw < 999)
		return prng_between(prng, 4096, 65536);
	return prng_between(prng, 65536, 4 << 20);
}

static void
zeroed_check(const unsigned char *block, size_t size, struct prng *prng)
{
	unsigned sum = block[0] | block[size - 1] | block[size / 2];

	for (unsigned i = 0; i < 4; i++)
		sum |= block[prng_below(prng, (uint32_t)size)];
	if (sum != 0)
		bench_die("calloc gave memory that is not zero");
}

static void
zeroed_work(struct bench_thread *thread)
{
	uint64_t nsteps = scale_count(thread->scale, 1800000);
	struct slot *slots = block_need(calloc(NSLOTS, sizeof(*slots)));

	for (uint64_t step = 0; step < nsteps; step++) {
		struct slot *slot = &slots[prng_below(&thread->prng, NSLOTS)];

		free(slot->block);
		slot->size = zeroed_size(&thread->prng);
		slot->block = block_need(step % 2 == 0 ? calloc(1, slot->size)
						       : calloc(slot->size, 1));
		zeroed_check(slot->block, slot->size, &thread->prng);
		memset(slot->block, 0xa5,
		    slot->size < 8192 ? slot->size : slot->size / 4);
		slot->block[slot->size - 1] = 1;
	}
	for (unsigned i = 0; i < NSLOTS; i++)
		free(slots[i].block);
	free(slots);
	thread->nops = nsteps;
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("zeroed", 0, argc, argv);
	uint64_t nops;
	double seconds = bench_run(&bench, zeroed_work, NULL, &nops);

	bench_result(&bench, nops, seconds, 0);
	return 0;
}
