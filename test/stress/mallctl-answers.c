/*
 * What mallctl answers to calls that are not quite right: names with rules of
 * their own, arenas that are not there, options that forbid it, and calls from
 * inside of an extent hook. The rules of all other names: mallctl-names.
 */
#include "mallctl-answers.h"

#include <limits.h>

#define NO_CACHE     (1 << 8)
#define ARENA(index) ((int)((unsigned)(index) + 1) << 20)
#define ALL          4096
#define DESTROYED    4097

static unsigned
make_arena(void)
{
	unsigned index = 0;
	size_t length = sizeof(index);

	CHECK(mallctl("arenas.create", &index, &length, NULL, 0) == 0);
	return index;
}

/* ---- arenas ---- */

struct arena_hooks {
	void *(*alloc)(struct arena_hooks *, void *, size_t, size_t, bool *,
	    bool *, unsigned);
	void *others[8];
};

/* What all answer with EFAULT if there is no such arena. */
static void
there_is_no_arena(unsigned index, int decay_and_purge, int dss)
{
	const char *word = "disabled";

	ACT(named("arena.%u.decay", index), decay_and_purge);
	ACT(named("arena.%u.purge", index), decay_and_purge);
	ACT(named("arena.%u.reset", index), EFAULT);
	ACT(named("arena.%u.destroy", index), EFAULT);
	READ(named("arena.%u.dss", index), 8, dss);
	WRITE(named("arena.%u.dss", index), const char *, "nonsense", EINVAL);
	WRITE(named("arena.%u.dss", index), const char *, NULL, EINVAL);
	if (dss != 0)
		WRITE(named("arena.%u.dss", index), const char *, word, dss);
	READ(named("arena.%u.oversize_threshold", index), 8, EFAULT);
	WRITE(named("arena.%u.oversize_threshold", index), size_t, 1, EFAULT);
	for (unsigned i = 0; i < 2; i++) {
		const char *which = i == 0 ? "dirty" : "muzzy";

		READ(named("arena.%u.%s_decay_ms", index, which), 8, EFAULT);
		WRITE(named("arena.%u.%s_decay_ms", index, which), ssize_t, 5,
		    EFAULT);
	}
	READ(named("arena.%u.retain_grow_limit", index), 8, EFAULT);
	WRITE(named("arena.%u.retain_grow_limit", index), size_t, 1 << 20,
	    EFAULT);
}

static void
arenas_that_are_not_there(void)
{
	unsigned unused = 3, gone = make_arena(), last = make_arena();
	unsigned count = (unsigned)get("arenas.narenas");
	char buffer[64], *to = buffer;

	ACT(named("arena.%u.destroy", gone), 0);
	there_is_no_arena(unused, 0, EFAULT);
	there_is_no_arena(gone, 0, EFAULT);
	there_is_no_arena(ALL, 0, 0);
	there_is_no_arena(count, 0, 0);
	there_is_no_arena(DESTROYED, EFAULT, EFAULT);
	/* An automatic one has the default hooks, before it is used, too. */
	READ(named("arena.%u.extent_hooks", unused), 8, 0);
	CHECK(get(named("arena.%u.extent_hooks", unused)) ==
	    get("arena.0.extent_hooks"));
	READ(named("arena.%u.extent_hooks", gone), 8, EFAULT);
	READ(named("arena.%u.extent_hooks", count), 8, EFAULT);
	READ(named("arena.%u.extent_hooks", ALL), 8, EFAULT);
	ASK(named("arena.%u.name", unused), NO_OUTPUT, &to, 8, EFAULT, KEPT);
	ASK(named("arena.%u.name", gone), NO_OUTPUT, &to, 8, EFAULT, KEPT);
	ASK(named("arena.%u.name", count), NO_OUTPUT, &to, 8, EINVAL, KEPT);
	ASK(named("arena.%u.name", ALL), NO_OUTPUT, &to, 8, EINVAL, KEPT);
	ACT(named("arena.%u.purge", count + 1), ENOENT);
	CHECK(get(named("arena.%u.initialized", count)) == 1);
	ACT(named("experimental.arenas.%u.pactivep", unused), ENOENT);
	ACT(named("experimental.arenas.%u.pactivep", count), ENOENT);
	ACT(named("arena.%u.destroy", last), 0);
}

static void
hooks_of_an_arena(void)
{
	struct arena_hooks none = { NULL, { NULL } };
	void *standard = (void *)(uintptr_t)get("arena.0.extent_hooks");
	unsigned unused = 3, gone = make_arena();

	ACT(named("arena.%u.destroy", gone), 0);
	WRITE("arena.0.extent_hooks", void *, NULL, EINVAL);
	WRITE("arena.0.extent_hooks", void *, &none, EINVAL);
	WRITE(named("arena.%u.extent_hooks", gone), void *, standard, EFAULT);
	WRITE(named("arena.%u.extent_hooks", ALL), void *, standard, EFAULT);
	CHECK(get(named("arena.%u.initialized", unused)) == 0);
	WRITE(named("arena.%u.extent_hooks", unused), void *, standard, 0);
	CHECK(mallctl("epoch", NULL, NULL, &(uint64_t){ 1 }, 8) == 0);
	CHECK(get(named("arena.%u.initialized", unused)) == 1);
}

static void
names_of_arenas(void)
{
	const char *name = "first", *other = "second";
	char buffer[64], *to = buffer, *nowhere = NULL;
	size_t length = sizeof(to);

	ASK("arena.0.name", NO_OUTPUT, &name, 8, 0, KEPT);
	for (size_t size = 0; size < 16; size++)
		if (size != 8)
			ASK("arena.0.name", NO_OUTPUT, &other, size, EINVAL,
			    KEPT);
	WRITE("arena.0.name", const char *, NULL, EINVAL);
	/* Where there is no room for the old name, the new one is not set. */
	for (size_t size = 0; size < 16; size++) {
		length = size;
		if (size != 8)
			CHECK(mallctl("arena.0.name", &to, &length, &other,
				  8) == EINVAL &&
			    length == size);
	}
	length = 8;
	CHECK(mallctl("arena.0.name", &nowhere, &length, &other, 8) == EINVAL);
	CHECK(mallctl("arena.0.name", &to, &length, NULL, 0) == 0);
	CHECK(strcmp(buffer, "first") == 0);
	/* The old one is told in the call that sets the new one. */
	CHECK(mallctl("arena.0.name", &to, &length, &other, 8) == 0);
	CHECK(strcmp(buffer, "first") == 0);
	CHECK(mallctl("arena.0.name", &to, &length, NULL, 0) == 0);
	CHECK(strcmp(buffer, "second") == 0);
	/* One byte of 32 is the end. */
	other = "0123456789abcdef0123456789abcdef";
	memset(buffer, 'x', sizeof(buffer));
	CHECK(mallctl("arena.0.name", NULL, NULL, &other, 8) == 0);
	CHECK(mallctl("arena.0.name", &to, &length, NULL, 0) == 0);
	CHECK(strcmp(buffer, "0123456789abcdef0123456789abcde") == 0);
}

static void
settings_have_least_values(void)
{
	size_t page = (size_t)get("arenas.page");
	/* clang-format off */
	struct { size_t in, out; } const limits[] = {
		{ page, page }, { page + 1, page }, { 2 * page - 1, page },
		{ 3 * page, 3 * page }, { 5 * page - 1, 4 * page },
		{ (1 << 20) - 1, 896 * KIB }, { 1 << 20, 1 << 20 },
		{ SIZE_MAX, (size_t)7 << 60 },
	};
	/* clang-format on */

	WRITE("arena.0.retain_grow_limit", size_t, page - 1, EFAULT);
	WRITE("arena.0.retain_grow_limit", size_t, 0, EFAULT);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		WRITE("arena.0.retain_grow_limit", size_t, limits[i].in, 0);
		CHECK(get("arena.0.retain_grow_limit") == limits[i].out);
	}
	WRITE("max_background_threads", size_t, 0, EINVAL);
	WRITE("max_background_threads", size_t,
	    get("opt.max_background_threads") + 1, EINVAL);
	WRITE("max_background_threads", size_t, 1, 0);
	CHECK(get("max_background_threads") == 1);
	WRITE("max_background_threads", size_t,
	    get("opt.max_background_threads"), 0);
}

static void
arenas_are_made_with_an_output_only(void)
{
	static const char *const names[] = { "arenas.create",
		"experimental.arenas_create_ext" };
	struct {
		void *hooks;
		bool in_them;
	} config = { NULL, true };
	struct arena_hooks none = { NULL, { NULL } };
	void *table = &none, *nothing = NULL;
	uint64_t count = get("arenas.narenas");
	unsigned made[3];

	for (unsigned i = 0; i < 2; i++) {
		const void *input = i == 0 ? &nothing : (void *)&config;
		size_t size = i == 0 ? sizeof(nothing) : sizeof(config);

		ASK(names[i], NO_OUTPUT, NULL, 0, EINVAL, KEPT);
		for (int room = 0; room < 10; room++)
			if (room != 4)
				ASK(names[i], room, input, size, EINVAL, 0);
		for (size_t wrong = 0; wrong < 20; wrong++)
			if (wrong != size)
				ASK(names[i], 4, input, wrong, EINVAL, KEPT);
		UNTOUCHED();
	}
	ASK("arenas.create", 4, &table, 8, EAGAIN, KEPT);
	config.hooks = &none;
	ASK(names[1], 4, &config, sizeof(config), EAGAIN, KEPT);
	UNTOUCHED();
	CHECK(get("arenas.narenas") == count);
	config.hooks = NULL;
	ASK(names[1], 4, &config, sizeof(config), 0, KEPT);
	memcpy(&made[0], out, 4);
	ASK(names[1], 4, NULL, 0, 0, KEPT);
	memcpy(&made[1], out, 4);
	ASK(names[0], 4, &nothing, 8, 0, KEPT);
	memcpy(&made[2], out, 4);
	CHECK(made[0] != made[1] && made[1] != made[2] && made[0] != made[2]);
	for (unsigned i = 0; i < 3; i++)
		ACT(named("arena.%u.destroy", made[i]), 0);
}

static void
only_objects_have_an_arena(void)
{
	void *object = needed(malloc(100)), *large = needed(malloc(500000));
	void *inside = (char *)large + 300000, *stack = &inside;
	void *nothing = NULL;

	for (size_t size = 0; size < 16; size++)
		if (size != 8)
			ASK("arenas.lookup", 4, &object, size, EINVAL, KEPT);
	ASK("arenas.lookup", 4, NULL, 0, EINVAL, KEPT);
	ASK("arenas.lookup", 4, NULL, 8, EINVAL, KEPT);
	ASK("arenas.lookup", 4, &nothing, 8, EINVAL, KEPT);
	ASK("arenas.lookup", 4, &stack, 8, EINVAL, KEPT);
	UNTOUCHED();
	ASK("arenas.lookup", 4, &inside, 8, 0, KEPT);
	ASK("arenas.lookup", 4, &object, 8, 0, KEPT);
	ASK("arenas.lookup", 2, &object, 8, EINVAL, KEPT);
	ASK("arenas.lookup", 9, &object, 8, EINVAL, 4);
	ASK("arenas.lookup", NO_OUTPUT, &object, 8, 0, KEPT);
	free(large);
	ASK("arenas.lookup", 4, &large, 8, EINVAL, KEPT);
	free(object);
}

/* ---- threads ---- */

static size_t
dirty_pages(unsigned index)
{
	CHECK(mallctl("epoch", NULL, NULL, &(uint64_t){ 1 }, 8) == 0);
	return get(named("stats.arenas.%u.pdirty", index));
}

static void
leave_dirty_pages(void)
{
	char *block = needed(malloc(6 * MIB));

	memset(block, 1, 6 * MIB);
	free(block);
}

/* Who leaves an arena as the last one leaves no unused memory there. */
static void
an_arena_is_left_clean(void)
{
	unsigned index = make_arena(), count = (unsigned)get("arenas.narenas");

	WRITE("thread.arena", unsigned, count, EFAULT);
	WRITE("thread.arena", unsigned, index, 0);
	leave_dirty_pages();
	CHECK(dirty_pages(index) > 100);
	/* It is there already: nothing is done. */
	WRITE("thread.arena", unsigned, index, 0);
	CHECK(dirty_pages(index) > 100);
	WRITE("thread.arena", unsigned, 0, 0);
	CHECK(dirty_pages(index) == 0);
	ACT("thread.tcache.flush", 0);
	ACT(named("arena.%u.destroy", index), 0);
	WRITE("thread.arena", unsigned, index, EFAULT);
	CHECK(get("thread.arena") == 0);
}

static size_t
depth_of(size_t size)
{
	size_t depth = SIZE_MAX, length = sizeof(depth);

	CHECK(mallctl("thread.tcache.ncached_max.read_sizeclass", &depth,
		  &length, &size, sizeof(size)) == 0);
	return depth;
}

static void
depths_of_bins(void)
{
	const char *read = "thread.tcache.ncached_max.read_sizeclass";
	const char *write = "thread.tcache.ncached_max.write";
	static char long_text[1001];
	size_t size = 64;
	/* clang-format off */
	struct { size_t in, out; } const sizes[] = {
		{ 1000, 1024 }, { 1024, 1024 }, { 1025, 1280 }, { 1, 8 },
		{ 20000, 20480 }, { 32768, 32768 },
	};
	/* clang-format on */

	for (size_t wrong = 0; wrong < 16; wrong++)
		if (wrong != 8)
			ASK(read, 8, &size, wrong, EINVAL, KEPT);
	ASK(read, 8, NULL, 0, EINVAL, KEPT);
	ASK(read, 8, NULL, 8, EINVAL, KEPT);
	WRITE(read, size_t, SIZE_MAX, EINVAL);
	UNTOUCHED();
	ASK(read, 4, &size, 8, EINVAL, KEPT);
	ASK(read, 12, &size, 8, EINVAL, 8);
	ASK(read, NO_OUTPUT, &size, 8, 0, KEPT);
	ASK(write, NO_OUTPUT, NULL, 0, 0, KEPT);
	/* Up to 999 characters, the end is the thousandth. */
	memset(long_text, '|', 1000);
	memcpy(long_text, "64-64:11", 8);
	for (size_t i = 8; i + 8 < 999; i += 8)
		memcpy(long_text + i, "|64-64:9", 8);
	long_text[992] = '\0';
	WRITE(write, const char *, long_text, 0);
	CHECK(depth_of(64) == 9);
	memset(long_text, '1', 1000);
	memcpy(long_text, "64-64:5|64-64:", 14);
	long_text[1000] = '\0';
	WRITE(write, const char *, long_text, EINVAL);
	CHECK(depth_of(64) == 9);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		WRITE("thread.tcache.max", size_t, sizes[i].in, 0);
		CHECK(get("thread.tcache.max") == sizes[i].out);
		CHECK(depth_of(sizes[i].out) > 0);
		CHECK(depth_of(sizes[i].out + 1) == 0);
	}
	/* What was set stays through that, if it is cached. */
	WRITE(write, const char *, "512-512:13|32768-32768:3", 0);
	WRITE("thread.tcache.max", size_t, 1024, 0);
	CHECK(depth_of(512) == 13 && depth_of(32768) == 0);
	WRITE("thread.tcache.max", size_t, 65536, 0);
	WRITE(write, const char *, "100-200:7", 0);
	CHECK(depth_of(96) != 7 && depth_of(100) == 7 && depth_of(200) == 7);
	CHECK(depth_of(225) != 7);
}

static void
a_cache_that_is_off(void)
{
	WRITE("thread.tcache.enabled", bool, false, 0);
	CHECK(depth_of(64) == 0);
	ASK("thread.tcache.flush", 8, NULL, 0, EFAULT, KEPT);
	WRITE("thread.tcache.ncached_max.write", const char *, "64-64:9",
	    ENOENT);
	WRITE("thread.tcache.ncached_max.write", const char *, NULL, ENOENT);
	WRITE("thread.tcache.max", size_t, 4096, 0);
	WRITE("thread.tcache.enabled", bool, true, 0);
	CHECK(get("thread.tcache.max") == 4096);
	ASK("thread.tcache.flush", 8, NULL, 0, EPERM, KEPT);
	ASK("thread.tcache.flush", NO_OUTPUT, "", 0, EPERM, KEPT);
	ASK("thread.tcache.flush", NO_OUTPUT, NULL, 1, EPERM, KEPT);
	WRITE("tcache.flush", unsigned, 4093, EFAULT);
	WRITE("tcache.destroy", unsigned, UINT_MAX, EFAULT);
}

/* ---- experimental ---- */

static void
utilization_wants_exact_lengths(void)
{
	const char *query = "experimental.utilization.query";
	const char *batch = "experimental.utilization.batch_query";
	void *objects[2] = { needed(malloc(100)), needed(malloc(100000)) };
	void *stack[2] = { &query, NULL };
	size_t one[6], two[6], zero[6] = { 0, 0, 0, 0, 0, 0 };

	for (int room = 0; room < 60; room++)
		if (room != 48)
			ASK(query, room, objects, 8, EINVAL, KEPT);
	UNTOUCHED();
	for (size_t size = 0; size < 20; size++)
		if (size != 8)
			ASK(query, 48, objects, size, EINVAL, KEPT);
	UNTOUCHED();
	ASK(query, 48, NULL, 0, EINVAL, KEPT);
	ASK(query, NO_OUTPUT, objects, 8, EINVAL, KEPT);
	ASK(query, 48, stack, 8, 0, KEPT);
	CHECK(memcmp(out, zero, 48) == 0);
	ASK(query, 48, objects + 1, 8, 0, KEPT);
	memcpy(one, out, 48);
	CHECK(one[0] == 0 && one[1] == 0 && one[2] == 1 && one[3] >= 100000 &&
	    one[4] == 0 && one[5] == 0);
	ASK(query, 48, objects, 8, 0, KEPT);
	memcpy(one, out, 48);
	for (int room = 0; room < 60; room++)
		if (room != 48)
			ASK(batch, room, objects, 16, EINVAL, KEPT);
	UNTOUCHED();
	for (size_t size = 0; size < 30; size++)
		if (size != 16)
			ASK(batch, 48, objects, size, EINVAL, KEPT);
	ASK(batch, 0, objects, 0, EINVAL, KEPT);
	ASK(batch, 48, NULL, 16, EINVAL, KEPT);
	ASK(batch, NO_OUTPUT, objects, 16, EINVAL, KEPT);
	UNTOUCHED();
	ASK(batch, 48, objects, 16, 0, KEPT);
	memcpy(two, out, 48);
	CHECK(memcmp(two, one + 1, 24) == 0);
	CHECK(two[3] == 0 && two[4] == 1 && two[5] >= 100000);
	free(objects[0]);
	free(objects[1]);
	ASK(query, 48, objects + 1, 8, 0, KEPT);
	CHECK(memcmp(out, zero, 48) == 0);
}

static void *
fill(size_t size, unsigned arena)
{
	void *(*mallocx)(size_t, int);

	CHECK(symbol_find("mallocx", &mallocx));
	return needed(mallocx(size, ARENA(arena) | NO_CACHE));
}

/* The figures of a bin of which we know all objects. */
static void
utilization_counts_regions(void)
{
	const char *query = "experimental.utilization.query";
	unsigned index = make_arena();
	size_t regions = get("arenas.bin.7.nregs"), figures[6];
	void *object = NULL, *first = fill(112, index);

	for (size_t i = 0; i < regions + 2; i++)
		object = fill(112, index);
	ASK(query, 48, &object, 8, 0, KEPT);
	memcpy(figures, out, 48);
	CHECK(figures[0] != 0 && figures[1] == regions - 3);
	CHECK(figures[2] == regions);
	CHECK(figures[3] == get("arenas.bin.7.slab_size"));
	CHECK(figures[4] == regions - 3 && figures[5] == 2 * regions);
	CHECK((uintptr_t)object - figures[0] < figures[3]);
	ASK(query, 48, &first, 8, 0, KEPT);
	memcpy(figures, out, 48);
	CHECK(figures[1] == 0 && figures[4] == regions - 3);
	ACT(named("arena.%u.destroy", index), 0);
}

static void
batches_want_all(void)
{
	void *objects[4];
	struct {
		void **objects;
		size_t count, size;
		int flags;
	} batch = { objects, 4, 100, 0 };
	const char *name = "experimental.batch_alloc";

	ASK(name, NO_OUTPUT, &batch, sizeof(batch), EINVAL, KEPT);
	for (int room = 0; room < 20; room++)
		if (room != 8)
			ASK(name, room, &batch, sizeof(batch), EINVAL, 0);
	for (size_t size = 0; size < 50; size++)
		if (size != sizeof(batch))
			ASK(name, 8, &batch, size, EINVAL, KEPT);
	ASK(name, 8, NULL, 0, EINVAL, KEPT);
	UNTOUCHED();
	ASK(name, 8, &batch, sizeof(batch), 0, KEPT);
	CHECK(out[0] == 4);
	for (unsigned i = 0; i < 4; i++)
		free(objects[i]);
}

static void
ignore(void *context, size_t in_memory, size_t soft)
{
	(void)context;
	(void)in_memory;
	(void)soft;
}

static void
listeners_want_all(void)
{
	struct {
		void (*callback)(void *, size_t, size_t);
		void *context;
	} listener = { ignore, NULL };
	struct {
		void *callback;
		uint64_t interval, flags;
	} event = { NULL, 1, 0 };

	for (size_t size = 0; size < 40; size++) {
		if (size != sizeof(listener))
			ASK("experimental.x.limit.callback", NO_OUTPUT,
			    &listener, size, EINVAL, KEPT);
		if (size != sizeof(event))
			ASK("experimental.hooks.thread_event", NO_OUTPUT,
			    &event, size, EINVAL, KEPT);
	}
	ACT("experimental.x.limit.callback", EINVAL);
	ACT("experimental.hooks.thread_event", EINVAL);
	ASK("experimental.hooks.thread_event", NO_OUTPUT, &event, sizeof(event),
	    EINVAL, KEPT);
	ASK("experimental.x.limit.callback", NO_OUTPUT, &listener,
	    sizeof(listener), 0, KEPT);
	ACT("experimental.hooks.install", ENOENT);
	ACT("experimental.hooks.remove", ENOENT);
	ACT("experimental.arenas.0.pactivep", EINVAL);
	for (int room = 0; room < 16; room++)
		ASK("experimental.arenas.0.pactivep", room, NULL, 0,
		    room == 8 ? 0 : EINVAL, room < 8 ? room : 8);
	WRITE("experimental.x.limit.soft", size_t, (size_t)1 << 50, 0);
	WRITE("experimental.x.limit.hard", size_t, (size_t)1 << 51, 0);
	CHECK(get("experimental.x.limit.soft") == (size_t)1 << 50);
	CHECK(get("experimental.x.limit.hard") == (size_t)1 << 51);
	CHECK(get("experimental.x.limit.in_memory") > 0);
	WRITE("experimental.x.limit.soft", size_t, 0, 0);
	WRITE("experimental.x.limit.hard", size_t, 0, 0);
}

/* ---- inside of an extent hook ---- */

static struct arena_hooks inner;
static unsigned inner_arena;
static bool inner_ran;

static void *
inner_alloc(struct arena_hooks *hooks, void *address, size_t size, size_t align,
    bool *zero, bool *commit, unsigned arena)
{
	struct arena_hooks *standard = (void *)(uintptr_t)
	    get("arena.0.extent_hooks");

	(void)hooks;
	if (!inner_ran) {
		inner_ran = true;
		/* A thread in there has no record that could be looked at. */
		READ("thread.arena", 4, EAGAIN);
		WRITE("thread.arena", unsigned, 0, EAGAIN);
		READ("thread.allocated", 8, EAGAIN);
		READ("thread.deallocated", 8, EAGAIN);
		READ("thread.allocatedp", 8, EAGAIN);
		READ("thread.deallocatedp", 8, EAGAIN);
		READ("thread.peak.read", 8, EAGAIN);
		ACT("thread.peak.reset", EAGAIN);
		CHECK(get("thread.tcache.enabled") == 0);
		WRITE("thread.tcache.enabled", bool, true, EAGAIN);
		READ("thread.tcache.max", 8, EAGAIN);
		WRITE("thread.tcache.max", size_t, 1024, EAGAIN);
		ACT("thread.tcache.flush", EFAULT);
		ACT("thread.idle", 0);
		ASK("thread.tcache.ncached_max.read_sizeclass", 8,
		    &(size_t){ 64 }, 8, 0, KEPT);
		CHECK(out[0] == 0);
		WRITE("thread.tcache.ncached_max.write", const char *,
		    "64-64:9", ENOENT);
		ASK("tcache.create", 4, NULL, 0, EFAULT, KEPT);
	}
	return standard->alloc(standard, address, size, align, zero, commit,
	    arena);
}

static void
calls_from_inside_of_a_hook(void)
{
	struct arena_hooks *standard = (void *)(uintptr_t)
	    get("arena.0.extent_hooks");

	inner = *standard;
	inner.alloc = inner_alloc;
	inner_arena = make_arena();
	WRITE(named("arena.%u.extent_hooks", inner_arena), void *, &inner, 0);
	fill(64 * MIB, inner_arena);
	CHECK(inner_ran);
	WRITE(named("arena.%u.extent_hooks", inner_arena), void *, standard, 0);
	ACT(named("arena.%u.destroy", inner_arena), 0);
}

/* ---- beside other threads ---- */

static _Atomic bool is_purging;

/* A hook that takes its time; true: it did nothing. */
static bool
slow_dalloc(struct arena_hooks *hooks, void *address, size_t size,
    bool committed, unsigned arena)
{
	(void)hooks, (void)address, (void)size, (void)committed, (void)arena;
	is_purging = true;
	usleep(300000);
	return true;
}

static void *
purge(void *index)
{
	ACT(named("arena.%u.purge", (unsigned)(uintptr_t)index), 0);
	return NULL;
}

/* Destroying an arena waits for who is busy with it. */
static void
an_arena_is_destroyed_when_it_is_free(void)
{
	static struct arena_hooks slow;
	bool (*dalloc)(struct arena_hooks *, void *, size_t, bool,
	    unsigned) = slow_dalloc;
	unsigned index = make_arena();
	pthread_t thread;

	memcpy(&slow, (void *)(uintptr_t)get("arena.0.extent_hooks"),
	    sizeof(slow));
	memcpy(&slow.others[0], &dalloc, sizeof(dalloc));
	fill(2 * MIB, index);
	WRITE(named("arena.%u.extent_hooks", index), void *, &slow, 0);
	ACT(named("arena.%u.reset", index), 0);
	CHECK(dirty_pages(index) > 0);
	CHECK(pthread_create(&thread, NULL, purge, (void *)(uintptr_t)index) ==
	    0);
	while (!is_purging)
		usleep(1000);
	ACT(named("arena.%u.destroy", index), 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

/* ---- other options ---- */

/* The arenas of CPUs are nobody's to choose; others are. */
static void
arenas_by_cpu(void)
{
	unsigned manual = make_arena(), own = (unsigned)get("thread.arena");

	for (unsigned i = 0; i < get("opt.narenas"); i++)
		if (i != own)
			WRITE("thread.arena", unsigned, i, EPERM);
	WRITE("thread.arena", unsigned, manual, 0);
	CHECK(get("thread.arena") == manual);
	WRITE("thread.arena", unsigned, own, EPERM);
}

/* One that is likely to be nobody else's arena is purged. */
static void
idle_threads(void)
{
	bool many = get("opt.narenas") >
	    2 * (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
	unsigned own = (unsigned)get("thread.arena");

	leave_dirty_pages();
	CHECK(dirty_pages(own) > 100);
	ACT("thread.idle", 0);
	CHECK((dirty_pages(own) == 0) == many);
	CHECK(get("stats.arenas.4096.tcache_bytes") == 0);
}

static const struct {
	const char *what, *conf;
} runs[] = {
	{ "arenas",
	    "narenas:4,oversize_threshold:0,muzzy_decay_ms:0,"
	    "dirty_decay_ms:-1" },
	{ "percpu", "percpu_arena:percpu" },
	{ "many", "narenas:2000,oversize_threshold:0,dirty_decay_ms:-1" },
	{ "few", "narenas:1,oversize_threshold:0,dirty_decay_ms:-1" },
};

static void
run(const char *what)
{
	if (strcmp(what, "percpu") == 0) {
		arenas_by_cpu();
	} else if (strcmp(what, "many") == 0 || strcmp(what, "few") == 0) {
		idle_threads();
	} else {
		arenas_that_are_not_there();
		hooks_of_an_arena();
		names_of_arenas();
		settings_have_least_values();
		arenas_are_made_with_an_output_only();
		only_objects_have_an_arena();
		an_arena_is_left_clean();
		depths_of_bins();
		a_cache_that_is_off();
		utilization_wants_exact_lengths();
		utilization_counts_regions();
		batches_want_all();
		listeners_want_all();
		calls_from_inside_of_a_hook();
		an_arena_is_destroyed_when_it_is_free();
	}
}

int
main(int argc, char **argv)
{
	const char *what = answers_start(argc, argv);

	if (what != NULL) {
		run(what);
		return failures == 0 ? 0 : 1;
	}
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		answers_start_again(argv, runs[i].what, runs[i].conf);
	return 0;
}
