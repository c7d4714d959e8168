/*
 * pieces: objects written in pieces of 1, 2, 4 and 8 bytes, and freed soon.
 *
 * Numbers of any length, small records, short strings: the program writes the
 * first bytes of an object one after the other and frees it at once, or some
 * objects later. If free() reads more of it at once than the program has
 * written at once, the processor has to wait until the writes are done. Each
 * object depends on the one before, so such waits can't hide behind each other.
 */
#include "bench.h"

enum { KEPT = 8 };

/* Writes `value` as the start of the block, in pieces. */
static void
write_pieces(volatile unsigned char *block, unsigned width, uint64_t value)
{
	switch (width) {
	case 1:
		for (unsigned i = 0; i < 4; i++)
			block[i] = (unsigned char)(value >> 8 * i);
		break;
	case 2:
		*(volatile uint16_t *)block = (uint16_t)value;
		((volatile uint16_t *)block)[1] = (uint16_t)(value >> 16);
		break;
	case 4:
		*(volatile uint32_t *)block = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)block = value;
		break;
	}
}

static void
pieces_work(struct bench_thread *thread)
{
	uint64_t rounds = scale_count(thread->scale, 12000000);
	unsigned char *kept[KEPT] = { NULL };
	uint64_t value = prng_next(&thread->prng);

	for (uint64_t round = 0; round < rounds; round++) {
		unsigned width = 1u << (round & 3);
		size_t size = 16 + (value & 31);
		unsigned char *block = block_need(malloc(size));

		write_pieces(block, width, value);
		block = block_hide(block);
		value = value * 6364136223846793005u + block[0] + 1;
		if ((round & 4) == 0) {
			free(block);
		} else {
			free(kept[value % KEPT]);
			kept[value % KEPT] = block;
		}
	}
	for (unsigned i = 0; i < KEPT; i++)
		free(kept[i]);
	thread->nops = rounds;
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("pieces", 0, argc, argv);
	uint64_t nops;
	double seconds = bench_run(&bench, pieces_work, NULL, &nops);

	bench_result(&bench, nops, seconds, 0);
	return 0;
}
