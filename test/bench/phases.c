/*
 * phases: a long run whose sizes change while the live set stays as large.
 *
 * The bytes that are live stay the same. Each phase replaces most of them by
 * blocks of other sizes, taken from random places; some blocks stay for good
 * and pin what lies around them. Holes of one phase are of no use to the
 * next one unless memory goes back to a common pool: peak/live is the figure
 * that counts here, the throughput comes second.
 */
#include "bench.h"

enum { LIVE_BYTES = 48 << 20, NSLOTS = 1 << 20 };

struct slot {
	void *block;
	uint32_t size;
	uint32_t tag;
};

struct heap {
	struct slot *slots; /* the first `count` are in use */
	uint32_t count;
	size_t live;
	size_t limit;
};

static const struct {
	uint32_t low, high;
} phases[] = {
	{ 24, 80 },
	{ 1000, 3000 },
	{ 100, 200 },
	{ 9000, 40000 },
	{ 48, 64 },
	{ 300, 700 },
	{ 50000, 300000 },
	{ 16, 40 },
	{ 3500, 4600 },
	{ 80, 1500 },
};

/* A random one leaves; slots below `pinned` never do. */
static void
heap_drop(struct heap *heap, struct prng *prng, uint32_t pinned)
{
	uint32_t at = pinned + prng_below(prng, heap->count - pinned);
	struct slot *slot = &heap->slots[at];

	block_check(slot->block, slot->size, slot->tag);
	free(slot->block);
	heap->live -= slot->size;
	*slot = heap->slots[--heap->count];
}

static void
heap_add(struct heap *heap, size_t size, uint32_t tag)
{
	struct slot *slot = &heap->slots[heap->count++];

	slot->size = (uint32_t)size;
	slot->tag = tag;
	slot->block = block_need(malloc(size));
	block_touch(slot->block, size, tag);
	heap->live += size;
}

/* Keeps 1 in 64 of the blocks of this phase to the end of the run. */
static uint32_t
heap_pin(struct heap *heap, uint32_t pinned)
{
	for (uint32_t i = pinned; i < heap->count; i += 64) {
		struct slot keep = heap->slots[i];

		heap->slots[i] = heap->slots[pinned];
		heap->slots[pinned++] = keep;
	}
	return pinned;
}

static uint64_t
phase_run(struct heap *heap, struct prng *prng, unsigned phase, uint32_t pinned)
{
	size_t turned = 0;
	uint64_t nops = 0;

	while (turned < 2 * heap->limit && nops < 400000) {
		size_t size = prng_between(prng, phases[phase].low,
		    phases[phase].high);

		while ((heap->live + size > heap->limit ||
			   heap->count == NSLOTS) &&
		    heap->count > pinned)
			heap_drop(heap, prng, pinned);
		heap_add(heap, size, (uint32_t)nops);
		turned += size;
		nops++;
	}
	return nops;
}

static void
phases_work(struct bench_thread *thread)
{
	uint64_t rounds = scale_count(thread->scale, 3);
	struct heap heap = { .limit = LIVE_BYTES / thread->nthreads };
	uint32_t pinned = 0;

	heap.slots = block_need(calloc(NSLOTS, sizeof(*heap.slots)));
	for (uint64_t round = 0; round < rounds; round++)
		for (unsigned i = 0; i < sizeof(phases) / sizeof(*phases);
		     i++) {
			thread->nops += phase_run(&heap, &thread->prng, i,
			    pinned);
			if (round == 0)
				pinned = heap_pin(&heap, pinned);
		}
	while (heap.count > 0)
		heap_drop(&heap, &thread->prng, 0);
	free(heap.slots);
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("phases", 1, argc, argv);
	uint64_t nops;
	double seconds = bench_run(&bench, phases_work, NULL, &nops);

	bench_result(&bench, nops, seconds, (double)LIVE_BYTES / (1 << 20));
	return 0;
}
