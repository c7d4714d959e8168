/*
 * large: blocks of 32 KiB to 32 MiB, replaced at random and used.
 *
 * Images, column chunks, network buffers. Sizes are spread evenly over the
 * powers of two; each page is written once. An allocator that gives such
 * blocks back to the kernel at once pays for it in page faults, one that
 * keeps them all pays in memory: read the throughput with peak/live.
 */
#include "bench.h"

enum { NSLOTS = 12 };

struct slot {
	void *block;
	size_t size;
	uint64_t tag;
};

static _Atomic size_t live_now, live_peak;

static void
slot_clear(struct slot *slot)
{
	if (slot->block == NULL)
		return;
	block_check(slot->block, slot->size, slot->tag);
	free(slot->block);
	atomic_fetch_sub(&live_now, slot->size);
	slot->block = NULL;
}

static void
slot_fill(struct slot *slot, struct prng *prng, uint64_t tag)
{
	size_t base = (size_t)32768 << prng_below(prng, 10);
	size_t now, peak = atomic_load(&live_peak);

	slot->size = prng_between(prng, base, 2 * base);
	slot->tag = tag;
	slot->block = block_need(malloc(slot->size));
	block_touch(slot->block, slot->size, tag);
	now = atomic_fetch_add(&live_now, slot->size) + slot->size;
	while (now > peak &&
	    !atomic_compare_exchange_weak(&live_peak, &peak, now))
		;
}

static void
large_work(struct bench_thread *thread)
{
	uint64_t nsteps = scale_count(thread->scale, 4000);
	struct slot slots[NSLOTS] = { 0 };

	for (uint64_t step = 0; step < nsteps; step++) {
		struct slot *slot = &slots[prng_below(&thread->prng, NSLOTS)];

		slot_clear(slot);
		slot_fill(slot, &thread->prng, step);
	}
	for (unsigned i = 0; i < NSLOTS; i++)
		slot_clear(&slots[i]);
	thread->nops = nsteps;
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("large", 0, argc, argv);
	uint64_t nops;
	double seconds = bench_run(&bench, large_work, NULL, &nops);

	bench_result(&bench, nops, seconds,
	    (double)atomic_load(&live_peak) / (1 << 20));
	return 0;
}
