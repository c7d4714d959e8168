/*
 * pauses: how long single calls take while memory goes back.
 *
 * usage: pauses [burst in MiB] [seconds]
 *
 * Three times a burst of large blocks is freed; in between, small blocks are
 * replaced, and the time of each replacement is taken. It is time on the CPU:
 * what other processes do in between does not count. Run it with a short decay
 * time, or nothing is due before it ends.
 */
#include "bench.h"

enum { NSLOTS = 512, NBINS = 4096, NWORST = 5 };

static uint32_t microseconds[NBINS];
static uint32_t worst[NWORST]; /* least first, in microseconds */

static uint64_t
cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void
count(uint64_t ns)
{
	uint32_t us = (uint32_t)(ns / 1000);

	microseconds[us < NBINS ? us : NBINS - 1]++;
	if (us <= worst[0])
		return;
	worst[0] = us;
	for (unsigned i = 0; i + 1 < NWORST && worst[i] > worst[i + 1]; i++) {
		worst[i] = worst[i + 1];
		worst[i + 1] = us;
	}
}

static void
burst(unsigned mib)
{
	void **blocks = block_need(calloc(mib, sizeof(*blocks)));

	for (unsigned i = 0; i < mib; i++) {
		blocks[i] = block_need(malloc((size_t)1 << 20));
		memset(blocks[i], 1, (size_t)1 << 20);
	}
	for (unsigned i = 0; i < mib; i++)
		free(blocks[i]);
	free(blocks);
}

static uint64_t
replace_for(double seconds, struct prng *prng)
{
	static void *slots[NSLOTS];
	double end = clock_seconds() + seconds;
	uint64_t ncalls = 0;

	while (clock_seconds() < end)
		for (unsigned i = 0; i < 200; i++, ncalls++) {
			void **slot = &slots[prng_below(prng, NSLOTS)];
			size_t size = prng_between(prng, 16, 2000);
			uint64_t start = cpu_ns();

			free(*slot);
			*slot = block_need(malloc(size));
			count(cpu_ns() - start);
			memset(*slot, 1, 16);
		}
	return ncalls;
}

int
main(int argc, char **argv)
{
	static const double shares[] = { 0.999, 0.9999, 0.99999 };
	unsigned mib = argc > 1 ? (unsigned)atoi(argv[1]) : 200;
	double seconds = argc > 2 ? atof(argv[2]) : 6;
	struct prng prng = { 5 };
	uint64_t ncalls = 0, sum = 0;
	unsigned us = 0;

	for (unsigned i = 0; i < 3; i++) {
		burst(mib);
		ncalls += replace_for(seconds / 3, &prng);
	}
	printf("pauses calls: %llu us:", (unsigned long long)ncalls);
	for (unsigned i = 0; i < 3; i++) {
		while (us < NBINS - 1 &&
		    (double)(sum + microseconds[us]) <
			shares[i] * (double)ncalls)
			sum += microseconds[us++];
		printf(" p%g: %u", shares[i] * 100, us);
	}
	printf(" worst:");
	for (unsigned i = NWORST; i-- > 0;)
		printf(" %u", worst[i]);
	printf("\n");
	return 0;
}
