/*
 * every-call: each function that takes memory with each that gives it back, for
 * sizes of all kinds, under options that choose other ways through the library.
 *
 * Must hold: the usable size is the one that nallocx tells; alignment, zeroes
 * and junk are as asked for; the thread's counters move by exactly the usable
 * size; errno is kept; a sample of the heap profile lives as long as its
 * object.
 */
#include "stress.h"

#define ALIGN(lg)    (lg)
#define ZERO         0x40
#define ARENA(index) ((int)((unsigned)(index) + 1) << 20)
#define CACHE(id)    ((int)((unsigned)(id) + 2) << 8)
#define NO_CACHE     CACHE(-1)

enum { ERRNO = 4711, NEW_JUNK = 0xa5, OLD_JUNK = 0x5a };

static struct {
	void *(*mallocx)(size_t, int);
	size_t (*nallocx)(size_t, int);
	size_t (*sallocx)(const void *, int);
	void (*dallocx)(void *, int);
	void (*sdallocx)(void *, size_t, int);
	void *(*rallocx)(void *, size_t, int);
	void (*cfree)(void *); /* an old one, that not all have */
	void (*free_sized)(void *, size_t);
	void (*free_aligned_sized)(void *, size_t, size_t);
} ours;

static struct {
	unsigned arena, cache;
	bool new_junk, old_junk, zero, prof;
} run;

static const size_t sizes[] = { 0, 1, 8, 9, 16, 17, 31, 32, 48, 64, 65, 100,
	128, 129, 200, 1000, 1024, 1025, 3000, 4096, 4097, 8192, 14336, 14337,
	16384, 16385, 20000, 32768, 32769, 65536, 100000, 262144, 262145,
	1 << 20, 3 << 20, 9 << 20 };

enum { NSIZES = sizeof(sizes) / sizeof(*sizes) };

static uint64_t
get(const char *name)
{
	uint64_t value = 0;
	size_t length;

	for (size_t size = 8; size >= 1; size /= 2) {
		length = size;
		value = 0;
		if (control(name, &value, &length, NULL, 0) == 0)
			return value;
	}
	stress_fail("%s can't be read", name);
}

/* ---- taking ---- */

struct taker {
	const char *name;
	void *(*take)(size_t size);
	int flags; /* as mallocx has them, of what it does */
};

static void *
by_malloc(size_t size)
{
	return malloc(size);
}

static void *
by_calloc(size_t size)
{
	return calloc(1, size);
}

static void *
by_calloc_product(size_t size)
{
	return size % 8 == 0 ? calloc(size / 8, 8) : calloc(size, 1);
}

static void *
by_realloc(size_t size)
{
	return realloc(NULL, size);
}

static void *
by_aligned_alloc(size_t size)
{
	return aligned_alloc(64, size);
}

static void *
by_posix_memalign(size_t size)
{
	void *block = NULL;

	CHECK(posix_memalign(&block, 8192, size) == 0);
	return block;
}

static void *
by_memalign(size_t size)
{
	return memalign(32, size);
}

static void *
by_valloc(size_t size)
{
	return valloc(size);
}

static void *
by_mallocx(size_t size)
{
	return ours.mallocx(size + (size == 0), 0);
}

static void *
by_mallocx_zero(size_t size)
{
	return ours.mallocx(size + (size == 0), ZERO);
}

static void *
by_mallocx_aligned(size_t size)
{
	return ours.mallocx(size + (size == 0), ALIGN(12) | ZERO);
}

static void *
by_mallocx_uncached(size_t size)
{
	return ours.mallocx(size + (size == 0), NO_CACHE);
}

static void *
by_mallocx_cache(size_t size)
{
	return ours.mallocx(size + (size == 0), CACHE(run.cache) | ZERO);
}

static void *
by_mallocx_arena(size_t size)
{
	return ours.mallocx(size + (size == 0), ARENA(run.arena) | NO_CACHE);
}

static void *
by_growth(size_t size)
{
	return ours.rallocx(needed(malloc(1)), size + (size == 0), 0);
}

/* Where it can it stays in its place. */
static void *
by_large_growth(size_t size)
{
	return ours.rallocx(needed(ours.mallocx(16384, 0)), size + (size == 0),
	    0);
}

static const struct taker takers[] = {
	{ "malloc", by_malloc, 0 },
	{ "calloc", by_calloc, ZERO },
	{ "calloc of a product", by_calloc_product, ZERO },
	{ "realloc", by_realloc, 0 },
	{ "aligned_alloc", by_aligned_alloc, ALIGN(6) },
	{ "posix_memalign", by_posix_memalign, ALIGN(13) },
	{ "memalign", by_memalign, ALIGN(5) },
	{ "valloc", by_valloc, ALIGN(12) },
	{ "mallocx", by_mallocx, 0 },
	{ "mallocx zero", by_mallocx_zero, ZERO },
	{ "mallocx aligned", by_mallocx_aligned, ALIGN(12) | ZERO },
	{ "mallocx uncached", by_mallocx_uncached, 0 },
	{ "mallocx cache", by_mallocx_cache, ZERO },
	{ "mallocx arena", by_mallocx_arena, 0 },
	{ "rallocx", by_growth, 0 },
	{ "rallocx large", by_large_growth, 0 },
};

static bool
has_grown(const struct taker *taker)
{
	return taker->take == by_growth || taker->take == by_large_growth;
}

/* ---- giving back ---- */

static size_t
align_of(int flags)
{
	return (size_t)1 << (flags & 0x3f);
}

static bool
by_free(void *block, size_t size, int flags)
{
	(void)size;
	(void)flags;
	free(block);
	return true;
}

static bool
by_cfree(void *block, size_t size, int flags)
{
	(void)size;
	(void)flags;
	if (ours.cfree == NULL)
		return false;
	ours.cfree(block);
	return true;
}

static bool
by_free_sized(void *block, size_t size, int flags)
{
	if (align_of(flags) != 1)
		return false;
	ours.free_sized(block, size);
	return true;
}

static bool
by_free_aligned_sized(void *block, size_t size, int flags)
{
	if (align_of(flags) == 1)
		return false;
	ours.free_aligned_sized(block, align_of(flags), size);
	return true;
}

static bool
by_dallocx(void *block, size_t size, int flags)
{
	(void)size;
	ours.dallocx(block, flags);
	return true;
}

static bool
by_dallocx_uncached(void *block, size_t size, int flags)
{
	(void)size;
	ours.dallocx(block, flags | NO_CACHE);
	return true;
}

static bool
by_dallocx_cache(void *block, size_t size, int flags)
{
	(void)size;
	ours.dallocx(block, flags | CACHE(run.cache));
	return true;
}

static bool
by_sdallocx(void *block, size_t size, int flags)
{
	ours.sdallocx(block, size + (size == 0), flags);
	return true;
}

static bool
by_sdallocx_usable(void *block, size_t size, int flags)
{
	(void)size;
	ours.sdallocx(block, malloc_usable_size(block), flags);
	return true;
}

static bool
by_sdallocx_uncached(void *block, size_t size, int flags)
{
	ours.sdallocx(block, size + (size == 0), flags | NO_CACHE);
	return true;
}

static bool
by_realloc_zero(void *block, size_t size, int flags)
{
	(void)size;
	(void)flags;
	CHECK(hidden(realloc(hidden(block), 0)) == NULL);
	return true;
}

static const struct giver {
	const char *name;
	bool (*give)(void *block, size_t size, int flags);
} givers[] = {
	{ "free", by_free },
	{ "cfree", by_cfree },
	{ "free_sized", by_free_sized },
	{ "free_aligned_sized", by_free_aligned_sized },
	{ "dallocx", by_dallocx },
	{ "dallocx uncached", by_dallocx_uncached },
	{ "dallocx cache", by_dallocx_cache },
	{ "sdallocx", by_sdallocx },
	{ "sdallocx usable", by_sdallocx_usable },
	{ "sdallocx uncached", by_sdallocx_uncached },
	{ "realloc of 0", by_realloc_zero },
};

enum {
	NTAKERS = sizeof(takers) / sizeof(*takers),
	NGIVERS = sizeof(givers) / sizeof(*givers)
};

/* ---- what is in it ---- */

static bool
is_full_of(const unsigned char *block, size_t from, size_t to,
    unsigned char byte)
{
	return bytes_alike(block + from, to - from, byte) == to - from;
}

static void
check_new(const struct taker *taker, const unsigned char *block, size_t size,
    size_t usable)
{
	if (((taker->flags & ZERO) != 0 || run.zero) &&
	    !is_full_of(block, 0, usable, 0))
		stress_fail("%s(%zu) is not zero", taker->name, size);
	/* One that has grown had junk before, too. */
	if (run.new_junk && (taker->flags & ZERO) == 0 &&
	    !is_full_of(block, 0, usable, NEW_JUNK))
		stress_fail("%s(%zu) is no junk", taker->name, size);
}

/* Bytes in the middle: at its start there may be a note of the library. */
static void
check_old(const struct giver *giver, const unsigned char *block, size_t size,
    size_t usable)
{
	if (run.old_junk && usable > 32 &&
	    !is_full_of(hidden((void *)(uintptr_t)block), 16, usable, OLD_JUNK))
		stress_fail("%s of %zu bytes leaves no junk", giver->name,
		    size);
}

/* ---- samples ---- */

static uint64_t
living_samples(void)
{
	uint64_t sum = 0, pair[2];
	size_t length = sizeof(pair);
	char name[64];

	for (unsigned i = 0; i < 36; i++) {
		snprintf(name, sizeof(name), "prof.stats.bins.%u.live", i);
		CHECK(control(name, pair, &length, NULL, 0) == 0);
		sum += pair[1];
	}
	for (unsigned i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "prof.stats.lextents.%u.live", i);
		CHECK(control(name, pair, &length, NULL, 0) == 0);
		sum += pair[1];
	}
	return sum;
}

/* ---- one of each ---- */

/* What lies there afterwards is not zero. */
static void
soil(size_t usable)
{
	void *blocks[3];

	for (unsigned i = 0; i < 3; i++) {
		blocks[i] = needed(malloc(usable));
		memset(blocks[i], 0xff, malloc_usable_size(blocks[i]));
	}
	for (unsigned i = 0; i < 3; i++)
		free(blocks[i]);
}

static void
take_and_give(const struct taker *taker, const struct giver *giver, size_t size)
{
	int flags = taker->flags & ~ZERO;
	size_t asked = size + (size == 0), usable = ours.nallocx(asked, flags);
	uint64_t allocated, deallocated, samples = 0;
	unsigned char *block;

	soil(usable);
	if (run.prof)
		samples = living_samples();
	allocated = get("thread.allocated");
	errno = ERRNO;
	block = needed(taker->take(size));
	CHECK(errno == ERRNO);
	if (malloc_usable_size(block) != usable ||
	    ours.sallocx(block, 0) != usable)
		stress_fail("%s(%zu): %zu bytes can be used, not %zu",
		    taker->name, size, malloc_usable_size(block), usable);
	if (((uintptr_t)block & (align_of(flags) - 1)) != 0)
		stress_fail("%s(%zu) is not aligned", taker->name, size);
	if (!has_grown(taker) && get("thread.allocated") - allocated != usable)
		stress_fail("%s(%zu) counts %zu", taker->name, size,
		    (size_t)(get("thread.allocated") - allocated));
	check_new(taker, block, size, usable);
	if (run.prof && living_samples() != samples + 1)
		stress_fail("%s(%zu) is no sample", taker->name, size);
	memset(block, 0xee, usable);
	deallocated = get("thread.deallocated");
	errno = ERRNO;
	if (!giver->give(block, size, flags)) {
		free(block);
		return;
	}
	CHECK(errno == ERRNO);
	check_old(giver, block, size, usable);
	if (get("thread.deallocated") - deallocated != usable)
		stress_fail("%s of %zu bytes counts %zu", giver->name, size,
		    (size_t)(get("thread.deallocated") - deallocated));
	if (run.prof && living_samples() != samples)
		stress_fail("%s of %zu bytes leaves its sample", giver->name,
		    size);
}

static void
each_with_each(void)
{
	for (unsigned t = 0; t < NTAKERS; t++)
		for (unsigned g = 0; g < NGIVERS; g++)
			for (unsigned i = 0; i < NSIZES; i++)
				/* Some of what takes long. */
				if ((!run.prof && sizes[i] < 65536) ||
				    (t + g + i) % 7 == 0)
					take_and_give(&takers[t], &givers[g],
					    sizes[i]);
}

/* What is given back is taken again: thousands of pairs need no more memory. */
static void
nothing_is_lost(void)
{
	size_t before = 0;

	for (unsigned round = 0; round < 3000; round++) {
		const struct giver *giver = &givers[round % NGIVERS];
		void *block = needed(malloc(30000));

		if (!giver->give(block, 30000, 0))
			free(block);
		if (round == 300)
			before = get("approximate_stats.active");
	}
	CHECK(get("approximate_stats.active") <= before + (8 << 20));
}

/* ---- the ways ---- */

#define STEADY "dirty_decay_ms:-1,oversize_threshold:0"

static const struct {
	const char *what, *conf, *needs;
} ways[] = {
	{ "plain", "junk:false", "fill" },
	{ "no caches", "tcache:false,junk:false", "fill" },
	{ "junk", "junk:true," STEADY, "fill" },
	{ "new junk", "junk:alloc," STEADY, "fill" },
	{ "old junk", "junk:free," STEADY, "fill" },
	{ "zero", "zero:true,junk:false", "fill" },
	{ "junk, cache switched on", "junk:true," STEADY, "fill" },
	{ "zero, cache switched on", "zero:true,junk:false", "fill" },
	{ "unsafe", "safety:off", NULL },
	{ "percpu", "percpu_arena:percpu", NULL },
	{ "samples",
	    "prof:true,lg_prof_sample:0,prof_stats:true,prof_prefix:", "prof" },
	{ "junk and samples",
	    "junk:true,prof:true,lg_prof_sample:0,"
	    "prof_stats:true,prof_prefix:," STEADY,
	    "prof" },
	{ "small caches", "tcache_max:1024", NULL },
};

/* That has no effect while objects are filled, and can be seen. */
static void
switch_cache_on(void)
{
	size_t most = 32768;
	const char *depths = "8-32768:100";

	for (unsigned i = 0; i < 2; i++) {
		CHECK(control("thread.tcache.enabled", NULL, NULL,
			  &(bool){ i == 0 }, sizeof(bool)) == 0);
		CHECK(control("thread.tcache.enabled", NULL, NULL,
			  &(bool){ true }, sizeof(bool)) == 0);
		CHECK(control("thread.tcache.max", NULL, NULL, &most,
			  sizeof(most)) == 0);
		CHECK(control("thread.tcache.ncached_max.write", NULL, NULL,
			  &depths, sizeof(depths)) == ENOENT);
		CHECK(get("thread.tcache.enabled") == 0);
	}
}

static void
go(const char *way)
{
	size_t length = sizeof(run.cache);

	if (control("arenas.create", &run.arena, &length, NULL, 0) != 0 ||
	    control("tcache.create", &run.cache, &length, NULL, 0) != 0)
		stress_fail("no arena or cache");
	run.new_junk = strstr(way, "junk") != NULL && way[0] != 'o';
	run.old_junk = strstr(way, "junk") != NULL && way[0] != 'n';
	run.zero = strncmp(way, "zero", 4) == 0;
	run.prof = strstr(way, "samples") != NULL;
	if (strstr(way, "switched on") != NULL)
		switch_cache_on();
	each_with_each();
	nothing_is_lost();
}

/* Without junk, which takes the place of caches, unless it is the point. */
static void
start_again(char **argv, const char *what, const char *conf)
{
	char text[256];

	snprintf(text, sizeof(text), "%s%s", conf,
	    built_with("fill") && strstr(conf, "junk:") == NULL ? ",junk:false"
								: "");
	stress_start_again(argv, "EVERY_CALL", what, text);
}

int
main(int argc, char **argv)
{
	stress_start(argc, argv, 120);
	if (!symbol_find("mallocx", &ours.mallocx) ||
	    !symbol_find("nallocx", &ours.nallocx) ||
	    !symbol_find("sallocx", &ours.sallocx) ||
	    !symbol_find("dallocx", &ours.dallocx) ||
	    !symbol_find("sdallocx", &ours.sdallocx) ||
	    !symbol_find("rallocx", &ours.rallocx) ||
	    !symbol_find("free_sized", &ours.free_sized) ||
	    !symbol_find("free_aligned_sized", &ours.free_aligned_sized))
		stress_skip_other("mallocx");
	symbol_find("cfree", &ours.cfree);
	if (getenv("EVERY_CALL") != NULL) {
		go(getenv("EVERY_CALL"));
		return 0;
	}
	for (unsigned i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (ways[i].needs == NULL || built_with(ways[i].needs))
			start_again(argv, ways[i].what, ways[i].conf);
	return 0;
}
