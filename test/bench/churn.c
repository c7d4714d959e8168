/*
 * churn: threads come and go, and leave blocks to those who follow.
 *
 * Each thread frees what an earlier one has left in a shared box, does some
 * work of its own, leaves new blocks there and ends. Shows the price of a
 * thread's birth and death in the allocator, and whether what dead threads
 * had cached is lost. The threads given are those alive at one time.
 */
#include "bench.h"

enum { NBOXES = 64, NLEFT = 100, NOWN = 300 };

struct box {
	pthread_mutex_t lock; /* protects all that follows */
	void *blocks[NLEFT];
	uint32_t sizes[NLEFT];
};

static struct box boxes[NBOXES];

static void
box_empty_locked(struct box *box)
{
	for (unsigned i = 0; i < NLEFT; i++)
		if (box->blocks[i] != NULL) {
			block_check(box->blocks[i], box->sizes[i], i);
			free(box->blocks[i]);
			box->blocks[i] = NULL;
		}
}

static void
box_fill_locked(struct box *box, struct prng *prng)
{
	for (unsigned i = 0; i < NLEFT; i++) {
		box->sizes[i] = (uint32_t)prng_between(prng, 16, 2000);
		box->blocks[i] = block_need(malloc(box->sizes[i]));
		block_stamp(box->blocks[i], box->sizes[i], i);
	}
}

static void *
short_life(void *argument)
{
	struct prng prng = { (uintptr_t)argument };
	struct box *box = &boxes[prng_below(&prng, NBOXES)];
	void *own[NOWN];
	uint32_t sizes[NOWN];

	for (unsigned i = 0; i < NOWN; i++) {
		sizes[i] = (uint32_t)prng_between(&prng, 8, 1000);
		own[i] = block_need(malloc(sizes[i]));
		block_stamp(own[i], sizes[i], i);
	}
	pthread_mutex_lock(&box->lock);
	box_empty_locked(box);
	box_fill_locked(box, &prng);
	pthread_mutex_unlock(&box->lock);
	for (unsigned i = 0; i < NOWN; i++) {
		block_check(own[i], sizes[i], i);
		free(own[i]);
	}
	return NULL;
}

static void
churn_work(struct bench_thread *thread)
{
	uint64_t nlives = scale_count(thread->scale, 12000);

	for (uint64_t n = 0; n < nlives; n++) {
		pthread_t id;
		uintptr_t seed = n * thread->nthreads + thread->index;

		if (pthread_create(&id, NULL, short_life, (void *)seed) != 0)
			bench_die("no thread");
		pthread_join(id, NULL);
	}
	thread->nops = nlives;
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("churn", 0, argc, argv);
	uint64_t nops;
	double seconds;
	size_t live = 0;

	for (unsigned i = 0; i < NBOXES; i++)
		pthread_mutex_init(&boxes[i].lock, NULL);
	seconds = bench_run(&bench, churn_work, NULL, &nops);
	for (unsigned i = 0; i < NBOXES; i++) {
		for (unsigned j = 0; j < NLEFT; j++)
			live += boxes[i].blocks[j] == NULL ? 0
							   : boxes[i].sizes[j];
		box_empty_locked(&boxes[i]);
	}
	bench_result(&bench, nops, seconds, (double)live / (1 << 20));
	return 0;
}
