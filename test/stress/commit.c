/*
 * commit: what the kernel must promise for the program's mappings.
 *
 * Provokes: memory of all sizes is taken, every second block is freed, then
 * all, with and without opt.retain. Where the kernel promises no more than it
 * has (vm.overcommit_memory is 2), blocks are taken until there are no more.
 * Must hold: private writable memory, which is what counts as promised, stays
 * near what is resident and retained; the number of mappings is bounded, where
 * memory is unmapped by the number of blocks; at least half of what the kernel
 * can still promise is to be had, NULL and ENOMEM are what comes then, and
 * after all is freed, 70 % can be had again.
 */
#include "blocks.h"

enum { TOTAL = 160 << 20, NBLOCKS = 1 << 16, MAPS_MOST = 500 };

/* So many mappings may be there. */
static size_t maps_most = MAPS_MOST;
static bool unmaps;

static size_t
more_than(size_t before, size_t now)
{
	return now > before ? now - before : 0;
}

static void
must_be_near(const char *when, size_t promised_before, size_t rss_before)
{
	size_t promised = more_than(promised_before, memory_status("VmData:"));
	size_t known = more_than(rss_before, memory_rss()) +
	    statistic("stats.retained");

	/*
	 * The page map promises 3 MiB for each GiB of addresses in which there
	 * is memory. Where that lies is chance, so two of these may be new.
	 */
	if (promised > known + known / 10 + 7 * MIB)
		stress_fail("%s: %zu KiB are promised, %zu resident or "
			    "retained",
		    when, promised / KIB, known / KIB);
	if (memory_nmaps() > maps_most)
		stress_fail("%s: %zu mappings", when, memory_nmaps());
}

static void
take_and_free(size_t largest)
{
	static struct block *lists[NBLOCKS];
	size_t promised = memory_status("VmData:"), rss = memory_rss();
	struct prng prng = { largest };
	size_t total = 0;
	unsigned n;

	for (n = 0; n < NBLOCKS && total < TOTAL; n++) {
		size_t size = 64 + prng_size(&prng, largest);

		CHECK(blocks_add(&lists[n], size, n));
		total += size;
	}
	if (unmaps)
		maps_most = MAPS_MOST + n;
	must_be_near("taken", promised, rss);
	for (unsigned i = 0; i < n; i += 2) {
		blocks_free(lists[i]);
		lists[i] = NULL;
	}
	must_be_near("each second one freed", promised, rss);
	CHECK(control("arena.4096.purge", NULL, NULL, NULL, 0) == 0);
	must_be_near("purged", promised, rss);
	for (unsigned i = 1; i < n; i += 2) {
		blocks_free(lists[i]);
		lists[i] = NULL;
	}
	CHECK(control("arena.4096.purge", NULL, NULL, NULL, 0) == 0);
	must_be_near("all freed", promised, rss);
}

/*
 * What is mapped to find an aligned place goes back at once, if nothing is to
 * be kept.
 */
static void
take_aligned(size_t align, size_t size)
{
	enum { OBJECTS = 100 };
	static void *objects[OBJECTS];
	size_t promised = memory_status("VmData:");
	size_t retained = statistic("stats.retained");
	size_t most = OBJECTS * (size + 64 * KIB) + 7 * MIB;

	for (unsigned i = 0; i < OBJECTS; i++)
		CHECK((objects[i] = memalign(align, size)) != NULL &&
		    (uintptr_t)objects[i] % align == 0);
	if (more_than(promised, memory_status("VmData:")) > most)
		stress_fail("aligned to %zu: %zu KiB are promised for %zu",
		    align, more_than(promised, memory_status("VmData:")) / KIB,
		    OBJECTS * size / KIB);
	if (more_than(retained, statistic("stats.retained")) > MIB)
		stress_fail("aligned to %zu: %zu KiB are retained", align,
		    statistic("stats.retained") / KIB);
	for (unsigned i = 0; i < OBJECTS; i++)
		free(objects[i]);
	CHECK(control("arena.4096.purge", NULL, NULL, NULL, 0) == 0);
	if (more_than(promised, memory_status("VmData:")) > 7 * MIB)
		stress_fail("aligned to %zu, freed: %zu KiB are promised",
		    align, more_than(promised, memory_status("VmData:")) / KIB);
}

/* Bytes that the kernel can still promise; 0: it promises all it is asked. */
static size_t
still_promised(void)
{
	size_t limit, now;
	char mode = '0';
	int fd = open("/proc/sys/vm/overcommit_memory", O_RDONLY);

	if (fd < 0 || read(fd, &mode, 1) != 1 || mode != '2')
		mode = '0';
	close(fd);
	if (mode != '2')
		return 0;
	limit = memory_figure("/proc/meminfo", "CommitLimit:");
	now = memory_figure("/proc/meminfo", "Committed_AS:");
	return limit > now ? limit - now : 0;
}

static size_t
fill(size_t size)
{
	struct block *list = NULL;
	size_t total = 0;

	while (blocks_add(&list, size, total))
		total += size;
	blocks_free(list);
	return total;
}

static void
fill_twice(size_t size)
{
	/* What the process keeps has been promised before. */
	size_t room = still_promised() + statistic("stats.retained") +
	    statistic("stats.resident");
	size_t first = fill(size), second = fill(size);

	if (first < room / 2 || first > room)
		stress_fail("blocks of %zu: %zu of %zu MiB could be had", size,
		    first / MIB, room / MIB);
	if (second < first / 10 * 7)
		stress_fail("blocks of %zu: %zu MiB could be had again, %zu "
			    "before",
		    size, second / MIB, first / MIB);
}

static void
work(void)
{
	static const size_t sizes[] = { 200, 3 * KIB, 64 * KIB, MIB };

	take_and_free(2 * KIB);
	take_and_free(64 * KIB);
	take_and_free(4 * MIB);
	if (unmaps) {
		take_aligned(2 * MIB, 100);
		take_aligned(64 * KIB, 20000);
		take_aligned(MIB, 3000000);
		take_aligned(4 * MIB, 100000);
	}
	for (unsigned i = 0; i < 4 && still_promised() != 0; i++)
		fill_twice(sizes[i]);
}

int
main(int argc, char **argv)
{
	stress_start(argc, argv, 200);
	if (!built_with("stats"))
		stress_skip("built without statistics");
	if (getenv("STRESS_COMMIT") != NULL) {
		unmaps = strcmp(getenv("STRESS_COMMIT"), "not kept") == 0;
		work();
		return 0;
	}
	stress_start_again(argv, "STRESS_COMMIT", "kept", "retain:true");
	stress_start_again(argv, "STRESS_COMMIT", "not kept", "retain:false");
	return 0;
}
