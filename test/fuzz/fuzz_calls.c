/*
 * Any sequence of calls, against a model that knows what each object must be.
 *
 * Each two bytes are a call and what it is for: the calls of the public
 * interface, on one of a few slots, in one of a few threads that take turns,
 * with sizes of all kinds, arenas and caches that come and go, and controls in
 * between. After each call: the object lies in no other, has its contents, its
 * alignment, zeroes if asked for, and the size that nallocx tells; the thread's
 * counters have moved by exactly its size. At the end all is free again.
 *
 * libFuzzer runs it with the library linked in under a prefix, CALLS_PREFIX;
 * replay.c with the library preloaded. An assertion is an abort.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef CALLS_PREFIX
#define CALLS_PREFIX ""
#endif

enum { NSLOTS = 48, NTHREADS = 3, NARENAS = 3, NCACHES = 3, NONE = -1 };

#define ALIGN(lg)    ((int)(lg))
#define ZERO         ((int)0x40)
#define ARENA(index) ((int)((unsigned)(index) + 1) << 20)
#define CACHE(id)    ((int)((unsigned)(id) + 2) << 8)
#define NO_CACHE     ((int)1 << 8)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the library ---- */

static struct {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void *(*aligned_alloc)(size_t, size_t);
	int (*posix_memalign)(void **, size_t, size_t);
	void (*free)(void *);
	size_t (*usable)(void *);
	void *(*mallocx)(size_t, int);
	void *(*rallocx)(void *, size_t, int);
	size_t (*xallocx)(void *, size_t, size_t, int);
	size_t (*sallocx)(const void *, int);
	size_t (*nallocx)(size_t, int);
	void (*dallocx)(void *, int);
	void (*sdallocx)(void *, size_t, int);
	int (*mallctl)(const char *, void *, size_t *, void *, size_t);
} lib;

static void
expect(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "FAIL: %s\n", what);
	abort();
}

#define EXPECT(condition) expect(condition, #condition)

static void
find(void *function, const char *name)
{
	void *symbol = dlsym(RTLD_DEFAULT, name);

	expect(symbol != NULL, name);
	memcpy(function, &symbol, sizeof(symbol));
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	find(&lib.malloc, CALLS_PREFIX "malloc");
	find(&lib.calloc, CALLS_PREFIX "calloc");
	find(&lib.realloc, CALLS_PREFIX "realloc");
	find(&lib.aligned_alloc, CALLS_PREFIX "aligned_alloc");
	find(&lib.posix_memalign, CALLS_PREFIX "posix_memalign");
	find(&lib.free, CALLS_PREFIX "free");
	find(&lib.usable, CALLS_PREFIX "malloc_usable_size");
	find(&lib.mallocx, CALLS_PREFIX "mallocx");
	find(&lib.rallocx, CALLS_PREFIX "rallocx");
	find(&lib.xallocx, CALLS_PREFIX "xallocx");
	find(&lib.sallocx, CALLS_PREFIX "sallocx");
	find(&lib.nallocx, CALLS_PREFIX "nallocx");
	find(&lib.dallocx, CALLS_PREFIX "dallocx");
	find(&lib.sdallocx, CALLS_PREFIX "sdallocx");
	find(&lib.mallctl, CALLS_PREFIX "mallctl");
	return 0;
}

static uint64_t
read_counter(const char *name)
{
	uint64_t value = 0;
	size_t size = sizeof(value);

	EXPECT(lib.mallctl(name, &value, &size, NULL, 0) == 0);
	return value;
}

static void
act(const char *name, unsigned index, const char *what)
{
	char text[64];

	snprintf(text, sizeof(text), "%s.%u.%s", name, index, what);
	EXPECT(lib.mallctl(text, NULL, NULL, NULL, 0) == 0);
}

/* ---- the model ---- */

struct slot {
	char *start; /* NULL: empty */
	size_t size; /* asked for, or usable */
	size_t usable;
	int flags; /* alignment, for calls that take it again */
	int arena; /* of ours, or NONE */
	unsigned char fill;
};

static struct {
	struct slot slot[NSLOTS];
	unsigned arena[NARENAS]; /* 0: not there */
	unsigned cache[NCACHES]; /* index + 1; 0: not there */
	unsigned ncalls;
} model;

/* What the current thread's counters must be. */
static __thread struct {
	uint64_t taken, given;
	bool known;
} counted;

static void
check_counters(uint64_t taken, uint64_t given)
{
	uint64_t now_taken = read_counter("thread.allocated");
	uint64_t now_given = read_counter("thread.deallocated");

	if (counted.known) {
		EXPECT(now_taken - counted.taken == taken);
		EXPECT(now_given - counted.given == given);
	}
	counted.taken = now_taken;
	counted.given = now_given;
	counted.known = true;
}

/* Contents are kept at both ends; all of it where it is small. */
static size_t
kept_bytes(const struct slot *slot)
{
	return slot->usable < 4096 ? slot->usable : 2048;
}

static void
fill(struct slot *slot)
{
	size_t n = kept_bytes(slot);

	slot->fill = (unsigned char)(++model.ncalls | 1);
	memset(slot->start, slot->fill, n);
	memset(slot->start + slot->usable - n, slot->fill, n);
}

static void
check_bytes(const char *start, size_t size, unsigned char value)
{
	if (size > 0 &&
	    ((unsigned char)start[0] != value ||
		memcmp(start, start + 1, size - 1) != 0))
		expect(false, "other contents");
}

static void
check_contents(const struct slot *slot)
{
	size_t n = kept_bytes(slot);

	check_bytes(slot->start, n, slot->fill);
	check_bytes(slot->start + slot->usable - n, n, slot->fill);
}

static void
check_apart(const struct slot *new)
{
	for (const struct slot *s = model.slot; s < &model.slot[NSLOTS]; s++)
		EXPECT(s == new || s->start == NULL ||
		    s->start + s->usable <= new->start ||
		    new->start + new->usable <= s->start);
}

static void
check_new(struct slot *slot, size_t align)
{
	slot->usable = lib.usable(slot->start);
	EXPECT(slot->usable >= slot->size && slot->usable > 0);
	EXPECT(lib.sallocx(slot->start, slot->flags) == slot->usable);
	EXPECT((uintptr_t)slot->start % (align != 0 ? align : 8) == 0);
	check_apart(slot);
}

/* ---- the calls ---- */

/* Of all kinds: small classes, their bounds, large, huge. */
static size_t
size_of(uint8_t code)
{
	static const size_t large[] = { 14336, 14337, 16384, 32768, 65536,
		100000, 262144, 1 << 20, (1 << 20) + 1, 4 << 20, 8 << 20 };

	if (code < 160)
		return (size_t)code * 8 + code % 3;
	if (code < 240)
		return (size_t)(code - 159) * 170;
	return large[(size_t)(code - 240) % (sizeof(large) / sizeof(*large))];
}

static void
take(struct slot *slot, uint8_t how, uint8_t code)
{
	size_t size = size_of(code), align = 0;
	unsigned arena = model.arena[code % NARENAS];
	unsigned cache = model.cache[code % NCACHES];
	void *start = NULL;

	*slot = (struct slot){ .size = size, .arena = NONE };
	switch (how % 8) {
	case 0:
		start = lib.malloc(size);
		break;
	case 1:
		start = lib.calloc(1, size);
		check_bytes(start, size, 0);
		break;
	case 2:
		align = (size_t)8 << code % 14;
		EXPECT(lib.posix_memalign(&start, align, size) == 0);
		break;
	case 3:
		align = (size_t)16 << code % 8;
		start = lib.aligned_alloc(align, size);
		break;
	case 4:
		slot->size = size = size != 0 ? size : 1;
		slot->flags = ALIGN(code % 13);
		align = (size_t)1 << code % 13;
		start = lib.mallocx(size, slot->flags | ZERO);
		check_bytes(start, size, 0);
		break;
	case 5:
		slot->size = size = size != 0 ? size : 1;
		if (arena != 0)
			slot->arena = code % NARENAS;
		start = lib.mallocx(size,
		    NO_CACHE | (arena != 0 ? ARENA(arena) : 0));
		break;
	case 6:
		slot->size = size = size != 0 ? size : 1;
		start = lib.mallocx(size, cache != 0 ? CACHE(cache - 1) : 0);
		break;
	default:
		start = lib.realloc(NULL, size);
	}
	EXPECT(start != NULL);
	slot->start = start;
	check_new(slot, align);
	/* Nobody can tell sdallocx of these alignments but by the size. */
	if (how % 8 == 2 || how % 8 == 3)
		slot->size = slot->usable;
	if (how % 8 >= 4 && how % 8 <= 6)
		EXPECT(lib.nallocx(size, slot->flags) == slot->usable);
	check_counters(slot->usable, 0);
	fill(slot);
}

static void
give(struct slot *slot, uint8_t how, uint8_t code)
{
	unsigned cache = model.cache[code % NCACHES];

	check_contents(slot);
	switch (slot->arena != NONE ? 3 : how % 6) {
	case 0:
		lib.dallocx(slot->start, slot->flags);
		break;
	case 1:
		lib.sdallocx(slot->start, slot->size != 0 ? slot->size : 1,
		    slot->flags);
		break;
	case 2:
		lib.dallocx(slot->start, cache != 0 ? CACHE(cache - 1) : 0);
		break;
	case 3:
		lib.dallocx(slot->start, NO_CACHE);
		break;
	default:
		errno = 77;
		lib.free(slot->start);
		EXPECT(errno == 77);
	}
	slot->start = NULL;
	check_counters(0, slot->usable);
}

static void
resize(struct slot *slot, uint8_t how, uint8_t code)
{
	struct slot old = *slot;
	size_t size = size_of(code), kept;

	size = size != 0 ? size : 1;
	check_contents(slot);
	if (how % 3 == 0) {
		size_t now = lib.xallocx(slot->start, size, 0, slot->flags);

		EXPECT(now == lib.usable(slot->start));
		EXPECT(now >= size || now == old.usable);
		slot->size = now;
	} else {
		slot->start = how % 3 == 1 && slot->arena == NONE
		    ? lib.realloc(slot->start, size)
		    : lib.rallocx(slot->start, size,
			  slot->flags | NO_CACHE |
			      (slot->arena != NONE
				      ? ARENA(model.arena[slot->arena])
				      : 0));
		EXPECT(slot->start != NULL);
		slot->size = size;
		if (how % 3 == 1)
			slot->flags = 0;
	}
	check_new(slot, slot->flags != 0 ? (size_t)1 << slot->flags : 0);
	kept = kept_bytes(&old);
	kept = kept < old.size ? kept : old.size;
	check_bytes(slot->start, kept < slot->size ? kept : slot->size,
	    old.fill);
	/* Only xallocx does nothing at all where the size is the old one. */
	if (how % 3 == 0 && slot->usable == old.usable)
		check_counters(0, 0);
	else
		check_counters(slot->usable, old.usable);
	fill(slot);
}

static void
forget_arena(int arena)
{
	for (unsigned i = 0; i < NSLOTS; i++)
		if (model.slot[i].start != NULL && model.slot[i].arena == arena)
			model.slot[i].start = NULL;
	/* Their bytes were never given back by a thread. */
}

static void
arenas(uint8_t what)
{
	unsigned *arena = &model.arena[what / 3 % NARENAS];
	size_t size = sizeof(*arena);

	if (*arena == 0) {
		EXPECT(lib.mallctl("arenas.create", arena, &size, NULL, 0) ==
		    0);
		return;
	}
	switch (what % 3) {
	case 0:
		act("arena", *arena, "reset");
		forget_arena(what / 3 % NARENAS);
		break;
	case 1:
		act("arena", *arena, "destroy");
		forget_arena(what / 3 % NARENAS);
		*arena = 0;
		break;
	default:
		act("arena", *arena, "purge");
	}
}

static void
caches(uint8_t what)
{
	unsigned *cache = &model.cache[what / 2 % NCACHES];
	size_t size = sizeof(*cache);
	unsigned index;

	if (*cache == 0) {
		EXPECT(lib.mallctl("tcache.create", &index, &size, NULL, 0) ==
		    0);
		*cache = index + 1;
		return;
	}
	index = *cache - 1;
	EXPECT(lib.mallctl(what % 2 ? "tcache.flush" : "tcache.destroy", NULL,
		   NULL, &index, sizeof(index)) == 0);
	if (what % 2 == 0)
		*cache = 0;
}

static void
controls(uint8_t what)
{
	ssize_t decay = what % 2 ? 0 : 10000;
	uint64_t epoch = 1;
	bool on = what % 2;

	switch (what / 2 % 6) {
	case 0:
		EXPECT(lib.mallctl("arena.4096.purge", NULL, NULL, NULL, 0) ==
		    0);
		break;
	case 1:
		EXPECT(lib.mallctl("arena.4096.decay", NULL, NULL, NULL, 0) ==
		    0);
		break;
	case 2:
		EXPECT(lib.mallctl("arena.0.dirty_decay_ms", NULL, NULL, &decay,
			   sizeof(decay)) == 0);
		break;
	case 3:
		EXPECT(lib.mallctl("thread.tcache.enabled", NULL, NULL, &on,
			   sizeof(on)) == 0);
		break;
	case 4: {
		size_t allocated = 0, sum = 0, size = sizeof(allocated);

		EXPECT(lib.mallctl("epoch", NULL, NULL, &epoch,
			   sizeof(epoch)) == 0);
		if (lib.mallctl("stats.allocated", &allocated, &size, NULL,
			0) != 0)
			break;
		for (unsigned i = 0; i < NSLOTS; i++)
			if (model.slot[i].start != NULL)
				sum += model.slot[i].usable;
		EXPECT(allocated >= sum);
		break;
	}
	default: {
		unsigned arena = what % 2 ? 0 : model.arena[0];

		EXPECT(lib.mallctl("thread.arena", NULL, NULL, &arena,
			   sizeof(arena)) == 0);
		/* The arena of a thread may not be destroyed before it. */
		arena = 0;
		EXPECT(lib.mallctl("thread.arena", NULL, NULL, &arena,
			   sizeof(arena)) == 0);
	}
	}
}

static void
one_call(uint8_t what, uint8_t code)
{
	struct slot *slot = &model.slot[(what ^ code * 7u) % NSLOTS];

	counted.known = false;
	check_counters(0, 0);
	if (what >= 252)
		controls(code);
	else if (what >= 248)
		arenas(code);
	else if (what >= 244)
		caches(code);
	else if (slot->start == NULL)
		take(slot, what, code);
	else if (what % 5 < 2)
		resize(slot, what / 5, code);
	else
		give(slot, what / 5, code);
}

/* ---- threads that take turns ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const uint8_t *data;
	size_t left; /* bytes */
	unsigned turn;
} baton = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, 0, 0 };

static void *
actor(void *argument)
{
	unsigned self = (unsigned)(uintptr_t)argument;

	pthread_mutex_lock(&baton.lock);
	for (;;) {
		while (baton.left >= 2 && baton.turn != self)
			pthread_cond_wait(&baton.changed, &baton.lock);
		if (baton.left < 2)
			break;
		one_call(baton.data[0], baton.data[1]);
		/* Some bytes hand over. */
		if ((baton.data[0] ^ baton.data[1]) % 8 == 0) {
			baton.turn = (baton.turn + 1) % NTHREADS;
			pthread_cond_broadcast(&baton.changed);
		}
		baton.data += 2;
		baton.left -= 2;
	}
	pthread_cond_broadcast(&baton.changed);
	pthread_mutex_unlock(&baton.lock);
	return NULL;
}

static void
end(void)
{
	for (unsigned i = 0; i < NSLOTS; i++)
		if (model.slot[i].start != NULL)
			give(&model.slot[i], 4, 0);
	for (unsigned i = 0; i < NCACHES; i++)
		if (model.cache[i] != 0)
			caches((uint8_t)(2 * i));
	for (unsigned i = 0; i < NARENAS; i++)
		if (model.arena[i] != 0)
			arenas((uint8_t)(3 * i + 1));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	pthread_t id[NTHREADS];

	memset(&model, 0, sizeof(model));
	baton.data = data;
	baton.left = size;
	baton.turn = 0;
	for (uintptr_t i = 0; i < NTHREADS; i++)
		EXPECT(pthread_create(&id[i], NULL, actor, (void *)i) == 0);
	for (unsigned i = 0; i < NTHREADS; i++)
		EXPECT(pthread_join(id[i], NULL) == 0);
	counted.known = false;
	check_counters(0, 0);
	end();
	return 0;
}
