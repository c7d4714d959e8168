/*
 * What mallctl names do: each action and each setting, seen from outside.
 */
#include "stress.h"

#include <limits.h>
#include <sys/syscall.h>

typedef int nametomib_function(const char *, size_t *, size_t *);
typedef int bymib_function(const size_t *, size_t, void *, size_t *, void *,
    size_t);

static struct {
	mallctl_function *mallctl;
	nametomib_function *nametomib;
	bymib_function *bymib;
	void *(*mallocx)(size_t, int);
	void (*dallocx)(void *, int);
} ctl;

#define PAGE         ((size_t)sysconf(_SC_PAGESIZE))
#define MIB_PAGES    (((size_t)1 << 20) / PAGE)
#define ARENA(index) ((int)((unsigned)(index) + 1) << 20)
#define CACHE(id)    ((int)((unsigned)(id) + 2) << 8)
#define NO_CACHE     CACHE(-1)

/* ---- one value, as size_t, from any unsigned or signed type ---- */

static uint64_t
get(const char *name)
{
	uint64_t value = 0;
	int error = EINVAL;

	for (size_t size = 8; size >= 1 && error == EINVAL; size /= 2) {
		size_t length = size;

		value = 0;
		error = ctl.mallctl(name, &value, &length, NULL, 0);
	}
	if (error != 0)
		stress_fail("%s: error %d", name, error);
	return value;
}

static int
set(const char *name, const void *value, size_t size)
{
	return ctl.mallctl(name, NULL, NULL, (void *)(uintptr_t)value, size);
}

#define SET(name, type, value) set(name, &(type){ value }, sizeof(type))

static int
act(const char *name)
{
	return ctl.mallctl(name, NULL, NULL, NULL, 0);
}

__attribute__((format(printf, 1, 2))) static const char *
named(const char *format, ...)
{
	static char names[4][128];
	static unsigned next;
	char *name = names[next++ % 4];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(name, 128, format, arguments);
	va_end(arguments);
	return name;
}

static void
refresh(void)
{
	CHECK(SET("epoch", uint64_t, 1) == 0);
}

static const char *
text(const char *name)
{
	const char *value = NULL;
	size_t length = sizeof(value);

	CHECK(ctl.mallctl(name, &value, &length, NULL, 0) == 0);
	return value;
}

/* ---- the tests ---- */

static void
the_epoch_rises_and_figures_change_with_it_only(void)
{
	uint64_t first = get("epoch"), second = 0, dummy = 12345;
	size_t length = sizeof(second), before;
	void *block;

	CHECK(ctl.mallctl("epoch", &second, &length, &dummy, 8) == 0);
	CHECK(second == first + 1 && get("epoch") == second);
	before = get("stats.allocated");
	block = needed(malloc(3 << 20));
	CHECK(get("stats.allocated") == before);
	refresh();
	CHECK(get("stats.allocated") >= before + (3 << 20));
	CHECK(get("stats.active") >= get("stats.allocated"));
	CHECK(get("stats.mapped") >= get("stats.active"));
	CHECK(get("stats.resident") >= get("stats.active"));
	CHECK(get("stats.metadata") > 0);
	CHECK(get("approximate_stats.active") >= 3 << 20);
	free(block);
	/* The number rises even when the length is wrong. */
	length = 4;
	CHECK(ctl.mallctl("epoch", &second, &length, &dummy, 8) == EINVAL);
	CHECK(length == 4 && get("epoch") == first + 3);
}

static void
versions_and_options_read_as_they_are(void)
{
	CHECK(strncmp(text("version"), "5.3.1", 5) == 0);
	CHECK(strcmp(text("config.release"), "1.0.0") == 0);
	CHECK(strcmp(text("opt.malloc_conf.env_var"), getenv("MALLOC_CONF")) ==
	    0);
	CHECK(get("opt.lg_extent_max_active_fit") == 7);
	CHECK(get("opt.hpa_dirty_mult") == 16384);
	CHECK(strcmp(text("opt.safety"), "basic") == 0);
	CHECK(ctl.mallctl("opt.no_such_option", NULL, NULL, NULL, 0) == ENOENT);
	CHECK(ctl.mallctl("opt.narenas_ratio", NULL, NULL, NULL, 0) == ENOENT);
}

static void a_resize_counts_where_the_object_stays(void);

static void
the_counters_of_a_thread_are_exact_and_move_at_once(void)
{
	uint64_t allocated = get("thread.allocated");
	uint64_t deallocated = get("thread.deallocated");
	uint64_t *live, *gone;
	size_t length = sizeof(live), usable;
	void *block = needed(malloc(1000));

	usable = malloc_usable_size(block);
	CHECK(get("thread.allocated") == allocated + usable);
	free(block);
	CHECK(get("thread.deallocated") == deallocated + usable);
	CHECK(ctl.mallctl("thread.allocatedp", &live, &length, NULL, 0) == 0);
	CHECK(ctl.mallctl("thread.deallocatedp", &gone, &length, NULL, 0) == 0);
	allocated = *(volatile uint64_t *)live;
	deallocated = *(volatile uint64_t *)gone;
	for (unsigned i = 1; i <= 100; i++) {
		block = needed(malloc(i * 100));
		allocated += malloc_usable_size(block);
		CHECK(*(volatile uint64_t *)live == allocated);
		deallocated += malloc_usable_size(block);
		free(block);
		CHECK(*(volatile uint64_t *)gone == deallocated);
	}
	CHECK(get("thread.allocated") == allocated);
	a_resize_counts_where_the_object_stays();
}

/* It has its new size, in the same place, as if it was freed and allocated. */
static void
a_resize_counts_where_the_object_stays(void)
{
	static const size_t sizes[] = { 10, 100, 1000, 9000, 20000, 300000,
		3000000 };
	void *(*rallocx)(void *, size_t, int);

	CHECK(symbol_find("rallocx", &rallocx));
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *block = needed(malloc(sizes[i])), *again;
		size_t usable = malloc_usable_size(block);
		uint64_t allocated = get("thread.allocated");
		uint64_t deallocated = get("thread.deallocated");

		again = needed(realloc(hidden(block), sizes[i] + 1));
		CHECK(again == hidden(block));
		CHECK(malloc_usable_size(again) == usable);
		CHECK(get("thread.allocated") == allocated + usable);
		CHECK(get("thread.deallocated") == deallocated + usable);
		again = needed(rallocx(again, usable, 0));
		CHECK(again == hidden(block));
		CHECK(get("thread.allocated") == allocated + 2 * usable);
		CHECK(get("thread.deallocated") == deallocated + 2 * usable);
		free(again);
		CHECK(get("thread.deallocated") == deallocated + 3 * usable);
	}
}

/* The first thing that a thread does. */
static void *
resize_first(void *block)
{
	size_t usable = malloc_usable_size(block);

	CHECK(realloc(block, usable) == block);
	CHECK(get("thread.allocated") >= usable);
	CHECK(get("thread.deallocated") >= usable);
	return NULL;
}

static uint64_t told;

static void
note_bytes(bool is_alloc, uint64_t allocated, uint64_t deallocated)
{
	(void)is_alloc;
	(void)allocated;
	(void)deallocated;
	told++;
}

static void
a_resize_in_place_drives_events(void)
{
	struct {
		void (*callback)(bool, uint64_t, uint64_t);
		uint64_t interval;
		bool only_alloc;
	} event = { note_bytes, 10000, false };
	char *block = needed(malloc(1000));

	CHECK(set("experimental.hooks.thread_event", &event, sizeof(event)) ==
	    0);
	told = 0;
	for (unsigned i = 0; i < 100; i++)
		block = needed(realloc(hidden(block), 1001));
	CHECK(told >= 5);
	free(block);
}

static void
the_peak_is_that_since_the_reset(void)
{
	static void *blocks[10000];
	void *block;

	CHECK(act("thread.peak.reset") == 0);
	CHECK(get("thread.peak.read") < 100000);
	block = needed(malloc(1 << 20));
	free(block);
	CHECK(get("thread.peak.read") >= 1 << 20);
	CHECK(act("thread.peak.reset") == 0);
	for (unsigned i = 0; i < 10000; i++)
		blocks[i] = needed(malloc(100));
	for (unsigned i = 0; i < 10000; i++)
		free(blocks[i]);
	CHECK(get("thread.peak.read") >= 1000000);
	CHECK(act("thread.peak.reset") == 0);
	CHECK(get("thread.peak.read") < 100000);
}

static size_t
depth_of(size_t size)
{
	size_t depth = 0, length = sizeof(depth);

	CHECK(ctl.mallctl("thread.tcache.ncached_max.read_sizeclass", &depth,
		  &length, &size, sizeof(size)) == 0);
	return depth;
}

static int
set_depths(const char *depths)
{
	return set("thread.tcache.ncached_max.write", &depths, sizeof(depths));
}

static void
bins_of_a_cache_have_the_depth_that_is_set(void)
{
	static char endless[2000];
	size_t other = depth_of(4000);

	memset(endless, '1', sizeof(endless) - 1);
	CHECK(depth_of(64) > 0);
	CHECK(set_depths("64-64:7|1000-1100:3") == 0);
	CHECK(depth_of(64) == 7 && depth_of(1024) == 3);
	CHECK(depth_of(4000) == other);
	CHECK(set_depths("64-64:100000") == 0);
	CHECK(depth_of(64) == 8191);
	CHECK(set_depths("64-64:0") == 0 && depth_of(64) == 0);
	CHECK(set_depths("") == 0);
	CHECK(set_depths("100-20:5") == 0);
	CHECK(set_depths("64-64:9|nonsense") == EINVAL);
	CHECK(set_depths("64-64") == EINVAL);
	CHECK(set_depths(NULL) == EINVAL);
	CHECK(set_depths(endless) == EINVAL);
	CHECK(depth_of(64) == 0);
	CHECK(set_depths("64-64:9") == 0 && depth_of(64) == 9);
}

static void
a_cache_can_be_emptied_and_switched_off(void)
{
	size_t size = 64;
	bool was = false;
	size_t length = sizeof(was);

	CHECK(act("thread.tcache.flush") == 0);
	CHECK(get("thread.tcache.enabled") == 1);
	CHECK(ctl.mallctl("thread.tcache.enabled", &was, &length,
		  &(bool){ false }, sizeof(bool)) == 0);
	CHECK(was && get("thread.tcache.enabled") == 0);
	CHECK(act("thread.tcache.flush") == EFAULT);
	CHECK(depth_of(size) == 0);
	CHECK(set_depths("64-64:9") == ENOENT);
	free(needed(malloc(size)));
	CHECK(SET("thread.tcache.max", size_t, 1000) == 0);
	CHECK(SET("thread.tcache.enabled", bool, true) == 0);
	CHECK(get("thread.tcache.max") == 1024);
	CHECK(depth_of(1024) > 0 && depth_of(1025) == 0);
	CHECK(SET("thread.tcache.max", size_t, SIZE_MAX) == 0);
	CHECK(get("thread.tcache.max") >= 32768);
	CHECK(SET("thread.tcache.max", size_t, 32768) == 0);
	CHECK(get("thread.tcache.max") == 32768);
	CHECK(depth_of(32768) > 0);
	CHECK(act("thread.idle") == 0);
}

static void
explicit_caches_come_and_go(void)
{
	unsigned first = get("tcache.create"), second = get("tcache.create");
	void *block;

	CHECK(second == first + 1);
	block = needed(ctl.mallocx(100, CACHE(first)));
	ctl.dallocx(block, CACHE(first));
	CHECK(ctl.mallocx(100, CACHE(first)) == block);
	ctl.dallocx(block, CACHE(first));
	CHECK(SET("tcache.flush", unsigned, first) == 0);
	CHECK(SET("tcache.destroy", unsigned, first) == 0);
	CHECK(SET("tcache.destroy", unsigned, second) == 0);
	/* The one destroyed last comes back first. */
	CHECK(get("tcache.create") == second);
	CHECK(get("tcache.create") == first);
	CHECK(act("tcache.flush") == EINVAL);
	CHECK(act("tcache.destroy") == EINVAL);
	CHECK(SET("tcache.destroy", unsigned, first) == 0);
	CHECK(SET("tcache.flush", unsigned, first) == EFAULT);
	CHECK(SET("tcache.flush", unsigned, UINT_MAX) == EFAULT);
}

static unsigned
make_arena(void)
{
	unsigned index = 0;
	size_t length = sizeof(index);

	CHECK(ctl.mallctl("arenas.create", &index, &length, NULL, 0) == 0);
	return index;
}

static unsigned
owner_of(void *block)
{
	unsigned index = 0;
	size_t length = sizeof(index);

	CHECK(ctl.mallctl("arenas.lookup", &index, &length, &block,
		  sizeof(block)) == 0);
	return index;
}

static void
arenas_are_made_used_and_destroyed(void)
{
	unsigned count = get("arenas.narenas"), index = make_arena();
	void *block, *large, *outside = &block;
	unsigned found;
	size_t length = sizeof(found);

	CHECK(index == count && get("arenas.narenas") == count + 1);
	CHECK(ctl.mallctl(named("stats.arenas.%u.pactive", index), NULL, NULL,
		  NULL, 0) == ENOENT);
	CHECK(get(named("arena.%u.initialized", index)) == 0);
	refresh();
	CHECK(get(named("arena.%u.initialized", index)) == 1);
	CHECK(get(named("stats.arenas.%u.pactive", index)) == 0);
	block = needed(ctl.mallocx(100, ARENA(index) | NO_CACHE));
	large = needed(ctl.mallocx(100000, ARENA(index) | NO_CACHE));
	CHECK(owner_of(block) == index && owner_of(large) == index);
	CHECK(ctl.mallctl("arenas.lookup", &found, &length, &outside,
		  sizeof(outside)) == EINVAL);
	CHECK(act("arenas.lookup") == EINVAL);
	refresh();
	CHECK(get(named("stats.arenas.%u.small.allocated", index)) == 112);
	CHECK(get(named("stats.arenas.%u.large.allocated", index)) >= 100000);
	CHECK(get(named("stats.arenas.%u.pactive", index)) >= 100000 / PAGE);
	CHECK(get(named("stats.arenas.%u.bins.7.nmalloc", index)) >= 1);
	CHECK(act(named("arena.%u.reset", index)) == 0);
	refresh();
	CHECK(get(named("stats.arenas.%u.small.allocated", index)) == 0);
	CHECK(get(named("stats.arenas.%u.large.allocated", index)) == 0);
	CHECK(get(named("stats.arenas.%u.pactive", index)) == 0);
	needed(ctl.mallocx(100, ARENA(index) | NO_CACHE));
	CHECK(act(named("arena.%u.destroy", index)) == 0);
	CHECK(act(named("arena.%u.destroy", index)) == EFAULT);
	CHECK(act("arena.0.destroy") == EFAULT);
	CHECK(act("arena.0.reset") == EFAULT);
	refresh();
	CHECK(get("arena.4097.initialized") == 1);
	CHECK(get("stats.arenas.4097.small.nmalloc") >= 1);
	CHECK(get(named("arena.%u.initialized", index)) == 0);
	CHECK(make_arena() == index);
	CHECK(act(named("arena.%u.destroy", index)) == 0);
}

static void
a_thread_changes_its_arena(void)
{
	unsigned index = make_arena(), old = 77;
	size_t length = sizeof(old);
	void *block;

	CHECK(ctl.mallctl("thread.arena", &old, &length, &index,
		  sizeof(index)) == 0);
	CHECK(old != index && get("thread.arena") == index);
	CHECK(act("thread.tcache.flush") == 0);
	block = needed(malloc(200));
	CHECK(owner_of(block) == index);
	CHECK(act(named("arena.%u.destroy", index)) == EFAULT);
	refresh();
	CHECK(get(named("stats.arenas.%u.nthreads", index)) == 1);
	free(block);
	CHECK(SET("thread.arena", unsigned, 100000) == EFAULT);
	CHECK(SET("thread.arena", unsigned, UINT_MAX) == EFAULT);
	CHECK(SET("thread.arena", unsigned, old) == 0);
	CHECK(act("thread.tcache.flush") == 0);
	/* One that nobody has used is made. */
	CHECK(SET("thread.arena", unsigned, 1) == 0);
	CHECK(get("thread.arena") == 1);
	CHECK(SET("thread.arena", unsigned, old) == 0);
	CHECK(act(named("arena.%u.destroy", index)) == 0);
}

static size_t
dirty_pages(unsigned index)
{
	refresh();
	return get(named("stats.arenas.%u.pdirty", index));
}

static void
make_dirty(unsigned index)
{
	void *block = needed(ctl.mallocx(1 << 20, ARENA(index) | NO_CACHE));

	memset(block, 1, 1 << 20);
	ctl.dallocx(block, NO_CACHE);
}

static void
active_pages_are_counted_live(unsigned index)
{
	const char *name = named("experimental.arenas.%u.pactivep", index);
	volatile size_t *npages;
	size_t length = sizeof(npages), before;
	void *block;

	CHECK(ctl.mallctl(name, &npages, &length, NULL, 0) == 0);
	before = *npages;
	block = needed(ctl.mallocx(400000, ARENA(index) | NO_CACHE));
	CHECK(*npages >= before + 400000 / PAGE);
	ctl.dallocx(block, NO_CACHE);
	CHECK(*npages == before);
}

/* Nobody has come yet; then this thread does. */
static void
an_arena_belongs_to_the_node_of_its_threads(void)
{
	unsigned index = make_arena();
	const char *name = named("experimental.x.arenas.%u.node", index);
	unsigned node = 0, before;
	size_t length = sizeof(ssize_t), size = sizeof(before);
	bool one_cpu = sysconf(_SC_NPROCESSORS_ONLN) == 1;
	ssize_t now = 7;

	CHECK(ctl.mallctl(name, &now, &length, NULL, 0) == 0 && now == -1);
	CHECK(ctl.mallctl("thread.arena", &before, &size, &index,
		  sizeof(index)) == 0);
	CHECK(ctl.mallctl(name, &now, &length, NULL, 0) == 0);
	CHECK(syscall(SYS_getcpu, NULL, &node, NULL) == 0);
	/* Not all kernels tell; among several CPUs, it may have moved. */
	CHECK(now >= -1 && now < 1024);
	CHECK(now == (ssize_t)node || now == -1 || !one_cpu);
	CHECK(ctl.mallctl("thread.arena", NULL, NULL, &before,
		  sizeof(before)) == 0);
	CHECK(ctl.mallctl(named("experimental.x.arenas.%u.node", 4000), &now,
		  &length, NULL, 0) == ENOENT);
	CHECK(act(named("arena.%u.destroy", index)) == 0);
}

static void
pages_are_purged_and_age_as_told(void)
{
	unsigned index = make_arena();
	uint64_t purged;

	make_dirty(index);
	CHECK(dirty_pages(index) >= MIB_PAGES);
	active_pages_are_counted_live(index);
	CHECK(act(named("arena.%u.decay", index)) == 0);
	CHECK(dirty_pages(index) >= MIB_PAGES);
	CHECK(act(named("arena.%u.purge", index)) == 0);
	CHECK(dirty_pages(index) == 0);
	purged = get(named("stats.arenas.%u.dirty_purged", index));
	CHECK(purged >= MIB_PAGES);
	CHECK(get(named("stats.arenas.%u.dirty_npurge", index)) >= 1);
	CHECK(get(named("stats.arenas.%u.dirty_nmadvise", index)) >= 1);
	make_dirty(index);
	CHECK(act("arena.4096.purge") == 0);
	CHECK(dirty_pages(index) == 0);
	make_dirty(index);
	CHECK(act(named("arena.%u.purge", (unsigned)get("arenas.narenas"))) ==
	    0);
	CHECK(dirty_pages(index) == 0);
	make_dirty(index);
	CHECK(SET(named("arena.%u.dirty_decay_ms", index), ssize_t, 0) == 0);
	CHECK(dirty_pages(index) == 0);
	make_dirty(index);
	CHECK(dirty_pages(index) == 0);
	CHECK(SET(named("arena.%u.dirty_decay_ms", index), ssize_t, -1) == 0);
	make_dirty(index);
	CHECK(dirty_pages(index) >= MIB_PAGES);
	CHECK(get(named("stats.arenas.%u.dirty_decay_ms", index)) ==
	    (uint64_t)-1);
	CHECK(act(named("arena.%u.destroy", index)) == 0);
}

static void
decay_times_have_a_range(void)
{
	static const char *const names[] = { "arena.0.dirty_decay_ms",
		"arena.0.muzzy_decay_ms", "arenas.dirty_decay_ms",
		"arenas.muzzy_decay_ms" };
	ssize_t old, most = 18446744072000;
	size_t length = sizeof(old);

	for (size_t i = 0; i < 4; i++) {
		old = (ssize_t)get(names[i]);
		CHECK(SET(names[i], ssize_t, -2) == EFAULT);
		CHECK(SET(names[i], ssize_t, most + 1) == EFAULT);
		CHECK((ssize_t)get(names[i]) == old);
		CHECK(SET(names[i], ssize_t, most) == 0);
		CHECK((ssize_t)get(names[i]) == most);
		/* The new one is not set when the old one has no room. */
		length = 3;
		CHECK(ctl.mallctl(names[i], &(char[8]){ 0 }, &length,
			  &(ssize_t){ 5 }, sizeof(ssize_t)) == EINVAL);
		CHECK((ssize_t)get(names[i]) == most);
		CHECK(set(names[i], &old, sizeof(old)) == 0);
	}
	CHECK(SET("arenas.dirty_decay_ms", ssize_t, 4321) == 0);
	CHECK(get(named("arena.%u.dirty_decay_ms", make_arena())) == 4321);
	for (size_t i = 0; i < 2; i++) {
		CHECK(SET(named("arena.4097.%s", names[i] + 8), ssize_t, 1) ==
		    EFAULT);
		CHECK(SET(named("arena.4096.%s", names[i] + 8), ssize_t, 1) ==
		    EFAULT);
	}
}

static void
arenas_have_names_and_settings(void)
{
	const char *name = "a name that is longer than 31 characters";
	char buffer[64], *to = buffer;
	size_t length = sizeof(to);
	unsigned index = make_arena();

	CHECK(ctl.mallctl("arena.0.name", &to, &length, NULL, 0) == 0);
	CHECK(strcmp(buffer, "auto_0") == 0);
	CHECK(ctl.mallctl(named("arena.%u.name", index), &to, &length, &name,
		  sizeof(name)) == 0);
	CHECK(strncmp(buffer, "manual_", 7) == 0);
	CHECK(ctl.mallctl(named("arena.%u.name", index), &to, &length, NULL,
		  0) == 0);
	CHECK(strlen(buffer) == 31 && strncmp(buffer, name, 31) == 0);
	CHECK(SET("arena.0.name", char *, NULL) == EINVAL);
	CHECK(set("arena.4096.name", &name, sizeof(name)) == EINVAL);
	CHECK(set("arena.4097.name", &name, sizeof(name)) == EINVAL);
	length = 4;
	CHECK(ctl.mallctl("arena.0.name", &to, &length, NULL, 0) == EINVAL);
	CHECK(length == 4 && to == buffer);
	CHECK(SET("arena.0.dss", const char *, "disabled") == 0);
	CHECK(strcmp(text("arena.0.dss"), "disabled") == 0);
	CHECK(SET("arena.0.dss", const char *, "nonsense") == EINVAL);
	CHECK(SET("arena.4096.dss", const char *, "primary") == 0);
	CHECK(strcmp(text("arena.4096.dss"), "primary") == 0);
	CHECK(SET("arena.4096.dss", const char *, "secondary") == 0);
	CHECK(SET("arena.4097.dss", const char *, "primary") == EFAULT);
	CHECK(SET("arena.0.oversize_threshold", size_t, 1 << 20) == 0);
	CHECK(get("arena.0.oversize_threshold") == 1 << 20);
	CHECK(SET("arena.4096.oversize_threshold", size_t, 0) == EFAULT);
	CHECK(get("arena.0.retain_grow_limit") == (uint64_t)7 << 60);
	CHECK(SET("arena.0.retain_grow_limit", size_t, 4095) == EFAULT);
	CHECK(SET("arena.0.retain_grow_limit", size_t, 5000000) == 0);
	CHECK(get("arena.0.retain_grow_limit") == 4 << 20);
	CHECK(SET("arena.0.retain_grow_limit", size_t, SIZE_MAX) == 0);
	CHECK(get("arena.0.retain_grow_limit") == (uint64_t)7 << 60);
	CHECK(SET("arena.100000.dss", const char *, "primary") == ENOENT);
	CHECK(act(named("arena.%u.destroy", index)) == 0);
}

static void
all_arenas_are_the_sum(void)
{
	uint64_t sum = 0, all;
	void *block = needed(malloc(100));

	refresh();
	for (unsigned i = 0; i < get("arenas.narenas"); i++)
		if (get(named("arena.%u.initialized", i)))
			sum += get(named("stats.arenas.%u.pactive", i));
	all = get("stats.arenas.4096.pactive");
	CHECK(sum == all && all > 0);
	CHECK(get(named("stats.arenas.%u.pactive",
		  (unsigned)get("arenas.narenas"))) == all);
	CHECK(get("arena.4096.initialized") == 1);
	CHECK(get("stats.arenas.4096.dirty_decay_ms") == (uint64_t)-1);
	CHECK(strcmp(text("stats.arenas.4096.dss"), "N/A") == 0);
	CHECK(get("stats.arenas.0.mutexes.large.num_ops") > 0);
	CHECK(act("stats.mutexes.reset") == 0);
	refresh();
	CHECK(get("stats.arenas.0.mutexes.extents_dirty.num_ops") < 1000);
	free(block);
}

static void
classes_are_described(void)
{
	size_t size, last = 0;

	CHECK(get("arenas.quantum") == 16 && get("arenas.nbins") == 36);
	CHECK(get("arenas.nlextents") == 196);
	for (unsigned i = 0; i < 36; i++, last = size) {
		size = get(named("arenas.bin.%u.size", i));
		CHECK(size > last);
		CHECK(get(named("arenas.bin.%u.slab_size", i)) >=
		    size * get(named("arenas.bin.%u.nregs", i)));
		CHECK(get(named("arenas.bin.%u.nshards", i)) >= 1);
	}
	for (unsigned i = 0; i < 196; i++, last = size) {
		size = get(named("arenas.lextent.%u.size", i));
		CHECK(size > last);
	}
	CHECK(last == (size_t)7 << 60);
	CHECK(act("arenas.bin.36.size") == ENOENT);
	CHECK(act("arenas.lextent.196.size") == ENOENT);
	CHECK(act("stats.arenas.0.extents.199.ndirty") == ENOENT);
	CHECK(act("stats.arenas.0.bins.0x.nmalloc") == 0);
	CHECK(act("stats.arenas.-1.pactive") == ENOENT);
	CHECK(act("stats.arenas..pactive") == ENOENT);
	CHECK(act("stats.arenas.18446744073709551616.pactive") == ENOENT);
}

static void
utilization_is_told_and_batches_are_made(void)
{
	struct {
		void *slab;
		size_t nfree, nregs, size, bin_nfree, bin_nregs;
	} one;
	struct {
		size_t nfree, nregs, size;
	} two[2];
	struct {
		void **blocks;
		size_t count, size;
		int flags;
	} batch;
	void *blocks[50] = { needed(malloc(100)), needed(malloc(100000)) };
	size_t length = sizeof(one), filled = 0;

	CHECK(ctl.mallctl("experimental.utilization.query", &one, &length,
		  blocks, sizeof(void *)) == 0);
	CHECK(one.nregs > one.nfree && one.size >= one.nregs * 112);
	CHECK(one.bin_nregs >= one.nregs && one.bin_nfree < one.bin_nregs);
	length = sizeof(two);
	CHECK(ctl.mallctl("experimental.utilization.batch_query", two, &length,
		  blocks, 2 * sizeof(void *)) == 0);
	CHECK(two[0].nregs == one.nregs && two[1].nregs == 1);
	CHECK(two[1].nfree == 0 && two[1].size >= 100000);
	length = sizeof(two) - 1;
	CHECK(ctl.mallctl("experimental.utilization.batch_query", two, &length,
		  blocks, 2 * sizeof(void *)) == EINVAL);
	free(blocks[0]);
	free(blocks[1]);
	batch.blocks = blocks;
	batch.count = 50;
	batch.size = 1000;
	batch.flags = 64; /* zeroed */
	length = sizeof(filled);
	CHECK(ctl.mallctl("experimental.batch_alloc", &filled, &length, &batch,
		  sizeof(batch)) == 0);
	CHECK(filled == 50);
	for (unsigned i = 0; i < 50; i++) {
		bytes_verify_zero(blocks[i], 1000);
		free(blocks[i]);
	}
}

static char heard[256];

static void
hear(const char *report)
{
	snprintf(heard, sizeof(heard), "%s", report);
}

static void
reports_go_to_a_handler(void)
{
	void (*handler)(const char *) = hear;
	uint64_t before = get("stats.safety.reports");
	char *block = needed(malloc(100));

	CHECK(set("experimental.hooks.safety_check_abort", &handler,
		  sizeof(handler)) == 0);
	free(hidden(block + 16));
	act("thread.tcache.flush");
	CHECK(heard[0] != '\0');
	CHECK(get("stats.safety.reports") > before);
	CHECK(SET("experimental.hooks.safety_check_abort", void *, NULL) == 0);
	free(block);
}

static void
zero_reallocs_are_counted_live(void)
{
	uint64_t before = get("stats.zero_reallocs");

	hidden(realloc(hidden(malloc(10)), 0));
	CHECK(get("stats.zero_reallocs") == before + 1);
}

static void
nonsense_is_refused(void)
{
	size_t mib[3] = { 1, 2, 3 }, length = 0, value = 0;

	CHECK(ctl.mallctl(NULL, NULL, NULL, NULL, 0) == EINVAL);
	CHECK(ctl.mallctl("", NULL, NULL, NULL, 0) == ENOENT);
	CHECK(ctl.mallctl("stats", NULL, NULL, NULL, 0) == ENOENT);
	CHECK(ctl.nametomib(NULL, mib, &length) == EINVAL);
	CHECK(ctl.nametomib("epoch", mib, NULL) == EINVAL);
	CHECK(ctl.nametomib("epoch", NULL, &length) == 0 && length == 0);
	length = 3;
	CHECK(ctl.nametomib("epoch", NULL, &length) == EINVAL);
	CHECK(ctl.nametomib("stats.arenas", mib, &length) == 0 && length == 2);
	CHECK(ctl.bymib(mib, 2, NULL, NULL, NULL, 0) == ENOENT);
	CHECK(ctl.bymib(NULL, 0, NULL, NULL, NULL, 0) == ENOENT);
	CHECK(ctl.bymib(NULL, 3, NULL, NULL, NULL, 0) != 0);
	CHECK(ctl.bymib(mib, 0, &value, &length, NULL, 0) == ENOENT);
}

/* Others read all the while one thread takes snapshots and makes arenas. */
static void *
read_and_refresh(void *argument)
{
	void *block = needed(malloc(100));

	for (unsigned i = 0; i < 300; i++) {
		if ((uintptr_t)argument == 0) {
			unsigned index = make_arena();

			refresh();
			CHECK(act(named("arena.%u.destroy", index)) == 0);
		}
		CHECK(get("stats.arenas.4096.nthreads") > 0);
		CHECK(get("stats.allocated") <=
		    get("stats.mapped") + (1 << 30));
		free(needed(malloc(50)));
	}
	free(block);
	return NULL;
}

int
main(int argc, char **argv)
{
	stress_start(argc, argv, 60);
	if (getenv("EFFECTS_AGAIN") == NULL) {
		/* Options are read at the very start. */
		setenv("EFFECTS_AGAIN", "1", 1);
		if (getenv("MALLOC_CONF") == NULL)
			/* clang-format off */
			stress_conf(built_with("fill") ?
			    "lg_extent_max_active_fit:7,narenas:3,junk:false" :
			    "lg_extent_max_active_fit:7,narenas:3");
		/* clang-format on */
		execv("/proc/self/exe", argv);
		stress_fail("can't start again");
	}
	if (!symbol_find("mallctl", &ctl.mallctl) ||
	    !symbol_find("mallctlnametomib", &ctl.nametomib) ||
	    !symbol_find("mallctlbymib", &ctl.bymib) ||
	    !symbol_find("mallocx", &ctl.mallocx) ||
	    !symbol_find("dallocx", &ctl.dallocx))
		stress_skip_other("mallctl");
	if (!built_with("stats"))
		stress_skip("built without statistics");
	the_epoch_rises_and_figures_change_with_it_only();
	versions_and_options_read_as_they_are();
	the_peak_is_that_since_the_reset();
	arenas_are_made_used_and_destroyed();
	if (get("thread.tcache.enabled")) {
		bins_of_a_cache_have_the_depth_that_is_set();
		a_cache_can_be_emptied_and_switched_off();
		explicit_caches_come_and_go();
		a_thread_changes_its_arena();
	}
	an_arena_belongs_to_the_node_of_its_threads();
	pages_are_purged_and_age_as_told();
	decay_times_have_a_range();
	arenas_have_names_and_settings();
	all_arenas_are_the_sum();
	classes_are_described();
	utilization_is_told_and_batches_are_made();
	zero_reallocs_are_counted_live();
	reports_go_to_a_handler();
	nonsense_is_refused();
	threads_run(4, read_and_refresh);
	a_resize_counts_where_the_object_stays();
	{
		void *block = needed(malloc(500));

		thread_run(resize_first, block);
		free(block);
	}
	a_resize_in_place_drives_events();
	the_counters_of_a_thread_are_exact_and_move_at_once();
	return 0;
}
