/*
 * contents: blocks keep what was written into them.
 *
 * Provokes: threads that take and give back blocks of all sizes through all
 * entry points in random order, with lifetimes from one step to the whole
 * run, and that pass blocks to each other. Every byte that
 * malloc_usable_size promises is written, and read back before the block is
 * freed or resized.
 * Must hold: no byte changes, so no two blocks overlap; alignments are as
 * asked for; calloc's memory is zero; realloc keeps what fits.
 */
#include "stress.h"

enum { NTHREADS = 4, NSLOTS = 400, NBOXES = 64, NSTEPS = 8000, FULL = 12 };

struct block {
	char *start;
	size_t usable;
	uint64_t seed;
};

static struct {
	pthread_mutex_t lock; /* protects all that follows */
	struct block blocks[NBOXES];
} exchange = { .lock = PTHREAD_MUTEX_INITIALIZER };

static unsigned scale;

static size_t
pick_size(struct prng *prng)
{
	unsigned draw = (unsigned)prng_below(prng, 1000);

	if (draw < 700)
		return prng_size(prng, 1024);
	if (draw < 980)
		return prng_size(prng, 64 * KIB);
	return draw < 999 ? prng_size(prng, MIB) : prng_size(prng, 6 * MIB);
}

/* Takes the whole usable size into use. */
static void
block_adopt(struct block *block, void *start, size_t size, struct prng *prng)
{
	block->start = needed(start);
	block->usable = malloc_usable_size(start);
	block->seed = prng_next(prng);
	if (block->usable < size)
		stress_fail("%zu bytes usable, %zu asked for", block->usable,
		    size);
	if (((uintptr_t)start & (size >= 16 ? 15 : 7)) != 0)
		stress_fail("block %p of %zu bytes is not aligned", start,
		    size);
	bytes_fill(block->start, block->usable, block->seed);
}

static void
block_release(struct block *block)
{
	if (block->start == NULL)
		return;
	bytes_verify(block->start, block->usable, block->seed);
	free(block->start);
	block->start = NULL;
}

static void
block_resize(struct block *block, struct prng *prng)
{
	size_t size = pick_size(prng) + 1;
	size_t kept = size < block->usable ? size : block->usable;
	char *moved;

	bytes_verify(block->start, block->usable, block->seed);
	moved = needed(realloc(block->start, size));
	/* The last, incomplete word of the pattern is checked by its bytes. */
	bytes_verify(moved, kept & ~(size_t)7, block->seed);
	for (size_t at = kept & ~(size_t)7; at < kept; at++) {
		uint64_t word = bytes_word(block->seed, at & ~(size_t)7);

		CHECK(moved[at] == ((char *)&word)[at & 7]);
	}
	block_adopt(block, moved, size, prng);
}

static void *
take_aligned(struct prng *prng, size_t size)
{
	size_t alignment = (size_t)8 << prng_below(prng, 11);
	void *start = NULL;

	if (prng_below(prng, 200) == 0)
		alignment = (size_t)1 << (13 + prng_below(prng, 9));
	switch (prng_below(prng, 3)) {
	case 0:
		CHECK(posix_memalign(&start, alignment, size) == 0);
		break;
	case 1:
		start = aligned_alloc(alignment, size);
		break;
	default:
		start = memalign(alignment, size);
	}
	if (((uintptr_t)start & (alignment - 1)) != 0)
		stress_fail("block %p is not aligned to %zu", start, alignment);
	return start;
}

static void
block_take(struct block *block, struct prng *prng)
{
	size_t size = pick_size(prng);
	void *start;

	switch (prng_below(prng, 8)) {
	case 0:
		start = needed(calloc(size / 8 + 1, 8));
		bytes_verify_zero(start, (size / 8 + 1) * 8);
		break;
	case 1:
		start = take_aligned(prng, size);
		break;
	case 2:
		start = realloc(NULL, size);
		break;
	default:
		start = malloc(size);
	}
	block_adopt(block, start, size, prng);
}

/* Another thread will free this one, and this thread another's. */
static void
block_exchange(struct block *block, struct prng *prng)
{
	unsigned box = (unsigned)prng_below(prng, NBOXES);
	struct block mine = *block;

	pthread_mutex_lock(&exchange.lock);
	*block = exchange.blocks[box];
	exchange.blocks[box] = mine;
	pthread_mutex_unlock(&exchange.lock);
}

static void *
contents_work(void *argument)
{
	struct prng prng = { 1 + (uintptr_t)argument };
	struct block slots[NSLOTS] = { 0 };

	for (unsigned step = 0; step < NSTEPS * scale; step++) {
		/* Low slots are used often, high ones live long. */
		size_t limit = 1 + prng_below(&prng, NSLOTS);
		struct block *block = &slots[prng_below(&prng, limit)];
		unsigned draw = (unsigned)prng_below(&prng, 16);

		if (draw == 0)
			block_exchange(block, &prng);
		else if (block->start == NULL)
			block_take(block, &prng);
		else if (draw < 5)
			block_resize(block, &prng);
		else
			block_release(block);
	}
	for (unsigned i = 0; i < NSLOTS; i++)
		block_release(&slots[i]);
	return NULL;
}

int
main(int argc, char **argv)
{
	scale = stress_start(argc, argv, 60) *
	    (stress_is_short(argc, argv) ? 1 : FULL);
	stress_again_with_caches(argv);
	threads_run(NTHREADS, contents_work);
	for (unsigned i = 0; i < NBOXES; i++)
		block_release(&exchange.blocks[i]);
	return 0;
}
