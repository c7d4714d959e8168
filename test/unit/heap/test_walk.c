/*
 * What a walk makes of objects and pages that change while it passes: for each
 * moment of a change, a record that looks as it does then.
 */
#include "heap/walk.h"

#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/system.h"

#define KEY	UINT64_C(0x1234567887654321)
#define SIZE	((size_t)20 * UNIT)

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

/* What a walk through these pages reports. */
static struct found
walk_through(uintptr_t start, size_t size)
{
	struct found found = { .n = 0 };
	struct walk walk = { .version = WALK_VERSION,
		.flags = WALK_LIVE | WALK_CACHED | WALK_EXTENTS,
		.lo = start, .hi = start + size, .arena = WALK_ALL_ARENAS,
		.report = note, .context = &found };
	uint64_t visited = 0;

	assert_int_equal(walk_run(&walk, &visited), WALK_DONE);
	assert_int_equal(visited, found.n);
	return found;
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_that_is_just_given_back_is_none),
		cmocka_unit_test(pages_on_their_way_are_no_object),
		cmocka_unit_test(free_pages_are_reported_once_from_their_start),
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
