/*
 * resize: what becomes of an object whose size changes.
 *
 * Provokes: growing and shrinking by each of the ways (in place, by moving
 * page tables, by copying) between sizes of all kinds, with flags.
 * Must hold: the counters of the thread are exact, both where they move with
 * each call and where they are summed when read; contents stay; what flags ask
 * for (zeroes, an alignment, an arena, no cache) is there afterwards; nothing
 * is lost on the way, and large blocks are not in memory twice.
 */
#include "stress.h"

#define ZERO         0x40
#define ARENA(index) ((int)((unsigned)(index) + 1) << 20)
#define CACHE(id)    ((int)((unsigned)(id) + 2) << 8)
#define NO_CACHE     CACHE(-1)

static struct {
	void *(*mallocx)(size_t, int);
	void *(*rallocx)(void *, size_t, int);
	size_t (*xallocx)(void *, size_t, size_t, int);
	void (*dallocx)(void *, int);
} ours;

/* Small, cached, larger than any cache holds, in turns. */
static const size_t sizes[] = { 300000, 600000, 310000, 3000000, 40000000,
	5000000, 20000, 9000, 100, 30000, 70000000, 64, 2000000, 2100000, 40000,
	50000, 45000 };

enum { NSIZES = sizeof(sizes) / sizeof(*sizes) };

static uint64_t
counter(const char *name)
{
	return stress_figure(name);
}

/* ---- counters ---- */

struct counters {
	uint64_t allocated, deallocated;
};

static struct counters
counters(void)
{
	return (struct counters){ counter("thread.allocated"),
		counter("thread.deallocated") };
}

static void
check_counters(const struct counters *want, size_t from, size_t to)
{
	struct counters is = counters();

	if (is.allocated != want->allocated ||
	    is.deallocated != want->deallocated)
		stress_fail("%zu bytes became %zu: allocated is wrong by %lld, "
			    "deallocated by %lld",
		    from, to, (long long)(is.allocated - want->allocated),
		    (long long)(is.deallocated - want->deallocated));
}

/* From now on they move with each call. */
static void
watch_counters(void)
{
	uint64_t *live;
	size_t size = sizeof(live);

	CHECK(control("thread.allocatedp", &live, &size, NULL, 0) == 0);
}

/* What an object was is freed, and what it becomes is allocated. */
static void
resizing_counts_both_sizes(int flags)
{
	char *block = needed(ours.mallocx(100, flags));

	for (unsigned i = 0; i < 3 * NSIZES; i++) {
		size_t usable = malloc_usable_size(block);
		struct counters want = counters();

		block = needed(flags == 0
			? realloc(block, sizes[i % NSIZES])
			: ours.rallocx(block, sizes[i % NSIZES], flags));
		want.allocated += malloc_usable_size(block);
		want.deallocated += usable;
		check_counters(&want, usable, sizes[i % NSIZES]);
	}
	ours.dallocx(block, flags);
}

/* The same for what is done in place or not at all: that counts nothing. */
/* More than there is of `extra`: then it is `size`, for which there is room. */
static void
xallocx_does_without_the_extra(void)
{
	void *block = needed(ours.mallocx(3 * MIB, 0));

	CHECK(ours.xallocx(block, 65536, 0, 0) == 65536);
	CHECK(ours.xallocx(block, MIB, SIZE_MAX / 4, 0) == MIB);
	/* So it is if it has more than is wanted. */
	CHECK(ours.xallocx(block, 65536, 30000, 0) == 65536 + 32768);
	CHECK(ours.xallocx(block, 65536, 30000, 0) == 65536 + 32768);
	free(block);
}

static void
xallocx_counts_both_sizes(void)
{
	char *block = needed(malloc(8 * MIB));
	unsigned nchanges = 0;

	for (size_t size = 7 * MIB; size >= MIB; size -= MIB) {
		size_t usable = malloc_usable_size(block), now;
		struct counters want = counters();

		now = ours.xallocx(block, size, 0, 0);
		if (now != usable) {
			want.allocated += now;
			want.deallocated += usable;
			nchanges++;
		}
		check_counters(&want, usable, size);
	}
	CHECK(nchanges >= 5);
	free(block);
}

static void *
count_in_a_thread(void *live)
{
	if (live != NULL)
		watch_counters();
	resizing_counts_both_sizes(0);
	resizing_counts_both_sizes(NO_CACHE);
	xallocx_counts_both_sizes();
	xallocx_does_without_the_extra();
	return NULL;
}

/* ---- contents, and what flags ask for ---- */

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * What lies between the old usable size and the new one is zero; before, it
 * was written by whoever had these pages.
 */
static void
added_bytes_are_zero(void)
{
	char *block = needed(ours.mallocx(100, ZERO));

	bytes_fill(block, malloc_usable_size(block), 0);
	for (unsigned i = 1; i < 3 * NSIZES; i++) {
		size_t size = sizes[i % NSIZES];
		size_t old = malloc_usable_size(block), now;
		char *dirty = needed(malloc(size));

		memset(dirty, 0x55, size);
		free(hidden(dirty));
		block = needed(ours.rallocx(block, size, ZERO));
		now = malloc_usable_size(block);
		bytes_verify(block, smaller(old, size), i - 1);
		if (now > old)
			bytes_verify_zero(block + old, now - old);
		bytes_fill(block, now, i);
	}
	free(block);
}

/* Also when the object would have the size already, or could stay. */
static void
alignments_are_heeded(void)
{
	for (unsigned lg = 3; lg <= 22; lg++)
		for (unsigned i = 0; i < NSIZES; i++) {
			size_t size = sizes[i];
			char *low[4];

			/* Of several neighbours some are not aligned. */
			for (unsigned k = 0; k < 4; k++) {
				low[k] = needed(malloc(size));
				bytes_fill(low[k], 64, k);
			}
			for (unsigned k = 0; k < 4; k++) {
				char *block = needed(ours.rallocx(low[k],
				    size - k, (int)lg));

				if (((uintptr_t)block >> lg << lg) !=
				    (uintptr_t)block)
					stress_fail("%zu bytes at %p, wanted "
						    "2^%u",
					    size, (void *)block, lg);
				bytes_verify(block, smaller(64, size - k), k);
				free(block);
			}
			if (size > 3000000)
				i++; /* fewer of those that take long */
		}
}

static unsigned
arena_of(void *block)
{
	unsigned index = 0;
	size_t size = sizeof(index);

	if (control("arenas.lookup", &index, &size, &block, sizeof(block)) != 0)
		stress_fail("arenas.lookup of %p", block);
	return index;
}

/* Unless it can stay where it is, it goes into the arena that is named. */
static void
a_moved_object_is_in_its_arena(void)
{
	unsigned index = 0;
	size_t length = sizeof(index);

	CHECK(control("arenas.create", &index, &length, NULL, 0) == 0);
	for (unsigned i = 0; i < NSIZES; i++)
		for (unsigned k = 0; k < NSIZES; k++) {
			char *block = needed(malloc(sizes[i])), *moved;

			moved = needed(ours.rallocx(hidden(block), sizes[k],
			    ARENA(index) | NO_CACHE));
			if (moved != hidden(block) && arena_of(moved) != index)
				stress_fail("%zu bytes became %zu in arena %u, "
					    "not %u",
				    sizes[i], sizes[k], arena_of(moved), index);
			ours.dallocx(moved, NO_CACHE);
		}
}

/* Small objects that went back to their slabs, ever. */
static uint64_t
back_in_slabs(void)
{
	uint64_t epoch = 1;

	CHECK(control("epoch", NULL, NULL, &epoch, sizeof(epoch)) == 0);
	return counter("stats.arenas.4096.small.ndalloc");
}

static void
no_cache_is_for_the_old_object_too(void)
{
	for (unsigned i = 0; i < 10; i++) {
		char *block = needed(ours.mallocx(1000, NO_CACHE));
		uint64_t before = back_in_slabs();

		block = needed(ours.rallocx(block, 2000000, NO_CACHE));
		if (back_in_slabs() != before + 1)
			stress_fail("rallocx without a cache put the old "
				    "object into one");
		ours.dallocx(block, NO_CACHE);
	}
}

/* ---- memory ---- */

enum { MOVED = 6 };

/* All grow, and are then filled; true: at least one was moved. */
static bool
grow_all(char *block[MOVED], size_t from, size_t to)
{
	size_t peak = memory_status("VmHWM:"), now;
	bool any = false;

	for (unsigned i = 0; i < MOVED; i++) {
		char *moved = needed(realloc(hidden(block[i]), to));

		any |= moved != hidden(block[i]);
		bytes_verify(moved, from, i);
		block[i] = moved;
	}
	now = memory_status("VmHWM:");
	if (now >= peak + from / 2)
		stress_fail("%zu KiB more in memory while blocks grew from "
			    "%zu KiB",
		    (now - peak) / KIB, from / KIB);
	for (unsigned i = 0; i < MOVED; i++)
		bytes_fill(block[i], to, i);
	return any;
}

/*
 * Page tables are moved, so there is never a second copy. A block that was
 * moved and filled is of several mappings, for the kernel.
 */
static void
large_blocks_are_not_copied(void)
{
	char *block[MOVED];
	unsigned nmoves = 0;
	size_t size = 4 * MIB;

	for (unsigned i = 0; i < MOVED; i++) {
		block[i] = needed(malloc(size));
		bytes_fill(block[i], size, i);
	}
	for (unsigned i = 0; i < 3; i++, size = 5 * size / 2)
		nmoves += grow_all(block, size, 5 * size / 2);
	if (nmoves < 2)
		stress_fail("all could grow in place: nothing is tested");
	for (unsigned i = 0; i < MOVED; i++)
		free(block[i]);
}

static size_t
allocated_now(void)
{
	uint64_t epoch = 1;

	CHECK(control("epoch", NULL, NULL, &epoch, sizeof(epoch)) == 0);
	return counter("stats.allocated");
}

/* Of all that is tried on the way nothing stays. */
static void
nothing_is_lost_by_resizing(void)
{
	char *block[MOVED], *moved;
	size_t before = allocated_now();
	unsigned nmoves = 0;

	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < MOVED; i++)
			block[i] = needed(malloc(MIB));
		for (unsigned i = 0; i < MOVED; i++) {
			moved = needed(realloc(hidden(block[i]), 3 * MIB / 2));
			nmoves += moved != hidden(block[i]);
			block[i] = moved;
		}
		for (unsigned i = 0; i < MOVED; i++)
			free(block[i]);
	}
	if (nmoves < 10)
		stress_fail("%u moves test nothing", nmoves);
	if (allocated_now() > before + MIB)
		stress_fail("%zu KiB more are allocated than before",
		    (allocated_now() - before) / KIB);
}

int
main(int argc, char **argv)
{
	const char *with;

	stress_start(argc, argv, 60);
	if (!symbol_find("mallocx", &ours.mallocx) ||
	    !symbol_find("rallocx", &ours.rallocx) ||
	    !symbol_find("xallocx", &ours.xallocx) ||
	    !symbol_find("dallocx", &ours.dallocx))
		stress_skip("no extended functions");
	with = getenv("RESIZE_WITH");
	if (with != NULL && strcmp(with, "no junk") == 0) {
		large_blocks_are_not_copied();
		return 0;
	}
	if (with != NULL) {
		nothing_is_lost_by_resizing();
		return 0;
	}
	thread_run(count_in_a_thread, NULL);
	thread_run(count_in_a_thread, argv);
	added_bytes_are_zero();
	alignments_are_heeded();
	a_moved_object_is_in_its_arena();
	no_cache_is_for_the_old_object_too();
	/* Added bytes that are filled come into memory at once. */
	stress_start_again(argv, "RESIZE_WITH", "no junk", "junk:false");
	/* Pages that can't be moved. */
	stress_start_again(argv, "RESIZE_WITH", "huge pages",
	    "hpa:true,hpa_slab_max_alloc:2097152");
	stress_start_again(argv, "RESIZE_WITH", "sbrk", "dss:primary");
	return 0;
}
