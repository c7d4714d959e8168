/*
 * profile: the heap profile tells what is alive, and who asked for it.
 *
 * Starts itself in several ways, mostly with every object a sample, so that
 * figures are exact. Dumps are read back as analysers do. See profile-estimates
 * for estimates.
 */
#include "profile.h"

#include <glob.h>
#include <sched.h>
#include <sys/mman.h>

#ifdef __clang__
#define NOT_INLINE __attribute__((noinline, aligned(128)))
#else
#define NOT_INLINE __attribute__((noinline, noclone, aligned(128)))
#endif

enum { OBJECTS = 600 };
/* MALLOCX_TCACHE_NONE */
enum { NO_TCACHE = 1 << 8 };

static mallctl_function *ctl;
static char path[64];

struct figures {
	const char *function;
	double objects, bytes;
};

static int
act(const char *name, const char *text)
{
	return ctl(name, NULL, NULL, text == NULL ? NULL : &text,
	    text == NULL ? 0 : sizeof(text));
}

static bool
set_flag(const char *name, bool value)
{
	bool old = false;
	size_t length = sizeof(old);

	if (ctl(name, &old, &length, &value, sizeof(value)) != 0)
		stress_fail("%s can't be set", name);
	return old;
}

/* Two sites; what is behind the call keeps them apart from main's frames. */
static NOT_INLINE void *
site_small(size_t size)
{
	char *block = malloc(size);

	block[0] = 1;
	return block;
}

static NOT_INLINE void *
site_large(size_t size)
{
	char *block = calloc(1, size);

	block[size - 1] = 1;
	return block;
}

static NOT_INLINE void *
site_of(void *(*allocate)(size_t, int), size_t size, int flags)
{
	char *block = allocate(size, flags);

	if (block != NULL)
		block[0] = 1;
	return block;
}

static void
add_up(void *context, const struct profile_stack *stack)
{
	struct figures *sum = context;

	if (!profile_passes(stack, sum->function, sum->function + 96))
		return;
	sum->objects += stack->objects;
	sum->bytes += stack->bytes;
}

/* Live objects and bytes of the stacks that go through `function`. */
static struct figures
dump(void *function)
{
	struct figures sum = { function, 0, 0 };

	profile_dump(path);
	profile_read(path, add_up, &sum);
	return sum;
}

static void
expect(void *function, double objects, double bytes)
{
	struct figures got = dump(function);

	if (got.objects != objects || got.bytes != bytes)
		stress_fail("%.0f objects of %.0f bytes, not %.0f of %.0f",
		    got.objects, got.bytes, objects, bytes);
}

static void *
free_all(void *argument)
{
	void **blocks = argument;

	for (unsigned i = 0; i < OBJECTS; i++)
		free(blocks[i]);
	return NULL;
}

/* --- every object is a sample --------------------------------------------- */

static void
what_is_alive_is_told_exactly(void)
{
	static void *small[OBJECTS], *large[OBJECTS];
	double small_bytes = 0, large_bytes = 0;
	pthread_t thread;

	for (unsigned i = 0; i < OBJECTS; i++) {
		small[i] = site_small(8 + i);
		small_bytes += (double)malloc_usable_size(small[i]);
		large[i] = site_large(14000 + i * 500);
		large_bytes += (double)malloc_usable_size(large[i]);
	}
	expect(site_small, OBJECTS, small_bytes);
	expect(site_large, OBJECTS, large_bytes);
	/* Another thread frees. */
	pthread_create(&thread, NULL, free_all, small);
	pthread_join(thread, NULL);
	expect(site_small, 0, 0);
	expect(site_large, OBJECTS, large_bytes);
	ctl("prof.reset", NULL, NULL, NULL, 0);
	expect(site_large, 0, 0);
	free_all(large);
	expect(site_large, 0, 0);
}

static void
a_sample_is_an_object_like_others(void)
{
	void *block = malloc(100), *aligned = aligned_alloc(4096, 300);
	char *zeroed;

	if (malloc_usable_size(block) != 112 ||
	    malloc_usable_size(aligned) < 300 || (uintptr_t)aligned % 4096 != 0)
		stress_fail("sizes are others");
	memset(block, 7, 112);
	for (size_t size = 113; size < 3000000; size = size * 5 / 4) {
		block = realloc(block, size);
		if (((char *)block)[111] != 7)
			stress_fail("realloc to %zu has lost contents", size);
	}
	block = realloc(block, 50);
	if (((char *)block)[49] != 7 || malloc_usable_size(block) != 64)
		stress_fail("realloc down");
	free(block);
	free(aligned);
	for (size_t size = 1; size < 1000000; size = size * 2 + 1) {
		zeroed = malloc(size);
		memset(zeroed, 0xff, size);
		free(zeroed);
		zeroed = calloc(1, size);
		for (size_t i = 0; i < size; i++)
			if (zeroed[i] != 0)
				stress_fail("calloc of %zu", size);
		free(zeroed);
	}
}

static void
it_can_be_paused(void)
{
	void *a, *b;

	if (!set_flag("prof.active", false))
		stress_fail("it was not active");
	a = site_small(500);
	set_flag("prof.active", true);
	if (!set_flag("thread.prof.active", false))
		stress_fail("this thread was not active");
	b = site_small(500);
	set_flag("thread.prof.active", true);
	expect(site_small, 0, 0);
	free(a);
	free(b);
	a = site_small(500);
	expect(site_small, 1, 512);
	free(a);
}

static void
names_and_faults(void)
{
	char expected[64], automatic[64];
	const char *name = NULL;
	size_t length = sizeof(name);

	if (act("thread.prof.name", "one thread") != 0 ||
	    ctl("thread.prof.name", &name, &length, NULL, 0) != 0 ||
	    strcmp(name, "one thread") != 0 ||
	    act("thread.prof.name", "a\nb") != EINVAL)
		stress_fail("names of threads");
	if (act("prof.dump", "/nowhere/at/all") != EFAULT ||
	    act("prof.prefix", NULL) != EFAULT || act("prof.prefix", "") != 0 ||
	    act("prof.dump", NULL) != EFAULT)
		stress_fail("faults");
	snprintf(automatic, sizeof(automatic), "%s.auto", path);
	if (act("prof.prefix", automatic) != 0)
		stress_fail("prefix");
	for (unsigned i = 0; i < 2; i++) {
		snprintf(expected, sizeof(expected), "%s.%d.%u.m%u.heap",
		    automatic, (int)getpid(), i, i);
		if (act("prof.dump", NULL) != 0 || unlink(expected) != 0)
			stress_fail("there is no %s", expected);
	}
}

static void
a_child_has_its_own(void)
{
	void *before = site_small(1000);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		void *after = site_small(1000);

		expect(site_small, 2, 2048);
		free(before);
		free(after);
		expect(site_small, 0, 0);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (status != 0)
		stress_fail("the child has failed");
	expect(site_small, 1, 1024);
	free(before);
}

static NOT_INLINE void *
site_resize(void *block, size_t size)
{
	char *resized = realloc(block, size);

	resized[0] = 1;
	return resized;
}

/* Readers know by its name where the program's part of a stack begins. */
static void
stacks_begin_with_the_public_function(void)
{
	static char line[1 << 16];
	uintptr_t first = (uintptr_t)dlsym(RTLD_DEFAULT, "malloc");
	void *block = site_small(123);
	unsigned seen = 0;
	FILE *file;

	if (act("prof.dump", path) != 0)
		stress_fail("no dump");
	file = fopen(path, "r");
	while (fgets(line, sizeof(line), file) != NULL) {
		char *at = line + 1;
		uintptr_t pc = line[0] == '@' ? strtoull(at, &at, 16) : 0;

		/* Once, or twice if malloc has called another function. */
		if (pc <= first || pc - first > 256)
			continue;
		pc = strtoull(at, &at, 16);
		if (pc - first <= 256)
			pc = strtoull(at, &at, 16);
		seen += pc - (uintptr_t)site_small < 96;
	}
	fclose(file);
	if (seen == 0)
		stress_fail("no stack begins with malloc and its caller");
	free(block);
}

/* It is a new allocation, in place or not. */
static void
another_size_is_another_sample(void)
{
	static const size_t sizes[] = { 40000, 48000, 1 << 20, 3 << 20, 4 << 20,
		2 << 20, 100000, 80000, 300, 200 };
	void *block = site_large(30000);

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		block = site_resize(block, sizes[i]);
		expect(site_large, 0, 0);
		expect(site_resize, 1, (double)malloc_usable_size(block));
	}
	free(block);
	expect(site_resize, 0, 0);
}

/* All objects of an arena go at once, and their samples with them. */
static void
a_reset_ends_samples(void)
{
	void *(*allocate)(size_t, int);
	char name[64];
	unsigned arena;
	size_t length = sizeof(arena);

	if (!symbol_find("mallocx", &allocate) ||
	    ctl("arenas.create", &arena, &length, NULL, 0) != 0)
		stress_fail("no arena");
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < OBJECTS; i++)
			if (site_of(allocate, 8 + i * 60,
				(int)(arena + 1) << 20 | NO_TCACHE) == NULL)
				stress_fail("nothing to be had");
		if (dump(site_of).objects != OBJECTS)
			stress_fail("not all are samples");
		snprintf(name, sizeof(name), "arena.%u.reset", arena);
		if (ctl(name, NULL, NULL, NULL, 0) != 0)
			stress_fail("no reset");
		expect(site_of, 0, 0);
	}
	snprintf(name, sizeof(name), "arena.%u.destroy", arena);
	if (ctl(name, NULL, NULL, NULL, 0) != 0)
		stress_fail("can't be destroyed");
}

/* A heap of small objects, as programs have it, with a record for each. */
static void
each_sample_takes_little(void)
{
	enum { MANY = 200000 };
	void **blocks = mmap(NULL, MANY * sizeof(void *),
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
	    -1, 0);
	size_t before = memory_rss(), live = 0, taken;

	for (unsigned i = 0; i < MANY; i++) {
		blocks[i] = site_small(16 + i * 7 % 500);
		live += malloc_usable_size(blocks[i]);
		memset(blocks[i], 1, malloc_usable_size(blocks[i]));
	}
	taken = memory_rss() - before;
	printf("%zu bytes in samples take %zu\n", live, taken);
	if (taken > 2 * live)
		stress_fail("samples of %zu bytes take %zu", live, taken);
	for (unsigned i = 0; i < MANY; i++)
		free(blocks[i]);
	munmap(blocks, MANY * sizeof(void *));
}

static void
growth_in_place_may_become_one(void)
{
	void *block;

	set_flag("prof.active", false);
	block = site_large(200000);
	set_flag("prof.active", true);
	block = site_resize(block, 240000);
	expect(site_resize, 1, (double)malloc_usable_size(block));
	free(block);
	expect(site_resize, 0, 0);
}

static void
every_object(void)
{
	stacks_begin_with_the_public_function();
	growth_in_place_may_become_one();
	another_size_is_another_sample();
	a_reset_ends_samples();
	each_sample_takes_little();
	what_is_alive_is_told_exactly();
	a_sample_is_an_object_like_others();
	it_can_be_paused();
	names_and_faults();
	a_child_has_its_own();
}

/* --- turned on later ------------------------------------------------------ */

static _Atomic int turn;

static void
wait_for(int next)
{
	while (turn != next)
		sched_yield();
}

/* Was there before: it joins when its cache has handed out what it was to. */
static void *
allocate_in_turn(void *argument)
{
	enum { MANY = 30000 };
	void **blocks = mmap(NULL, MANY * sizeof(void *),
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)argument;
	free(malloc(100));
	turn = 1;
	wait_for(2);
	for (unsigned i = 0; i < MANY; i++)
		blocks[i] = site_small(100);
	if (dump(site_small).objects < MANY - 1000)
		stress_fail("a thread does not join in");
	for (unsigned i = 0; i < MANY; i++)
		free(blocks[i]);
	expect(site_small, 1, 768); /* of the other thread */
	return NULL;
}

static void
turned_on_later(void)
{
	void *before, *after;
	pthread_t thread;

	pthread_create(&thread, NULL, allocate_in_turn, NULL);
	wait_for(1);
	before = site_small(700);
	if (act("prof.dump", path) != ENOENT ||
	    set_flag("experimental.x.prof.enable", true))
		stress_fail("it is on");
	after = site_small(700);
	expect(site_small, 1, 768);
	turn = 2;
	pthread_join(thread, NULL);
	free(before);
	expect(site_small, 1, 768);
	if (!set_flag("experimental.x.prof.enable", false) ||
	    act("prof.dump", path) != ENOENT)
		stress_fail("it is not off");
	before = site_small(700);
	free(after);
	set_flag("experimental.x.prof.enable", true);
	expect(site_small, 0, 0);
	free(before);
	after = site_small(700);
	expect(site_small, 1, 768);
	set_flag("experimental.x.prof.enable", false);
	free(after);
}

/* --- automatic dumps ------------------------------------------------------ */

/* How many dumps of this kind the process has written; they are removed. */
static unsigned
collect(const char *kind)
{
	char pattern[128];
	glob_t found;
	unsigned count = 0;

	snprintf(pattern, sizeof(pattern), "%s.auto.%d.*.%s*.heap", path,
	    (int)getpid(), kind);
	if (glob(pattern, 0, NULL, &found) != 0)
		return 0;
	for (; count < found.gl_pathc; count++) {
		FILE *file = fopen(found.gl_pathv[count], "r");
		unsigned long long period;

		if (fscanf(file, "heap_v2/%llu\n", &period) != 1)
			stress_fail("%s is no dump", found.gl_pathv[count]);
		fclose(file);
		unlink(found.gl_pathv[count]);
	}
	globfree(&found);
	return count;
}

static void
churn(size_t bytes)
{
	for (size_t done = 0; done < bytes; done += 1000)
		free(site_small(1000));
}

static void
dumps_come_by_themselves(void)
{
	char prefix[80];
	unsigned count;
	void *block;

	snprintf(prefix, sizeof(prefix), "%s.auto", path);
	if (act("prof.prefix", prefix) != 0)
		stress_fail("prefix");
	/* One each MiB; what is noticed late leaves some out. */
	churn(20 * MIB);
	count = collect("i");
	printf("%u dumps of 20\n", count);
	if (count < 15 || count > 22)
		stress_fail("%u dumps in 20 intervals", count);
	set_flag("prof.active", false);
	churn(5 * MIB);
	if (collect("i") != 0)
		stress_fail("dumps while it is not active");
	set_flag("prof.active", true);
	if (collect("u") != 0 || set_flag("prof.gdump", true))
		stress_fail("dumps of peaks, which nobody asked for");
	block = site_large(30 * MIB);
	free(block);
	free(site_small(100));
	if (collect("u") == 0)
		stress_fail("no dump at a peak");
	block = site_large(20 * MIB);
	free(site_small(100));
	if (collect("u") != 0)
		stress_fail("a dump where there is no peak");
	free(block);
	if (!set_flag("prof.gdump", false))
		stress_fail("gdump was not on");
	/* Without a prefix there are none; the blocks above had some. */
	collect("i");
	if (act("prof.prefix", "") != 0)
		stress_fail("prefix");
	churn(5 * MIB);
	if (collect("i") != 0)
		stress_fail("dumps without a prefix");
	/* What is no file is written to. */
	if (act("prof.dump", "/dev/null") != 0)
		stress_fail("no dump to a device");
}

/* --- the program ---------------------------------------------------------- */

static void
start(char **argv, const char *what, const char *conf)
{
	stress_start_again(argv, "PROFILE_WHAT", what, conf);
}

int
main(int argc, char **argv)
{
	const char *what = getenv("PROFILE_WHAT");

	stress_start(argc, argv, 120);
	if (!symbol_find("mallctl", &ctl))
		stress_skip_other("mallctl");
	if (!built_with("prof"))
		stress_skip("built without heap profiles");
	snprintf(path, sizeof(path), "/tmp/profile.%d", (int)getpid());
	if (what == NULL) {
		start(argv, "every", "prof:true,lg_prof_sample:0");
		start(argv, "every", "prof:true,lg_prof_sample:0,tcache:false");
		start(argv, "dumps",
		    "prof:true,lg_prof_sample:12,lg_prof_interval:20");
		start(argv, "later", "lg_prof_sample:0");
		return 0;
	}
	if (strcmp(what, "every") == 0)
		every_object();
	else if (strcmp(what, "dumps") == 0)
		dumps_come_by_themselves();
	else
		turned_on_later();
	unlink(path);
	return 0;
}
