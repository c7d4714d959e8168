/*
 * experimental.batch_alloc: each object is one like any other, where the flags
 * say, counted to the byte, and sampled by the heap profile as if it had been
 * asked for by itself.
 */
#include "stress.h"

enum { OBJECTS_MAX = 6000 };

#define CACHE(id)    ((int)((unsigned)(id) + 2) << 8)
#define NO_CACHE     CACHE(-1)
#define ARENA(index) ((int)((unsigned)(index) + 1) << 20)
#define ZERO         0x40

static mallctl_function *ctl;
static size_t (*nallocx_)(size_t, int);
static void (*dallocx_)(void *, int);

static void *objects[OBJECTS_MAX];

static uint64_t
get(const char *name)
{
	uint64_t value = 0;
	int error = EINVAL;

	for (size_t size = 8; size >= 1 && error == EINVAL; size /= 2) {
		size_t length = size;

		value = 0;
		error = ctl(name, &value, &length, NULL, 0);
	}
	if (error != 0)
		stress_fail("%s: error %d", name, error);
	return value;
}

static uint64_t
figure(const char *format, unsigned index)
{
	char name[100];

	snprintf(name, sizeof(name), format, index);
	return get(name);
}

static void
refresh(void)
{
	uint64_t epoch = 1;

	CHECK(ctl("epoch", NULL, NULL, &epoch, sizeof(epoch)) == 0);
}

static size_t
batch(size_t count, size_t size, int flags)
{
	struct {
		void **objects;
		size_t count;
		size_t size;
		int flags;
	} arguments = { objects, count, size, flags };
	size_t filled = SIZE_MAX, length = sizeof(filled);

	CHECK(ctl("experimental.batch_alloc", &filled, &length, &arguments,
		  sizeof(arguments)) == 0);
	CHECK(filled <= count);
	return filled;
}

static void
free_all(size_t count, int flags)
{
	for (size_t i = 0; i < count; i++)
		dallocx_(objects[i], flags & ~63 & ~ZERO);
}

/* They are apart from each other, aligned, and zero if that was wanted. */
static void
check_objects(size_t count, size_t size, int flags)
{
	size_t usable = nallocx_(size, flags & 63);

	for (size_t i = 0; i < count; i++) {
		CHECK((uintptr_t)objects[i] % ((size_t)1 << (flags & 63)) == 0);
		CHECK(malloc_usable_size(objects[i]) == usable);
		if ((flags & ZERO) != 0)
			bytes_verify_zero(objects[i], usable);
		bytes_fill(objects[i], usable, i);
	}
	for (size_t i = 0; i < count; i++)
		bytes_verify(objects[i], usable, i);
}

static void
a_batch_counts_as_its_objects(size_t count, size_t size, int flags)
{
	size_t usable = nallocx_(size, flags & 63);
	uint64_t allocated = get("thread.allocated");
	uint64_t deallocated = get("thread.deallocated");
	uint64_t small, large, requests;

	refresh();
	small = get("stats.arenas.4096.small.nrequests");
	large = get("stats.arenas.4096.large.nrequests");
	CHECK(batch(count, size, flags) == count);
	CHECK(get("thread.allocated") == allocated + count * usable);
	refresh();
	requests = get("stats.arenas.4096.small.nrequests") - small +
	    get("stats.arenas.4096.large.nrequests") - large;
	CHECK(requests == count);
	check_objects(count, size, flags);
	free_all(count, flags);
	CHECK(get("thread.deallocated") == deallocated + count * usable);
}

static void
all_sizes_and_counts(void)
{
	static const size_t sizes[] = { 1, 8, 64, 100, 1000, 3000, 14336, 20000,
		300000 };
	static const size_t counts[] = { 0, 1, 2, 63, 511, 512, 513, 2000 };
	static const int flags[] = { 0, ZERO, NO_CACHE, NO_CACHE | ZERO, 6, 13,
		6 | ZERO };

	for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		for (unsigned c = 0; c < sizeof(counts) / sizeof(counts[0]);
		     c++)
			for (unsigned f = 0;
			     f < sizeof(flags) / sizeof(flags[0]); f++)
				if (sizes[s] * counts[c] < 4 * MIB)
					a_batch_counts_as_its_objects(counts[c],
					    sizes[s], flags[f]);
}

/* What was freed before is taken, and bears no mark of that any more. */
static void
objects_of_the_cache_come_first(void)
{
	void *before[50];
	unsigned found = 0;

	if (!get("thread.tcache.enabled"))
		return;
	CHECK(ctl("thread.tcache.flush", NULL, NULL, NULL, 0) == 0);
	CHECK(batch(50, 100, 0) == 50);
	memcpy(before, objects, sizeof(before));
	free_all(50, 0);
	CHECK(batch(50, 100, 0) == 50);
	for (unsigned i = 0; i < 50; i++)
		for (unsigned k = 0; k < 50; k++)
			found += objects[i] == before[k];
	if (found < 10)
		stress_fail("%u of 50 objects are those that were freed",
		    found);
	free_all(50, 0);
}

static void
flags_say_where(void)
{
	unsigned arena, owner, cache;
	size_t length = sizeof(arena), address = sizeof(owner);

	CHECK(ctl("arenas.create", &arena, &length, NULL, 0) == 0);
	CHECK(ctl("tcache.create", &cache, &length, NULL, 0) == 0);
	for (unsigned i = 0; i < 4; i++) {
		int flags = ARENA(arena) |
		    (i % 2 == 0 ? NO_CACHE : CACHE(cache));
		size_t size = i < 2 ? 200 : 30000;

		CHECK(batch(300, size, flags) == 300);
		check_objects(300, size, flags);
		for (unsigned k = 0; k < 300; k++) {
			address = sizeof(owner);
			CHECK(ctl("arenas.lookup", &owner, &address,
				  &objects[k], sizeof(void *)) == 0);
			CHECK(owner == arena);
		}
		free_all(300, flags);
	}
	CHECK(ctl("tcache.destroy", NULL, NULL, &cache, sizeof(cache)) == 0);
	refresh();
	CHECK(figure("stats.arenas.%u.small.allocated", arena) == 0);
	CHECK(figure("stats.arenas.%u.large.allocated", arena) == 0);
	/* One that is not there. */
	CHECK(batch(10, 100, ARENA(4000)) == 0);
	CHECK(batch(10, SIZE_MAX, 0) == 0);
}

static void
a_batch_ends_where_memory_does(void)
{
	size_t limit, none = 0, filled;

	CHECK(ctl("arena.4096.purge", NULL, NULL, NULL, 0) == 0);
	limit = get("experimental.x.limit.in_memory") + 4 * MIB;
	CHECK(ctl("experimental.x.limit.hard", NULL, NULL, &limit,
		  sizeof(limit)) == 0);
	filled = batch(OBJECTS_MAX, 14000, 0);
	CHECK(ctl("experimental.x.limit.hard", NULL, NULL, &none,
		  sizeof(none)) == 0);
	CHECK(filled > 100 && filled < OBJECTS_MAX);
	check_objects(filled, 14000, 0);
	free_all(filled, 0);
}

/* From slabs, many under one lock, and not through a cache that is filled. */
static void
many_come_at_once(void)
{
	uint64_t fills;

	refresh();
	fills = get("stats.arenas.4096.small.nfills");
	CHECK(batch(5000, 100, 0) == 5000);
	refresh();
	CHECK(get("stats.arenas.4096.small.nfills") - fills <= 5000 / 100);
	free_all(5000, 0);
}

static void
live_counters_move(void)
{
	uint64_t *live, before;
	size_t length = sizeof(live);

	CHECK(ctl("thread.allocatedp", &live, &length, NULL, 0) == 0);
	before = *(volatile uint64_t *)live;
	CHECK(batch(700, 100, 0) == 700);
	CHECK(*(volatile uint64_t *)live - before == 700 * nallocx_(100, 0));
	free_all(700, 0);
}

/* Every byte is a sample: each object of the batch must be one. */
static int
with_the_profile(void)
{
	size_t length = 16;
	struct {
		uint64_t bytes;
		uint64_t count;
	} before, after;
	const char *name = "prof.stats.bins.7.live"; /* 112 bytes */

	CHECK(ctl(name, &before, &length, NULL, 0) == 0);
	CHECK(batch(1000, 100, 0) == 1000);
	CHECK(ctl(name, &after, &length, NULL, 0) == 0);
	CHECK(after.count - before.count == 1000);
	check_objects(1000, 100, 0);
	free_all(1000, 0);
	CHECK(ctl(name, &after, &length, NULL, 0) == 0);
	CHECK(after.count == before.count);
	return 0;
}

/* Filling is for these objects, too. */
static int
with_filling(void)
{
	CHECK(batch(1000, 100, 0) == 1000);
	for (unsigned i = 0; i < 1000; i++)
		for (unsigned k = 0; k < 112; k++)
			CHECK(((unsigned char *)objects[i])[k] == 0xa5);
	free_all(1000, 0);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *what = getenv("BATCH");

	stress_start(argc, argv, 120);
	if (!symbol_find("mallctl", &ctl) ||
	    !symbol_find("dallocx", &dallocx_) ||
	    !symbol_find("nallocx", &nallocx_))
		stress_skip_other("mallctl");
	if (!built_with("stats"))
		stress_skip("built without statistics");
	if (what == NULL) {
		bool fill = built_with("fill");

		stress_start_again(argv, "BATCH", "plain",
		    fill ? "junk:false" : "");
		stress_start_again(argv, "BATCH", "plain",
		    fill ? "junk:false,tcache:false" : "tcache:false");
		if (fill)
			stress_start_again(argv, "BATCH", "fill", "junk:true");
		if (get("config.prof"))
			stress_start_again(argv, "BATCH", "profile",
			    "prof:true,lg_prof_sample:0,prof_stats:true,"
			    "prof_prefix:");
		return 0;
	}
	if (strcmp(what, "profile") == 0)
		return with_the_profile();
	if (strcmp(what, "fill") == 0)
		return with_filling();
	all_sizes_and_counts();
	objects_of_the_cache_come_first();
	flags_say_where();
	a_batch_ends_where_memory_does();
	many_come_at_once();
	live_counters_move();
	return 0;
}
