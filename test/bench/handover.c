/*
 * handover: a server whose blocks go from thread to thread.
 *
 * Each thread replaces random blocks of an array by new ones of random sizes.
 * After some steps it starts a thread that goes on with the same array, and
 * ends. At the start the blocks of all arrays are mixed. So a thread frees
 * mostly what threads before it have allocated.
 */
#include "bench.h"

enum { NBLOCKS = 5000, SIZE_LEAST = 8, SIZE_MOST = 1000, NLIVES = 20 };

struct shift {
	void **blocks; /* NBLOCKS of them */
	uint64_t nsteps;
	struct prng prng;
	unsigned nleft;
};

static atomic_uint nrunning;

static void *
block_new(struct prng *prng)
{
	unsigned char *block = block_need(malloc(prng_between(prng, SIZE_LEAST,
	    SIZE_MOST)));

	block[0] = 1;
	block[1] = 2;
	return block;
}

static void shift_start(struct shift *shift);

static void *
shift_work(void *argument)
{
	struct shift *shift = argument;
	struct prng prng = shift->prng;

	for (uint64_t step = 0; step < shift->nsteps; step++) {
		void **block = &shift->blocks[prng_below(&prng, NBLOCKS)];

		free(*block);
		*block = block_new(&prng);
	}
	shift->prng = prng;
	if (--shift->nleft > 0)
		shift_start(shift);
	else
		atomic_fetch_sub(&nrunning, 1);
	return NULL;
}

static void
shift_start(struct shift *shift)
{
	pthread_t id;

	if (pthread_create(&id, NULL, shift_work, shift) != 0)
		bench_die("no thread");
	pthread_detach(id);
}

static void
blocks_mix(void **blocks, uint32_t count, struct prng *prng)
{
	for (uint32_t i = count - 1; i > 0; i--) {
		uint32_t at = prng_below(prng, i + 1);
		void *block = blocks[i];

		blocks[i] = blocks[at];
		blocks[at] = block;
	}
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("handover", 0, argc, argv);
	uint64_t nsteps = scale_count(bench.scale, 1000000);
	uint32_t count = bench.nthreads * NBLOCKS;
	void **blocks = block_need(calloc(count, sizeof(*blocks)));
	struct shift *shifts = block_need(calloc(bench.nthreads,
	    sizeof(*shifts)));
	struct prng prng = { 77 };
	double start;

	for (uint32_t i = 0; i < count; i++)
		blocks[i] = block_new(&prng);
	blocks_mix(blocks, count, &prng);
	start = clock_seconds();
	atomic_store(&nrunning, bench.nthreads);
	for (unsigned i = 0; i < bench.nthreads; i++) {
		shifts[i] = (struct shift){ blocks + i * NBLOCKS, nsteps,
			{ i + 5 }, NLIVES };
		shift_start(&shifts[i]);
	}
	while (atomic_load(&nrunning) > 0)
		usleep(300);
	bench_result(&bench, nsteps * NLIVES * bench.nthreads,
	    clock_seconds() - start, 0);
	return 0;
}
