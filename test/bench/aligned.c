/*
 * aligned: posix_memalign and aligned_alloc with the usual alignments.
 *
 * Vector code, cache-line padding, direct I/O. Most requests want a cache
 * line, some a page, few more. Shows what alignment costs over malloc, in
 * time and in memory, and checks that it is really there.
 */
#include "bench.h"

enum { NSLOTS = 8192 };

struct slot {
	void *block;
	uint32_t size;
	uint32_t tag;
};

static _Atomic size_t live_bytes;

static size_t
alignment_pick(struct prng *prng)
{
	unsigned draw = prng_below(prng, 100);

	if (draw < 35)
		return 64;
	if (draw < 60)
		return 32;
	if (draw < 80)
		return 16;
	if (draw < 88)
		return 128;
	return draw < 98 ? 4096 : (size_t)4096 << prng_below(prng, 5);
}

static void *
aligned_create(struct prng *prng, size_t alignment, size_t *size)
{
	void *block = NULL;

	if (alignment == 4096) /* a page or more, as for direct I/O */
		*size = prng_between(prng, 1, 8) * 4096;
	else
		*size = size_typical(prng);
	if (prng_below(prng, 4) == 0) {
		*size = (*size + alignment - 1) & ~(alignment - 1);
		block = block_need(aligned_alloc(alignment, *size));
	} else if (posix_memalign(&block, alignment, *size) != 0) {
		bench_die("out of memory");
	}
	if (((uintptr_t)block & (alignment - 1)) != 0)
		bench_die("a block is not aligned");
	return block;
}

static void
aligned_work(struct bench_thread *thread)
{
	uint64_t nsteps = scale_count(thread->scale, 7000000);
	struct slot *slots = block_need(calloc(NSLOTS, sizeof(*slots)));
	size_t live = 0;

	for (uint64_t step = 0; step < nsteps; step++) {
		struct slot *slot = &slots[prng_below(&thread->prng, NSLOTS)];
		size_t size, alignment = alignment_pick(&thread->prng);

		if (slot->block != NULL) {
			block_check(slot->block, slot->size, slot->tag);
			free(slot->block);
		}
		slot->block = aligned_create(&thread->prng, alignment, &size);
		slot->size = (uint32_t)size;
		slot->tag = (uint32_t)step;
		block_stamp(slot->block, size, slot->tag);
	}
	for (unsigned i = 0; i < NSLOTS; i++) {
		live += slots[i].block == NULL ? 0 : slots[i].size;
		free(slots[i].block);
	}
	free(slots);
	atomic_fetch_add(&live_bytes, live);
	thread->nops = nsteps;
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("aligned", 0, argc, argv);
	uint64_t nops;
	double seconds = bench_run(&bench, aligned_work, NULL, &nops);

	bench_result(&bench, nops, seconds,
	    (double)atomic_load(&live_bytes) / (1 << 20));
	return 0;
}
