/* mallctl: what users read, and the errors of wrong use. */
#include <unistd.h>

#include "abi.h"

#define SIZE(name)     printf("%s %zu\n", name, READ(size_t, name))
#define UNSIGNED(name) printf("%s %u\n", name, READ(unsigned, name))
#define BOOL(name)     printf("%s %d\n", name, READ(bool, name))
#define SSIZE(name)    printf("%s %zd\n", name, READ(ssize_t, name))
#define STRING(name)   printf("%s %s\n", name, READ(const char *, name))

static void
geometry(void)
{
	char name[64];

	SIZE("arenas.quantum");
	SIZE("arenas.page");
	UNSIGNED("arenas.nbins");
	UNSIGNED("arenas.nlextents");
	SSIZE("arenas.dirty_decay_ms");
	SSIZE("arenas.muzzy_decay_ms");
	for (unsigned i = 0; i < READ(unsigned, "arenas.nbins"); i++) {
		snprintf(name, sizeof(name), "arenas.bin.%u.size", i);
		SIZE(name);
		snprintf(name, sizeof(name), "arenas.bin.%u.nregs", i);
		printf("%s %" PRIu32 "\n", name, READ(uint32_t, name));
		snprintf(name, sizeof(name), "arenas.bin.%u.slab_size", i);
		SIZE(name);
		snprintf(name, sizeof(name), "arenas.bin.%u.nshards", i);
		printf("%s %" PRIu32 "\n", name, READ(uint32_t, name));
	}
	for (unsigned i = 0; i < READ(unsigned, "arenas.nlextents"); i++) {
		snprintf(name, sizeof(name), "arenas.lextent.%u.size", i);
		SIZE(name);
	}
}

static void
options(void)
{
	BOOL("config.cache_oblivious");
	BOOL("config.fill");
	BOOL("config.lazy_lock");
	STRING("config.malloc_conf");
	BOOL("config.opt_safety_checks");
	BOOL("config.stats");
	BOOL("config.utrace");
	BOOL("opt.abort");
	BOOL("opt.abort_conf");
	BOOL("opt.confirm_conf");
	BOOL("opt.retain");
	STRING("opt.dss");
	UNSIGNED("opt.narenas");
	STRING("opt.percpu_arena");
	SIZE("opt.oversize_threshold");
	BOOL("opt.background_thread");
	SIZE("opt.max_background_threads");
	SSIZE("opt.dirty_decay_ms");
	SSIZE("opt.muzzy_decay_ms");
	SIZE("opt.lg_extent_max_active_fit");
	STRING("opt.metadata_thp");
	BOOL("opt.stats_print");
	STRING("opt.stats_print_opts");
	printf("%" PRId64 "\n", READ(int64_t, "opt.stats_interval"));
	STRING("opt.junk");
	BOOL("opt.zero");
	BOOL("opt.tcache");
	UNSIGNED("opt.tcache_nslots_small_min");
	UNSIGNED("opt.tcache_nslots_small_max");
	UNSIGNED("opt.tcache_nslots_large");
	SSIZE("opt.lg_tcache_nslots_mul");
	SIZE("opt.tcache_gc_incr_bytes");
	STRING("opt.thp");
	STRING("opt.zero_realloc");
	BOOL("opt.hpa");
}

static void
wrong_use(void)
{
	static const char *const names[] = { "", ".", "nothing", "stats",
		"stats.", "stats.allocated.x", "arenas.bin.99999.size",
		"arena.99999.purge", "arena.x.purge",
		"stats.arenas.9999.pactive", "version", "epoch",
		"thread.tcache.flush", "arena.0.purge", "tcache.flush",
		"opt.narenas", "stats.allocated", "thread.allocated",
		"arenas.narenas", "arena.0.initialized", "config.debug",
		"thread.arena", "prof.nothing",
		"stats.arenas.0.bins.9999.nmalloc" };
	char big[64];
	size_t mib[8], length, size;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *name = names[i];

		memset(big, 0, sizeof(big));
		printf("%s: %d", name, mallctl(name, NULL, NULL, NULL, 0));
		if (strcmp(name, "thread.tcache.flush") != 0 &&
		    strcmp(name, "arena.0.purge") != 0) {
			size = 3;
			printf(" %d", mallctl(name, big, &size, NULL, 0));
			printf(" %zu", size);
			size = 64;
			printf(" %d", mallctl(name, big, &size, NULL, 0));
			printf(" %zu", size);
		}
		printf(" %d", mallctl(name, NULL, NULL, big, 3));
		length = 8;
		printf(" %d", mallctlnametomib(name, mib, &length));
		puts("");
	}
	length = 8;
	printf("%d", mallctlnametomib("arenas.bin.3.size", mib, &length));
	printf(" %zu %zu\n", length, mib[2]);
	/* 5.3.0 takes 36 for an index. */
	for (mib[2] = 0; mib[2] < 40; mib[2] += mib[2] == 35 ? 2 : 1) {
		size_t value = 0;

		size = sizeof(value);
		printf("%d", mallctlbymib(mib, length, &value, &size, NULL, 0));
		printf(" %zu\n", value);
	}
	length = 2;
	printf("%d %zu\n", mallctlnametomib("stats.arenas", mib, &length),
	    length);
	printf("%d\n", mallctlbymib(mib, 2, NULL, NULL, NULL, 0));
}

static void
statistics(void)
{
	size_t before, active, resident, mapped;
	char *objects[100];

	refresh();
	before = READ(size_t, "stats.allocated");
	for (int i = 0; i < 100; i++)
		objects[i] = memset(malloc(100000), 1, 100000);
	printf("snapshot %d\n", READ(size_t, "stats.allocated") == before);
	refresh();
	active = READ(size_t, "stats.active");
	resident = READ(size_t, "stats.resident");
	mapped = READ(size_t, "stats.mapped");
	printf("grown %d\n",
	    READ(size_t, "stats.allocated") - before >= 10000000 &&
		READ(size_t, "stats.allocated") - before < 13000000);
	printf("order %d %d %d\n", READ(size_t, "stats.allocated") <= active,
	    active <= mapped, active <= resident);
	printf("metadata %d retained %d\n", READ(size_t, "stats.metadata") > 0,
	    READ(size_t, "stats.retained") < (size_t)1 << 40);
	printf("large %d\n",
	    READ(size_t, "stats.arenas.4096.large.allocated") >= 10000000);
	printf("pactive %d\n",
	    READ(size_t, "stats.arenas.4096.pactive") * 4096 == active);
	for (int i = 0; i < 100; i++)
		free(objects[i]);
	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
	refresh();
	printf("dirty %zu\n", READ(size_t, "stats.arenas.4096.pdirty"));
	printf("shrunk %d\n",
	    READ(size_t, "stats.allocated") < before + 100000);
}

static void
epochs(void)
{
	uint64_t epoch = 0, first = READ(uint64_t, "epoch");
	size_t size = sizeof(epoch);

	printf("%d", mallctl("epoch", &epoch, &size, &epoch, sizeof(epoch)));
	printf(" %" PRIu64 "\n", epoch - first);
}

int
main(void)
{
	const char *version = READ(const char *, "version");

	printf("version %d\n", strncmp(version, "5.3.", 4) == 0);
	geometry();
	options();
	wrong_use();
	epochs();
	statistics();
	return 0;
}
