/*
 * bench: what the benchmark programs share.
 *
 * Every program is called as `PROGRAM [threads] [scale]`, does an amount of
 * work that depends on these two and on a fixed seed alone, checks the blocks
 * it is given, and prints one line that starts with `NAME ops/s: X`.
 *
 * Offers:     clock, random numbers, block sizes as programs ask for them,
 *             threads that start together, a stamp for blocks, memory figures.
 * Invariants: nothing here allocates while the clock runs.
 */
#ifndef BENCH_H
#define BENCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BENCH_THREADS_MAX 1024

/* ---- failure ---- */

/* Prints one line and ends the program; for a broken allocator as well. */
_Noreturn static inline void
bench_die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	abort();
}

/* Hides a pointer from the compiler, so that no pair of calls is removed. */
static inline void *
block_hide(void *block)
{
	__asm__ volatile("" : "+r"(block) : : "memory");
	return block;
}

/* An allocation that must succeed and must not be optimised away. */
static inline void *
block_need(void *block)
{
	block = block_hide(block);
	if (__builtin_expect(block == NULL, 0))
		bench_die("out of memory");
	return block;
}

/* ---- clock ---- */

static inline double
clock_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- random numbers: a 64-bit counter through a finaliser ---- */

struct prng {
	uint64_t state;
};

static inline uint64_t
prng_next(struct prng *prng)
{
	uint64_t x = prng->state += UINT64_C(0xd1342543de82ef95);

	x ^= x >> 29;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 32);
}

/* Uniform in 0..limit-1. */
static inline uint32_t
prng_below(struct prng *prng, uint32_t limit)
{
	return (uint32_t)(((prng_next(prng) >> 32) * limit) >> 32);
}

/* Uniform in low..high. */
static inline size_t
prng_between(struct prng *prng, size_t low, size_t high)
{
	return low + prng_below(prng, (uint32_t)(high - low + 1));
}

/* ---- sizes ---- */

/*
 * Sizes as interpreters, compilers and servers ask for them: most requests
 * below 128 bytes, while most bytes are in the few large ones.
 */
static inline size_t
size_typical(struct prng *prng)
{
	static const struct {
		uint32_t upto; /* of 4096 draws, those below this one */
		uint32_t low, high;
	} mix[] = {
		{ 900, 8, 16 },
		{ 1900, 17, 32 },
		{ 2780, 33, 64 },
		{ 3370, 65, 128 },
		{ 3740, 129, 256 },
		{ 3970, 257, 1024 },
		{ 4060, 1025, 4096 },
		{ 4092, 4097, 32768 },
		{ 4096, 32769, 131072 },
	};
	uint32_t draw = prng_below(prng, 4096);
	unsigned i = 0;

	while (draw >= mix[i].upto)
		i++;
	return prng_between(prng, mix[i].low, mix[i].high);
}

/* ---- stamps ---- */

/* Marks both ends of a block, which shows overlap and lost contents. */
static inline void
block_stamp(void *block, size_t size, uint64_t tag)
{
	if (size < sizeof(tag)) {
		if (size > 0)
			*(unsigned char *)block = (unsigned char)tag;
		return;
	}
	memcpy(block, &tag, sizeof(tag));
	if (size >= 2 * sizeof(tag))
		memcpy((char *)block + size - sizeof(tag), &tag, sizeof(tag));
}

static inline void
block_check(const void *block, size_t size, uint64_t tag)
{
	uint64_t first = tag, last = tag;

	if (size < sizeof(tag)) {
		if (size > 0 &&
		    *(const unsigned char *)block != (unsigned char)tag)
			bench_die("a block has lost its contents");
		return;
	}
	memcpy(&first, block, sizeof(first));
	if (size >= 2 * sizeof(tag))
		memcpy(&last, (const char *)block + size - sizeof(last),
		    sizeof(last));
	if (__builtin_expect(first != tag || last != tag, 0))
		bench_die("a block has lost its contents");
}

/* Writes one word in each page, as a program that uses the block would. */
static inline void
block_touch(void *block, size_t size, uint64_t tag)
{
	for (size_t at = 0; at + sizeof(tag) <= size; at += 4096)
		memcpy((char *)block + at, &tag, sizeof(tag));
	block_stamp(block, size, tag);
}

/* ---- memory of this process, read without allocating ---- */

/* The value in KiB after `key` in /proc/self/status, 0 if there is none. */
static inline size_t
memory_status_kib(const char *key)
{
	char text[4096];
	ssize_t length;
	const char *at;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return 0;
	text[length] = '\0';
	at = strstr(text, key);
	return at == NULL ? 0 : (size_t)strtoul(at + strlen(key), NULL, 10);
}

static inline double
memory_now_mib(void)
{
	return (double)memory_status_kib("VmRSS:") / 1024;
}

static inline double
memory_peak_mib(void)
{
	return (double)memory_status_kib("VmHWM:") / 1024;
}

/* ---- arguments, threads, result ---- */

struct bench {
	const char *name;
	unsigned nthreads;
	double scale;
};

struct bench_thread {
	unsigned index;
	unsigned nthreads;
	double scale;
	struct prng prng;
	uint64_t nops; /* what the thread has done; summed up afterwards */
	void *context;
	void (*work)(struct bench_thread *);
	pthread_barrier_t *barrier;
	pthread_t id;
};

/* `nthreads` of 0 stands for one thread per CPU. */
static inline struct bench
bench_start(const char *name, unsigned nthreads, int argc, char **argv)
{
	struct bench bench = { name, nthreads, 1.0 };

	if (nthreads == 0)
		bench.nthreads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	if (argc > 1 && atoi(argv[1]) > 0)
		bench.nthreads = (unsigned)atoi(argv[1]);
	if (argc > 2)
		bench.scale = atof(argv[2]);
	if (bench.nthreads > BENCH_THREADS_MAX || !(bench.scale > 0)) {
		fprintf(stderr, "usage: %s [threads] [scale]\n", name);
		exit(2);
	}
	return bench;
}

static inline uint64_t
scale_count(double scale, uint64_t count)
{
	uint64_t scaled = (uint64_t)((double)count * scale);

	return scaled > 0 ? scaled : 1;
}

static inline void *
bench_thread_main(void *argument)
{
	struct bench_thread *thread = argument;

	pthread_barrier_wait(thread->barrier);
	thread->work(thread);
	return NULL;
}

/* Runs `work` in all threads at once; returns seconds, adds up in *nops. */
static inline double
bench_run(const struct bench *bench, void (*work)(struct bench_thread *),
    void *context, uint64_t *nops)
{
	static struct bench_thread threads[BENCH_THREADS_MAX];
	pthread_barrier_t barrier;
	double start, end;

	pthread_barrier_init(&barrier, NULL, bench->nthreads + 1);
	for (unsigned i = 0; i < bench->nthreads; i++) {
		threads[i] = (struct bench_thread){
			.index = i,
			.nthreads = bench->nthreads,
			.scale = bench->scale,
			.prng = { .state = 0x5eed + i * UINT64_C(7919) },
			.context = context,
			.work = work,
			.barrier = &barrier,
		};
		if (pthread_create(&threads[i].id, NULL, bench_thread_main,
			&threads[i]) != 0)
			bench_die("no thread");
	}
	pthread_barrier_wait(&barrier);
	start = clock_seconds();
	*nops = 0;
	for (unsigned i = 0; i < bench->nthreads; i++) {
		pthread_join(threads[i].id, NULL);
		*nops += threads[i].nops;
	}
	end = clock_seconds();
	pthread_barrier_destroy(&barrier);
	return end - start;
}

/* The result line; `live_mib` of 0 means that the live set is not known. */
static inline void
bench_result(const struct bench *bench, uint64_t nops, double seconds,
    double live_mib)
{
	double peak = memory_peak_mib();

	printf("%s ops/s: %.0f threads: %u seconds: %.3f peak_mib: %.1f",
	    bench->name, (double)nops / seconds, bench->nthreads, seconds,
	    peak);
	if (live_mib > 0)
		printf(" live_mib: %.1f peak/live: %.2f", live_mib,
		    peak / live_mib);
	printf("\n");
}

#endif
