/*
 * drift: a process that does the same for a long time does not grow.
 *
 * Provokes: rounds of what servers do: objects of all sizes come, are handed to
 * other threads and freed there; threads come and go; blocks grow; a child is
 * forked; statistics are read, memory is purged. `drift N`: N times as many
 * rounds; scripts/soak has it run all the time.
 * Must hold: contents are intact; allocated <= active <= resident <= mapped,
 * and nothing is allocated after a round that was not before. In the last third
 * of the rounds resident memory, full and idle, and the number of mappings are
 * no higher than in the second third: by 2 %, and by what threads' timing does.
 */
#include "stress.h"

enum { ROUNDS = 18, NBOXES = 20000, NWORKERS = 4, NSHORT = 64, SLACK = 4 };

struct block {
	size_t size;
	uint64_t seed;
	char bytes[];
};

static _Atomic(struct block *) boxes[NBOXES];

static void
block_free(struct block *block)
{
	if (block == NULL)
		return;
	bytes_verify(block->bytes, block->size, block->seed);
	free(block);
}

static struct block *
block_make(struct prng *prng)
{
	size_t draw = prng_below(prng, 1000);
	size_t size = prng_size(prng,
	    draw < 950       ? 2 * KIB
		: draw < 999 ? 64 * KIB
			     : 2 * MIB);
	struct block *block = needed(malloc(sizeof(*block) + size));

	block->size = size;
	block->seed = prng_next(prng);
	bytes_fill(block->bytes, size, block->seed);
	if (prng_below(prng, 16) != 0)
		return block;
	bytes_verify(block->bytes, size, block->seed);
	block = needed(realloc(block, sizeof(*block) + 2 * size));
	block->size = 2 * size;
	bytes_fill(block->bytes, 2 * size, block->seed);
	return block;
}

/* Each box is replaced by somebody, who frees what another has made. */
static void *
worker(void *argument)
{
	struct prng prng = { (uintptr_t)argument + 1 };

	for (unsigned i = 0; i < NBOXES / 2; i++) {
		size_t box = prng_below(&prng, NBOXES);

		block_free(atomic_exchange(&boxes[box], block_make(&prng)));
	}
	return NULL;
}

static void *
short_worker(void *argument)
{
	struct prng prng = { (uintptr_t)argument + 1000 };

	for (unsigned i = 0; i < 50; i++) {
		size_t box = prng_below(&prng, NBOXES);

		block_free(atomic_exchange(&boxes[box], block_make(&prng)));
	}
	return NULL;
}

static void
boxes_empty(void)
{
	for (unsigned i = 0; i < NBOXES; i++)
		block_free(atomic_exchange(&boxes[i], NULL));
}

static void
child(void *argument)
{
	(void)argument;
	threads_run(2, short_worker);
	boxes_empty();
}

/* ---- figures ---- */

static size_t
figure(const char *name)
{
	size_t value = 0, size = sizeof(value);

	CHECK(control(name, &value, &size, NULL, 0) == 0);
	return value;
}

struct figures {
	size_t full, idle, nmaps;
};

static void
figures_check(size_t *allocated)
{
	uint64_t epoch = 1;
	size_t active, resident, mapped, now;

	control("thread.tcache.flush", NULL, NULL, NULL, 0);
	CHECK(control("epoch", NULL, NULL, &epoch, sizeof(epoch)) == 0);
	now = figure("stats.allocated");
	active = figure("stats.active");
	resident = figure("stats.resident");
	mapped = figure("stats.mapped");
	if (now > active || active > resident || resident > mapped)
		stress_fail("allocated %zu, active %zu, resident %zu, "
			    "mapped %zu",
		    now, active, resident, mapped);
	/* Of the threads of a round a few records may be left. */
	if (*allocated != 0 && now > *allocated + 64 * KIB)
		stress_fail("%zu bytes are allocated, after the first round "
			    "%zu were",
		    now, *allocated);
	if (*allocated == 0)
		*allocated = now;
}

static void
highest(struct figures *most, const struct figures *now)
{
	if (most->full < now->full)
		most->full = now->full;
	if (most->idle < now->idle)
		most->idle = now->idle;
	if (most->nmaps < now->nmaps)
		most->nmaps = now->nmaps;
}

static void
no_higher(const char *what, size_t before, size_t after, size_t slack)
{
	printf("%s: %zu in the second third, %zu in the last\n", what, before,
	    after);
	fflush(stdout);
	if (after > before + before / 50 + slack)
		stress_fail("%s grows: %zu, then %zu", what, before, after);
}

int
main(int argc, char **argv)
{
	unsigned rounds = ROUNDS * stress_start(argc, argv, 60);
	struct figures thirds[3] = { { 0, 0, 0 } };
	size_t allocated = 0;

	for (unsigned round = 0; round < rounds; round++) {
		struct figures now;

		threads_run(NWORKERS, worker);
		now.full = memory_rss();
		threads_run(NSHORT, short_worker);
		child_must_pass("child", child, NULL, 60);
		boxes_empty();
		if (built_with("stats"))
			figures_check(&allocated);
		control("arena.4096.purge", NULL, NULL, NULL, 0);
		now.idle = memory_rss();
		now.nmaps = memory_nmaps();
		highest(&thirds[round * 3 / rounds], &now);
	}
	no_higher("full", thirds[1].full, thirds[2].full, SLACK * MIB);
	no_higher("idle", thirds[1].idle, thirds[2].idle, SLACK * MIB);
	no_higher("mappings", thirds[1].nmaps, thirds[2].nmaps, 64);
	return 0;
}
