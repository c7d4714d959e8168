/*
 * burst: a burst of memory, and then little to do.
 *
 * Provokes: 128 MiB are taken in small and large blocks and freed; after it
 * the program makes a few thousand small calls a second, or, with background
 * threads, none at all. The decay time is set to 2 seconds where mallctl
 * knows it; with the preset of 10 seconds this takes as long.
 * Must hold: resident memory falls back to what it was before, and a third
 * of the burst, soon after the decay time: counted in the steps of the
 * program's little work, which take at least 16 seconds.
 */
#include "stress.h"

enum { BURST = 128 << 20, NBLOCKS = 200000, STEPS = 1600, STEP_MS = 10 };

static char *blocks[NBLOCKS];

/* What is resident at its peak. */
static size_t
burst(void)
{
	struct prng prng = { 2 };
	size_t total = 0, peak;
	unsigned n = 0;

	while (total < BURST && n < NBLOCKS) {
		size_t size = 1 +
		    prng_size(&prng, n % 100 == 0 ? 512 * KIB : 2000);

		blocks[n] = needed(malloc(size));
		bytes_fill(blocks[n], size, n);
		total += size;
		n++;
	}
	peak = memory_rss();
	while (n-- > 0) {
		free(blocks[n]);
		blocks[n] = NULL;
	}
	return peak;
}

static void
little_work(void)
{
	struct prng prng = { 4 };

	for (unsigned i = 0; i < 40; i++) {
		char *block = needed(malloc(1 + prng_size(&prng, 500)));

		block[0] = 1;
		free(block);
	}
}

int
main(int argc, char **argv)
{
	size_t before, peak, length = sizeof(bool);
	bool background = false;
	unsigned step;

	stress_start(argc, argv, 60);
	stress_set_decay(2000);
	control("background_thread", &background, &length, NULL, 0);
	before = memory_rss();
	peak = burst();
	CHECK(peak > before + BURST / 4); /* else there is nothing to see */
	for (step = 0; memory_rss() > before + BURST / 3; step++) {
		struct timespec nap = { 0, STEP_MS * 1000000 };

		if (step == STEPS)
			stress_fail("%zu KiB before, %zu KiB %u steps after "
				    "the burst",
			    before / KIB, memory_rss() / KIB, step);
		if (!background)
			little_work();
		nanosleep(&nap, NULL);
	}
	return 0;
}
