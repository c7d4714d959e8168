#include "api/request.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../unit.h"
#include "api/batch.h"
#include "api/boot.h"
#include "api/inspect.h"
#include "api/release.h"
#include "api/resize.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "arena/canary.h"
#include "cache/tcache_table.h"
#include "cache/tcache_counts.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/pagemap.h"
#include "modes.h"
#include "os/system.h"
#include "pages/page_source.h"

/* The library is a part of this program. */

static struct fault no_pages;

struct extent *__real_page_source_take(struct page_source *source, size_t size,
    size_t align);
struct extent *__wrap_page_source_take(struct page_source *source, size_t size,
    size_t align);

struct extent *
__wrap_page_source_take(struct page_source *source, size_t size, size_t align)
{
	return fault_hits(&no_pages)
	    ? NULL
	    : __real_page_source_take(source, size, align);
}

/* What the limits of the process are said to lack. */
static struct {
	bool said, too_large;
	size_t lack;
	unsigned asked;
} room;

bool __real_room_is_too_large(size_t need);
bool __wrap_room_is_too_large(size_t need);
size_t __real_room_lack(size_t need, size_t extra, size_t mapped);
size_t __wrap_room_lack(size_t need, size_t extra, size_t mapped);

bool
__wrap_room_is_too_large(size_t need)
{
	return room.said ? room.too_large : __real_room_is_too_large(need);
}

size_t
__wrap_room_lack(size_t need, size_t extra, size_t mapped)
{
	room.asked++;
	return room.said ? room.lack : __real_room_lack(need, extra, mapped);
}

/* --- sizes ---------------------------------------------------------------- */

/* Wider than the sum of two sizes. */
#ifdef __SIZEOF_INT128__
typedef unsigned __int128 wide;
#else
typedef uint64_t wide;
#endif

/* The smallest size of a large object for so many bytes, in wide numbers. */
static wide
wide_large(wide size)
{
	if (size <= LARGE_MIN)
		return LARGE_MIN;
	if (opt.disable_large_size_classes)
		return (size + UNIT - 1) / UNIT * UNIT;
	for (unsigned i = 0; i < SIZE_CLASSES; i++)
		if (size_class_size(i) >= size)
			return size_class_size(i);
	return ~(wide)0 / 2;
}

/* The same for an object of any kind, with no short cuts. */
static wide
wide_usable(size_t size, size_t align)
{
	wide padded = (wide)size + (opt.canary ? CANARY_MIN : 0);
	wide usable;

	/* A slab is aligned to a unit, and its regions to their size. */
	if (align <= UNIT)
		for (unsigned i = 0; i < SMALL_CLASSES; i++)
			if (small_class_size(i) >= padded &&
			    small_class_size(i) % align == 0)
				return small_class_size(i);
	usable = wide_large(opt.guard_large ? size : padded);
	/* The extent is cut from one that is longer by the alignment. */
	return usable + align > LARGE_MAXCLASS ? 0 : usable;
}

/* Sizes where something may overflow or change. */
static size_t
odd_size(uint64_t *seed)
{
	static const size_t bounds[] = { 0, SMALL_MAX, LARGE_MIN, CACHED_MAX,
		(size_t)1 << 30, (size_t)1 << (WORD_BITS - 2),
		(size_t)1 << (WORD_BITS - 1), LARGE_MAXCLASS, PTRDIFF_MAX,
		SIZE_MAX };
	size_t bound = random_below(seed, 3) == 0
	    ? size_class_size((unsigned)random_below(seed, SIZE_CLASSES))
	    : bounds[random_below(seed, ARRAY_LEN(bounds))];
	unsigned lg = (unsigned)random_below(seed, 16);

	/* Wraps around to sizes near the other end, which are as good. */
	return bound + (size_t)1 - random_below(seed, (size_t)2 << lg);
}

static void
usable_sizes_are_the_smallest_that_serve(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (size_t size = 0; size <= 2 * LARGE_MIN; size++)
		for (unsigned lg = 0; lg <= 14; lg++)
			assert_true(request_usable(size, (size_t)1 << lg) ==
			    wide_usable(size, (size_t)1 << lg));
	for (unsigned i = 0; i < 8000; i++) {
		size_t size = odd_size(&seed);
		size_t align = (size_t)1 << random_below(&seed, WORD_BITS);

		assert_int_equal(request_usable(size, align),
		    wide_usable(size, align));
	}
}

/* --- against a model ------------------------------------------------------ */

enum { NOBJECTS = 300 };

static struct object {
	unsigned char *start;
	size_t size, align;
	unsigned char byte;
} objects[NOBJECTS];

static struct {
	uint64_t taken, given; /* what the thread's counters must say */
	struct arena *arenas[3];
	struct tcache *tcaches[3];
	uint64_t seed;
} model;

static size_t
below(size_t n)
{
	return random_below(&model.seed, n);
}

static void
check_counters(void)
{
	uint64_t taken, given;

	thread_counters(thread_self, &taken, &given);
	assert_int_equal(taken, model.taken);
	assert_int_equal(given, model.given);
	if (thread_self->live) {
		assert_int_equal(thread_self->allocated, taken);
		assert_int_equal(thread_self->deallocated, given);
	}
}

static struct request
any_request(void)
{
	struct request request = { .function = "mallocx",
		.size = below((size_t)8 << 2 * below(10)),
		.align = 1,
		.zero = below(3) == 0,
		.uncached = below(4) == 0 };

	if (below(3) == 0)
		request.align = (size_t)1 << below(15);
	if (below(3) == 0)
		request.arena = model.arenas[below(3)];
	if (!request.uncached && below(3) == 0)
		request.tcache = model.tcaches[below(3)];
	return request;
}

/*
 * What an option or the request fills new objects with is in each byte from
 * `from` on that the program may use.
 */
static void
check_filled(const struct request *request, const unsigned char *start,
    size_t from)
{
	bool zero = request->zero || opt.zero;
	size_t end = opt.canary ? request->size : inspect_usable(start);

	if ((zero || opt.junk_alloc) && from < end)
		assert_filled(start + from, end - from, zero ? 0 : JUNK_ALLOC);
}

/* New bytes, from `from` on, are what was asked for; fills all. */
static void
adopt(struct object *o, void *start, const struct request *request, size_t from)
{
	o->start = start;
	o->size = request->size;
	o->align = request->align;
	assert_int_equal((uintptr_t)start % request->align, 0);
	assert_true(inspect_usable(start) >= request->size);
	if (pagemap_kind(start) != KIND_GUARDED)
		assert_int_equal(inspect_usable(start),
		    request_usable(request->size, request->align));
	check_filled(request, start, from);
	o->byte = (unsigned char)below(256);
	memset(start, o->byte, o->size);
}

static void
take(struct object *o)
{
	struct request request = any_request();
	void *start = request_run(&request);

	assert_non_null(start);
	adopt(o, start, &request, 0);
	model.taken += inspect_usable(start);
}

static void
give(struct object *o)
{
	assert_filled(o->start, o->size, o->byte);
	model.given += inspect_usable(o->start);
	switch (below(4)) {
	case 0:
		release_as_asked(NULL, true, o->start);
		break;
	case 1:
		release_as_asked(model.tcaches[below(3)], false, o->start);
		break;
	case 2:
		release_sized(o->start, o->size, o->align);
		break;
	default:
		release_object(o->start);
	}
	o->start = NULL;
}

/* An object keeps its bytes up to here. One for 0 bytes may have one byte. */
static size_t
kept_size(const struct object *o)
{
	return opt.canary ? max_size(o->size, 1) : inspect_usable(o->start);
}

/* Each way counts as a free and an allocation. */
static void
resize(struct object *o)
{
	struct request request = any_request();
	size_t old = inspect_usable(o->start), from = kept_size(o);
	struct object kept = *o;

	if (request.size == 0)
		request.size = 1;
	kept.start = resize_object(o->start, &request);
	assert_non_null(kept.start);
	assert_filled(kept.start, min_size(request.size, o->size), kept.byte);
	adopt(o, kept.start, &request, from);
	model.given += old;
	model.taken += inspect_usable(o->start);
}

/* What does not change is not counted. */
static void
resize_where_it_is(struct object *o)
{
	struct request request = { .align = 1,
		.size = 1 + below(2 * o->size + 100000),
		.zero = below(2) == 0 };
	size_t old = inspect_usable(o->start), from = kept_size(o);
	size_t now = resize_in_place(o->start, &request);

	assert_int_equal(now, inspect_usable(o->start));
	assert_filled(o->start, min_size(min_size(now, request.size), o->size),
	    o->byte);
	if (now == old)
		return;
	assert_int_equal(now, request_usable(request.size, 1));
	adopt(o, o->start, &request, from);
	model.given += old;
	model.taken += now;
}

static void
step(void)
{
	struct object *o = &objects[below(NOBJECTS)];

	errno = 4711;
	if (o->start == NULL)
		take(o);
	else if (below(3) != 0)
		give(o);
	else if (below(2) != 0)
		resize(o);
	else
		resize_where_it_is(o);
	assert_int_equal(errno, 4711);
	check_counters();
}

static void
model_begin(uint64_t seed)
{
	unsigned id;

	assert_non_null(boot_thread());
	model.seed = seed;
	model.arenas[0] = thread_self->tcache.arena;
	for (unsigned i = 1; i < 3; i++)
		if (model.arenas[i] == NULL)
			model.arenas[i] = arena_table_create(NULL, false);
	for (unsigned i = 0; i < 3; i++)
		if (model.tcaches[i] == NULL) {
			assert_true(tcache_table_create(model.arenas[i], &id));
			model.tcaches[i] = tcache_table_get(id);
		}
	thread_counters(thread_self, &model.taken, &model.given);
}

static void
model_end(void)
{
	for (unsigned i = 0; i < NOBJECTS; i++)
		if (objects[i].start != NULL)
			give(&objects[i]);
	check_counters();
}

static void
each_way_keeps_contents_and_counts_exactly(void **state)
{
	unsigned steps = under_valgrind() ? 500 : 3000;

	(void)state;
	model_begin(1);
	for (unsigned i = 0; i < steps; i++)
		step();
	/* From now on both counters are kept with each call. */
	thread_go_live(thread_self);
	for (unsigned i = 0; i < steps; i++)
		step();
	model_end();
}

/* --- while settings change ------------------------------------------------ */

int mallctl(const char *name, void *old, size_t *old_size, void *value,
    size_t size);

/* Some of these are not to be had in all modes. */
static void
set_bool(const char *name)
{
	bool on = below(2) == 0;

	mallctl(name, NULL, NULL, &on, sizeof(on));
}

static void
set_size(const char *name, size_t value)
{
	mallctl(name, NULL, NULL, &value, sizeof(value));
}

static void
set_unsigned(const char *name, size_t value)
{
	unsigned number = (unsigned)value;

	mallctl(name, NULL, NULL, &number, sizeof(number));
}

static void
change_cache(void)
{
	static const char *const depths[] = { "8-1024:10", "2048-65536:0",
		"8-262144:-1", "16-64:100|65536-262144:3" };
	const char *text = depths[below(ARRAY_LEN(depths))];

	switch (below(6)) {
	case 0:
		set_bool("thread.tcache.enabled");
		break;
	case 1:
		mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
		break;
	case 2:
		set_size("thread.tcache.max", (size_t)1 << (4 + below(20)));
		break;
	case 3:
		mallctl("thread.tcache.ncached_max.write", NULL, NULL, &text,
		    sizeof(text));
		break;
	case 4:
		set_unsigned("tcache.flush", below(3));
		break;
	default:
		set_unsigned("thread.arena", model.arenas[below(3)]->index);
	}
}

static void
change_others(void)
{
	switch (below(7)) {
	case 0:
		set_bool("prof.active");
		break;
	case 1:
		set_bool("thread.prof.active");
		break;
	case 2:
		set_size("prof.reset", 8 + below(14));
		break;
	case 3:
		set_unsigned("experimental.x.guard.sample", below(30));
		break;
	case 4:
		set_size("arena.0.oversize_threshold",
		    below(2) == 0 ? 0 : (size_t)1 << (15 + below(8)));
		break;
	case 5:
		mallctl("arena.0.purge", NULL, NULL, NULL, 0);
		break;
	default:
		set_size("arena.0.dirty_decay_ms", below(2) * 10000);
	}
}

/* Each object of a batch is as if a call of its own had asked for it. */
static void
take_batch(void)
{
	struct request request = any_request();
	void *batch[100];
	size_t count = below(request.size < 10000 ? 100 : 5);
	struct object o;

	assert_int_equal(batch_run(&request, batch, count), count);
	for (size_t i = 0; i < count; i++) {
		adopt(&o, batch[i], &request, 0);
		batch[i] = o.start;
		model.taken += inspect_usable(o.start);
	}
	check_counters();
	for (size_t i = 0; i < count; i++) {
		model.given += inspect_usable(batch[i]);
		release_object(batch[i]);
	}
	check_counters();
}

static unsigned
cached_in(const struct tcache *tcache)
{
	unsigned sum = 0;

	for (unsigned bin = 0; bin < CACHE_BINS; bin++)
		sum += tcache_count(tcache, bin);
	return sum;
}

/* Whatever was written, and what can be read says so. */
static void
nothing_is_cached(void)
{
	bool on = true;
	size_t size = sizeof(on);

	assert_int_equal(cached_in(&thread_self->tcache), 0);
	for (unsigned i = 0; i < ARRAY_LEN(model.tcaches); i++)
		assert_int_equal(cached_in(model.tcaches[i]), 0);
	assert_int_equal(mallctl("thread.tcache.enabled", &on, &size, NULL, 0),
	    0);
	assert_false(on);
}

static void
the_same_while_settings_change(void **state)
{
	unsigned steps = under_valgrind() ? 300 : 1500;

	(void)state;
	model_begin(5);
	for (unsigned i = 0; i < steps; i++) {
		step();
		if (i % 3 == 0)
			change_cache();
		else if (i % 3 == 1)
			change_others();
		if (i % 8 == 0)
			take_batch();
		check_counters();
		if (options_fill())
			nothing_is_cached();
	}
	model_end();
}

/* --- failures ------------------------------------------------------------- */

static void
impossible_sizes_are_refused_without_effect(void **state)
{
	/* clang-format off */
	static const struct { size_t size, align; } cases[] = {
		{ SIZE_MAX, 1 }, { SIZE_MAX - 7, 1 }, { PTRDIFF_MAX, 1 },
		{ LARGE_MAXCLASS + 1, 1 }, { 1, (size_t)1 << (WORD_BITS - 1) },
		{ LARGE_MAXCLASS - UNIT, 2 * UNIT },
		/* With 32 bits there may be an address for these. */
		{ LARGE_MAXCLASS, 1 }, { 1, (size_t)1 << (WORD_BITS - 2) },
	};
	/* clang-format on */
	unsigned ncases = ARRAY_LEN(cases) - (WORD_BITS == 64 ? 0 : 2);

	(void)state;
	model_begin(2);
	for (unsigned i = 0; i < 2 * ncases; i++) {
		struct request request = { .function = "mallocx",
			.size = cases[i / 2].size,
			.align = cases[i / 2].align,
			.keep_errno = i % 2 != 0 };

		errno = 4711;
		assert_null(request_run(&request));
		assert_int_equal(errno, i % 2 != 0 ? 4711 : ENOMEM);
	}
	check_counters();
}

/*
 * Pages end with the first request for them, or only that one fails; with `at`
 * the caches are not empty, so that the failure meets requests of all kinds.
 */
static void
run_out(unsigned at)
{
	struct request request = any_request();
	void *start;

	fault_set(&no_pages, 1 + at % 3, at % 2 == 0);
	errno = 4711;
	start = request_run(&request);
	if (start == NULL) {
		assert_true(no_pages.and_later);
		assert_int_equal(errno, ENOMEM);
	} else {
		assert_int_equal(errno, 4711);
		model.taken += inspect_usable(start);
	}
	fault_set(&no_pages, 0, false);
	check_counters();
	if (start == NULL)
		return;
	model.given += inspect_usable(start);
	release_object(start);
	check_counters();
}

static void
a_request_that_fails_changes_nothing(void **state)
{
	(void)state;
	model_begin(3);
	for (unsigned i = 0; i < 150; i++) {
		step();
		run_out(i);
		step();
	}
	model_end();
}

static void
without_memory_the_cache_is_emptied(void **state)
{
	struct request request = {
		.size = 100, .align = 1, .function = "mallocx"
	};
	void *object[50];

	(void)state;
	model_begin(4);
	/* A sample is tried first; and not all modes have caches (junk). */
	if (tcache_rare(&thread_self->tcache) != 0 || opt.checked ||
	    !thread_self->tcache.enabled)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(object); i++)
		object[i] = request_run(&request);
	for (unsigned i = 0; i < ARRAY_LEN(object); i++)
		release_object(object[i]);
	assert_true(cached_in(&thread_self->tcache) > 0);
	request.size = 30 * UNIT;
	fault_set(&no_pages, 1, false);
	object[0] = request_run(&request);
	assert_true(no_pages.calls >= 2);
	fault_set(&no_pages, 0, false);
	assert_non_null(object[0]);
	assert_int_equal(cached_in(&thread_self->tcache), 0);
	release_object(object[0]);
}

/* A refusal while so much lacks; returns how much was given back for it. */
static size_t
given_back(bool too_large, size_t lack, bool *served)
{
	struct request request = {
		.size = 30 * UNIT, .align = 1, .function = "mallocx"
	};
	size_t before = arena_table_space().mapped;
	void *object;

	room.said = true;
	room.too_large = too_large;
	room.lack = lack;
	fault_set(&no_pages, 1, false);
	object = request_run(&request);
	fault_set(&no_pages, 0, false);
	room.said = false;
	*served = object != NULL;
	before -= arena_table_space().mapped;
	if (object != NULL)
		release_object(object);
	return before;
}

static void
only_what_helps_is_given_back(void **state)
{
	struct request request = {
		.size = (size_t)40 << 20, .align = 1, .function = "mallocx"
	};
	size_t most, gone, lack = (size_t)6 << 20;
	bool served;

	(void)state;
	/* There something else may serve it. */
	if (opt.quarantine != 0 || opt.guard_sample != 0 || opt.prof ||
	    tcache_rare(&thread_self->tcache) != 0 || opt.checked)
		return;
	release_object(request_run(&request));
	most = arena_table_space().spare;
	assert_true(most >= request.size);

	room.asked = 0;
	assert_int_equal(given_back(true, 0, &served), 0);
	assert_false(served);
	assert_int_equal(room.asked, 0);
	assert_int_equal(given_back(false, SIZE_MAX, &served), 0);
	assert_false(served);
	assert_int_equal(given_back(false, 2 * most, &served), 0);
	assert_false(served);
	assert_int_equal(room.asked, 2);
	gone = given_back(false, lack, &served);
	assert_true(served && gone >= lack && gone <= 3 * lack);
	/* All may go back; how much of it is mapped anew, differs. */
	given_back(false, 0, &served);
	assert_true(served);
}

static bool
is_in_memory(void *page)
{
	unsigned char there = 0;

	assert_int_equal(mincore(page, system_info.page_size, &there), 0);
	return (there & 1) != 0;
}

/*
 * A large object takes no memory until the program uses it: a write by us would
 * take up to 2 MiB, where the kernel gives huge pages to all.
 */
static void
an_untouched_large_object_is_not_in_memory(void **state)
{
	struct request request = { .size = (size_t)64 << 20, .align = 1 };
	unsigned char *object;

	(void)state;
	if (opt.junk_alloc || opt.checked)
		return;
	/*
	 * The kernel may make a huge page of free pages and their neighbours at
	 * any time; here it shall not. What we write is in memory all the same.
	 */
	(void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	/* An object may get pages that were used, and are in memory. */
	arena_table_purge();
	object = request_run(&request);
	assert_non_null(object);
	assert_false(is_in_memory(object));
	/* Nor if it has to be zeroed: the kernel does this. */
	memset(object, 1, system_info.page_size);
	release_object(object);
	request.zero = true;
	object = request_run(&request);
	assert_non_null(object);
	assert_false(is_in_memory(object));
	assert_int_equal(object[0], 0);
	release_object(object);
	(void)prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
}

int
main(int argc, char **argv)
{
	static const char *const modes[] = { "", "junk:false", "tcache:false",
		"canary:true", "safety:full", "zero_free:true",
		"quarantine:65536", "guard_sample:20",
		"disable_large_size_classes:false,canary:true",
		"prof:true,lg_prof_sample:13", "prof:true,lg_prof_sample:0",
		"guard_large:true,prof:true,lg_prof_sample:16", "hpa:true",
		"junk:true", "zero:true", "junk:true,safety:full",
		"junk:alloc,hpa:true,guard_sample:20" };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usable_sizes_are_the_smallest_that_serve),
		cmocka_unit_test(the_same_while_settings_change),
		cmocka_unit_test(each_way_keeps_contents_and_counts_exactly),
		/* Now with the thread's counters kept live. */
		cmocka_unit_test(the_same_while_settings_change),
		cmocka_unit_test(impossible_sizes_are_refused_without_effect),
		cmocka_unit_test(a_request_that_fails_changes_nothing),
		cmocka_unit_test(without_memory_the_cache_is_emptied),
		cmocka_unit_test(only_what_helps_is_given_back),
		cmocka_unit_test(an_untouched_large_object_is_not_in_memory),
	};

	if (argc == 1)
		return modes_run(argv[0], modes, ARRAY_LEN(modes));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
