/*
 * crowd: many more threads than CPUs.
 *
 * All threads are runnable, so each is stopped in the middle of something
 * many times a second; and each hands some of its blocks to others. The work
 * and the live set are the same for any number of threads: compare the
 * figure with that of one thread per CPU to see what the crowd costs, and
 * peak/live to see what its caches cost.
 */
#include "bench.h"

enum { NSLOTS = 65536, NBOXES = 256 };

struct block {
	struct block *next; /* in a box */
	uint32_t size;
	uint32_t tag;
};

static _Atomic(struct block *) boxes[NBOXES];
static _Atomic size_t live_bytes;

static struct block *
crowd_create(struct prng *prng, uint32_t tag)
{
	size_t size = sizeof(struct block) + 8 + size_typical(prng) % 2048;
	struct block *block = block_need(malloc(size));

	block->next = NULL;
	block->size = (uint32_t)size;
	block->tag = tag;
	block_stamp(block + 1, size - sizeof(*block), tag);
	return block;
}

static void
crowd_destroy(struct block *block)
{
	while (block != NULL) {
		struct block *next = block->next;

		block_check(block + 1, block->size - sizeof(*block),
		    block->tag);
		free(block);
		block = next;
	}
}

/* Leaves a block in a box; takes all that is there once in a while. */
static void
box_exchange(struct prng *prng, struct block *block)
{
	_Atomic(struct block *) *box = &boxes[prng_below(prng, NBOXES)];

	if (prng_below(prng, 8) == 0) {
		crowd_destroy(block);
		crowd_destroy(atomic_exchange(box, NULL));
		return;
	}
	/* Only ever pushed singly and taken as a whole, so no ABA. */
	block->next = atomic_load(box);
	while (!atomic_compare_exchange_weak(box, &block->next, block))
		;
}

static void
crowd_work(struct bench_thread *thread)
{
	uint64_t nsteps = scale_count(thread->scale, 48000000) /
	    thread->nthreads;
	uint32_t nslots = NSLOTS / thread->nthreads;
	struct block **slots = block_need(calloc(nslots, sizeof(*slots)));
	size_t live = 0;

	for (uint64_t step = 0; step < nsteps; step++) {
		uint32_t at = prng_below(&thread->prng, nslots);

		if (step % 32 == 0 && slots[at] != NULL)
			box_exchange(&thread->prng, slots[at]);
		else
			crowd_destroy(slots[at]);
		slots[at] = crowd_create(&thread->prng, (uint32_t)step);
	}
	for (uint32_t i = 0; i < nslots; i++) {
		live += slots[i] == NULL ? 0 : slots[i]->size;
		crowd_destroy(slots[i]);
	}
	free(slots);
	atomic_fetch_add(&live_bytes, live);
	thread->nops = nsteps;
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("crowd", 64, argc, argv);
	uint64_t nops;
	double seconds = bench_run(&bench, crowd_work, NULL, &nops);

	for (unsigned i = 0; i < NBOXES; i++)
		crowd_destroy(atomic_load(&boxes[i]));
	bench_result(&bench, nops, seconds,
	    (double)atomic_load(&live_bytes) / (1 << 20));
	return 0;
}
