/*
 * growth: vectors and strings that grow by realloc.
 *
 * Four kinds grow side by side: vectors that double, strings that get a few
 * bytes at a time, buffers that get 64 KiB at a time up to many MiB, and many
 * logs that get 4000 bytes in turns, so that each has another behind it. An
 * allocator wins that grows in place, has slack in its size classes, and
 * moves page tables instead of bytes.
 */
#include "bench.h"

enum {
	NVECTORS = 24,
	NSTRINGS = 200,
	BUFFER_STEP = 65536,
	NLOGS = 40,
	LOG_STEP = 4000
};

struct growing {
	char *block;
	size_t size;
};

static void
growing_resize(struct growing *growing, size_t size)
{
	size_t old = growing->size;
	uint64_t word = old;

	growing->block = block_need(realloc(growing->block, size));
	if (old >= sizeof(word)) {
		memcpy(&word, growing->block + old - sizeof(word),
		    sizeof(word));
		if (word != old)
			bench_die("realloc has lost the contents");
	}
	growing->size = word = size;
	memcpy(growing->block + size - sizeof(word), &word, sizeof(word));
}

static void
growing_clear(struct growing *growing)
{
	free(growing->block);
	*growing = (struct growing){ 0 };
}

static uint64_t
vectors_grow(struct prng *prng)
{
	struct growing vectors[NVECTORS] = { 0 };
	uint64_t nops = 0;

	for (unsigned step = 0; step < NVECTORS * 16; step++) {
		struct growing *vector = &vectors[prng_below(prng, NVECTORS)];

		if (vector->size > (size_t)512 << 10)
			growing_clear(vector);
		growing_resize(vector,
		    vector->size == 0 ? 32 : vector->size * 2);
		nops++;
	}
	for (unsigned i = 0; i < NVECTORS; i++)
		growing_clear(&vectors[i]);
	return nops;
}

static uint64_t
strings_grow(struct prng *prng)
{
	struct growing strings[NSTRINGS] = { 0 };
	uint64_t nops = 0;

	for (unsigned step = 0; step < NSTRINGS * 100; step++) {
		struct growing *string = &strings[prng_below(prng, NSTRINGS)];

		if (string->size > 4000)
			growing_clear(string);
		growing_resize(string,
		    string->size + prng_between(prng, 8, 48));
		nops++;
	}
	for (unsigned i = 0; i < NSTRINGS; i++)
		growing_clear(&strings[i]);
	return nops;
}

static uint64_t
buffer_grow(size_t limit)
{
	struct growing buffer = { 0 };
	uint64_t nops = 0;

	while (buffer.size < limit) {
		size_t old = buffer.size;

		growing_resize(&buffer, old + BUFFER_STEP);
		/* Read from a file, say: only what is new is written. */
		memset(buffer.block + old, 1, BUFFER_STEP - 8);
		nops++;
	}
	growing_clear(&buffer);
	return nops;
}

static uint64_t
logs_grow(size_t limit)
{
	struct growing logs[NLOGS] = { 0 };
	uint64_t nops = 0;

	while (logs[0].size < limit)
		for (unsigned i = 0; i < NLOGS; i++, nops++)
			growing_resize(&logs[i], logs[i].size + LOG_STEP);
	for (unsigned i = 0; i < NLOGS; i++)
		growing_clear(&logs[i]);
	return nops;
}

static void
growth_work(struct bench_thread *thread)
{
	uint64_t rounds = scale_count(thread->scale, 500);

	for (uint64_t round = 0; round < rounds; round++) {
		thread->nops += vectors_grow(&thread->prng);
		thread->nops += strings_grow(&thread->prng);
		thread->nops += logs_grow((size_t)300 << 10);
		thread->nops += buffer_grow((size_t)(4 + round % 13) << 20);
	}
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("growth", 0, argc, argv);
	uint64_t nops;
	double seconds = bench_run(&bench, growth_work, NULL, &nops);

	bench_result(&bench, nops, seconds, 0);
	return 0;
}
