/*
 * defrag: a program that moves its own objects to get memory back.
 *
 * A store of objects has lost nine of ten at random, so that few slabs are
 * empty. As databases do, it asks for each object how full its slab is
 * (experimental.utilization), and moves it if that is less full than the
 * others of its kind. In a few passes, most memory must have come back.
 */
#include "stress.h"

enum { SLOTS = 600000, PASSES = 10 };

typedef void *mallocx_function(size_t, int);
typedef void dallocx_function(void *, int);

static mallctl_function *ctl;
static mallocx_function *take;
static dallocx_function *give;

#define NO_CACHE (1 << 8)

struct usage {
	void *current;
	size_t nfree, nregs, size;
	size_t bin_nfree, bin_nregs;
};

struct object {
	size_t size;
	uint64_t tag;
};

static struct object *slot[SLOTS];

static bool
is_worth_moving(void *object)
{
	struct usage usage;
	size_t length = sizeof(usage);

	if (ctl("experimental.utilization.query", &usage, &length, &object,
		sizeof(object)) != 0)
		stress_fail("the query fails");
	if (usage.nregs == 0 || usage.nfree >= usage.nregs ||
	    usage.bin_nfree > usage.bin_nregs)
		stress_fail("%zu of %zu free, %zu of %zu in all", usage.nfree,
		    usage.nregs, usage.bin_nfree, usage.bin_nregs);
	if (usage.nregs == 1 || usage.current == NULL ||
	    ((char *)object >= (char *)usage.current &&
		(char *)object < (char *)usage.current + usage.size))
		return false;
	/* Less full than all of its kind together. */
	return usage.nfree * usage.bin_nregs > usage.bin_nfree * usage.nregs;
}

static size_t
move_all(void)
{
	size_t nmoved = 0;

	for (unsigned i = 0; i < SLOTS; i++) {
		struct object *moved;

		if (slot[i] == NULL || !is_worth_moving(slot[i]))
			continue;
		moved = take(slot[i]->size, NO_CACHE);
		if (moved == NULL)
			stress_fail("no memory");
		memcpy(moved, slot[i], slot[i]->size);
		give(slot[i], NO_CACHE);
		slot[i] = moved;
		nmoved++;
	}
	return nmoved;
}

static void
check_all(void)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (slot[i] != NULL &&
		    (slot[i]->tag != i ||
			((char *)slot[i])[slot[i]->size - 1] != (char)i))
			stress_fail("an object has lost its contents");
}

int
main(int argc, char **argv)
{
	struct prng prng = { 1 };
	size_t live = 0, before, after, nmoved = 0, start;

	stress_start(argc, argv, 300);
	if (!symbol_find("mallctl", &ctl) || !symbol_find("mallocx", &take) ||
	    !symbol_find("dallocx", &give))
		stress_skip_other("mallctl");
	memset(slot, 0, sizeof(slot));
	start = memory_rss();
	for (unsigned i = 0; i < SLOTS; i++) {
		size_t size = 24 + prng_size(&prng, 700);

		slot[i] = malloc(size);
		memset(slot[i], (int)i, size);
		slot[i]->size = size;
		slot[i]->tag = i;
		((char *)slot[i])[size - 1] = (char)i;
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		if (prng_size(&prng, 1000) % 10 == 0) {
			live += slot[i]->size;
			continue;
		}
		free(slot[i]);
		slot[i] = NULL;
	}
	ctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	ctl("arena.4096.purge", NULL, NULL, NULL, 0);
	before = memory_rss() - start;
	for (unsigned pass = 0; pass < PASSES; pass++)
		nmoved += move_all();
	ctl("arena.4096.purge", NULL, NULL, NULL, 0);
	after = memory_rss() - start;
	check_all();
	printf("%zu MiB live, RSS %zu -> %zu MiB, %zu moved\n", live >> 20,
	    before >> 20, after >> 20, nmoved);
	if (before < 3 * live)
		stress_fail("nothing was to be gained: %zu MiB", before >> 20);
	/*
	 * Size classes, records, a slab of each class, and some huge pages are
	 * beyond it.
	 */
	if (after > live + live / 2)
		stress_fail("%zu KiB for %zu KiB", after >> 10, live >> 10);
	return 0;
}
