/*
 * What a walk makes of objects and pages that change while it passes: for each
 * moment of a change, a record that looks as it does then.
 */
#include "heap/walk.h"

#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/exchange.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/system.h"

#define KEY  ((uintptr_t)UINT64_C(0x1234567887654321))
#define SIZE ((size_t)20 * UNIT)

static struct arena *arena;

struct found {
	unsigned n;
	struct walk_region last;
};

static int
note(void *context, const struct walk_region *region)
{
	struct found *found = context;

	found->n++;
	found->last = *region;
	return 0;
}

/*
 * What a walk through these pages reports: all, or objects of the class that
 * requests of `wanted` bytes get.
 */
static struct found
walk_for(size_t wanted, uintptr_t start, size_t size)
{
	struct found found = { .n = 0 };
	struct walk walk = { .version = WALK_VERSION,
		.flags = WALK_LIVE | WALK_CACHED | WALK_EXTENTS,
		.lo = start,
		.hi = start + size,
		.size = wanted,
		.arena = WALK_ALL_ARENAS,
		.report = note,
		.context = &found };
	uint64_t visited = 0;

	assert_int_equal(walk_run(&walk, &visited), WALK_DONE);
	assert_int_equal(visited, found.n);
	return found;
}

static struct found
walk_through(uintptr_t start, size_t size)
{
	return walk_for(0, start, size);
}

static void
assert_state(struct extent *e, uint32_t state)
{
	uintptr_t start = (uintptr_t)e->addr;
	struct found found = walk_through(start, e->size);
	struct walk_region region;

	assert_int_equal(found.n, state != 0);
	if (state != 0)
		assert_int_equal(found.last.state, state);
	assert_int_equal(walk_look(start + UNIT + 5, &region), WALK_DONE);
	assert_int_equal(region.state, state);
	if (state != 0)
		assert_int_equal(region.addr, found.last.addr);
}

static struct extent *
take(void)
{
	struct large_request request = { .usable = SIZE,
		.align = system_info.page_size };
	struct extent *e = large_take(&arena->large, &arena->pages, &request);

	assert_non_null(e);
	assert_state(e, WALK_LIVE);
	return e;
}

static void
give(struct extent *e)
{
	assert_state(e, WALK_LIVE);
	large_give(&arena->large, &arena->pages, e);
}

static void
an_object_that_is_just_given_back_is_none(void **state)
{
	struct extent *e = take();
	size_t usable = e->usable;
	char *object = e->object;

	(void)state;
	e->usable = 0;
	assert_state(e, 0);
	e->usable = usable;
	/* Its record is already that of another object. */
	e->object = object + 100 * UNIT;
	assert_state(e, 0);
	e->object = object;
	give(e);
}

/* As long as addresses lead to it, it may be in use by who changes it. */
static void
pages_on_their_way_are_no_object(void **state)
{
	struct extent *e = take();

	(void)state;
	extent_set_place(e, EXTENT_DIRTY, arena->index);
	assert_int_equal(walk_through((uintptr_t)e->addr, e->size).n, 0);
	extent_set_place(e, EXTENT_ACTIVE, arena->index);
	give(e);
}

static void
free_pages_are_reported_once_from_their_start(void **state)
{
	struct extent *e = take(), *behind = take();
	uintptr_t start = (uintptr_t)e->addr;
	size_t size = e->size;
	struct walk_region region;
	struct found found;

	(void)state;
	give(e);
	found = walk_through(start, size);
	assert_int_equal(found.n, 1);
	assert_int_equal(found.last.state, WALK_EXTENTS);
	assert_int_equal(found.last.addr, start);
	assert_int_equal(walk_look(start, &region), WALK_DONE);
	assert_int_equal(region.state, WALK_EXTENTS);
	give(behind);
}

/*
 * With its canary, an object of nearly SMALL_MAX bytes is a large one. It is so
 * even if a guard takes the place of the canary.
 */
static void
a_size_stands_for_the_class_of_its_objects(void **state)
{
	struct large_request request = { .usable = LARGE_MIN,
		.asked = SMALL_MAX - 1,
		.align = system_info.page_size };
	struct extent *e = large_take(&arena->large, &arena->pages, &request);
	uintptr_t start = (uintptr_t)e->addr;

	(void)state;
	assert_int_equal(walk_for(SMALL_MAX - 1, start, e->size).n, 0);
	opt_at_start.canary = true;
	assert_int_equal(walk_for(SMALL_MAX - 1, start, e->size).n, 1);
	opt_at_start.guard_large = true;
	assert_int_equal(walk_for(SMALL_MAX - 1, start, e->size).n, 1);
	assert_int_equal(walk_for(LARGE_MIN, start, e->size).n, 1);
	assert_int_equal(walk_for(LARGE_MIN + 1, start, e->size).n, 0);
	assert_int_equal(walk_for(LARGE_MAXCLASS + 1, start, e->size).n, 0);
	assert_int_equal(walk_for(SIZE_MAX, start, e->size).n, 0);
	opt_at_start.canary = opt_at_start.guard_large = false;
	large_give(&arena->large, &arena->pages, e);
}

/* Somebody frees a slab that is told, and takes a part of its pages. */
static struct {
	struct extent *slab, large;
	uintptr_t last;
	unsigned n;
} change;

static int
note_and_change(void *context, const struct walk_region *region)
{
	(void)context;
	assert_true(region->addr > change.last);
	change.last = region->addr;
	if (++change.n != 1)
		return 0;
	change.large = (struct extent){ .addr = change.slab->addr + UNIT,
		.object = change.slab->addr + UNIT,
		.size = UNIT,
		.usable = UNIT };
	extent_set_place(&change.large, EXTENT_ACTIVE, arena->index);
	pagemap_set_all(&change.large, KIND_LARGE);
	return 0;
}

static void
addresses_rise_whatever_others_do(void **state)
{
	unsigned bin = 0;
	struct walk walk = { .version = WALK_VERSION,
		.flags = WALK_LIVE | WALK_FREE,
		.arena = WALK_ALL_ARENAS,
		.report = note_and_change };
	uint64_t visited = 0;
	void *object;

	(void)state;
	while (size_class_tables.slab[bin].slab_size < 3 * UNIT)
		bin++;
	object = exchange_take_one(arena, bin);
	change.slab = pagemap_find(object);
	walk.lo = (uintptr_t)change.slab->addr;
	walk.hi = walk.lo + change.slab->size;
	assert_int_equal(walk_run(&walk, &visited), WALK_DONE);
	assert_int_equal(visited, size_class_tables.slab[bin].nregions);
	pagemap_set_all(change.slab, kind_of_bin(bin));
	exchange_give_one(bin, object);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_that_is_just_given_back_is_none),
		cmocka_unit_test(pages_on_their_way_are_no_object),
		cmocka_unit_test(free_pages_are_reported_once_from_their_start),
		cmocka_unit_test(a_size_stands_for_the_class_of_its_objects),
		cmocka_unit_test(addresses_rise_whatever_others_do),
	};

	system_init();
	metadata_init();
	extent_records_init();
	options_init(&opt_at_start);
	size_class_init(system_info.page_size, NULL);
	thread_init(KEY);
	if (!arena_table_init(1, 0))
		return 1;
	arena = arena_table_owner(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
