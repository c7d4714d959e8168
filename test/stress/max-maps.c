/*
 * max-maps: the kernel's limit of mappings in a process is used up.
 *
 * Provokes: the program makes one-page mappings until the kernel refuses
 * more, then frees, takes and gives back blocks of all sizes, round after
 * round.
 * Must hold: contents are intact; frees and reuse work behind the wall;
 * requests give NULL and ENOMEM at worst. Once the mappings are gone all
 * requests succeed, and nothing was lost: 40 rounds of 16 MiB grow the
 * process by less than 100 MiB. The allocator itself needs few mappings.
 */
#include "stress.h"

#include <sys/mman.h>

enum { NMAPS = 1000000, NBLOCKS = 2000, NROUNDS = 40 };

static struct block {
	char *start;
	size_t size;
} blocks[NBLOCKS];

/* About 16 MiB in blocks of all sizes; failing may be allowed. */
static void
blocks_take(struct prng *prng, bool may_fail)
{
	for (unsigned i = 0; i < NBLOCKS; i++) {
		size_t size = 1 + prng_size(prng, i % 50 == 0 ? MIB : 10000);

		errno = 0;
		blocks[i].start = hidden(malloc(size));
		blocks[i].size = size;
		if (blocks[i].start != NULL)
			bytes_fill(blocks[i].start, size, i);
		else if (!may_fail || errno != ENOMEM)
			stress_fail("%zu bytes can't be had, errno %d", size,
			    errno);
	}
}

static void
blocks_free(void)
{
	for (unsigned i = 0; i < NBLOCKS; i++) {
		if (blocks[i].start == NULL)
			continue;
		bytes_verify(blocks[i].start, blocks[i].size, i);
		errno = EXDEV;
		free(blocks[i].start);
		CHECK(errno == EXDEV);
	}
}

/* Alternating protections keep the kernel from merging neighbours. */
static size_t
maps_use_up(char **maps)
{
	size_t n = 0;

	while (n < NMAPS) {
		maps[n] = mmap(NULL, 4096, n % 2 == 0 ? PROT_READ : PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (maps[n] == MAP_FAILED)
			break;
		n++;
	}
	return n;
}

int
main(int argc, char **argv)
{
	unsigned scale = stress_start(argc, argv, 60);
	struct prng prng = { 3 };
	size_t before, nmaps;
	char **maps = mmap(NULL, NMAPS * sizeof(*maps), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(maps != MAP_FAILED);
	blocks_take(&prng, false);
	if (memory_nmaps() > 200 + memory_status("VmSize:") / (2 * MIB))
		stress_fail("%zu mappings", memory_nmaps());
	nmaps = maps_use_up(maps);
	if (nmaps == NMAPS)
		stress_skip("no limit of mappings that can be reached "
			    "(vm.max_map_count)");
	before = memory_rss();
	blocks_free();
	for (unsigned round = 0; round < NROUNDS * scale; round++) {
		blocks_take(&prng, true);
		if (round % 4 == 3)
			malloc_trim(0);
		blocks_free();
	}
	for (size_t i = 0; i < nmaps; i++)
		CHECK(munmap(maps[i], 4096) == 0);
	for (unsigned round = 0; round < NROUNDS * scale; round++) {
		blocks_take(&prng, false);
		blocks_free();
	}
	if (memory_rss() > before + 100 * MIB)
		stress_fail("grew by %zu KiB", (memory_rss() - before) / KIB);
	return 0;
}
