/*
 * Which arena serves whom: oversized requests, arenas by CPU, threads that are
 * spread or bound, arenas that come and go.
 */
#include "stress.h"

#include <sched.h>

#define ARENA(index) ((int)((unsigned)(index) + 1) << 20)
#define NO_CACHE     ((int)1 << 8)

static struct {
	mallctl_function *mallctl;
	void *(*mallocx)(size_t, int);
	void (*dallocx)(void *, int);
} ctl;

static unsigned
number(const char *name)
{
	unsigned value = 0;
	size_t size = sizeof(value);

	if (ctl.mallctl(name, &value, &size, NULL, 0) != 0)
		stress_fail("%s can't be read", name);
	return value;
}

static size_t
bytes(const char *name)
{
	size_t value = 0, size = sizeof(value);

	if (ctl.mallctl(name, &value, &size, NULL, 0) != 0)
		stress_fail("%s can't be read", name);
	return value;
}

static unsigned
arena_of(void *object)
{
	unsigned arena = 0;
	size_t size = sizeof(arena);

	if (ctl.mallctl("arenas.lookup", &arena, &size, &object,
		sizeof(object)) != 0)
		stress_fail("no arena has %p", object);
	return arena;
}

static void *
take(size_t size)
{
	char *p = malloc(size);

	if (p == NULL)
		stress_fail("no memory");
	memset(p, 7, size);
	return p;
}

/* ---- oversized requests ---- */

static void
oversized_requests_have_an_arena_of_their_own(void)
{
	size_t limit = bytes("opt.oversize_threshold");
	unsigned oversize = number("opt.narenas"), own = number("thread.arena");
	char *below, *just_below, *above, name[32], *to = name;
	size_t size = sizeof(to);
	char path[32];

	if (limit == 0)
		return;
	below = take(limit - 4096);
	/* What counts are the bytes asked for, not those of the object. */
	just_below = take(limit - 1);
	above = take(limit);
	if (arena_of(below) != own || arena_of(just_below) != own ||
	    arena_of(above) != oversize)
		stress_fail("arenas %u, %u and %u", arena_of(below),
		    arena_of(just_below), arena_of(above));
	free(just_below);
	/* Both ways, wherever it goes. */
	below = realloc(below, 3 * limit);
	if (below == NULL || below[limit - 4097] != 7)
		stress_fail("growing loses contents");
	below = realloc(below, limit / 2);
	if (below == NULL || below[limit / 2 - 1] != 7)
		stress_fail("shrinking loses contents");
	snprintf(path, sizeof(path), "arena.%u.name", oversize);
	if (ctl.mallctl(path, &to, &size, NULL, 0) != 0 ||
	    strcmp(name, "auto_oversize") != 0)
		stress_fail("its name is %s", name);
	free(below);
	free(above);
	/* Who says where has it there. */
	above = ctl.mallocx(limit, ARENA(0) | NO_CACHE);
	if (arena_of(above) != 0)
		stress_fail("asked for arena 0, got %u", arena_of(above));
	ctl.dallocx(above, NO_CACHE);
}

/* ---- threads that are spread ---- */

#define SPREAD 64

static struct {
	pthread_barrier_t all;
	unsigned arena[SPREAD];
} spread;

static void *
note_arena(void *index)
{
	free(take(100));
	spread.arena[(uintptr_t)index] = number("thread.arena");
	/* An arena that a thread has left would be given to the next one. */
	pthread_barrier_wait(&spread.all);
	return NULL;
}

/* Half of the arenas, unless somebody has chosen how many there are. */
static void
threads_are_spread_over_few_arenas(void)
{
	const char *conf = getenv("MALLOC_CONF");
	unsigned narenas = number("opt.narenas"), used = 0, want = narenas;
	bool seen[SPREAD] = { false };

	if (conf == NULL || strstr(conf, "narenas") == NULL)
		want = (narenas + 1) / 2;
	if (want > SPREAD / 2 || (conf != NULL && strstr(conf, "percpu")))
		return;
	pthread_barrier_init(&spread.all, NULL, SPREAD);
	threads_run(SPREAD, note_arena);
	for (unsigned i = 0; i < SPREAD; i++) {
		unsigned arena = spread.arena[i];

		if (arena >= SPREAD)
			stress_fail("arena %u", arena);
		used += !seen[arena];
		seen[arena] = true;
	}
	if (used != want)
		stress_fail("%u of %u arenas are used, not %u", used, narenas,
		    want);
}

/* ---- arenas by CPU ---- */

static void
move_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		stress_fail("CPU %d: %s", cpu, strerror(errno));
}

static struct {
	cpu_set_t cpus;
	_Atomic unsigned moves;
} where;

static void *
wander(void *arg)
{
	struct prng prng = { (uintptr_t)arg };
	unsigned char *block[200] = { NULL };

	for (unsigned i = 0; i < 200000; i++) {
		unsigned k = (unsigned)prng_below(&prng, 200);
		int cpu = (int)prng_below(&prng, CPU_SETSIZE);

		if (i % 997 == 0 && CPU_ISSET(cpu % 8, &where.cpus)) {
			move_to(cpu % 8);
			where.moves++;
		}
		if (block[k] != NULL && *block[k] != (unsigned char)k)
			stress_fail("a block changed");
		free(block[k]);
		block[k] = malloc(1 + prng_size(&prng, 20000));
		if (block[k] == NULL)
			stress_fail("no memory");
		*block[k] = (unsigned char)k;
	}
	for (unsigned k = 0; k < 200; k++)
		free(block[k]);
	return NULL;
}

/* Objects beyond what a cache has, so that the arena is asked. */
static unsigned
arena_now(void)
{
	void *object[3000];
	unsigned arena;

	for (unsigned i = 0; i < 3000; i++)
		object[i] = take(48);
	arena = arena_of(object[2999]);
	for (unsigned i = 0; i < 3000; i++)
		free(object[i]);
	return arena;
}

static void
threads_use_the_arena_of_their_cpu(void)
{
	const char *mode = NULL;
	size_t size = sizeof(mode);
	unsigned other, manual;
	size_t manual_size = sizeof(manual);
	int ncpus, phycpu;

	ctl.mallctl("opt.percpu_arena", &mode, &size, NULL, 0);
	if (strcmp(mode, "disabled") == 0)
		return;
	phycpu = strcmp(mode, "phycpu") == 0;
	if (sched_getaffinity(0, sizeof(where.cpus), &where.cpus) != 0)
		stress_fail("no mask");
	ncpus = CPU_COUNT(&where.cpus);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		unsigned want = (unsigned)cpu %
		    (unsigned)(phycpu ? (ncpus + 1) / 2 : ncpus);

		if (!CPU_ISSET(cpu, &where.cpus))
			continue;
		move_to(cpu);
		if (arena_now() != want)
			stress_fail("CPU %d: arena %u, not %u", cpu,
			    arena_now(), want);
		if (number("thread.arena") != want)
			stress_fail("thread.arena says %u",
			    number("thread.arena"));
	}
	other = number("thread.arena") == 0;
	if (other < number("opt.narenas") &&
	    ctl.mallctl("thread.arena", NULL, NULL, &other, sizeof(other)) !=
		EPERM)
		stress_fail("an automatic arena may be chosen");
	/* One that is chosen stays. */
	if (ctl.mallctl("arenas.create", &manual, &manual_size, NULL, 0) != 0 ||
	    ctl.mallctl("thread.arena", NULL, NULL, &manual, sizeof(manual)) !=
		0)
		stress_fail("no arena of its own");
	if (arena_now() != manual)
		stress_fail("it left the arena that it has chosen");
	sched_setaffinity(0, sizeof(where.cpus), &where.cpus);
	threads_run(8, wander);
}

/* ---- they come and go ---- */

static void
arenas_that_come_and_go_leave_nothing(unsigned rounds)
{
	size_t rss = 0, maps = 0;

	for (unsigned i = 0; i < rounds; i++) {
		unsigned arena;
		size_t size = sizeof(arena);
		char path[32];
		void *p;

		if (i == rounds / 2) {
			rss = memory_rss();
			maps = memory_nmaps();
		}
		if (ctl.mallctl("arenas.create", &arena, &size, NULL, 0) != 0)
			stress_fail("no arena");
		p = ctl.mallocx(100, ARENA(arena) | NO_CACHE);
		if (p == NULL || arena_of(p) != arena)
			stress_fail("no object in arena %u", arena);
		if (i % 2 == 0)
			ctl.dallocx(p, NO_CACHE);
		snprintf(path, sizeof(path), "arena.%u.destroy", arena);
		if (ctl.mallctl(path, NULL, NULL, NULL, 0) != 0)
			stress_fail("%s fails", path);
	}
	if (memory_rss() > rss + 256 * KIB || memory_nmaps() > maps + 4)
		stress_fail("RSS %zu -> %zu, mappings %zu -> %zu", rss,
		    memory_rss(), maps, memory_nmaps());
}

/* Its record has been another arena before. */
static void
an_arena_that_is_made_again_counts_from_zero(void)
{
	static const char *const counts[] = { "small.nmalloc", "small.ndalloc",
		"small.allocated", "large.nmalloc", "large.ndalloc",
		"large.allocated", "large.nrequests", "bins.3.nmalloc",
		"bins.3.nslabs", "bins.3.curslabs", "bins.3.curregs",
		"lextents.2.nmalloc", "lextents.2.curlextents", "pactive",
		"pdirty", "mapped", "retained", "dirty_npurge" };
	unsigned first = 0;

	for (unsigned round = 0; round < 2; round++) {
		unsigned arena;
		size_t size = sizeof(arena);
		uint64_t epoch = 1;
		char path[80];

		if (ctl.mallctl("arenas.create", &arena, &size, NULL, 0) != 0)
			stress_fail("no arena");
		if (round == 0)
			first = arena;
		else if (arena != first)
			stress_fail("arena %u, not %u again", arena, first);
		if (ctl.mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)) !=
		    0)
			stress_fail("no epoch");
		for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]);
		     i++) {
			snprintf(path, sizeof(path), "stats.arenas.%u.%s",
			    arena, counts[i]);
			if (stress_figure(path) != 0)
				stress_fail("round %u: %s is not 0", round,
				    path);
		}
		for (unsigned i = 0; i < 1000; i++) {
			int flags = ARENA(arena) | NO_CACHE;
			void *small = ctl.mallocx(48, flags);
			void *large = ctl.mallocx(28672, flags);

			if (small == NULL || large == NULL)
				stress_fail("no memory");
			if (i % 2 == 0)
				ctl.dallocx(large, NO_CACHE);
			if (i % 3 == 0)
				ctl.dallocx(small, NO_CACHE);
		}
		snprintf(path, sizeof(path), "arena.%u.destroy", arena);
		if (ctl.mallctl(path, NULL, NULL, NULL, 0) != 0)
			stress_fail("%s fails", path);
	}
}

int
main(int argc, char **argv)
{
	unsigned scale = stress_start(argc, argv, 120);

	if (!symbol_find("mallctl", &ctl.mallctl) ||
	    !symbol_find("mallocx", &ctl.mallocx) ||
	    !symbol_find("dallocx", &ctl.dallocx))
		stress_skip_other("mallctl");
	if (built_with("stats"))
		an_arena_that_is_made_again_counts_from_zero();
	arenas_that_come_and_go_leave_nothing(10000 * scale);
	oversized_requests_have_an_arena_of_their_own();
	threads_are_spread_over_few_arenas();
	threads_use_the_arena_of_their_cpu();
	return 0;
}
