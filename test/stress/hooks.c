/*
 * Arenas on memory functions of the program: memory of a file, memory that two
 * processes share, functions that allocate, functions that fail, and functions
 * that come to an arena late.
 */
#include "stress.h"

#include <sys/mman.h>

typedef struct hooks hooks;

struct hooks {
	void *(*alloc)(hooks *, void *, size_t, size_t, bool *, bool *,
	    unsigned);
	bool (*dalloc)(hooks *, void *, size_t, bool, unsigned);
	void (*destroy)(hooks *, void *, size_t, bool, unsigned);
	bool (*commit)(hooks *, void *, size_t, size_t, size_t, unsigned);
	bool (*decommit)(hooks *, void *, size_t, size_t, size_t, unsigned);
	bool (*purge_lazy)(hooks *, void *, size_t, size_t, size_t, unsigned);
	bool (*purge_forced)(hooks *, void *, size_t, size_t, size_t, unsigned);
	bool (*split)(hooks *, void *, size_t, size_t, size_t, bool, unsigned);
	bool (*merge)(hooks *, void *, size_t, void *, size_t, bool, unsigned);
};

static struct {
	mallctl_function *mallctl;
	void *(*mallocx)(size_t, int);
	void *(*rallocx)(void *, size_t, int);
	void (*dallocx)(void *, int);
	hooks *below; /* the default functions */
} ctl;

#define NO_CACHE ((int)1 << 8)
#define ZERO     0x40

static int
in(unsigned arena)
{
	return (int)(arena + 1) << 20 | NO_CACHE;
}

static void
done(int error, const char *what)
{
	if (error != 0)
		stress_fail("%s: error %d", what, error);
}

static unsigned
create(hooks *table)
{
	unsigned arena;
	size_t size = sizeof(arena);

	done(ctl.mallctl("arenas.create", &arena, &size, &table, sizeof(table)),
	    "arenas.create");
	return arena;
}

static void
act(unsigned arena, const char *what)
{
	char name[64];

	snprintf(name, sizeof(name), "arena.%u.%s", arena, what);
	done(ctl.mallctl(name, NULL, NULL, NULL, 0), name);
}

static void
set_decay(unsigned arena, const char *what, ssize_t time_ms)
{
	char name[64];

	snprintf(name, sizeof(name), "arena.%u.%s", arena, what);
	done(ctl.mallctl(name, NULL, NULL, &time_ms, sizeof(time_ms)), name);
}

/* ---- memory of a file ---- */

static struct {
	hooks table;
	int file;
	char *start;
	size_t size;
	size_t used;
	_Atomic unsigned calls;
	unsigned arena;
} file_memory;

static void *
file_alloc(hooks *table, void *addr, size_t size, size_t align, bool *zero,
    bool *commit, unsigned arena)
{
	size_t start = (file_memory.used + align - 1) & ~(align - 1);

	(void)arena;
	if (addr != NULL || table != &file_memory.table ||
	    start + size > file_memory.size)
		return NULL;
	file_memory.used = start + size;
	file_memory.calls++;
	*zero = *commit = true;
	return file_memory.start + start;
}

static bool
yes(hooks *table, void *a, size_t b, size_t c, size_t d, bool committed,
    unsigned arena)
{
	(void)table, (void)a, (void)b, (void)c, (void)d, (void)committed;
	(void)arena;
	return false;
}

static bool
yes_merge(hooks *table, void *a, size_t b, void *c, size_t d, bool committed,
    unsigned arena)
{
	(void)table, (void)a, (void)b, (void)c, (void)d, (void)committed;
	(void)arena;
	return false;
}

static void
use_file(int flags)
{
	char path[] = "/tmp/stress-hooks-XXXXXX";

	file_memory.file = mkstemp(path);
	if (file_memory.file < 0 || unlink(path) != 0 ||
	    ftruncate(file_memory.file, 64 << 20) != 0)
		stress_fail("no file: %s", strerror(errno));
	file_memory.size = (size_t)64 << 20;
	file_memory.used = 0;
	file_memory.start = mmap(NULL, file_memory.size, PROT_READ | PROT_WRITE,
	    flags, file_memory.file, 0);
	if (file_memory.start == MAP_FAILED)
		stress_fail("no mapping: %s", strerror(errno));
	file_memory.table = (hooks){
		.alloc = file_alloc, .split = yes, .merge = yes_merge
	};
	file_memory.arena = create(&file_memory.table);
}

static void
drop_file(void)
{
	act(file_memory.arena, "destroy");
	munmap(file_memory.start, file_memory.size);
	close(file_memory.file);
}

static bool
is_in_file(const void *p)
{
	return (const char *)p >= file_memory.start &&
	    (const char *)p < file_memory.start + file_memory.size;
}

static void
objects_lie_in_the_file(void)
{
	char *p[200], seen[6];

	use_file(MAP_SHARED);
	for (unsigned i = 0; i < 200; i++) {
		size_t size = (size_t)1 << i % 20;

		p[i] = ctl.mallocx(size, in(file_memory.arena));
		if (p[i] == NULL || !is_in_file(p[i]))
			stress_fail("object %u is not in the file", i);
		memset(p[i], (int)i, size);
	}
	memcpy(p[10], "found", 6);
	if (pread(file_memory.file, seen, 6, p[10] - file_memory.start) != 6 ||
	    strcmp(seen, "found") != 0)
		stress_fail("the file does not have what was written");
	/* Zero must be written: pages of a file come back as they were. */
	for (unsigned i = 0; i < 200; i++)
		ctl.dallocx(p[i], NO_CACHE);
	act(file_memory.arena, "purge");
	for (unsigned i = 0; i < 200; i++) {
		size_t size = (size_t)1 << i % 20;

		p[i] = ctl.mallocx(size, in(file_memory.arena) | ZERO);
		for (size_t k = 0; k < size; k++)
			if (p[i][k] != 0)
				stress_fail("byte %zu of %zu is not zero", k,
				    size);
	}
	/* Growing moves by copying: its pages are not ours to move. */
	p[0] = ctl.rallocx(p[0], 8 << 20, in(file_memory.arena));
	p[0][0] = 'x';
	p[0] = ctl.rallocx(p[0], 16 << 20, in(file_memory.arena));
	if (!is_in_file(p[0]) || p[0][0] != 'x')
		stress_fail("realloc left the file");
	/* More than there is. */
	if (ctl.mallocx((size_t)128 << 20, in(file_memory.arena)) != NULL)
		stress_fail("128 MiB in a file of 64 MiB");
	drop_file();
}

/* What a process that has the file, too, sees in the place of an object. */
static void
check_in_file(const char *p, const char *want)
{
	char seen[10] = "";

	if (!is_in_file(p) ||
	    pread(file_memory.file, seen, strlen(want),
		p - file_memory.start) != (ssize_t)strlen(want) ||
	    strcmp(seen, want) != 0)
		stress_fail("the file has '%s' in place of '%s'", seen, want);
}

/* The pages of a file belong to their place, so objects move by copies. */
static void
large_objects_that_grow_stay_in_the_file(void)
{
	char *p, *behind, *outside = malloc((size_t)3 << 20);

	use_file(MAP_SHARED);
	p = ctl.mallocx((size_t)4 << 20, in(file_memory.arena));
	behind = ctl.mallocx((size_t)4 << 20, in(file_memory.arena));
	strcpy(p, "inside");
	p = ctl.rallocx(p, (size_t)9 << 20, in(file_memory.arena));
	check_in_file(p, "inside");
	strcpy(outside, "outside");
	outside = ctl.rallocx(outside, (size_t)5 << 20, in(file_memory.arena));
	check_in_file(outside, "outside");
	ctl.dallocx(behind, NO_CACHE);
	drop_file();
}

static void
processes_share_an_arena(void)
{
	char *p;
	int status;
	pid_t child;

	use_file(MAP_SHARED);
	p = ctl.mallocx(100, in(file_memory.arena));
	strcpy(p, "parent");
	child = fork();
	if (child == 0) {
		strcpy(p, "child");
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status != 0)
		stress_fail("child ended with %d", status);
	if (strcmp(p, "child") != 0)
		stress_fail("memory is not shared: %s", p);
	drop_file();
}

/* ---- functions that allocate, and that fail ---- */

static struct {
	hooks table;
	_Atomic unsigned calls;
	_Atomic unsigned refuse; /* of 16 */
	_Atomic uint64_t seed;
	_Atomic size_t mapped;
} busy;

/* As a logger would: in each call it takes, uses and frees something. */
static bool
allocate_something(void)
{
	struct prng seed = { ++busy.seed };
	size_t size = 1 + prng_below(&seed, 3000);
	char *p = malloc(size), *q = calloc(1, size), *r;

	busy.calls++;
	if (p == NULL || q == NULL)
		stress_fail("no memory inside of a hook");
	memset(p, 1, size);
	r = realloc(q, size * 2);
	free(r != NULL ? r : q);
	free(p);
	return prng_below(&seed, 16) < busy.refuse;
}

static void *
busy_alloc(hooks *table, void *addr, size_t size, size_t align, bool *zero,
    bool *commit, unsigned arena)
{
	void *p;

	(void)table;
	if (allocate_something())
		return NULL;
	p = ctl.below->alloc(ctl.below, addr, size, align, zero, commit, arena);
	if (p != NULL)
		busy.mapped += size;
	return p;
}

static bool
busy_dalloc(hooks *table, void *addr, size_t size, bool committed,
    unsigned arena)
{
	(void)table, (void)committed, (void)arena;
	if (allocate_something() || munmap(addr, size) != 0)
		return true;
	busy.mapped -= size;
	return false;
}

static void
busy_destroy(hooks *table, void *addr, size_t size, bool committed,
    unsigned arena)
{
	(void)table, (void)committed, (void)arena;
	allocate_something();
	munmap(addr, size);
	busy.mapped -= size;
}

#define BUSY(name) \
	static bool busy_##name(hooks *table, void *addr, size_t size, \
	    size_t offset, size_t length, unsigned arena) \
	{ \
		(void)table; \
		return allocate_something() || \
		    ctl.below->name(ctl.below, addr, size, offset, length, \
			arena); \
	}

BUSY(commit)
BUSY(decommit)
BUSY(purge_lazy)
BUSY(purge_forced)

static bool
busy_split(hooks *table, void *addr, size_t size, size_t a, size_t b,
    bool committed, unsigned arena)
{
	(void)table, (void)addr, (void)size, (void)a, (void)b;
	(void)committed, (void)arena;
	return allocate_something();
}

static bool
busy_merge(hooks *table, void *addr_a, size_t a, void *addr_b, size_t b,
    bool committed, unsigned arena)
{
	(void)table, (void)addr_a, (void)a, (void)addr_b, (void)b;
	(void)committed, (void)arena;
	return allocate_something();
}

struct worker {
	unsigned arena;
	unsigned rounds;
	unsigned number;
};

/* Contents tell whether two objects ever overlap. */
static void *
work(void *arg)
{
	struct worker *worker = arg;
	struct prng seed = { worker->number };
	struct {
		unsigned char *p;
		size_t size;
	} slot[64] = { { NULL, 0 } };

	for (unsigned i = 0; i < worker->rounds; i++) {
		unsigned k = (unsigned)prng_below(&seed, 64);

		if (slot[k].p != NULL) {
			if (slot[k].p[0] != (unsigned char)k ||
			    slot[k].p[slot[k].size - 1] != (unsigned char)k)
				stress_fail("an object changed by itself");
			ctl.dallocx(slot[k].p, i % 2 == 0 ? NO_CACHE : 0);
		}
		slot[k].size = 1 +
		    prng_below(&seed,
			prng_below(&seed, 4) == 0 ? 300000 : 5000);
		slot[k].p = ctl.mallocx(slot[k].size, in(worker->arena));
		if (slot[k].p == NULL && busy.refuse == 0)
			stress_fail("no memory though nothing refuses");
		if (slot[k].p != NULL)
			memset(slot[k].p, (int)k, slot[k].size);
	}
	for (unsigned k = 0; k < 64; k++)
		if (slot[k].p != NULL)
			ctl.dallocx(slot[k].p, NO_CACHE);
	ctl.mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	return NULL;
}

static void
run_threads(unsigned arena, unsigned rounds)
{
	pthread_t thread[4];
	struct worker worker[4];

	for (unsigned i = 0; i < 4; i++) {
		worker[i] = (struct worker){ arena, rounds, i };
		if (pthread_create(&thread[i], NULL, work, &worker[i]) != 0)
			stress_fail("no thread");
	}
	for (unsigned i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

static void
use_busy(void)
{
	busy.table = (hooks){ busy_alloc, busy_dalloc, busy_destroy,
		busy_commit, busy_decommit, busy_purge_lazy, busy_purge_forced,
		busy_split, busy_merge };
}

static void
functions_allocate_and_fail(unsigned scale)
{
	for (unsigned refuse = 0; refuse <= 8; refuse += 4) {
		unsigned arena;

		use_busy();
		busy.refuse = 0;
		arena = create(&busy.table);
		set_decay(arena, "dirty_decay_ms", refuse == 0 ? 0 : 2);
		set_decay(arena, "muzzy_decay_ms", refuse == 4 ? 2 : 0);
		busy.refuse = refuse;
		run_threads(arena, 4000 * scale);
		act(arena, "purge");
		busy.refuse = 0;
		act(arena, "destroy");
		if (busy.mapped != 0)
			stress_fail("%zu bytes are left", (size_t)busy.mapped);
	}
	if (busy.calls < 100)
		stress_fail("%u calls: hooks were not asked",
		    (unsigned)busy.calls);
}

/* ---- late, in an arena that others use ---- */

static void
arena_0_gets_functions_that_allocate(void)
{
	hooks *table = &busy.table, *before = NULL;
	size_t size = sizeof(before);
	char *p[100];

	use_busy();
	busy.refuse = 0;
	/* Older pages were not given by them: leave the ends to the default. */
	busy.table.destroy = ctl.below->destroy;
	busy.table.dalloc = ctl.below->dalloc;
	done(ctl.mallctl("arena.0.extent_hooks", &before, &size, &table,
		 sizeof(table)),
	    "arena.0.extent_hooks");
	if (before != ctl.below)
		stress_fail("the hooks before were not the default ones");
	for (unsigned i = 0; i < 100; i++) {
		p[i] = ctl.mallocx(400000, in(0));
		if (p[i] == NULL)
			stress_fail("no memory in arena 0");
		memset(p[i], 1, 400000);
	}
	run_threads(0, 2000);
	for (unsigned i = 0; i < 100; i++)
		ctl.dallocx(p[i], NO_CACHE);
	act(0, "purge");
}

int
main(int argc, char **argv)
{
	unsigned scale = stress_start(argc, argv, 120);
	size_t size = sizeof(ctl.below);

	if (!symbol_find("mallctl", &ctl.mallctl) ||
	    !symbol_find("mallocx", &ctl.mallocx) ||
	    !symbol_find("rallocx", &ctl.rallocx) ||
	    !symbol_find("dallocx", &ctl.dallocx))
		stress_skip_other("mallctl");
	done(ctl.mallctl("arena.0.extent_hooks", &ctl.below, &size, NULL, 0),
	    "arena.0.extent_hooks");
	objects_lie_in_the_file();
	large_objects_that_grow_stay_in_the_file();
	processes_share_an_arena();
	functions_allocate_and_fail(scale);
	arena_0_gets_functions_that_allocate();
	return 0;
}
