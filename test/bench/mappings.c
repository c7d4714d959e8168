/*
 * mappings: how many a heap needs after many operations.
 *
 * usage: mappings [threads] [scale]
 *
 * 10^8 operations of all kinds: blocks of typical sizes, now and then large
 * ones of up to 8 MiB, some grown or aligned, freed in any order, up to 1 GiB
 * at once, with phases in which most is freed. The figure is the number of
 * mappings beyond those at the start and one for each 64 MiB of the heap.
 */
#include "bench.h"
#include "watch.h"

enum { SLOTS = 200000 };

static unsigned
count_mappings(void)
{
	char text[65536];
	unsigned lines = 0;
	ssize_t length;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && (length = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < length; i++)
			lines += text[i] == '\n';
	close(fd);
	return lines;
}

static _Atomic unsigned most;

static void
note_mappings(unsigned before)
{
	unsigned heap = (unsigned)(memory_now_mib() / 64);
	unsigned now = count_mappings(), over;

	over = now > before + heap ? now - before - heap : 0;
	if (over > most)
		most = over;
}

static size_t
draw_size(struct prng *prng)
{
	uint32_t draw = prng_below(prng, 20000);

	if (draw == 0)
		return prng_between(prng, 1 << 20, 8 << 20);
	if (draw < 20)
		return prng_between(prng, 128 << 10, 1 << 20);
	return size_typical(prng);
}

static unsigned at_start;

static void
work(struct bench_thread *thread)
{
	uint64_t nops = scale_count(thread->scale, 100000000) /
	    thread->nthreads;
	unsigned nslots = SLOTS / thread->nthreads, in_use = nslots;
	void **slot = block_need(calloc(nslots, sizeof(*slot)));
	struct prng *prng = &thread->prng;

	for (uint64_t op = 0; op < nops; op++) {
		unsigned i = prng_below(prng, nslots);
		size_t size = draw_size(prng);

		/* Most is freed, then it grows again. */
		if (op % (nops / 16 + 1) == 0) {
			for (unsigned k = 0; k < nslots; k++)
				if (prng_below(prng, 10) != 0) {
					free(slot[k]);
					slot[k] = NULL;
				}
			in_use = nslots / (1 + prng_below(prng, 4));
			if (thread->index == 0)
				note_mappings(at_start);
		}
		i %= in_use;
		switch (prng_below(prng, 32)) {
		case 0:
			slot[i] = block_need(realloc(slot[i], size));
			break;
		case 1:
			free(slot[i]);
			slot[i] = block_need(aligned_alloc(64, size));
			break;
		default:
			free(slot[i]);
			slot[i] = block_need(malloc(size));
		}
		block_touch(slot[i], size, op);
	}
	if (thread->index == 0)
		note_mappings(at_start);
	thread->nops = nops;
	for (unsigned k = 0; k < nslots; k++)
		free(slot[k]);
	free(slot);
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("mappings", 4, argc, argv);
	uint64_t nops;

	at_start = count_mappings();
	bench_run(&bench, work, NULL, &nops);
	note_mappings(at_start);
	figure("peak-MiB", memory_peak_mib());
	/* Each thread has a stack and its guard. */
	figure("mappings-beyond",
	    (double)(most > 2 * bench.nthreads ? most - 2 * bench.nthreads
					       : 0));
	return 0;
}
