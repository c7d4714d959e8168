#include "arena/large.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../larger_pages.h"
#include "../unit.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/pages.h"
#include "os/probe.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "pages/guards.h"
#include "pages/page_source.h"

/* --- what lies below, which can be made to refuse -------------------- */

static struct fault takes, extends, trims, moves, allows, forbids;

struct extent *__real_page_source_take(struct page_source *source, size_t size,
    size_t align);
bool __real_page_source_extend(struct page_source *source, struct extent *e,
    size_t size, bool *zeroed);
bool __real_page_source_trim(struct page_source *source, struct extent *e,
    size_t size);
bool __real_pages_move(void *from, void *to, size_t size);
bool __real_pages_allow(void *addr, size_t size);
bool __real_pages_forbid(void *addr, size_t size);

struct extent *__wrap_page_source_take(struct page_source *source, size_t size,
    size_t align);
bool __wrap_page_source_extend(struct page_source *source, struct extent *e,
    size_t size, bool *zeroed);
bool __wrap_page_source_trim(struct page_source *source, struct extent *e,
    size_t size);
bool __wrap_pages_move(void *from, void *to, size_t size);
bool __wrap_pages_allow(void *addr, size_t size);
bool __wrap_pages_forbid(void *addr, size_t size);

struct extent *
__wrap_page_source_take(struct page_source *source, size_t size, size_t align)
{
	return fault_hits(&takes)
	    ? NULL
	    : __real_page_source_take(source, size, align);
}

bool
__wrap_page_source_extend(struct page_source *source, struct extent *e,
    size_t size, bool *zeroed)
{
	return !fault_hits(&extends) &&
	    __real_page_source_extend(source, e, size, zeroed);
}

bool
__wrap_page_source_trim(struct page_source *source, struct extent *e,
    size_t size)
{
	return !fault_hits(&trims) && __real_page_source_trim(source, e, size);
}

bool
__wrap_pages_move(void *from, void *to, size_t size)
{
	return !fault_hits(&moves) && __real_pages_move(from, to, size);
}

bool
__wrap_pages_allow(void *addr, size_t size)
{
	return !fault_hits(&allows) && __real_pages_allow(addr, size);
}

bool
__wrap_pages_forbid(void *addr, size_t size)
{
	return !fault_hits(&forbids) && __real_pages_forbid(addr, size);
}

/* --- a side of an arena, and a model of what it holds ------------------ */

#define OBJECTS_MAX 40

struct object {
	struct extent *e;
	size_t usable;
	size_t size; /* with its room */
	uint64_t tag;
};

struct side {
	struct page_source pages;
	struct large large;
	struct object object[OBJECTS_MAX];
	unsigned n;
	bool no_room;
	uint64_t nmalloc[LARGE_CLASSES_MAX];
	uint64_t ndalloc[LARGE_CLASSES_MAX];
	uint64_t seed;
};

static struct side side;

void *__wrap_pages_map(size_t size, size_t align);

void *
__wrap_pages_map(size_t size, size_t align)
{
	return map_larger_pages(size, align);
}

static int
start(void **state)
{
	static unsigned index;

	(void)state;
	memset(&side, 0, sizeof(side));
	page_source_init(&side.pages, index++,
	    &(struct page_source_config){ .dirty_decay_ms = -1,
		.muzzy_decay_ms = -1,
		.retain = true,
		.lg_max_active_fit = 6 });
	large_init(&side.large);
	return 0;
}

static size_t
page_round(size_t size)
{
	return round_up(size, system_info.page_size);
}

static void
check(void)
{
	size_t allocated = 0, active = 0;

	for (unsigned i = 0; i < side.n; i++) {
		struct extent *e = side.object[i].e;

		assert_int_equal(e->usable, side.object[i].usable);
		assert_int_equal(e->size, page_round(side.object[i].size));
		assert_ptr_equal(pagemap_find(e->object), e);
		assert_int_equal(pagemap_kind(e->object), e->kind);
		allocated += e->usable;
		active += e->size;
	}
	assert_int_equal(side.large.allocated, allocated);
	assert_int_equal(side.pages.active, active);
	for (unsigned i = 0; i < LARGE_CLASSES_MAX; i++) {
		assert_int_equal(side.large.classes[i].nmalloc,
		    side.nmalloc[i]);
		assert_int_equal(side.large.classes[i].ndalloc,
		    side.ndalloc[i]);
	}
	page_source_check(&side.pages);
}

static void
mark(struct object *object)
{
	for (size_t i = 0; i < object->usable; i += UNIT / 2)
		*(uint64_t *)(void *)(object->e->object + i) = object->tag + i;
}

static void
check_marks(const struct object *object, size_t usable)
{
	for (size_t i = 0; i < usable; i += UNIT / 2)
		assert_int_equal(*(uint64_t *)(void *)(object->e->object + i),
		    object->tag + i);
}

static void
assert_zero(const char *p, size_t size)
{
	for (size_t i = 0; i < size; i += 8)
		if (*(const uint64_t *)(const void *)(p + i) != 0)
			fail_msg("byte %zu of %zu is not zero", i, size);
}

static struct object *
take(const struct large_request *request)
{
	struct object *object = &side.object[side.n];
	struct extent *e = large_take(&side.large, &side.pages, request);

	if (e == NULL)
		return NULL;
	assert_int_equal((uintptr_t)e->object % max_size(request->align, UNIT),
	    0);
	if (request->zero)
		assert_zero(e->object, request->usable);
	assert_int_equal(e->kind,
	    request->cached && request->usable <= CACHED_MAX &&
		    (side.no_room || request->room == 0)
		? kind_of_bin(cache_bin_of_large(request->usable))
		: KIND_LARGE);
	/* Room is there, or the kernel or a limit refuses that much. */
	*object = (struct object){ e, request->usable,
		side.no_room ? request->usable
			     : page_round(request->usable) + request->room,
		random_next(&side.seed) };
	side.n++;
	side.nmalloc[large_class_of(request->usable)]++;
	mark(object);
	return object;
}

static void
forget(unsigned i)
{
	side.ndalloc[large_class_of(side.object[i].usable)]++;
	side.object[i] = side.object[--side.n];
}

static void
give(unsigned i)
{
	struct extent *e = side.object[i].e;

	check_marks(&side.object[i], side.object[i].usable);
	forget(i);
	large_give(&side.large, &side.pages, e);
}

static int
end(void **state)
{
	struct fault *all[] = { &takes, &extends, &trims, &moves, &allows,
		&forbids };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		fault_set(all[i], 0, false);
	while (side.n > 0)
		give(side.n - 1);
	check();
	ageing_release(&side.pages);
	assert_int_equal(side.pages.mapped, 0);
	return 0;
}

static bool
resize(struct object *object, const struct large_request *request)
{
	size_t old = object->usable;

	if (!large_resize(&side.large, &side.pages, object->e, request)) {
		check_marks(object, old);
		return false;
	}
	check_marks(object, min_size(old, request->usable));
	if (request->zero && request->usable > old)
		assert_zero(object->e->object + old, request->usable - old);
	side.ndalloc[large_class_of(old)]++;
	side.nmalloc[large_class_of(request->usable)]++;
	object->usable = request->usable;
	/* The room stays with it, until it shrinks. */
	if (request->usable > object->size || request->usable < old)
		object->size = request->usable;
	mark(object);
	return true;
}

static struct large_request
random_request(void)
{
	static const size_t most[] = { 8, 60, 200, 600 };
	size_t units = 4 +
	    random_below(&side.seed, most[random_below(&side.seed, 4)]);

	return (struct large_request){ .usable = units * UNIT,
		.align = (size_t)1 << random_below(&side.seed, 16),
		.room = random_below(&side.seed, 3) * (units / 4) * UNIT,
		.zero = random_below(&side.seed, 2) != 0,
		.cached = random_below(&side.seed, 2) != 0 };
}

/* --- tests --------------------------------------------------------------- */

static void
run_random(void)
{
	static const size_t thresholds[] = { 0, 100 * UNIT, SIZE_MAX };
	unsigned nresized = 0;

	side.seed = 1;
	for (unsigned step = 0; step < 4000; step++) {
		struct large_request request = random_request();
		unsigned op = (unsigned)random_below(&side.seed, 10);
		unsigned i = side.n == 0
		    ? 0
		    : (unsigned)random_below(&side.seed, side.n);

		opt_at_start.calloc_madvise_threshold =
		    thresholds[random_below(&side.seed, ARRAY_LEN(thresholds))];
		if (side.n == 0 || (op < 4 && side.n < OBJECTS_MAX))
			assert_non_null(take(&request));
		else if (op < 7)
			give(i);
		else
			nresized += resize(&side.object[i], &request);
		check();
	}
	assert_true(nresized > 100);
}

static void
random_objects_keep_contents_and_counts(void **state)
{
	(void)state;
	run_random();
}

static void
no_old_byte_shows_between_the_old_end_and_added_pages(void **state)
{
	struct large_request request = { .usable = 8 * UNIT, .align = 1 };
	struct object *object;

	(void)state;
	object = take(&request);
	memset(object->e->object, 0xff, object->usable);
	mark(object);
	request.usable = 5 * UNIT;
	assert_true(resize(object, &request));
	request.usable = 10 * UNIT;
	request.zero = true;
	assert_true(resize(object, &request));
}

static void
zeroed_objects_are_zero_though_their_pages_were_used(void **state)
{
	struct large_request request = { .usable = 20 * UNIT, .align = 1 };
	char *addr;

	(void)state;
	addr = take(&request)->e->object;
	memset(addr, 0xff, request.usable);
	mark(&side.object[0]);
	give(0);
	request.zero = true;
	assert_ptr_equal(take(&request)->e->object, addr);
}

static unsigned
in_memory(char *addr, size_t size)
{
	size_t page = system_info.page_size;
	unsigned char there;
	unsigned n = 0;

	for (size_t at = 0; at < size; at += page) {
		assert_int_equal(mincore(addr + at, page, &there), 0);
		n += there & 1;
	}
	return n;
}

/* Takes it there, and nobody reads it: does it need no memory? Gives it. */
static bool
large_take_unread(const struct large_request *request, char *there)
{
	struct extent *e = large_take(&side.large, &side.pages, request);
	unsigned n;

	assert_non_null(e);
	assert_ptr_equal(e->object, there);
	n = in_memory(e->object, request->usable);
	assert_zero(e->object, request->usable);
	large_give(&side.large, &side.pages, e);
	side.nmalloc[large_class_of(request->usable)]++;
	side.ndalloc[large_class_of(request->usable)]++;
	return n == 0;
}

static void
zeroed_objects_need_no_memory_if_they_are_large(void **state)
{
	struct large_request request = { .usable = 64 * UNIT, .align = 1 };
	char *object;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		request.zero = false;
		object = take(&request)->e->object;
		memset(object, 0xff, request.usable);
		mark(&side.object[0]);
		give(0);
		opt_at_start.calloc_madvise_threshold = request.usable + i - 1;
		request.zero = true;
		assert_int_equal(large_take_unread(&request, object), i < 2);
	}
	opt_at_start.calloc_madvise_threshold = SIZE_MAX;
}

static void
refusals_leave_everything_as_it_was(void **state)
{
	struct large_request small = { .usable = 8 * UNIT, .align = 1 };
	struct large_request large = { .usable = 300 * UNIT, .align = 1 };
	struct object *object;

	(void)state;
	fault_set(&takes, 1, true);
	assert_null(take(&small));
	check();
	fault_set(&takes, 0, false);
	object = take(&small);
	fault_set(&extends, 1, true);
	assert_false(resize(object, &large));
	check();
	fault_set(&extends, 0, false);
	assert_true(resize(object, &large));
	fault_set(&trims, 1, true);
	assert_false(resize(object, &small));
	check();
	fault_set(&trims, 0, false);
	assert_true(resize(object, &small));
	check();
	large.usable = SIZE_MAX / UNIT / 8 * 7 * UNIT;
	assert_null(take(&large));
	assert_false(resize(object, &large));
	check();
}

/* Room is worth having, but no reason to fail. */
static void
an_object_goes_without_room_if_there_is_none(void **state)
{
	struct large_request request = {
		.usable = 8 * UNIT, .align = 1, .room = 2 * UNIT
	};

	(void)state;
	fault_set(&takes, 1, false);
	side.no_room = true;
	assert_non_null(take(&request));
	side.no_room = false;
	check();
	assert_int_equal(takes.calls, 2);
}

static void
what_grows_into_its_room_needs_no_pages(void **state)
{
	struct large_request request = {
		.usable = 8 * UNIT, .align = 1, .room = 2 * page_round(UNIT)
	};
	struct object *object = take(&request);

	(void)state;
	fault_set(&extends, 1, true);
	request.usable = page_round(8 * UNIT) + request.room;
	assert_true(resize(object, &request));
	check();
	assert_int_equal(extends.calls, 0);
	/* What shrinks keeps none. */
	request.usable = 5 * UNIT;
	assert_true(resize(object, &request));
	check();
}

static void
an_object_that_shrinks_or_grows_changes_its_kind(void **state)
{
	struct large_request request = {
		.usable = CACHED_MAX, .align = 1, .cached = true
	};
	struct object *object = take(&request);

	(void)state;
	request.usable = CACHED_MAX + UNIT;
	assert_true(resize(object, &request));
	assert_int_equal(pagemap_kind(object->e->object), KIND_LARGE);
	request.usable = LARGE_MIN;
	assert_true(resize(object, &request));
	assert_int_equal(bin_of_kind(pagemap_kind(object->e->object)),
	    SMALL_CLASSES);
	check();
}

static void
move(size_t from_units, size_t to_units, size_t room)
{
	struct large_request request = {
		.usable = from_units * UNIT, .align = 1, .room = room * UNIT
	};
	struct object *from, *to, was;
	struct extent *again;
	size_t rest;
	char *old;

	/* Where moved ones lie beside each other the kernel may refuse. */
	ageing_release(&side.pages);
	from = take(&request);
	memset(from->e->object + from->usable, 0xff, from->size - from->usable);
	was = *from;
	old = from->e->addr;

	request.usable = to_units * UNIT;
	to = take(&request);
	rest = from->size - page_round(min_size(from_units, to_units) * UNIT);
	assert_true(large_move(&side.large, &side.pages, from->e, to->e));
	/* What was not moved is in memory, the rest is not. */
	assert_int_equal(pools_of(&side.pages, EXTENT_DIRTY)->size,
	    trims.at != 0 ? was.size : rest);
	to->tag = was.tag;
	check_marks(to, min_size(was.usable, to->usable));
	mark(to);
	forget(0);
	check();
	/* What was moved from is there to be used again. */
	again = page_source_take(&side.pages, page_round(was.usable),
	    system_info.page_size);
	assert_non_null(again);
	pagemap_set_ends(again, KIND_LARGE);
	if (again->addr == old && again->zeroed)
		assert_zero(old, was.usable);
	memset(again->addr, 1, again->size);
	page_source_give(&side.pages, again);
	check_marks(&side.object[0], side.object[0].usable);
	give(0);
}

static void
pages_move_to_larger_and_smaller_objects(void **state)
{
	(void)state;
	for (size_t room = 0; room <= 256; room += 128) {
		move(256, 512, room);
		move(512, 256, room);
		move(300, 300, room);
		move(4, 1000, room);
	}
	/* There is no record for the room: it goes back with the rest. */
	fault_set(&trims, 1, true);
	move(300, 300, 16);
}

static void
a_move_that_fails_gives_nothing_back(void **state)
{
	struct large_request request = { .usable = 64 * UNIT, .align = 1 };
	struct object *from = take(&request), *to = take(&request);

	(void)state;
	fault_set(&moves, 1, true);
	assert_false(large_move(&side.large, &side.pages, from->e, to->e));
	check_marks(from, from->usable);
	check_marks(to, to->usable);
	check();
	/* Pages can't be moved if the object starts inside of one. */
	fault_set(&moves, 0, false);
	from->e->object += 64;
	assert_false(large_move(&side.large, &side.pages, from->e, to->e));
	from->e->object -= 64;
	check();
}

/* --- guards ------------------------------------------------------------- */

static void
check_guards(const struct object *object, bool behind)
{
	uintptr_t start = (uintptr_t)object->e->object;
	uintptr_t end = start + object->usable;

	assert_false(probe_readable(start - 1, start));
	assert_true(probe_readable(start, end));
	assert_int_equal(probe_readable(end, end + 1), !behind);
}

/* The object grows with its guards as far as there is room behind it. */
static struct object *
grow(size_t from, size_t to, bool grows)
{
	struct object *object = take(&(struct large_request){
	    .usable = from * UNIT, .align = 1 });
	char *start = object->e->object;

	mark(object);
	check_guards(object, true);
	assert_int_equal(large_resize(&side.large, &side.pages, object->e,
			     &(struct large_request){
				 .usable = to * UNIT, .align = 1 }),
	    grows);
	if (grows) {
		side.ndalloc[large_class_of(from * UNIT)]++;
		side.nmalloc[large_class_of(to * UNIT)]++;
		object->usable = to * UNIT;
	}
	assert_ptr_equal(object->e->object, start);
	assert_ptr_equal(large_find(start), object->e);
	check_marks(object, from * UNIT);
	mark(object);
	return object;
}

static void
guards_go_along_when_an_object_grows(void **state)
{
	struct object *object;
	uint64_t before;

	(void)state;
	opt_at_start.guard_large = true;
	object = grow(8, 12, true);
	check_guards(object, true);
	/* A guard would have to be in what is used now. */
	assert_false(large_resize(&side.large, &side.pages, object->e,
	    &(struct large_request){ .usable = 6 * UNIT, .align = 1 }));
	check_guards(object, true);
	give(0);

	/* The old guard can't be lifted: the object stays as it is. */
	before = guards_missing();
	fault_set(&allows, 1, false);
	object = grow(8, 12, false);
	check_guards(object, true);
	fault_set(&allows, 0, false);
	give(0);
	/* That guard would be inside of an object of the size it asked for. */
	object = take(&(struct large_request){
	    .usable = 12 * UNIT, .align = 1 });
	check_guards(object, true);
	give(0);
	/* Later it can grow, as far and further. */
	for (unsigned i = 0; i < 2; i++) {
		fault_set(&allows, 1, false);
		object = grow(8, 12, false);
		assert_true(resize(object,
		    &(struct large_request){
			.usable = (12 + 2 * i) * UNIT, .align = 1 }));
		check_guards(object, true);
		give(0);
	}
	assert_int_equal(guards_missing(), before);

	/* There can't be another one: it has none then, and that counts. */
	fault_set(&forbids, 3, true);
	object = grow(8, 12, true);
	check_guards(object, false);
	fault_set(&forbids, 0, false);
	assert_int_equal(guards_missing(), before + 1);
	give(0);
	opt_at_start.guard_large = false;
}

/* --- freed objects that keep their guards ------------------------------- */

static size_t
a_guarded_size(void)
{
	return (4 + random_next(&side.seed) % 6) * UNIT;
}

static void
take_one_guarded(void)
{
	struct large_request request = { .usable = a_guarded_size(),
		.align = random_next(&side.seed) % 4 == 0 ? 16 * UNIT : 1,
		.zero = random_next(&side.seed) % 4 == 0 };
	struct object *object = take(&request);
	uintptr_t end = (uintptr_t)object->e->object + object->usable;

	assert_true(probe_readable(end - object->usable, end));
	assert_false(probe_readable(end, end + 1));
	if (request.align == 1)
		assert_false(probe_readable(end - object->usable - 1,
		    end - object->usable));
}

static void
give_one_guarded(void)
{
	unsigned i = (unsigned)(random_next(&side.seed) % side.n);
	struct extent *e = side.object[i].e;
	bool sealed = random_next(&side.seed) % 2 == 0;
	uintptr_t start = (uintptr_t)e->object;

	check_marks(&side.object[i], side.object[i].usable);
	large_hide(e);
	assert_true(!sealed || guards_seal(e));
	assert_int_equal(probe_readable(start, start + 1), !sealed);
	forget(i);
	large_give(&side.large, &side.pages, e);
	assert_null(large_find((void *)start));
}

static void
check_kept(void)
{
	size_t active = 0;

	for (unsigned i = 0; i < side.n; i++)
		active += side.object[i].e->size;
	assert_int_equal(side.pages.active, active);
	page_source_check(&side.pages);
}

static void
random_guarded_objects_are_used_again_with_their_guards(void **state)
{
	struct large_request request = { .usable = 3 * UNIT, .align = 1 };

	(void)state;
	opt_at_start.guard_large = true;
	side.seed = 7;
	for (unsigned i = 0; i < 4000; i++) {
		if (side.n == 0 ||
		    (side.n < OBJECTS_MAX / 2 &&
			random_next(&side.seed) % 2 == 0))
			take_one_guarded();
		else
			give_one_guarded();
		if (i % 500 == 0)
			guards_release(&side.pages, side.pages.guards.size / 2,
			    i % 1000 == 0);
		if (i % 16 == 0)
			check_kept();
	}
	while (side.n > 0)
		give_one_guarded();

	guards_release(&side.pages, 0, false);
	assert_int_equal(side.pages.guards.count, 0);
	take(&request);
	give(0);
	/* From then on no call of the kernel is needed. */
	fault_set(&forbids, 1, true);
	fault_set(&allows, 1, true);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(take(&request)->e->guarded);
		give(0);
		assert_int_equal(side.pages.guards.count, 1);
	}
	/* What can't be lifted stays, and goes when it can. */
	guards_release(&side.pages, 0, true);
	assert_int_equal(side.pages.guards.count, 1);
	fault_set(&forbids, 0, false);
	fault_set(&allows, 0, false);
	guards_release(&side.pages, 0, true);
	assert_int_equal(side.pages.guards.count, 0);
	assert_int_equal(side.pages.guards.size, 0);
	opt_at_start.guard_large = false;
}

/*
 * The kernel refuses to open a sealed object, and when nothing may be kept any
 * more it opens it after all.
 */
static void
pages_are_not_lost_if_a_sealed_object_does_not_open(void **state)
{
	struct large_request request = { .usable = 8 * UNIT, .align = 1 };
	struct extent *e;

	(void)state;
	opt_at_start.guard_large = true;
	e = take(&request)->e;
	assert_true(guards_seal(e));
	forget(0);
	large_give(&side.large, &side.pages, e);
	fault_set(&allows, 1, true);
	ageing_set_decay(&side.pages, 0, 0, 0);
	assert_int_equal(side.pages.guards.count, 1);
	fault_set(&allows, 1, false);
	assert_non_null(take(&request));
	check_guards(&side.object[0], true);
	opt_at_start.guard_large = false;
}

/* 4 MiB and an eighth of what is in use. */
static void
no_more_than_a_part_is_kept_with_its_guards(void **state)
{
	struct large_request request = { .usable = (size_t)1 << 20,
		.align = 1 };
	size_t most = 0;

	(void)state;
	opt_at_start.guard_large = true;
	for (unsigned i = 0; i < 32; i++)
		take(&request);
	while (side.n > 0) {
		size_t kept;

		give(side.n - 1);
		kept = side.pages.guards.size;
		assert_true(kept <= ((size_t)4 << 20) + side.pages.active / 8);
		most = kept > most ? kept : most;
	}
	assert_true(most >= (size_t)6 << 20);
	assert_true(side.pages.guards.size >= (size_t)3 << 20);
	guards_release(&side.pages, 0, false);
	opt_at_start.guard_large = false;
}

static void
large_classes_count_from_the_first_above_the_small_ones(void **state)
{
	(void)state;
	assert_int_equal(large_class_of(LARGE_MIN), 0);
	assert_int_equal(large_class_of(LARGE_MIN + UNIT), 1);
	assert_int_equal(large_class_of(LARGE_MAXCLASS), LARGE_CLASSES_MAX - 1);
	for (unsigned i = 0; i < LARGE_CLASSES_MAX; i++)
		assert_int_equal(
		    large_class_of(size_class_size(SMALL_CLASSES + i)), i);
}

static void
init(void)
{
	metadata_init();
	extent_records_init();
	size_class_init(system_info.page_size, NULL);
}

static int
larger_pages_do_as_well(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    random_objects_keep_contents_and_counts, start, end),
		cmocka_unit_test_setup_teardown(
		    no_old_byte_shows_between_the_old_end_and_added_pages,
		    start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    random_objects_keep_contents_and_counts, start, end),
		cmocka_unit_test_setup_teardown(
		    zeroed_objects_need_no_memory_if_they_are_large, start,
		    end),
		cmocka_unit_test_setup_teardown(
		    zeroed_objects_are_zero_though_their_pages_were_used, start,
		    end),
		cmocka_unit_test_setup_teardown(
		    refusals_leave_everything_as_it_was, start, end),
		cmocka_unit_test_setup_teardown(
		    an_object_goes_without_room_if_there_is_none, start, end),
		cmocka_unit_test_setup_teardown(
		    what_grows_into_its_room_needs_no_pages, start, end),
		cmocka_unit_test_setup_teardown(
		    an_object_that_shrinks_or_grows_changes_its_kind, start,
		    end),
		cmocka_unit_test_setup_teardown(
		    pages_move_to_larger_and_smaller_objects, start, end),
		cmocka_unit_test_setup_teardown(
		    a_move_that_fails_gives_nothing_back, start, end),
		cmocka_unit_test_setup_teardown(
		    guards_go_along_when_an_object_grows, start, end),
		cmocka_unit_test_setup_teardown(
		    random_guarded_objects_are_used_again_with_their_guards,
		    start, end),
		cmocka_unit_test_setup_teardown(
		    pages_are_not_lost_if_a_sealed_object_does_not_open, start,
		    end),
		cmocka_unit_test_setup_teardown(
		    no_more_than_a_part_is_kept_with_its_guards, start, end),
		cmocka_unit_test(
		    large_classes_count_from_the_first_above_the_small_ones),
	};
	int failed = run_with_larger_pages(16384, init,
			 larger_pages_do_as_well) +
	    run_with_larger_pages(65536, init, larger_pages_do_as_well);

	system_init();
	init();
	return cmocka_run_group_tests(tests, NULL, NULL) + failed;
}
