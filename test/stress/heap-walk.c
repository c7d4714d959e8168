/*
 * experimental.heap.walk and .lookup: what a walk reports is what the program
 * has, to the object, if nothing else runs; and what is live all the time is
 * reported exactly once, whatever other threads, the callback and a fork do.
 */
#include "stress.h"

enum { LIVE = 1, CACHED = 2, FREE = 4, EXTENTS = 8, INTERNAL = 16, MERGE = 32 };
enum { OBJECTS = 12000, LOADERS = 3, HELD = 700, ALL = 4096 };

struct region {
	uintptr_t addr;
	size_t usize;
	uint32_t arena;
	uint32_t state;
	uint64_t reserved;
};

struct walk {
	uint32_t version;
	uint32_t flags;
	uintptr_t lo, hi;
	size_t size;
	unsigned arena;
	int (*report)(void *context, const struct region *region);
	void *context;
};

static mallctl_function *ctl;
/* False: malloc_usable_size() says what was requested (a canary). */
static bool by_class = true;

struct object {
	uintptr_t addr;
	size_t usable;
	bool held;
	bool reusable; /* freed, and the C library may have got it since */
	unsigned seen; /* reports as live */
	unsigned cached;
};

static struct object objects[OBJECTS]; /* by address, after sort() */
static size_t nobjects;

static int
by_address(const void *a, const void *b)
{
	uintptr_t x = ((const struct object *)a)->addr;
	uintptr_t y = ((const struct object *)b)->addr;

	return x < y ? -1 : x > y;
}

static struct object *
find(uintptr_t addr)
{
	size_t low = 0, high = nobjects;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (objects[middle].addr < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < nobjects && objects[low].addr == addr ? &objects[low]
							   : NULL;
}

/* ---- a walk and its sums ---- */

struct sums {
	uint64_t n;
	size_t bytes;
	size_t of[33]; /* regions by state */
	uintptr_t last;
	int (*then)(const struct region *region);
	uint64_t stop_after;
	bool merged;
};

static int
note(void *context, const struct region *r)
{
	struct sums *sums = context;
	struct object *object = find(r->addr);

	if (r->addr <= sums->last && r->state != INTERNAL)
		stress_fail("%#zx comes after %#zx", r->addr, sums->last);
	sums->last = r->addr;
	sums->n++;
	sums->bytes += r->usize;
	sums->of[r->state]++;
	if (object != NULL && r->state == LIVE) {
		object->seen++;
		if (object->held && !sums->merged && object->usable != r->usize)
			stress_fail("%zu bytes at %#zx, not %zu", r->usize,
			    r->addr, object->usable);
	}
	if (object != NULL && r->state == CACHED)
		object->cached++;
	return (sums->then != NULL ? sums->then(r) : 0) ||
	    sums->n == sums->stop_after;
}

static void
walk_as(struct walk walk, struct sums *sums)
{
	uint64_t visited = 0;
	size_t length = sizeof(visited);
	int error;

	for (size_t i = 0; i < nobjects; i++)
		objects[i].seen = objects[i].cached = 0;
	sums->last = 0;
	walk.version = 1;
	walk.report = note;
	walk.context = sums;
	error = ctl("experimental.heap.walk", &visited, &length, &walk,
	    sizeof(walk));
	if (error != 0)
		stress_fail("walk: error %d", error);
	CHECK(visited == sums->n);
}

static struct sums
walk_all(unsigned flags)
{
	struct sums sums = { .n = 0 };

	walk_as((struct walk){ .flags = flags, .arena = ALL }, &sums);
	return sums;
}

static struct region
look(uintptr_t addr)
{
	struct region region;
	size_t length = sizeof(region);

	CHECK(ctl("experimental.heap.lookup", &region, &length, &addr,
		  sizeof(addr)) == 0);
	return region;
}

/* ---- nothing else runs ---- */

static void
fill(uint64_t seed)
{
	struct prng prng = { seed };

	for (nobjects = 0; nobjects < OBJECTS; nobjects++) {
		void *p = needed(malloc(
		    prng_size(&prng, nobjects % 64 == 0 ? 300 * KIB : 5000) +
		    1));

		objects[nobjects] = (struct object){ .addr = (uintptr_t)p,
			.usable = malloc_usable_size(p),
			.held = true };
	}
	qsort(objects, nobjects, sizeof(objects[0]), by_address);
	/* Within the memory of the C library's sort nothing of ours may be. */
	for (size_t i = 0; i < nobjects; i++)
		if (prng_below(&prng, 2) == 0) {
			objects[i].held = false;
			free((void *)objects[i].addr);
		}
}

static void
drop(void)
{
	for (size_t i = 0; i < nobjects; i++)
		if (objects[i].held)
			free((void *)objects[i].addr);
	nobjects = 0;
}

static void
check_objects(const char *what)
{
	for (size_t i = 0; i < nobjects; i++) {
		const struct object *o = &objects[i];

		if (o->reusable)
			continue;
		if (o->seen != (o->held ? 1 : 0))
			stress_fail("%s: %s object %#zx of %zu bytes: seen %u "
				    "times",
			    what, o->held ? "a held" : "a freed", o->addr,
			    o->usable, o->seen);
		if (o->held && o->cached != 0)
			stress_fail("%s: %#zx is held and cached", what,
			    o->addr);
	}
}

static size_t
figure(const char *name)
{
	size_t value, length = sizeof(value);

	CHECK(ctl(name, &value, &length, NULL, 0) == 0);
	return value;
}

static void
compare_with_statistics(void)
{
	struct sums used, all;
	uint64_t epoch = 1;
	bool stats;
	size_t length = sizeof(stats), sum;

	CHECK(ctl("config.stats", &stats, &length, NULL, 0) == 0);
	if (!stats)
		return;
	CHECK(ctl("epoch", NULL, NULL, &epoch, sizeof(epoch)) == 0);
	used = walk_all(LIVE | CACHED);
	sum = figure("stats.arenas.4096.small.allocated") +
	    figure("stats.arenas.4096.large.allocated");
	/* Large objects in the quarantine are in no walk. */
	if (by_class ? sum != used.bytes : sum < used.bytes)
		stress_fail("%zu bytes are in use, %zu by the statistics",
		    used.bytes, sum);
	all = walk_all(LIVE | CACHED | FREE | EXTENTS | INTERNAL);
	CHECK(all.of[LIVE] + all.of[CACHED] == used.n);
	CHECK(all.of[FREE] != 0 && all.of[EXTENTS] != 0 && all.of[INTERNAL]);
}

static void
compare_looks(void)
{
	uintptr_t here = (uintptr_t)&here;

	for (size_t i = 0; i < nobjects; i += 97) {
		const struct object *o = &objects[i];
		struct region r = look(o->addr + o->usable / 2);

		if (o->held)
			CHECK(r.state == LIVE && r.addr == o->addr &&
			    r.usize == o->usable);
		else
			CHECK(r.state != LIVE);
	}
	CHECK(look(here).state == 0 && look(0).state == 0 &&
	    look(UINTPTR_MAX).state == 0);
}

static void
filters(void)
{
	const struct object *low = &objects[nobjects / 3];
	const struct object *high = &objects[nobjects / 3 * 2];
	struct sums part = { .n = 0 }, sums = { .n = 0 };
	struct sums stopped = { .stop_after = 10 };
	struct sums merged = { .merged = true };

	walk_as((struct walk){ .flags = LIVE,
		    .arena = ALL,
		    .lo = low->addr,
		    .hi = high->addr },
	    &part);
	for (const struct object *o = objects; o < objects + nobjects; o++)
		CHECK(o->seen == (o->held && o >= low && o < high));
	walk_as((struct walk){ .flags = LIVE, .arena = ALL, .size = 100 },
	    &sums);
	for (const struct object *o = objects; o < objects + nobjects; o++)
		CHECK(!by_class || o->seen == (o->held && o->usable == 112));
	CHECK(by_class ? sums.bytes == sums.n * 112
		       : sums.bytes <= sums.n * 112);
	walk_as((struct walk){ .flags = LIVE, .arena = ALL }, &stopped);
	CHECK(stopped.n == 10);
	walk_as((struct walk){ .flags = LIVE | MERGE, .arena = ALL }, &merged);
	sums = walk_all(LIVE);
	/* A joined region has the bytes behind its objects, too. */
	CHECK(by_class ? merged.bytes == sums.bytes
		       : merged.bytes >= sums.bytes);
	CHECK(merged.n < sums.n);
	sums = (struct sums){ .n = 0 };
	walk_as((struct walk){ .flags = LIVE, .arena = 4000 }, &sums);
	CHECK(sums.n == 0);
}

static void
mistakes(void)
{
	struct sums sums = { .n = 0 };
	struct walk walk = { .version = 1,
		.flags = LIVE,
		.arena = ALL,
		.report = note,
		.context = &sums };
	uint64_t visited;
	size_t length = sizeof(visited);

	CHECK(ctl("experimental.heap.walk", NULL, NULL, &walk, 8) == EINVAL);
	CHECK(ctl("experimental.heap.walk", NULL, NULL, NULL, 0) == EINVAL);
	walk.version = 2;
	CHECK(ctl("experimental.heap.walk", &visited, &length, &walk,
		  sizeof(walk)) == EINVAL);
	walk.version = 1;
	walk.flags = 64;
	CHECK(ctl("experimental.heap.walk", NULL, NULL, &walk, sizeof(walk)) ==
	    EINVAL);
	walk.flags = LIVE;
	walk.report = NULL;
	CHECK(ctl("experimental.heap.walk", NULL, NULL, &walk, sizeof(walk)) ==
	    EINVAL);
	CHECK(sums.n == 0);
}

/* ---- no memory, and calls from inside ---- */

static int
walk_error(void)
{
	struct sums sums = { .stop_after = 1 };
	struct walk walk = { .version = 1,
		.flags = LIVE,
		.arena = ALL,
		.report = note,
		.context = &sums };

	return ctl("experimental.heap.walk", NULL, NULL, &walk, sizeof(walk));
}

static void
without_memory(void *unused)
{
	struct rlimit none = { 4096, 4096 };

	(void)unused;
	CHECK(walk_error() == 0);
	CHECK(setrlimit(RLIMIT_AS, &none) == 0);
	CHECK(walk_error() == ENOMEM);
}

static int error_inside;

static void *
hook(void *hooks, void *addr, size_t size, size_t align, bool *zero,
    bool *commit, unsigned arena)
{
	(void)hooks, (void)addr, (void)size, (void)align, (void)zero;
	(void)commit, (void)arena;
	error_inside = walk_error();
	return NULL;
}

static void
refusals(void)
{
	struct {
		void *(*alloc)(void *, void *, size_t, size_t, bool *, bool *,
		    unsigned);
		void *others[8];
	} hooks = { hook, { NULL } }, *pointer = &hooks;
	size_t length = sizeof(unsigned);
	struct child child;
	unsigned arena;

	child_run(&child, without_memory, NULL, 60);
	if (child.status != 0)
		stress_fail("without memory: %s", child.text);
	CHECK(ctl("arenas.create", &arena, &length, &pointer,
		  sizeof(pointer)) == EAGAIN);
	CHECK(error_inside == EAGAIN);
}

/* ---- the callback uses the allocator ---- */

static int
use_allocator(const struct region *r)
{
	static unsigned turn;
	struct object *object = find(r->addr);
	struct sums inner = { .stop_after = 5 };
	unsigned kept_seen = object != NULL ? object->seen : 0;

	free(needed(malloc(turn % 3000 + 1)));
	if (object != NULL && object->held && turn % 3 == 0) {
		object->held = false;
		free((void *)object->addr);
	}
	if (turn++ % 500 == 0) {
		struct walk walk = { .version = 1,
			.flags = LIVE,
			.arena = ALL,
			.report = note,
			.context = &inner };

		CHECK(ctl("experimental.heap.walk", NULL, NULL, &walk,
			  sizeof(walk)) == 0);
		CHECK(inner.n == 5);
		/* The inner walk has seen some of the first ones again. */
		for (size_t i = 0; i < nobjects; i++)
			if (objects[i].addr <= inner.last &&
			    objects[i].seen > 1)
				objects[i].seen = 1;
	}
	if (object != NULL)
		object->seen = kept_seen;
	return 0;
}

static void
callback_uses_allocator(void)
{
	struct sums sums = { .then = use_allocator };

	walk_as((struct walk){ .flags = LIVE, .arena = ALL }, &sums);
	for (size_t i = 0; i < nobjects; i++)
		if (objects[i].held && objects[i].seen != 1)
			stress_fail("%#zx was seen %u times", objects[i].addr,
			    objects[i].seen);
}

/* ---- other threads run ---- */

static atomic_bool over;

static void *
load(void *number)
{
	struct prng prng = { (uintptr_t)number + 99 };
	void *held[HELD] = { NULL };

	while (!atomic_load(&over)) {
		size_t i = prng_below(&prng, HELD);
		size_t size = prng_size(&prng, i % 32 == 0 ? 2 * MIB : 3000);

		if (prng_below(&prng, 3) == 0) {
			held[i] = needed(realloc(held[i], size + 1));
		} else {
			free(held[i]);
			held[i] = needed(malloc(size + 1));
		}
	}
	for (size_t i = 0; i < HELD; i++)
		free(held[i]);
	return NULL;
}

static void
others_run(unsigned scale)
{
	pthread_t ids[LOADERS];

	atomic_store(&over, false);
	for (uintptr_t i = 0; i < LOADERS; i++)
		CHECK(pthread_create(&ids[i], NULL, load, (void *)i) == 0);
	for (unsigned turn = 0; turn < 15 * scale; turn++) {
		(void)walk_all(LIVE | CACHED | FREE | EXTENTS);
		for (size_t i = 0; i < nobjects; i++)
			if (objects[i].held &&
			    (objects[i].seen != 1 || objects[i].cached != 0))
				stress_fail("%#zx of %zu bytes was seen %u "
					    "times, %u cached",
				    objects[i].addr, objects[i].usable,
				    objects[i].seen, objects[i].cached);
	}
	atomic_store(&over, true);
	for (unsigned i = 0; i < LOADERS; i++)
		CHECK(pthread_join(ids[i], NULL) == 0);
}

/* ---- after a fork ---- */

static pthread_barrier_t barrier;

/* What this thread frees stays in its cache. */
static void *
free_some(void *unused)
{
	(void)unused;
	for (size_t i = 0; i < nobjects; i += 5)
		if (objects[i].held && objects[i].usable < 500) {
			objects[i].held = false;
			free((void *)objects[i].addr);
		}
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void
in_child(void *unused)
{
	(void)unused;
	(void)walk_all(LIVE | CACHED);
	check_objects("in the child");
}

static void
forks(void)
{
	struct child child;
	pthread_t id;

	for (size_t i = 0; i < nobjects; i++)
		objects[i].reusable = !objects[i].held;
	CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
	CHECK(pthread_create(&id, NULL, free_some, NULL) == 0);
	pthread_barrier_wait(&barrier);
	child_run(&child, in_child, NULL, 60);
	if (child.status != 0)
		stress_fail("child: status %#x, %s", (unsigned)child.status,
		    child.text);
	/* And here: the thread rests. */
	(void)walk_all(LIVE | CACHED);
	check_objects("while a thread waits");
	pthread_barrier_wait(&barrier);
	CHECK(pthread_join(id, NULL) == 0);
}

static void
run(unsigned scale)
{
	mistakes();
	refusals();
	fill(1);
	(void)walk_all(LIVE | CACHED);
	check_objects("alone");
	compare_with_statistics();
	compare_looks();
	filters();
	callback_uses_allocator();
	drop();
	fill(2);
	others_run(scale);
	forks();
	drop();
}

int
main(int argc, char **argv)
{
	static const char *const confs[] = { "", "tcache:false", "hpa:true",
		"background_thread:true,max_background_threads:1,narenas:2",
		"guard_sample:40", "canary:true", "safety:full",
		"prof:true,lg_prof_sample:8,prof_prefix:" };
	unsigned scale = stress_start(argc, argv, 120);
	const char *again = getenv("HEAP_WALK");

	ctl = (mallctl_function *)dlsym(RTLD_DEFAULT, "mallctl");
	CHECK(ctl != NULL);
	if (again != NULL) {
		bool yes = true;

		/*
		 * The library's thread starts now, so that the C library takes
		 * no object for it later, which the program has just freed.
		 */
		if (strstr(again, "background_thread") != NULL)
			CHECK(ctl("background_thread", NULL, NULL, &yes,
				  sizeof(yes)) == 0);
		by_class = strstr(again, "safety") == NULL &&
		    strstr(again, "canary") == NULL;
		run(scale);
		return 0;
	}
	for (size_t i = 0; i < sizeof(confs) / sizeof(confs[0]); i++)
		if (strstr(confs[i], "prof") == NULL || built_with("prof"))
			stress_start_again(argv, "HEAP_WALK", confs[i],
			    confs[i]);
	return 0;
}
