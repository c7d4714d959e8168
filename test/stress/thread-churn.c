/*
 * thread-churn: a great many threads come and go.
 *
 * Provokes: 15,000 threads (100,000 and more when lengthened, 6,000 if it is to
 * be short), 8 at a time;
 * each frees what an earlier thread has left and leaves blocks for later
 * ones. Then 1,200 detached ones that never allocate, 40 at a time: as they
 * end, the C library frees in them what belonged to others.
 * Must hold: contents are intact, and dead threads leave nothing behind:
 * between the 3,000th thread and the end resident memory grows by 12 MiB,
 * address space by 128 MiB, mappings by 64 at most, descriptors not at all.
 * 800 detached threads add at most 2 MiB to the library's own records.
 */
#include <sched.h>

#include "stress.h"

enum { NATONCE = 8, NROUNDS = 1875, NSHORT = 750, NWARM = 375 };
enum { NBOXES = 256, NLEFT = 16 };

struct figures {
	size_t rss, space, nmaps;
	int descriptor;
};

struct block {
	size_t size;
	char bytes[];
};

static _Atomic(struct block *) boxes[NBOXES];

static void
box_replace(struct prng *prng)
{
	size_t box = prng_below(prng, NBOXES);
	size_t size = prng_below(prng, 50) == 0 ? prng_size(prng, 64 * KIB)
						: prng_size(prng, 2048);
	struct block *block = needed(malloc(sizeof(*block) + size));

	block->size = size;
	bytes_fill(block->bytes, size, size);
	block = atomic_exchange(&boxes[box], block);
	if (block != NULL) {
		bytes_verify(block->bytes, block->size, block->size);
		free(block);
	}
}

static void *
short_life(void *argument)
{
	struct prng prng = { (uintptr_t)argument * 77 };
	void *own[32];

	for (unsigned i = 0; i < 32; i++)
		own[i] = needed(malloc(8 + prng_below(&prng, 600)));
	for (unsigned i = 0; i < NLEFT; i++)
		box_replace(&prng);
	for (unsigned i = 0; i < 32; i++)
		free(own[i]);
	return NULL;
}

static struct figures
figures_take(void)
{
	struct figures figures = { memory_rss(), memory_status("VmSize:"),
		memory_nmaps(), dup(0) };

	if (figures.descriptor >= 0)
		close(figures.descriptor);
	return figures;
}

static void
figures_compare(struct figures before, struct figures now)
{
	if (now.rss > before.rss + 12 * MIB)
		stress_fail("resident memory grew by %zu KiB",
		    (now.rss - before.rss) / KIB);
	if (now.space > before.space + 128 * MIB)
		stress_fail("address space grew by %zu KiB",
		    (now.space - before.space) / KIB);
	if (now.nmaps > before.nmaps + 64)
		stress_fail("%zu more mappings", now.nmaps - before.nmaps);
	if (now.descriptor != before.descriptor)
		stress_fail("the lowest free descriptor was %d, is %d",
		    before.descriptor, now.descriptor);
}

static pthread_barrier_t all_there;
static _Atomic unsigned nended;

static void *
do_nothing(void *argument)
{
	pthread_barrier_wait(&all_there);
	nended++;
	return argument;
}

static size_t
own_records(void)
{
	int (*ctl)(const char *, void *, size_t *, void *,
	    size_t) = (int (*)(const char *, void *, size_t *, void *,
	    size_t))dlsym(RTLD_DEFAULT, "mallctl");
	uint64_t epoch = 1;
	size_t bytes = 0, length = sizeof(bytes);

	if (ctl == NULL)
		return 0;
	ctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
	CHECK(ctl("stats.metadata", &bytes, &length, NULL, 0) == 0);
	return bytes;
}

static void
detached_threads_leave_no_record(void)
{
	pthread_attr_t attr;
	size_t before = 0;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (unsigned round = 0; round < 30; round++) {
		pthread_t id;

		if (round == 10)
			before = own_records();
		nended = 0;
		pthread_barrier_init(&all_there, NULL, 41);
		for (unsigned i = 0; i < 40; i++)
			CHECK(pthread_create(&id, &attr, do_nothing, NULL) ==
			    0);
		pthread_barrier_wait(&all_there);
		while (nended != 40)
			sched_yield();
		/* Most of them are gone soon: so stacks are used again. */
		usleep(5000);
	}
	if (own_records() > before + 2 * MIB)
		stress_fail("detached threads left %zu bytes of records",
		    own_records() - before);
}

int
main(int argc, char **argv)
{
	unsigned scale = stress_start(argc, argv, 120);
	struct figures before = { 0 };
	unsigned nrounds = stress_is_short(argc, argv) ? NSHORT
						       : NROUNDS * scale;
	uintptr_t serial = 0;

	for (unsigned round = 0; round < nrounds; round++) {
		pthread_t ids[NATONCE];

		if (round == NWARM)
			before = figures_take();
		for (unsigned i = 0; i < NATONCE; i++)
			CHECK(pthread_create(&ids[i], NULL, short_life,
				  (void *)++serial) == 0);
		for (unsigned i = 0; i < NATONCE; i++)
			CHECK(pthread_join(ids[i], NULL) == 0);
	}
	figures_compare(before, figures_take());
	detached_threads_leave_no_record();
	return 0;
}
