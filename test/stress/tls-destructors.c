/*
 * tls-destructors: threads allocate and free while they are torn down.
 *
 * Provokes: 60 pthread keys (so many that the C library itself allocates for
 * them), some made before the allocator's first call and some after; their
 * destructors take and free blocks in all four rounds. C11 keys, destructors
 * of thread_local objects, threads whose only use of the allocator is in the
 * last round of all, and threads whose only use is a free.
 * Must hold: contents are intact; a thread counts until the last round; 1,600
 * threads grow the process by less than 6 MiB, 1,200 of those that come late by
 * less than 8 MiB.
 */
#include "stress.h"

#include <limits.h>
#include <threads.h>

enum { NEARLY = 10, NKEYS = 60, NTHREADS = 400, NLATE = 300, FULL = 4 };

static pthread_key_t keys[NKEYS];
static pthread_key_t late_key;
static tss_t tss_key;
static _Atomic unsigned long ndestroyed, ntss, ncxx, nlate;
static unsigned nearly; /* keys made so far */
static bool counted;    /* this allocator counts for each thread */

struct value {
	pthread_key_t key;
	unsigned round;
	size_t size;
	char bytes[];
};

extern void *__dso_handle;
int __cxa_thread_atexit_impl(void (*)(void *), void *, void *)
    __attribute__((weak));

static struct value *
value_create(pthread_key_t key, unsigned round)
{
	size_t size = (key * 131 + round * 977) % 5000;
	struct value *value = needed(malloc(sizeof(*value) + size));

	value->key = key;
	value->round = round;
	value->size = size;
	bytes_fill(value->bytes, size, key + round);
	return value;
}

static bool
allocated_by_thread(uint64_t *bytes)
{
	size_t size = sizeof(*bytes);

	return control("thread.allocated", bytes, &size, NULL, 0) == 0;
}

/* Until the last round, a thread has its cache and its counters. */
static void
still_counts(void)
{
	uint64_t before, after;

	if (!counted)
		return;
	CHECK(allocated_by_thread(&before));
	free(needed(malloc(1000)));
	CHECK(allocated_by_thread(&after));
	if (after - before < 1000)
		stress_fail("%u bytes are counted in a destructor",
		    (unsigned)(after - before));
}

/* Runs in each round, until the last one leaves nothing. */
static void
value_destroy(void *argument)
{
	struct value *value = argument;
	pthread_key_t key = value->key;
	unsigned round = value->round;

	bytes_verify(value->bytes, value->size, key + round);
	free(value);
	atomic_fetch_add(&ndestroyed, 1);
	if (round + 1 < PTHREAD_DESTRUCTOR_ITERATIONS) {
		still_counts();
		pthread_setspecific(key, value_create(key, round + 1));
	}
}

static void
plain_destroy(void *argument)
{
	bytes_verify(argument, 700, 5);
	free(argument);
	free(needed(malloc(1200)));
	atomic_fetch_add(&ntss, 1);
}

static void
cxx_destroy(void *argument)
{
	bytes_verify(argument, 300, 6);
	free(argument);
	free(needed(calloc(3, 1000)));
	atomic_fetch_add(&ncxx, 1);
}

/* Waits until the last round, then uses the allocator for the first time. */
static void
late_destroy(void *argument)
{
	unsigned round = (unsigned)(uintptr_t)argument;

	if (round < PTHREAD_DESTRUCTOR_ITERATIONS) {
		pthread_setspecific(late_key, (void *)(uintptr_t)(round + 1));
		return;
	}
	for (unsigned i = 0; i < 20; i++) {
		char *block = needed(malloc(100 + i * 300));

		block[0] = 1;
		free(block);
	}
	atomic_fetch_add(&nlate, 1);
}

static void
keys_create(unsigned upto)
{
	while (nearly < upto)
		if (pthread_key_create(&keys[nearly++], value_destroy) != 0)
			_exit(3);
}

static void
keys_create_early(void)
{
	keys_create(NEARLY);
}

__attribute__((section(".preinit_array"),
    used)) static void (*const preinit)(void) = keys_create_early;

static void *
full_life(void *argument)
{
	void *block;

	(void)argument;
	for (unsigned i = 0; i < NKEYS; i++)
		CHECK(pthread_setspecific(keys[i], value_create(keys[i], 0)) ==
		    0);
	block = needed(malloc(700));
	bytes_fill(block, 700, 5);
	CHECK(tss_set(tss_key, block) == thrd_success);
	if (__cxa_thread_atexit_impl != NULL) {
		block = needed(malloc(300));
		bytes_fill(block, 300, 6);
		__cxa_thread_atexit_impl(cxx_destroy, block, &__dso_handle);
	}
	return NULL;
}

static void *
late_life(void *argument)
{
	(void)argument;
	CHECK(pthread_setspecific(late_key, (void *)1) == 0);
	return NULL;
}

static void
run_many(unsigned nthreads, void *(*life)(void *), size_t allowed)
{
	size_t before = 0, held = 0, size = sizeof(held);

	/* A quarantine of a small heap, and the slabs it keeps from others. */
	control("opt.quarantine", &held, &size, NULL, 0);
	allowed += held < 2 * MIB ? held : 2 * MIB;
	for (unsigned i = 0; i < nthreads; i += 4) {
		if (i == nthreads / 8)
			before = memory_rss();
		threads_run(4, life);
	}
	/* Threads of the library may have it in hand to give memory back. */
	for (unsigned i = 0;
	     i < 100 * STRESS_PATIENCE && memory_rss() > before + allowed; i++)
		usleep(50000);
	if (memory_rss() > before + allowed)
		stress_fail("grew by %zu KiB over %u threads",
		    (memory_rss() - before) / KIB, nthreads);
}

int
main(int argc, char **argv)
{
	/* A quarter, if it is to be short. */
	unsigned scale = stress_start(argc, argv, 60) *
	    (stress_is_short(argc, argv) ? 1 : FULL);

	counted = allocated_by_thread(&(uint64_t){ 0 });
	keys_create(NKEYS);
	CHECK(pthread_key_create(&late_key, late_destroy) == 0);
	CHECK(tss_create(&tss_key, plain_destroy) == thrd_success);
	run_many(NTHREADS * scale, full_life, 6 * MIB);
	CHECK(ndestroyed ==
	    (unsigned long)NTHREADS * scale * NKEYS *
		PTHREAD_DESTRUCTOR_ITERATIONS);
	CHECK(ntss == NTHREADS * scale);
	CHECK(ncxx == NTHREADS * scale || __cxa_thread_atexit_impl == NULL);
	run_many(NLATE * scale, late_life, 8 * MIB);
	CHECK(nlate == NLATE * scale);
	return 0;
}
