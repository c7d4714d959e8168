/*
 * What an arena asks memory functions of the program for besides pages for
 * objects. The functions keep account of each page: which of them gave it, for
 * what, and whether it has come back. What came back is not accessible.
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

struct config {
	hooks *hooks;
	bool metadata_use_hooks;
};

static mallctl_function *ctl;
static void *(*take)(size_t, int);
static void (*give)(void *, int);

#define NO_CACHE       ((int)1 << 8)
#define IN(arena)      ((int)((arena) + 1) << 20 | NO_CACHE)
#define SPACE          ((size_t)2 << 30)
#define METADATA_ALIGN ((size_t)2 << 20)
#define TABLES         2

/* ---- the account ---- */

enum use { FREE, OBJECTS, METADATA };

struct page {
	unsigned char use;
	unsigned char table;
};

static struct {
	pthread_mutex_t lock;
	hooks table[TABLES];
	size_t page_size;
	char *space;
	struct page *page;
	size_t npages;
	size_t next;     /* where to look first */
	size_t used;     /* bytes, of both kinds */
	size_t metadata; /* bytes */
	unsigned nasked; /* times, for metadata */
	size_t asked;    /* bytes, the last time */
	/* What the functions do. */
	_Atomic unsigned refuse; /* of 16 calls, any */
	bool refuse_metadata;
	bool uncommitted;
	bool shifted;                   /* only as aligned as pages are */
	bool declines;                  /* dalloc does nothing */
	void (*inside)(unsigned arena); /* called for metadata */
	uint64_t calls;
} model = { .lock = PTHREAD_MUTEX_INITIALIZER };

static unsigned
table_of(const hooks *table)
{
	CHECK(table == &model.table[0] || table == &model.table[1]);
	return (unsigned)(table - model.table);
}

static bool
refuses(void)
{
	struct prng seed;

	pthread_mutex_lock(&model.lock);
	seed.state = ++model.calls;
	pthread_mutex_unlock(&model.lock);
	return prng_below(&seed, 16) < model.refuse;
}

static bool
is_free(size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++)
		if (i >= model.npages || model.page[i].use != FREE)
			return false;
	return true;
}

/*
 * The first page of a free run, with a page to spare so that none are joined.
 */
static size_t
find(size_t n, size_t step, size_t shift)
{
	size_t at = (model.next + step) / step * step + shift;

	for (unsigned turn = 0; turn < 2; turn++, at = step + shift)
		for (; at + n + 1 < model.npages; at += step)
			if (is_free(at - 1, n + 2))
				return at;
	return 0;
}

static void *
model_alloc(hooks *table, void *wanted, size_t size, size_t align, bool *zero,
    bool *commit, unsigned arena)
{
	size_t n = size / model.page_size, at;
	bool metadata = align == METADATA_ALIGN && size < align;
	unsigned owner = table_of(table);

	CHECK(wanted == NULL && size % model.page_size == 0 && size != 0);
	if (metadata) {
		CHECK(*commit);
		if (model.inside != NULL)
			model.inside(arena);
	}
	if (refuses() || (metadata && model.refuse_metadata))
		return NULL;
	pthread_mutex_lock(&model.lock);
	at = find(n, align / model.page_size, metadata && model.shifted);
	if (at == 0)
		stress_fail("the space of the test is too small");
	for (size_t i = at; i < at + n; i++)
		model.page[i] = (struct page){ metadata ? METADATA : OBJECTS,
			(unsigned char)owner };
	model.next = at + n;
	model.used += size;
	if (metadata) {
		model.nasked++;
		model.asked = size;
		model.metadata += size;
	}
	pthread_mutex_unlock(&model.lock);
	CHECK(mprotect(model.space + at * model.page_size, size,
		  PROT_READ | PROT_WRITE) == 0);
	*zero = true;
	*commit = !(metadata && model.uncommitted);
	return model.space + at * model.page_size;
}

static void
release(hooks *table, char *addr, size_t size)
{
	size_t first = (size_t)(addr - model.space) / model.page_size;
	unsigned owner = table_of(table);

	CHECK(addr >= model.space && addr + size <= model.space + SPACE);
	CHECK(mmap(addr, size, PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		  0) == addr);
	pthread_mutex_lock(&model.lock);
	for (size_t i = first; i < first + size / model.page_size; i++) {
		struct page *page = &model.page[i];

		if (page->use == FREE)
			stress_fail("page %zu comes back twice", i);
		if (page->use == METADATA) {
			if (page->table != owner)
				stress_fail("metadata goes to other hooks");
			model.metadata -= model.page_size;
		}
		page->use = FREE;
	}
	model.used -= size;
	pthread_mutex_unlock(&model.lock);
}

static bool
model_dalloc(hooks *table, void *addr, size_t size, bool committed,
    unsigned arena)
{
	(void)committed, (void)arena;
	if (model.declines || refuses())
		return true;
	release(table, addr, size);
	return false;
}

static void
model_destroy(hooks *table, void *addr, size_t size, bool committed,
    unsigned arena)
{
	(void)committed, (void)arena;
	release(table, addr, size);
}

static bool
model_purge(hooks *table, void *addr, size_t size, size_t offset, size_t length,
    unsigned arena)
{
	(void)table, (void)size, (void)arena;
	return refuses() ||
	    madvise((char *)addr + offset, length, MADV_DONTNEED) != 0;
}

static bool
model_split(hooks *table, void *addr, size_t size, size_t a, size_t b,
    bool committed, unsigned arena)
{
	(void)table, (void)addr, (void)size, (void)a, (void)b;
	(void)committed, (void)arena;
	return refuses();
}

static bool
model_merge(hooks *table, void *a, size_t size_a, void *b, size_t size_b,
    bool committed, unsigned arena)
{
	(void)table, (void)a, (void)size_a, (void)b, (void)size_b;
	(void)committed, (void)arena;
	return refuses();
}

/* The functions do as they are told, and nothing is with anybody. */
static void
model_start(void)
{
	if (model.used != 0)
		stress_fail("%zu bytes have not come back", model.used);
	model.refuse = 0;
	model.refuse_metadata = model.uncommitted = model.shifted = false;
	model.declines = false;
	model.inside = NULL;
	model.nasked = 0;
	for (unsigned i = 0; i < TABLES; i++)
		model.table[i] = (hooks){ .alloc = model_alloc,
			.dalloc = model_dalloc,
			.destroy = model_destroy,
			.purge_forced = model_purge,
			.split = model_split,
			.merge = model_merge };
}

static void
model_init(void)
{
	model.page_size = (size_t)sysconf(_SC_PAGESIZE);
	model.npages = SPACE / model.page_size;
	model.space = mmap(NULL, SPACE, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	model.page = mmap(NULL, model.npages * sizeof(struct page),
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	    -1, 0);
	CHECK(model.space != MAP_FAILED && model.page != MAP_FAILED);
	/* Whole steps are aligned as they are in the account. */
	model.space += METADATA_ALIGN - (uintptr_t)model.space % METADATA_ALIGN;
	model.npages -= METADATA_ALIGN / model.page_size;
}

/* ---- controls ---- */

static unsigned
number(const char *name)
{
	unsigned value;
	size_t size = sizeof(value);

	CHECK(ctl(name, &value, &size, NULL, 0) == 0);
	return value;
}

static size_t
figure(unsigned arena, const char *what)
{
	uint64_t epoch = 1;
	size_t value, size = sizeof(value);
	char name[64];

	CHECK(ctl("epoch", NULL, NULL, &epoch, sizeof(epoch)) == 0);
	snprintf(name, sizeof(name), "stats.arenas.%u.%s", arena, what);
	if (ctl(name, &value, &size, NULL, 0) != 0)
		stress_fail("no %s", name);
	return value;
}

/* Without the page map, which is as large as the addresses are wide apart. */
static size_t
all_metadata(void)
{
	return figure(4096, "base") - figure(4096, "metadata_rtree");
}

static size_t
common_metadata(void)
{
	return figure(0, "base") - figure(0, "metadata_rtree");
}

/* The error number of arenas.create. */
static int
try_create(hooks *table, unsigned *arena)
{
	size_t size = sizeof(*arena);

	return ctl("arenas.create", arena, &size, &table, sizeof(table));
}

static int
try_create_with(hooks *table, bool metadata, unsigned *arena)
{
	struct config config = { table, metadata };
	size_t size = sizeof(*arena);

	return ctl("experimental.arenas_create_ext", arena, &size, &config,
	    sizeof(config));
}

static unsigned
create(hooks *table)
{
	unsigned arena;

	CHECK(try_create(table, &arena) == 0);
	return arena;
}

static int
act(unsigned arena, const char *what)
{
	char name[64];

	snprintf(name, sizeof(name), "arena.%u.%s", arena, what);
	return ctl(name, NULL, NULL, NULL, 0);
}

static void
set_hooks(unsigned arena, hooks *table)
{
	char name[64];

	snprintf(name, sizeof(name), "arena.%u.extent_hooks", arena);
	CHECK(ctl(name, NULL, NULL, &table, sizeof(table)) == 0);
}

static void
set_decay(unsigned arena, ssize_t time_ms)
{
	char name[64];

	snprintf(name, sizeof(name), "arena.%u.dirty_decay_ms", arena);
	CHECK(ctl(name, NULL, NULL, &time_ms, sizeof(time_ms)) == 0);
}

/* Growth by no more than is needed, so that there are many ranges. */
static void
want_small_steps(unsigned arena)
{
	size_t limit = model.page_size, size = sizeof(bool);
	char name[64];
	bool retain;

	CHECK(ctl("opt.retain", &retain, &size, NULL, 0) == 0);
	if (!retain)
		return;
	snprintf(name, sizeof(name), "arena.%u.retain_grow_limit", arena);
	CHECK(ctl(name, NULL, NULL, &limit, sizeof(limit)) == 0);
}

#define OBJECTS_MAX 2500

static char *object[OBJECTS_MAX];

static void
take_objects(unsigned arena, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		object[i] = take(5 * model.page_size, IN(arena));
		if (object[i] == NULL)
			stress_fail("no memory for object %u", i);
		object[i][0] = (char)i;
		object[i][5 * model.page_size - 1] = (char)i;
	}
}

static void
give_objects(unsigned from, unsigned to, unsigned step)
{
	for (unsigned i = from; i < to; i += step) {
		CHECK(object[i][0] == (char)i);
		CHECK(object[i][5 * model.page_size - 1] == (char)i);
		give(object[i], NO_CACHE);
	}
}

/* ---- who is asked, and when ---- */

static void
hooks_are_asked_unless_the_program_says_no(void)
{
	hooks *table = &model.table[0];
	unsigned arena;

	model_start();
	arena = create(table);
	CHECK(model.nasked == 1 && model.used == model.metadata);
	CHECK(act(arena, "destroy") == 0 && model.used == 0);

	CHECK(try_create_with(table, true, &arena) == 0);
	CHECK(model.nasked == 2);
	CHECK(act(arena, "destroy") == 0 && model.used == 0);

	CHECK(try_create_with(table, false, &arena) == 0);
	want_small_steps(arena);
	take_objects(arena, 0, OBJECTS_MAX);
	CHECK(model.nasked == 2 && model.metadata == 0 && model.used != 0);
	CHECK(figure(arena, "base") == 0);
	CHECK(act(arena, "destroy") == 0 && model.used == 0);

	/* An arena on the default functions does not begin later. */
	CHECK(try_create_with(NULL, true, &arena) == 0);
	set_hooks(arena, table);
	want_small_steps(arena);
	take_objects(arena, 0, OBJECTS_MAX);
	CHECK(model.nasked == 2 && model.used != 0);
	CHECK(act(arena, "destroy") == 0 && model.used == 0);
}

static void
a_full_block_is_followed_by_another(void)
{
	unsigned arena;

	model_start();
	arena = create(&model.table[0]);
	want_small_steps(arena);
	take_objects(arena, 0, OBJECTS_MAX);
	if (model.nasked < 2 || model.metadata < OBJECTS_MAX * 32)
		stress_fail("%u blocks for %u ranges", model.nasked,
		    OBJECTS_MAX);
	/* Holes, ranges that leave, and others in their place. */
	give_objects(0, OBJECTS_MAX, 2);
	CHECK(act(arena, "purge") == 0);
	for (unsigned i = 0; i < OBJECTS_MAX; i += 2)
		take_objects(arena, i, i + 1);
	give_objects(1, OBJECTS_MAX, 2);
	CHECK(act(arena, "reset") == 0);
	CHECK(model.metadata != 0);
	take_objects(arena, 0, 10);
	CHECK(act(arena, "destroy") == 0);
}

static void
a_refusal_later_hurts_nobody(void)
{
	unsigned arena;

	model_start();
	arena = create(&model.table[0]);
	want_small_steps(arena);
	model.refuse_metadata = true;
	take_objects(arena, 0, OBJECTS_MAX);
	CHECK(model.nasked == 1);
	model.refuse_metadata = false;
	CHECK(act(arena, "reset") == 0);
	take_objects(arena, 0, OBJECTS_MAX);
	CHECK(act(arena, "destroy") == 0);
}

static void
each_block_goes_back_to_who_gave_it(void)
{
	unsigned arena;

	for (unsigned way = 0; way < 3; way++) {
		model_start();
		arena = create(&model.table[0]);
		want_small_steps(arena);
		take_objects(arena, 0, 100);
		set_hooks(arena, &model.table[1]);
		take_objects(arena, 100, OBJECTS_MAX);
		CHECK(model.nasked >= 2);
		/* All that is for objects goes to the second one. */
		if (way == 1)
			set_hooks(arena, &model.table[0]);
		if (way == 2)
			model.table[0].destroy = model.table[1].destroy = NULL;
		CHECK(act(arena, way == 2 ? "reset" : "purge") == 0);
		CHECK(act(arena, "purge") == 0);
		CHECK(act(arena, "destroy") == 0);
	}
}

/* ---- refusals ---- */

static void
refused_memory_is_EAGAIN_and_costs_nothing(void)
{
	hooks *table = &model.table[0];
	unsigned arena, before, count = number("arenas.narenas");
	size_t metadata;

	model_start();
	before = create(table);
	CHECK(act(before, "destroy") == 0);
	count = number("arenas.narenas");
	metadata = all_metadata();
	for (unsigned i = 0; i < 3000; i++) {
		model.refuse_metadata = i % 2 == 0;
		model.uncommitted = i % 2 != 0;
		arena = 12345;
		CHECK((i % 3 == 0 ? try_create(table, &arena)
				  : try_create_with(table, true, &arena)) ==
		    EAGAIN);
		CHECK(arena == 12345 && model.used == 0);
	}
	CHECK(number("arenas.narenas") == count);
	CHECK(all_metadata() == metadata);
	CHECK(try_create_with(table, false, &arena) == 0 && arena == before);
	CHECK(act(arena, "destroy") == 0);
	model.uncommitted = false;
	model.shifted = true;
	CHECK(create(table) == before);
	CHECK(act(before, "destroy") == 0);
}

/* The first arena of its index, which did not exist before. */
static void
a_refused_new_index_is_the_next_one(void)
{
	unsigned arena[64], n, count;

	model_start();
	for (n = 0; n < 64; n++)
		arena[n] = create(&model.table[0]);
	count = number("arenas.narenas");
	model.refuse_metadata = true;
	for (unsigned i = 0; i < 100; i++)
		CHECK(try_create(&model.table[0], &n) == EAGAIN);
	CHECK(number("arenas.narenas") == count);
	model.refuse_metadata = false;
	CHECK(create(&model.table[0]) == count);
	CHECK(act(count, "destroy") == 0);
	for (n = 0; n < 64; n++)
		CHECK(act(arena[n], "destroy") == 0);
}

/* ---- as often as one likes ---- */

static void
arenas_in_a_loop_do_not_add_up(void)
{
	size_t metadata = 0;
	unsigned first = 0, count = 0, arena;

	model_start();
	for (unsigned i = 0; i < 10000; i++) {
		arena = create(&model.table[i % TABLES]);
		if (i % 4 == 0)
			take_objects(arena, 0, 3);
		CHECK(act(arena, "destroy") == 0);
		CHECK(model.used == 0);
		if (i == 100) {
			first = arena;
			count = number("arenas.narenas");
			metadata = all_metadata();
		}
	}
	CHECK(arena == first && number("arenas.narenas") == count);
	CHECK(model.nasked == 10000);
	if (all_metadata() > metadata)
		stress_fail("%zu bytes of metadata became %zu", metadata,
		    all_metadata());
}

static void
the_bytes_are_counted_in_their_arena(void)
{
	size_t page = model.page_size, before, common, block;
	unsigned arena;

	model_start();
	before = all_metadata();
	common = common_metadata();
	arena = create(&model.table[0]);
	block = model.asked;
	CHECK(figure(arena, "base") == page);
	CHECK(figure(arena, "resident") == page);
	CHECK(figure(arena, "mapped") == block);
	CHECK(all_metadata() - common_metadata() == before - common + page);
	want_small_steps(arena);
	take_objects(arena, 0, OBJECTS_MAX);
	CHECK(figure(arena, "base") > block);
	CHECK(figure(arena, "base") <= model.metadata);
	CHECK(figure(arena, "mapped") >=
	    OBJECTS_MAX * 5 * page + model.metadata);
	CHECK(act(arena, "destroy") == 0);
	CHECK(figure(4097, "base") == 0 && figure(4097, "mapped") == 0);
	CHECK(all_metadata() - common_metadata() == before - common);
}

/* ---- calls from inside ---- */

static unsigned other;
static hooks *below; /* the default functions */

static void
work_inside(unsigned arena)
{
	char *p = malloc(1000), *q = malloc(300000);

	CHECK(p != NULL && q != NULL);
	memset(p, 1, 1000);
	memset(q, 1, 300000);
	free(p);
	p = realloc(q, 400000);
	free(p);
	/* It is not there yet. */
	if (arena != other)
		CHECK(act(arena, "destroy") == EFAULT);
	/* More ranges for an arena whose functions are not asked from here. */
	give(take(64 * model.page_size, IN(other)), NO_CACHE);
}

static void
a_function_may_allocate(void)
{
	unsigned arena;

	model_start();
	other = create(&model.table[1]);
	set_decay(other, -1);
	model.inside = work_inside;
	arena = create(&model.table[0]);
	CHECK(model.nasked == 2);
	give(take(100, IN(arena)), NO_CACHE);
	CHECK(act(arena, "destroy") == 0);
	/* When its block is full, the same arena is used from inside. */
	want_small_steps(other);
	model.refuse_metadata = true;
	take_objects(other, 0, OBJECTS_MAX);
	CHECK(model.nasked == 2);
	model.inside = NULL;
	/*
	 * What was taken inside came from the kernel: the model doesn't know.
	 */
	set_hooks(other, below);
}

/* ---- fork ---- */

static void
child_has_arenas_of_its_own(void *arena)
{
	unsigned own = *(unsigned *)arena, again;

	give_objects(0, OBJECTS_MAX, 3);
	CHECK(act(own, "reset") == 0);
	take_objects(own, 0, OBJECTS_MAX);
	CHECK(act(own, "destroy") == 0 && model.used == 0);
	again = create(&model.table[1]);
	CHECK(again == own);
	take_objects(again, 0, 10);
	CHECK(act(again, "destroy") == 0 && model.used == 0);
}

static void
an_arena_goes_on_after_fork_on_both_sides(void)
{
	unsigned arena;

	model_start();
	arena = create(&model.table[0]);
	want_small_steps(arena);
	take_objects(arena, 0, OBJECTS_MAX);
	child_must_pass("a child", child_has_arenas_of_its_own, &arena, 60);
	give_objects(0, OBJECTS_MAX, 1);
	CHECK(act(arena, "destroy") == 0);
}

static _Atomic unsigned waiting, go_on;

static void
wait_inside(unsigned arena)
{
	waiting = arena;
	while (go_on == 0)
		usleep(1000);
}

static void *
create_slowly(void *result)
{
	*(unsigned *)result = create(&model.table[0]);
	return NULL;
}

static void
child_without_the_maker(void *expected)
{
	unsigned arena;

	model.inside = NULL;
	/* The index that the other thread has in the parent is free here. */
	arena = create(&model.table[1]);
	CHECK(arena == *(unsigned *)expected);
	CHECK(act(arena, "destroy") == 0 && model.used == 0);
}

static void
a_fork_meets_an_arena_that_is_being_made(void)
{
	unsigned arena, expected, between;
	pthread_t thread;

	model_start();
	model.inside = wait_inside;
	waiting = go_on = 0;
	CHECK(pthread_create(&thread, NULL, create_slowly, &arena) == 0);
	while (waiting == 0)
		usleep(1000);
	expected = waiting;
	child_must_pass("a child", child_without_the_maker, &expected, 60);
	/* Here it is taken, but not there. */
	CHECK(try_create_with(&model.table[1], false, &between) == 0);
	CHECK(between != expected);
	CHECK(act(expected, "destroy") == EFAULT);
	go_on = 1;
	CHECK(pthread_join(thread, NULL) == 0 && arena == expected);
	model.inside = NULL;
	CHECK(act(between, "destroy") == 0);
	take_objects(arena, 0, 10);
	CHECK(act(arena, "destroy") == 0);
}

static pid_t forked;

static void
fork_inside(unsigned arena)
{
	(void)arena;
	forked = fork();
	CHECK(forked >= 0);
}

static void
a_function_may_fork(void)
{
	unsigned arena;
	int status;

	model_start();
	model.inside = fork_inside;
	arena = create(&model.table[0]);
	model.inside = NULL;
	take_objects(arena, 0, 10);
	CHECK(act(arena, "destroy") == 0 && model.used == 0);
	CHECK(create(&model.table[0]) == arena);
	CHECK(act(arena, "destroy") == 0);
	if (forked == 0)
		_exit(0);
	CHECK(waitpid(forked, &status, 0) == forked && status == 0);
}

/* ---- several threads ---- */

static unsigned scale;
static _Atomic unsigned busy;

static void
use_an_arena(struct prng *seed)
{
	hooks *table = &model.table[prng_below(seed, TABLES)];
	unsigned arena;
	void *p[40];
	int error = prng_below(seed, 4) == 0
	    ? try_create_with(table, false, &arena)
	    : try_create(table, &arena);

	if (error == EAGAIN && model.refuse != 0)
		return;
	CHECK(error == 0);
	if (prng_below(seed, 2) == 0)
		want_small_steps(arena);
	for (unsigned i = 0; i < 40; i++) {
		p[i] = take(1 + prng_below(seed, 100000), IN(arena));
		CHECK(p[i] != NULL || model.refuse != 0);
	}
	for (unsigned i = 0; i < 40; i += 2)
		if (p[i] != NULL)
			give(p[i], NO_CACHE);
	if (prng_below(seed, 4) == 0)
		set_hooks(arena, &model.table[0]);
	if (prng_below(seed, 4) == 0)
		CHECK(act(arena, "reset") == 0);
	CHECK(act(arena, "destroy") == 0);
}

static void *
come_and_go(void *number)
{
	struct prng seed = { (uintptr_t)number };

	/* Two look at what the others do. */
	if ((uintptr_t)number < 2) {
		for (unsigned i = 0; i < 75 * scale; i++)
			use_an_arena(&seed);
		busy--;
		return NULL;
	}
	while (busy != 0) {
		all_metadata();
		CHECK(act(4096, "purge") == 0);
		CHECK(act(4096, "decay") == 0);
	}
	return NULL;
}

static void
threads_make_and_end_arenas_that_others_look_at(void)
{
	for (unsigned refuse = 0; refuse <= 4; refuse += 2) {
		model_start();
		model.refuse = refuse;
		busy = 2;
		threads_run(4, come_and_go);
		CHECK(model.nasked >= 50);
	}
}

static void
run(void)
{
	hooks_are_asked_unless_the_program_says_no();
	a_full_block_is_followed_by_another();
	a_refusal_later_hurts_nobody();
	each_block_goes_back_to_who_gave_it();
	refused_memory_is_EAGAIN_and_costs_nothing();
	a_refused_new_index_is_the_next_one();
	arenas_in_a_loop_do_not_add_up();
	the_bytes_are_counted_in_their_arena();
	an_arena_goes_on_after_fork_on_both_sides();
	a_fork_meets_an_arena_that_is_being_made();
	a_function_may_fork();
	threads_make_and_end_arenas_that_others_look_at();
	model_start();
	a_function_may_allocate();
}

int
main(int argc, char **argv)
{
	scale = stress_start(argc, argv, 120);
	if (!symbol_find("mallctl", &ctl) || !symbol_find("mallocx", &take) ||
	    !symbol_find("dallocx", &give))
		stress_skip("not a jemalloc");
	model_init();
	if (getenv("STRESS_HOOKS") == NULL) {
		stress_start_again(argv, "STRESS_HOOKS", "1", "retain:true");
		stress_start_again(argv, "STRESS_HOOKS", "1", "retain:false");
		stress_start_again(argv, "STRESS_HOOKS", "1",
		    "background_thread:true,dirty_decay_ms:1");
		return 0;
	}
	CHECK(ctl("arena.0.extent_hooks", &below, &(size_t){ sizeof(below) },
		  NULL, 0) == 0);
	run();
	return 0;
}
