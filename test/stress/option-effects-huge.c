/*
 * Keys of the huge page allocator.
 *
 * Blocks of 64 KiB are runs of pages of their own. The calls of arena.0.decay
 * are what elsewhere happens from time to time.
 */
#include "option-effects.h"

#include <sys/mman.h>

#define SHARD "stats.arenas.0.hpa_shard."
#define CACHE "stats.arenas.0.hpa_sec_"

enum { RUN = 65536, RUNS_OF_HUGE = 32 };

static void
need_advice(void)
{
	if (!kernel_mode_is("[madvise]"))
		cannot("the kernel does not wait for advice on huge pages");
}

static void
tick(void)
{
	/* What begins to wait in one may be over in the next one. */
	for (unsigned i = 0; i < 3; i++) {
		act("arena.0.decay");
		sleep_ms(10);
	}
}

static void
runs_are_packed(void)
{
	(void)used_block(RUN);
	seen(fresh_figure(SHARD "nactive") > 0);
}

static void
longer_runs_are_packed(void)
{
	size_t before = fresh_figure(SHARD "nactive");
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	(void)used_block(4 * RUN);
	seen((fresh_figure(SHARD "nactive") - before) * page >= 4 * RUN);
}

/* ---- making huge ---- */

/* Three quarters of some huge pages, so of one at least. */
static char *
fill_densely(void)
{
	char *middle = NULL;

	for (unsigned i = 0; i < 7 * RUNS_OF_HUGE / 4; i++) {
		char *block = used_block(RUN);

		if (i == RUNS_OF_HUGE / 4)
			middle = block;
	}
	return middle;
}

static void
dense_range_is_advised(void)
{
	char *block;

	need_advice();
	block = fill_densely();
	CHECK(!has_flag(block, "hg"));
	tick();
	seen(has_flag(block, "hg"));
}

static void
range_is_advised_before_use(void)
{
	need_advice();
	seen(has_flag(used_block(RUN), "hg"));
}

/*
 * With MADV_COLLAPSE, which not all kernels have. It may fail because somebody
 * holds one of the pages for a moment: so it has five chances.
 */
static void
range_is_huge_at_once(void)
{
	char *const again[] = { "option-effects", NULL };
	const char *before = getenv("OPTION_EFFECTS_TRY");
	char *own = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *aligned = (char *)(((uintptr_t)own + 2 * MIB - 1) &
	    ~(2 * MIB - 1));
	char tries[8];

	need_advice();
	CHECK(own != MAP_FAILED);
	memset(own, 1, 4 * MIB);
	if (madvise(aligned, 2 * MIB, 25) != 0)
		cannot("the kernel makes no range huge at once");
	munmap(own, 4 * MIB);
	CHECK(smaps_sum("AnonHugePages:") == 0);
	fill_densely();
	tick();
	if (smaps_sum("AnonHugePages:") >= 2 * MIB)
		seen(true);
	if (before != NULL && strlen(before) == 4)
		seen(false);
	snprintf(tries, sizeof(tries), "%sx", before == NULL ? "" : before);
	setenv("OPTION_EFFECTS_TRY", tries, 1);
	execv("/proc/self/exe", again);
}

static void
new_ranges_count_as_huge(void)
{
	(void)used_block(RUN);
	seen(fresh_figure(SHARD "slabs.npageslabs_huge") > 0);
}

static void
range_is_advised_all_the_same(void)
{
	seen(has_flag(used_block(RUN), "hg"));
}

/* ---- purging ---- */

/* The kernel would fill the gaps that purges make in huge pages. */
static void
keep_small(char *run)
{
	madvise((char *)((uintptr_t)run & ~(2 * MIB - 1)), 2 * MIB,
	    MADV_NOHUGEPAGE);
}

/* So many ranges are full but for the block that is returned of each. */
static char **
fill_ranges(unsigned nranges)
{
	static char *block[4 * RUNS_OF_HUGE], *chosen[4];

	CHECK(nranges <= 4);
	for (unsigned i = 0; i < nranges * RUNS_OF_HUGE; i++)
		block[i] = used_block(RUN);
	for (unsigned i = 0; i < nranges; i++) {
		chosen[i] = block[i * RUNS_OF_HUGE + 8];
		keep_small(chosen[i]);
	}
	return chosen;
}

static void
freed_run_stays(void)
{
	char *run = fill_ranges(1)[0];

	free(run);
	tick();
	seen(is_resident(hidden(run)));
}

static void
second_purge_follows_at_once(void)
{
	char *first = used_block(RUN), *second = used_block(RUN);
	char *kept = used_block(RUN);

	keep_small(first);
	free(first);
	tick();
	CHECK(!is_resident(hidden(first)));
	free(second);
	tick();
	CHECK(is_resident(kept));
	seen(!is_resident(hidden(second)));
}

/*
 * One purge has just been, and the next one finds three ranges. If freeing
 * them took so long that they were not purged together, all begins anew.
 */
static void
one_range_is_purged_at_a_time(void)
{
	char *const again[] = { "option-effects", NULL };
	char **run = fill_ranges(4);
	double start = clock_seconds();
	unsigned resident = 0;

	free(run[0]);
	act("arena.0.decay");
	CHECK(!is_resident(hidden(run[0])));
	for (unsigned i = 1; i < 4; i++)
		free(run[i]);
	if (clock_seconds() - start > 0.2)
		execv("/proc/self/exe", again);
	sleep_ms(600);
	act("arena.0.decay");
	for (unsigned i = 1; i < 4; i++)
		resident += is_resident(hidden(run[i]));
	CHECK(resident < 3);
	seen(resident == 2);
}

/* ---- the cache in front ---- */

/* Blocks of 32 KiB, the longest that is kept. */
static void
free_some(unsigned count)
{
	char *block[32];

	for (unsigned i = 0; i < count; i++)
		block[i] = used_block(RUN / 2);
	for (unsigned i = 0; i < count; i++)
		free(block[i]);
}

static void
freed_run_is_cached(void)
{
	size_t before = fresh_figure(CACHE "bytes");

	free_some(4);
	seen(fresh_figure(CACHE "bytes") >= before + 2 * RUN);
}

static void
much_is_cached(void)
{
	free_some(32);
	seen(fresh_figure(CACHE "bytes") > 262144);
}

static void
many_are_fetched(void)
{
	size_t before = fresh_figure(CACHE "bytes");

	(void)used_block(RUN / 4);
	seen(fresh_figure(CACHE "bytes") >= before + 6 * (RUN / 4));
}

#define PLAIN "hpa:true,tcache:false,narenas:1"
/* No cache between the program and the ranges. */
#define BARE PLAIN ",hpa_sec_nshards:0"
/* A range that is purged is not huge any more. */
#define UNPURGED BARE ",hpa_dirty_mult:-1"
#define DENSE    UNPURGED ",hpa_hugification_threshold:1048576"
/* Huge is nothing, and all that is dirty is too much. */
#define CLEAN \
	BARE ",hpa_hugify_style:none," \
	     "experimental_hpa_start_huge_if_thp_always:false"
#define STRICT CLEAN ",hpa_dirty_mult:0"
#define NEVER  "3600000"

const struct effect effects_huge[] = {
	{ "hpa", "true", "false", "tcache:false,narenas:1",
	    .scene = runs_are_packed },
	{ "hpa_slab_max_alloc", "262144", "65536", BARE,
	    .scene = longer_runs_are_packed },
	{ "hpa_hugification_threshold", "1048576", "2097152",
	    UNPURGED ",hpa_hugify_delay_ms:0",
	    .scene = dense_range_is_advised },
	{ "hpa_hugification_threshold_ratio", "0.5", "1",
	    UNPURGED ",hpa_hugify_delay_ms:0",
	    .scene = dense_range_is_advised },
	{ "hpa_hugify_delay_ms", "0", NEVER, DENSE,
	    .scene = dense_range_is_advised },
	{ "hpa_hugify_sync", "true", "false", DENSE ",hpa_hugify_delay_ms:0",
	    .scene = range_is_huge_at_once },
	{ "hpa_hugify_style", "eager", "lazy", UNPURGED,
	    .scene = range_is_advised_before_use },
	{ "hpa_hugify_style", "lazy", "none", DENSE ",hpa_hugify_delay_ms:0",
	    .scene = dense_range_is_advised },
	{ "hpa_hugify_style", "auto", "none", DENSE ",hpa_hugify_delay_ms:0",
	    .scene = dense_range_is_advised },
	{ "hpa_min_purge_interval_ms", "0", NEVER, STRICT,
	    .scene = second_purge_follows_at_once },
	{ "hpa_min_purge_delay_ms", NEVER, "0", STRICT,
	    .scene = freed_run_stays },
	{ "hpa_purge_threshold", "1048576", "4096", STRICT,
	    .scene = freed_run_stays },
	{ "hpa_purge_threshold_ratio", "0.5", "0.002", STRICT,
	    .scene = freed_run_stays },
	{ "hpa_dirty_mult", "-1", "0", CLEAN, .scene = freed_run_stays },
	{ "hpa_dirty_mult", "0.25", "0", CLEAN, .scene = freed_run_stays },
	{ "experimental_hpa_max_purge_nhp", "1", "-1",
	    STRICT ",hpa_min_purge_interval_ms:400",
	    .scene = one_range_is_purged_at_a_time },
	{ "experimental_hpa_start_huge_if_thp_always", "true", "false",
	    UNPURGED ",hpa_hugify_style:none",
	    .scene = new_ranges_count_as_huge, .thp_always = true },
	{ "experimental_hpa_enforce_hugify", "true", "false",
	    UNPURGED ",hpa_hugify_style:eager",
	    .scene = range_is_advised_all_the_same, .thp_always = true },
	{ "hpa_sec_nshards", "2", "0", PLAIN, .scene = freed_run_is_cached },
	{ "hpa_sec_max_alloc", "32768", "16384", PLAIN,
	    .scene = freed_run_is_cached },
	{ "hpa_sec_max_bytes", "1048576", "262144", PLAIN,
	    .scene = much_is_cached },
	{ "hpa_sec_batch_fill_extra", "12", "1", PLAIN,
	    .scene = many_are_fetched },
	{ .key = NULL },
};
