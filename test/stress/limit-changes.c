/*
 * limit-changes: limits that are lowered while there is more in memory.
 *
 * Provokes: hard limits that change at random, below and above what is live,
 * between allocations of all kinds, by one thread and by several; garbage that
 * is dirty, muzzy, in huge pages, behind guards, in caches; soft limits set
 * below garbage and below live objects, also by the callback itself.
 * Must hold: with nothing above the limit, nothing gets above it; what is
 * unused goes when the limit is set, and while too much is live, when it is
 * freed; until then no request gets pages; a soft limit acts at once.
 */
#include "stress.h"

#define X         "experimental.x.limit."
#define MIB       ((size_t)1 << 20)
#define KIB       ((size_t)1 << 10)
#define CACHED    (256 * KIB) /* larger objects are in no cache */
#define ANY_SLACK SIZE_MAX

enum { NBLOCKS = 96, NTHREADS = 4 };

static struct {
	void *(*mallocx)(size_t, int);
	unsigned arena;
	size_t slack; /* bytes of caches, partly used slabs */
	unsigned seeds, steps;
} run;

static size_t
get(const char *name)
{
	size_t value = 0, size = sizeof(value);

	if (control(name, &value, &size, NULL, 0) != 0)
		stress_fail("%s can't be read", name);
	return value;
}

static void
set(const char *name, size_t value)
{
	if (control(name, NULL, NULL, &value, sizeof(value)) != 0)
		stress_fail("%s can't be set", name);
}

static size_t
in_memory(void)
{
	return get(X "in_memory");
}

/* ---- one thread, against a model ---- */

static struct {
	struct prng prng;
	char *block[NBLOCKS];
	size_t live; /* usable bytes of all */
	size_t hard;
} model;

static size_t
below(size_t n)
{
	return prng_below(&model.prng, n);
}

static size_t
any_size(struct prng *prng)
{
	static const size_t most[] = { 14 * KIB, CACHED, 6 * MIB };

	return 1 + prng_below(prng, most[prng_below(prng, 3)]);
}

/* Is `now` no more than the limit, or than what can't go? */
static void
must_be_gone(size_t now, const char *when)
{
	size_t least = model.live + run.slack;

	if (run.slack != ANY_SLACK && now > model.hard && now > least)
		stress_fail("%s: %zu KiB in memory, %zu KiB live, limit of "
			    "%zu KiB",
		    when, now / KIB, model.live / KIB, model.hard / KIB);
}

static void
change_limit(void)
{
	size_t base = below(2) == 0 ? model.live : in_memory();

	model.hard = below(8) == 0 ? 0 : 1 + below(base + base / 2 + MIB);
	set(X "hard", model.hard);
	if (model.hard != 0)
		must_be_gone(in_memory(), "limit set");
}

static char *
take(size_t size)
{
	switch (below(5)) {
	case 0:
		return calloc(1, size);
	case 1:
		return aligned_alloc((size_t)1 << (4 + below(12)), size);
	case 2:
		return run.mallocx(size, (int)(run.arena + 1) << 20 | 1 << 8);
	default:
		return malloc(size);
	}
}

static void
check_step(size_t before, size_t now, const char *what)
{
	if (model.hard == 0)
		return;
	if (before <= model.hard ? now > model.hard : now > before)
		stress_fail("%s: %zu KiB in memory became %zu, limit of "
			    "%zu KiB",
		    what, before / KIB, now / KIB, model.hard / KIB);
}

static void
add(char **block)
{
	size_t size = any_size(&model.prng), before = in_memory(), now;

	*block = hidden(take(size));
	now = in_memory();
	check_step(before, now, "taken");
	if (*block != NULL) {
		memset(*block, 1, size);
		model.live += malloc_usable_size(*block);
		if (model.hard != 0 && now > model.hard && size > CACHED)
			stress_fail("%zu KiB above the limit", size / KIB);
	} else if (run.slack != ANY_SLACK) {
		CHECK(model.hard != 0);
		CHECK(model.live + size + size / 4 + run.slack > model.hard);
	}
}

static void
resize(char **block)
{
	size_t size = any_size(&model.prng), before = in_memory();
	size_t old = malloc_usable_size(*block);
	char *moved = hidden(realloc(hidden(*block), size));

	check_step(before, in_memory(), "resized");
	if (moved == NULL)
		return;
	*block = moved;
	memset(moved, 2, size);
	model.live += malloc_usable_size(moved) - old;
}

static void
drop(char **block)
{
	size_t before = in_memory(), now;

	model.live -= malloc_usable_size(*block);
	free(*block);
	*block = NULL;
	now = in_memory();
	check_step(before, now, "freed");
	if (model.hard != 0 && before > model.hard)
		must_be_gone(now, "freed");
}

static void
limits_change_at_random(void *argument)
{
	(void)argument;
	for (unsigned i = 0; i < run.steps; i++) {
		char **block = &model.block[below(NBLOCKS)];

		if (i % 16 == 0)
			change_limit();
		if (*block == NULL)
			add(block);
		else if (below(4) == 0)
			resize(block);
		else
			drop(block);
	}
	set(X "hard", 0);
	model.hard = 0;
	free(needed(malloc(8 * MIB)));
}

/* ---- several threads ---- */

static _Atomic size_t hard; /* the limit; changes after the number */
static _Atomic unsigned nchanges, nworking;

/* While one limit is in force, who got pages shows that all is below it. */
static void
take_one(struct prng *prng, char **block)
{
	unsigned changes = nchanges;
	size_t size = any_size(prng), limit = hard, now;

	*block = hidden(malloc(size));
	if (*block == NULL)
		return;
	now = in_memory();
	if (changes % 2 == 0 && changes == nchanges && size > CACHED &&
	    now > limit)
		stress_fail("%zu KiB of %zu are in memory", now / KIB,
		    limit / KIB);
	memset(*block, 1, size);
}

static void *
take_and_drop(void *argument)
{
	struct prng prng = { (uintptr_t)argument + 1 };
	char *blocks[NBLOCKS / NTHREADS] = { NULL };

	for (unsigned i = 0; i < run.steps; i++) {
		char **block = &blocks[prng_below(&prng, NBLOCKS / NTHREADS)];

		if (*block == NULL) {
			take_one(&prng, block);
		} else {
			free(*block);
			*block = NULL;
		}
	}
	for (unsigned i = 0; i < NBLOCKS / NTHREADS; i++)
		free(blocks[i]);
	nworking--;
	return NULL;
}

static void *
change_limits(void *argument)
{
	struct prng prng = { 4711 };

	(void)argument;
	while (nworking != 0) {
		nchanges++;
		hard = MIB + prng_below(&prng, 96 * MIB);
		set(X "hard", hard);
		nchanges++;
		usleep(2000);
	}
	return NULL;
}

static void *
one_of_them(void *argument)
{
	return argument == NULL ? change_limits(argument)
				: take_and_drop(argument);
}

static void
threads_stay_below(void *argument)
{
	(void)argument;
	hard = 96 * MIB;
	set(X "hard", hard);
	nworking = NTHREADS;
	threads_run(NTHREADS + 1, one_of_them);
}

/* ---- garbage ---- */

static void
leave_garbage(size_t size)
{
	char *block[16];

	for (unsigned i = 0; i < 16; i++) {
		block[i] = needed(malloc(size / 16));
		memset(block[i], 1, size / 16);
	}
	for (unsigned i = 0; i < 16; i++)
		free(block[i]);
}

/* What is free and in memory is not to be had again as if it were not. */
static void
garbage_goes_with_the_limit(void *argument)
{
	static const size_t limits[] = { 40, 20, 30, 8 };
	size_t start = in_memory();

	(void)argument;
	leave_garbage(100 * MIB);
	for (unsigned i = 0; i < 4; i++) {
		size_t limit = start + limits[i] * MIB;

		set(X "hard", limit);
		CHECK(in_memory() <= limit);
		CHECK(hidden(malloc(100 * MIB)) == NULL && errno == ENOMEM);
		CHECK(hidden(malloc(limit + 1)) == NULL);
		CHECK(in_memory() <= limit);
		leave_garbage(limits[i] * MIB / 2);
		CHECK(in_memory() <= limit);
	}
}

static void
live_memory_above_the_limit(void *argument)
{
	size_t limit = in_memory() + 30 * MIB;
	char *block[20];

	(void)argument;
	for (unsigned i = 0; i < 20; i++) {
		block[i] = needed(malloc(4 * MIB));
		memset(block[i], 1, 4 * MIB);
	}
	set(X "hard", limit);
	for (unsigned i = 0; i < 20; i++) {
		bool had = in_memory() > limit;
		char *more = hidden(malloc(3 * MIB));

		CHECK(more == NULL || (!had && in_memory() <= limit));
		free(more);
		/* What was in the quarantine may have gone back meanwhile. */
		if (had && in_memory() > limit) {
			CHECK(hidden(realloc(block[19], 5 * MIB)) == NULL);
			CHECK(hidden(calloc(1, 3 * MIB)) == NULL);
		}
		free(block[i]);
	}
	CHECK(in_memory() <= limit);
}

/* ---- soft ---- */

static struct {
	unsigned calls;
	size_t in_memory, soft, next;
} told;

static void
hear(size_t now, size_t soft, void *context)
{
	CHECK(context == &told);
	told.calls++;
	told.in_memory = now;
	told.soft = soft;
	if (told.next != 0) {
		set(X "hard", now + MIB);
		set(X "soft", told.next);
		set(X "hard", 0);
	}
}

static void
a_soft_limit_acts_when_it_is_set(void *argument)
{
	void *listener[2] = { (void *)(uintptr_t)hear, &told };
	size_t start = in_memory();
	char *block;

	(void)argument;
	CHECK(control(X "callback", NULL, NULL, listener, sizeof(listener)) ==
	    0);
	leave_garbage(64 * MIB);
	set(X "soft", start + 16 * MIB);
	CHECK(in_memory() <= start + 16 * MIB && told.calls == 0);
	set(X "soft", 0);
	block = needed(malloc(64 * MIB));
	errno = 4711;
	set(X "soft", 32 * MIB);
	CHECK(told.calls == 1 && told.soft == 32 * MIB && errno == 4711);
	CHECK(told.in_memory >= 64 * MIB);
	/* One that is set inside of the callback has to wait for a call. */
	told.next = 24 * MIB;
	set(X "soft", 28 * MIB);
	CHECK(told.calls == 2 && get(X "soft") == 24 * MIB);
	told.next = 0;
	free(needed(malloc(MIB)));
	CHECK(told.calls == 3 && told.soft == 24 * MIB);
	free(block);
}

/* ---- ways ---- */

/* Objects in a quarantine are live; a huge page with one object is. */
static const struct {
	const char *what, *conf;
	size_t slack;
} ways[] = {
	{ "plain", "", 8 * MIB },
	{ "never", "dirty_decay_ms:-1,narenas:1", 8 * MIB },
	{ "muzzy", "dirty_decay_ms:0,muzzy_decay_ms:-1", 8 * MIB },
	{ "dirty, muzzy", "muzzy_decay_ms:-1", 8 * MIB },
	{ "no retain", "retain:false", 8 * MIB },
	{ "guards", "guard_large:true", 8 * MIB },
	{ "checked", "safety:full", ANY_SLACK },
	{ "huge", "hpa:true", ANY_SLACK },
	{ "from the start", "limit_hard:12345678,limit_soft:3456789", 8 * MIB },
};

static void
limits_hold_from_the_start(void)
{
	for (size_t size = 64 * KIB; size <= 8 * MIB; size *= 2) {
		leave_garbage(size);
		CHECK(in_memory() <= get("opt.limit_hard"));
		CHECK(hidden(malloc(get("opt.limit_hard"))) == NULL);
	}
	set(X "soft", 0);
	set(X "hard", 0);
}

static void
go(unsigned way)
{
	size_t length = sizeof(run.arena);

	if (control("arenas.create", &run.arena, &length, NULL, 0) != 0)
		stress_fail("no arena");
	run.slack = ways[way].slack;
	if (get("opt.limit_hard") != 0)
		limits_hold_from_the_start();
	for (uint64_t seed = 1; seed <= run.seeds; seed++) {
		model.prng.state = seed;
		child_must_pass(ways[way].what, limits_change_at_random, NULL,
		    120);
	}
	child_must_pass(ways[way].what, threads_stay_below, NULL, 120);
	child_must_pass(ways[way].what, garbage_goes_with_the_limit, NULL, 30);
	child_must_pass(ways[way].what, live_memory_above_the_limit, NULL, 30);
	child_must_pass(ways[way].what, a_soft_limit_acts_when_it_is_set, NULL,
	    30);
}

int
main(int argc, char **argv)
{
	run.seeds = stress_start(argc, argv, 120);
	run.steps = 250;
	if (!symbol_find("mallocx", &run.mallocx))
		stress_skip_other("mallocx");
	for (unsigned i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		const char *way = getenv("LIMIT_CHANGES");

		if (way == NULL)
			stress_start_again(argv, "LIMIT_CHANGES", ways[i].what,
			    ways[i].conf);
		else if (strcmp(way, ways[i].what) == 0)
			go(i);
	}
	return 0;
}
