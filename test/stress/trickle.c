/*
 * trickle: a burst of large blocks, and then few calls, of ever other sizes.
 *
 * Provokes: 40 MiB are freed in blocks of 300 KiB, or of 10 MiB. Then the
 * program makes fifty calls a second, and hardly two of the same size follow
 * each other. So no cache bin of the thread sees many of them. The decay time
 * is set to 2 seconds.
 * Must hold: resident memory falls back to what it was before and a third of
 * the burst within some hundred calls. A call may give back 1 MiB.
 */
#include "stress.h"

enum { BURST = 40 << 20, NBLOCKS = 140, CALLS = 600, PAUSE_MS = 20 };

static void
burst(size_t size)
{
	char *blocks[NBLOCKS];
	unsigned n = 0;

	for (size_t total = 0; total < BURST; total += size) {
		blocks[n] = needed(malloc(size));
		memset(blocks[n++], 1, size);
	}
	while (n-- > 0)
		free(blocks[n]);
}

static void
trickle(const char *what, size_t before)
{
	for (unsigned i = 0; memory_rss() > before + BURST / 3; i++) {
		struct timespec nap = { 0, PAUSE_MS * 1000000 };
		char *block = needed(malloc(100 + i * 97 % 5000));

		if (i == CALLS)
			stress_fail("%s: %zu KiB before, %zu KiB %u calls "
				    "after the burst",
			    what, before / KIB, memory_rss() / KIB, i);
		block[0] = 1;
		free(block);
		nanosleep(&nap, NULL);
	}
}

int
main(int argc, char **argv)
{
	size_t before;

	stress_start(argc, argv, 120);
	stress_set_decay(2000);
	before = memory_rss();
	burst(300 * KIB);
	trickle("blocks of 300 KiB", before);
	burst((size_t)10 << 20);
	trickle("blocks of 10 MiB", before);
	return 0;
}
