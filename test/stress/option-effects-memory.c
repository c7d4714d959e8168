/*
 * Keys about arenas, about pages and when they go, and about thread caches.
 */
#include "option-effects.h"

#include <sched.h>
#include <sys/mman.h>

/* ---- threads and arenas ---- */

enum { NTHREADS = 8 };

static struct {
	pthread_barrier_t all;
	unsigned arena[NTHREADS];
	char *object[NTHREADS];
} gathered;

static void *
have_an_arena(void *argument)
{
	free(needed(malloc(100)));
	gathered.arena[(uintptr_t)argument] = (unsigned)figure("thread.arena");
	pthread_barrier_wait(&gathered.all);
	return NULL;
}

static void
threads_share_one_arena(void)
{
	bool one = true;

	pthread_barrier_init(&gathered.all, NULL, NTHREADS);
	threads_run(NTHREADS, have_an_arena);
	for (unsigned i = 1; i < NTHREADS; i++)
		one = one && gathered.arena[i] == gathered.arena[0];
	seen(one);
}

/* The CPUs that this process may run on; returns how many. */
static unsigned
cpus_list(int cpus[static 2])
{
	cpu_set_t set;
	unsigned count = 0;

	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
	for (int i = 0; i < CPU_SETSIZE && count < 2; i++)
		if (CPU_ISSET(i, &set))
			cpus[count++] = i;
	return count;
}

static void
threads_share_one_arena_of_many_cpus(void)
{
	int cpus[2];

	if (cpus_list(cpus) < 2)
		cannot("one CPU has one arena in any case");
	threads_share_one_arena();
}

static bool
cpu_is_allowed(int cpu)
{
	cpu_set_t set;

	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
	return CPU_ISSET(cpu, &set);
}

static unsigned
arena_on(int cpu)
{
	cpu_set_t set;
	unsigned arena = 0;
	size_t size = sizeof(arena);
	void *block;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
	block = needed(malloc(100 * KIB));
	CHECK(control("arenas.lookup", &arena, &size, &block, sizeof(block)) ==
	    0);
	return arena;
}

static void
arena_follows_the_cpu(void)
{
	int cpus[2];
	unsigned first;

	if (cpus_list(cpus) < 2)
		cannot("there is one CPU");
	first = arena_on(cpus[0]);
	seen(arena_on(cpus[1]) != first && arena_on(cpus[0]) == first);
}

/* With `phycpu` half as many arenas are used as there are CPUs. */
static void
siblings_have_one_arena(void)
{
	int half = (int)sysconf(_SC_NPROCESSORS_ONLN) / 2;
	int cpus[2];

	if (cpus_list(cpus) < 2 || half < 1 || cpus[0] != 0 ||
	    !cpu_is_allowed(half))
		cannot("there is one CPU, or others are in use");
	seen(arena_on(0) == arena_on(half));
}

static unsigned
arena_of(void *block)
{
	unsigned arena = 0;
	size_t size = sizeof(arena);

	CHECK(control("arenas.lookup", &arena, &size, &block, sizeof(block)) ==
	    0);
	return arena;
}

static void
large_one_has_another_arena(void)
{
	unsigned own = arena_of(needed(malloc(100)));

	seen(arena_of(needed(malloc(2 * MIB))) != own);
}

/* ---- pages that nobody uses ---- */

/* 16 MiB that were in use, in blocks of a MiB; a page in their middle. */
static char *
use_and_free(void)
{
	char *block[16];

	for (unsigned i = 0; i < 16; i++)
		block[i] = used_block(MIB);
	for (unsigned i = 0; i < 16; i++)
		free(block[i]);
	return hidden(block[8]);
}

/*
 * Waits without a call of the library for pages to go. If they don't go by
 * themselves, they are old enough to go when somebody looks.
 */
static void
pages_go_by_themselves(void)
{
	char *page = use_and_free();
	bool gone = false;

	for (unsigned i = 0; i < 400 * STRESS_PATIENCE && !gone; i++) {
		sleep_ms(50);
		gone = !is_resident(page);
		/* Nobody is there who could do it. */
		if (i == 10 && !figure("opt.background_thread"))
			break;
	}
	if (!gone) {
		act("arena.4096.decay");
		CHECK(!is_resident(page));
	}
	seen(gone);
}

static unsigned
ntasks(void)
{
	return (unsigned)(memory_status("Threads:") / KIB);
}

static void *
use_some(void *argument)
{
	free(used_block(24 * MIB));
	pthread_barrier_wait(&gathered.all);
	/* They all stay, so that their arenas do. */
	pthread_barrier_wait(&gathered.all);
	return argument;
}

/* Each arena's first work wakes its thread. */
static void
several_threads_age_pages(void)
{
	pthread_t thread;
	uint64_t nthreads = 0;
	int cpus[2];

	if (cpus_list(cpus) < 2)
		cannot("one CPU has one thread in any case");
	pthread_barrier_init(&gathered.all, NULL, NTHREADS + 1);
	for (unsigned i = 0; i < NTHREADS; i++)
		CHECK(pthread_create(&thread, NULL, use_some, NULL) == 0);
	pthread_barrier_wait(&gathered.all);
	/* All pages have gone, so all are at work who ever are. */
	for (unsigned i = 0; i < 400 * STRESS_PATIENCE &&
	     fresh_figure("stats.arenas.4096.pdirty") != 0;
	     i++)
		sleep_ms(20);
	CHECK(figure("stats.arenas.4096.pdirty") == 0);
	nthreads = ntasks() - NTHREADS - 1;
	CHECK(nthreads >= 1);
	seen(nthreads > 1);
}

static void
freed_pages_stay(void)
{
	char *page = use_and_free();

	act("arena.4096.decay");
	seen(is_resident(page));
}

static void
freed_pages_can_be_taken_lazily(void)
{
	use_and_free();
	act("arena.4096.decay");
	seen(smaps_sum("LazyFree:") +
		fresh_figure("stats.arenas.0.pmuzzy") *
		    (size_t)sysconf(_SC_PAGESIZE) >=
	    8 * MIB);
}

static void
address_space_is_kept(void)
{
	size_t before;
	char *block = used_block(64 * MIB);

	before = memory_status("VmSize:");
	free(block);
	act("arena.4096.purge");
	seen(before - memory_status("VmSize:") < 32 * MIB);
}

static void
free_pages_are_in_core_dumps(void)
{
	char *block = used_block(4 * MIB);

	if (madvise(block, 4 * MIB, MADV_DONTDUMP) != 0 ||
	    !has_flag(block + MIB, "dd"))
		cannot("the kernel does not note what core dumps leave out");
	madvise(block, 4 * MIB, MADV_DODUMP);
	free(block);
	act("arena.4096.purge");
	seen(!has_flag(block + MIB, "dd"));
}

static void
memory_is_below_the_break(void)
{
	char *block = needed(malloc(MIB));

	seen((uintptr_t)block < (uintptr_t)sbrk(0) &&
	    (uintptr_t)block + 64 * MIB > (uintptr_t)sbrk(0));
}

/* ---- huge pages ---- */

static void
need_huge_pages(void)
{
	if (!kernel_mode_is("[madvise]") && !kernel_mode_is("[always]"))
		cannot("the kernel makes no huge pages");
}

static void
objects_are_advised_huge(void)
{
	need_huge_pages();
	seen(has_flag(used_block(4 * MIB), "hg"));
}

static void
objects_are_advised_small(void)
{
	need_huge_pages();
	/* Where the kernel makes all memory huge, a small heap has none. */
	for (unsigned i = 0; i < 16; i++)
		(void)used_block(4 * MIB);
	seen(has_flag(used_block(4 * MIB), "nh"));
}

/* What else is advised so? Nothing, by default. */
static void
records_are_advised_huge(void)
{
	need_huge_pages();
	CHECK(!has_flag(used_block(4 * MIB), "hg"));
	seen(has_flag(NULL, "hg"));
}

/* Many more records than one huge page holds. */
static void
later_records_are_advised_huge(void)
{
	need_huge_pages();
	for (unsigned i = 0; i < 100000; i++)
		(void)needed(malloc(16 * KIB));
	seen(has_flag(NULL, "hg"));
}

static void
oversize_is_advised_huge(void)
{
	if (!kernel_mode_is("[madvise]"))
		cannot("the kernel does not wait for advice");
	CHECK(!has_flag(used_block(4 * MIB), "hg"));
	seen(has_flag(used_block(64 * MIB), "hg"));
}

/* ---- sizes and places ---- */

/* A small request just after a long run was freed. */
static void
long_run_is_cut(void)
{
	char *run = used_block(6 * MIB), *piece;

	free(run);
	piece = needed(malloc(300 * KIB));
	run = hidden(run);
	seen(piece >= run && piece < run + 6 * MIB);
}

static void
large_sizes_are_rounded_to_pages(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *block = needed(malloc(32 * page + 1));

	seen(malloc_usable_size(block) == 33 * page);
}

/* Are 512 objects of 64 bytes in one slab? */
static void
many_objects_are_in_one_slab(void)
{
	for (unsigned i = 0; i < 400; i++)
		(void)needed(malloc(64));
	seen(fresh_figure("stats.arenas.0.bins.4.curslabs") == 1);
}

static void *
one_object(void *number)
{
	gathered.object[(uintptr_t)number] = needed(malloc(64));
	pthread_barrier_wait(&gathered.all);
	return NULL;
}

/* Threads of one arena have objects at places far apart. */
static void
threads_have_own_slabs(void)
{
	bool apart = false;

	pthread_barrier_init(&gathered.all, NULL, NTHREADS);
	threads_run(NTHREADS, one_object);
	for (unsigned i = 1; i < NTHREADS; i++)
		apart |= labs(gathered.object[i] - gathered.object[0]) >= 32768;
	seen(apart);
}

/* ---- thread cache ---- */

static size_t handed_size;

static void *
take_one(void *place)
{
	*(void **)place = needed(malloc(handed_size));
	return NULL;
}

/* What this thread freed is in its cache, and no other has it. */
static void
freed_object_stays_with_its_thread(size_t size)
{
	void *before = needed(malloc(size)), *mine = needed(malloc(size));
	void *other;

	handed_size = size;
	(void)hidden(before);
	free(mine);
	thread_run(take_one, &other);
	seen(other != hidden(mine));
}

static void
small_object_stays_with_its_thread(void)
{
	freed_object_stays_with_its_thread(64);
}

/* Pages of a block that is cached are in memory. */
static void
large_object_stays_in_memory(void)
{
	char *block = used_block(128 * KIB);

	free(block);
	act("arena.4096.purge");
	seen(is_resident(hidden(block)));
}

static struct {
	_Atomic int step;
	char *page;
} silent;

static void *
fall_silent(void *argument)
{
	char *block[64];

	for (unsigned i = 0; i < 64; i++)
		block[i] = used_block(100 * KIB);
	for (unsigned i = 0; i < 64; i++)
		free(block[i]);
	silent.step = 1;
	while (silent.step == 1)
		sleep_ms(1);
	return argument;
}

static size_t
cached_bytes(void)
{
	return fresh_figure("stats.arenas.4096.tcache_bytes");
}

/*
 * One thread sleeps, the other one works on. The control is the working
 * thread's own page ageing, which takes more than one decay time.
 */
static void
cache_of_a_silent_thread_is_taken_back(void)
{
	pthread_t thread;
	size_t before, now = 0;

	CHECK(pthread_create(&thread, NULL, fall_silent, NULL) == 0);
	while (silent.step == 0)
		sleep_ms(1);
	before = cached_bytes();
	CHECK(before >= 300 * KIB);
	for (unsigned i = 0; i < 400 * STRESS_PATIENCE; i++) {
		char *block = used_block(2 * MIB);

		free(block);
		sleep_ms(10);
		now = cached_bytes();
		if (now < before - 200 * KIB)
			break;
		if (i == 60 && !figure("opt.tcache_trim"))
			break;
	}
	seen(now < before - 200 * KIB);
}

static void
calloc_of_used_pages_takes_little_memory(void)
{
	size_t before;

	free(used_block(64 * MIB));
	before = memory_rss();
	CHECK(hidden(calloc(1, 64 * MIB)) != NULL);
	seen(memory_rss() + 32 * MIB < before);
}

const struct effect effects_memory[] = {
	{ "narenas", "1", "8", NULL, .scene = threads_share_one_arena },
	{ "narenas_ratio", "0.01", "4", NULL,
	    .scene = threads_share_one_arena_of_many_cpus },
	{ "percpu_arena", "percpu", "disabled", NULL,
	    .scene = arena_follows_the_cpu },
	{ "percpu_arena", "phycpu", "percpu", NULL,
	    .scene = siblings_have_one_arena },
	{ "oversize_threshold", "1048576", "4194304", NULL,
	    .scene = large_one_has_another_arena },
	{ "background_thread", "true", "false", "dirty_decay_ms:100",
	    .scene = pages_go_by_themselves },
	{ "max_background_threads", "4", "1",
	    "background_thread:true,dirty_decay_ms:100,narenas:8,"
	    "oversize_threshold:0",
	    .scene = several_threads_age_pages },
	{ "dirty_decay_ms", "-1", "0", NULL, .scene = freed_pages_stay },
	{ "dirty_decay_ms", "3600000", "0", NULL, .scene = freed_pages_stay },
	{ "muzzy_decay_ms", "-1", "0", "dirty_decay_ms:0",
	    .scene = freed_pages_can_be_taken_lazily },
	{ "retain", "true", "false", NULL, .scene = address_space_is_kept },
	{ "core_dump_free", "true", "false", NULL,
	    .scene = free_pages_are_in_core_dumps },
	{ "calloc_madvise_threshold", "67108864", "67108865", NULL,
	    .scene = calloc_of_used_pages_takes_little_memory },
	{ "dss", "primary", "disabled", NULL,
	    .scene = memory_is_below_the_break },
	{ "dss", "primary", "secondary", NULL,
	    .scene = memory_is_below_the_break },
	{ "thp", "always", "default", NULL, .scene = objects_are_advised_huge },
	{ "thp", "never", "default", NULL, .scene = objects_are_advised_small },
	{ "metadata_thp", "always", "disabled", NULL,
	    .scene = records_are_advised_huge },
	{ "metadata_thp", "auto", "disabled", "tcache:false",
	    .scene = later_records_are_advised_huge },
	{ "huge_arena_pac_thp", "true", "false", "metadata_thp:auto",
	    .scene = oversize_is_advised_huge },
	{ "lg_extent_max_active_fit", "64", "0", "dirty_decay_ms:-1",
	    .scene = long_run_is_cut },
	{ "disable_large_size_classes", "true", "false", NULL,
	    .scene = large_sizes_are_rounded_to_pages },
	{ "slab_sizes", "64-64:8", "64-64:1", "tcache:false,narenas:1",
	    .scene = many_objects_are_in_one_slab },
	{ "bin_shards", "64-64:8", "64-64:1", "slab_sizes:64-64:8,narenas:1",
	    .scene = threads_have_own_slabs },

	{ "tcache", "true", "false", "narenas:1",
	    .scene = small_object_stays_with_its_thread },
	{ "tcache_trim", "true", "false", "dirty_decay_ms:50,narenas:1",
	    .scene = cache_of_a_silent_thread_is_taken_back },
	{ "tcache_max", "262144", "65536", NULL,
	    .scene = large_object_stays_in_memory },
	{ "lg_tcache_max", "18", "16", NULL,
	    .scene = large_object_stays_in_memory },
	{ "tcache_ncached_max", "64-64:100", "64-64:0", "narenas:1",
	    .scene = small_object_stays_with_its_thread },
	{ .key = NULL },
};
