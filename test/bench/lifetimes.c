/*
 * lifetimes: blocks of typical sizes live for a random time.
 *
 * Each thread keeps a working set and replaces blocks in it at random, some
 * places far more often than others, so that blocks of all ages lie side by
 * side. Shows the cost of spread-out frees and the memory lost to holes.
 */
#include "bench.h"

enum { NSLOTS = 40000 };

struct slot {
	void *block;
	uint32_t size;
	uint32_t tag;
};

static _Atomic size_t live_bytes;

/* Skewed: a quarter of the slots takes half of the draws. */
static unsigned
slot_pick(struct prng *prng)
{
	uint64_t draw = prng_below(prng, 1U << 20);

	return (unsigned)((draw * draw * NSLOTS) >> 40);
}

static void
slot_replace(struct slot *slot, struct prng *prng, uint32_t tag)
{
	if (slot->block != NULL) {
		block_check(slot->block, slot->size, slot->tag);
		free(slot->block);
	}
	slot->size = (uint32_t)size_typical(prng);
	slot->tag = tag;
	slot->block = block_need(malloc(slot->size));
	block_touch(slot->block, slot->size, tag);
}

static void
lifetimes_work(struct bench_thread *thread)
{
	uint64_t nsteps = scale_count(thread->scale, 18000000);
	struct slot *slots = block_need(calloc(NSLOTS, sizeof(*slots)));
	size_t live = 0;

	for (uint64_t step = 0; step < nsteps; step++)
		slot_replace(&slots[slot_pick(&thread->prng)], &thread->prng,
		    (uint32_t)step);
	for (unsigned i = 0; i < NSLOTS; i++)
		live += slots[i].block == NULL ? 0 : slots[i].size;
	atomic_fetch_add(&live_bytes, live);
	for (unsigned i = 0; i < NSLOTS; i++)
		if (slots[i].block != NULL) {
			block_check(slots[i].block, slots[i].size,
			    slots[i].tag);
			free(slots[i].block);
		}
	free(slots);
	thread->nops = nsteps;
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("lifetimes", 0, argc, argv);
	uint64_t nops;
	double seconds = bench_run(&bench, lifetimes_work, NULL, &nops);

	bench_result(&bench, nops, seconds,
	    (double)atomic_load(&live_bytes) / (1 << 20));
	return 0;
}
