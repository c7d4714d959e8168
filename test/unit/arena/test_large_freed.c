#include "arena/large.h"

#include <string.h>
#include <sys/mman.h>

#include "../unit.h"
#include "arena/canary.h"
#include "arena/wipe.h"
#include "conf/options.h"
#include "extent/extent_hooks.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/probe.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "pages/guards.h"
#include "pages/page_source.h"

#define OLD   0x77
#define SHORT (8 * UNIT)
#define LONG  LARGE_SEALED_MIN

static struct page_source pages;
static struct large large;

static int
start(void **state)
{
	static unsigned index;

	(void)state;
	memset(&pages, 0, sizeof(pages));
	memset(&large, 0, sizeof(large));
	page_source_init(&pages, index++,
	    &(struct page_source_config){ .dirty_decay_ms = -1,
		.muzzy_decay_ms = -1,
		.retain = true,
		.lg_max_active_fit = 6 });
	large_init(&large);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	opt_at_start.guard_large = opt_at_start.canary = false;
	opt_at_start.zero_free = opt_at_start.uaf_check = false;
	opt_at_start.junk_free = false;
	opt_at_start.calloc_madvise_threshold = SIZE_MAX;
	assert_int_equal(large.allocated, 0);
	assert_int_equal(pages.active, 0);
	ageing_release(&pages);
	/* Hooks may keep what they gave. */
	assert_true(pages.mapped == 0 || !page_source_is_plain(&pages));
	return 0;
}

/* An object that the program has written, all of it. */
static struct extent *
take_written(size_t usable, size_t asked)
{
	struct extent *e = large_take(&large, &pages,
	    &(struct large_request){ .usable = usable, .align = 1 });

	assert_non_null(e);
	assert_int_equal(pagemap_kind(e->object), KIND_LARGE);
	e->asked = asked;
	memset(e->object, OLD, usable);
	return e;
}

static void
give(struct extent *e)
{
	large_hide(e);
	assert_int_equal(pagemap_kind(e->object), KIND_NONE);
	large_give(&large, &pages, e);
}

static bool
is_in_memory(char *page)
{
	unsigned char there;

	assert_int_equal(mincore(page, system_info.page_size, &there), 0);
	return there & 1;
}

/* --- tests ---------------------------------------------------------------- */

static void
freed_objects_are_as_they_were_unless_they_are_wiped(void **state)
{
	static const size_t sizes[] = { SHORT, LONG - UNIT, LONG, LONG + UNIT };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
		for (unsigned how = 0; how < 6; how++) {
			struct extent *e = take_written(sizes[i], sizes[i]);
			bool wiped = how >= 2;

			opt_at_start.zero_free = how == 2 || how == 3;
			opt_at_start.uaf_check = how >= 4;
			opt_at_start.junk_free = how % 2 != 0;
			large_wipe(&pages, e, how % 2 == 0);
			assert_false(e->sealed);
			/* The kernel does it for long ones. */
			assert_int_equal(is_in_memory(e->object),
			    sizes[i] < LONG || how % 2 != 0 || !wiped);
			assert_filled(e->object, sizes[i],
			    !wiped             ? OLD
				: how % 2 != 0 ? JUNK_FREE
					       : 0);
			give(e);
		}
}

/* The program has no more than what it asked for, and the canary. */
static void
with_a_canary_no_more_is_wiped_than_was_used(void **state)
{
	size_t used = SHORT / 2 + 100, end_of_canary = used + 16 * UNIT;
	size_t size = 40 * UNIT;
	struct extent *e;

	(void)state;
	opt_at_start.canary = opt_at_start.uaf_check = true;
	e = take_written(size, used);
	assert_int_equal(large_wiped(e), end_of_canary);
	large_wipe(&pages, e, false);
	assert_filled(e->object, end_of_canary, 0);
	assert_filled(e->object + end_of_canary, size - end_of_canary, OLD);
	e->asked = size - UNIT;
	assert_int_equal(large_wiped(e), size);
	opt_at_start.canary = false;
	e->asked = used;
	assert_int_equal(large_wiped(e), size);
	give(e);
}

/* The program's hooks may purge in a way that keeps the contents. */
static void
where_hooks_are_long_objects_are_overwritten(void **state)
{
	struct extent_hooks hooks = extent_hooks_default;
	struct extent *e = take_written(LONG, LONG);

	(void)state;
	opt_at_start.zero_free = true;
	page_source_set_hooks(&pages, &hooks);
	large_wipe(&pages, e, true);
	assert_true(is_in_memory(e->object));
	assert_filled(e->object, LONG, 0);
	page_source_set_hooks(&pages, &extent_hooks_default);
	give(e);
}

static bool
is_shut(const struct extent *e)
{
	uintptr_t object = (uintptr_t)e->object;

	assert_int_equal(probe_readable(object, object + 1),
	    probe_readable(object + e->usable - 1, object + e->usable));
	return !probe_readable(object, object + 1);
}

static void
long_objects_that_are_held_are_sealed_if_they_have_guards(void **state)
{
	static const struct {
		size_t size;
		bool hold, guard, sealed;
	} cases[] = {
		{ LONG, true, true, true },
		{ LONG - UNIT, true, true, false },
		{ LONG, false, true, false },
		{ LONG, true, false, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct extent *e;

		opt_at_start.guard_large = cases[i].guard;
		e = take_written(cases[i].size, cases[i].size);
		large_wipe(&pages, e, cases[i].hold);
		assert_int_equal(e->sealed, cases[i].sealed);
		assert_int_equal(is_shut(e), cases[i].sealed);
		give(e);
		guards_release(&pages, 0, false);
	}
}

/* Nobody could read it until then. What will get other pages may stay. */
static void
a_sealed_object_is_wiped_before_it_is_used_again(void **state)
{
	(void)state;
	opt_at_start.guard_large = true;
	for (unsigned wipes = 0; wipes < 2; wipes++)
		for (size_t moved = 0; moved <= LONG; moved += LONG / 2) {
			struct extent *e = take_written(LONG, LONG), *again;

			opt_at_start.zero_free = wipes != 0;
			large_wipe(&pages, e, true);
			assert_true(e->sealed);
			give(e);
			again = large_take(&large, &pages,
			    &(struct large_request){
				.usable = LONG, .align = 1, .moved = moved });
			assert_ptr_equal(again, e);
			assert_false(is_shut(e));
			assert_filled(e->object, wipes ? moved : LONG, OLD);
			assert_filled(e->object + moved,
			    wipes ? LONG - moved : 0, 0);
			give(e);
			/* Also if it is to be zero anyway. */
			e = large_take(&large, &pages,
			    &(struct large_request){
				.usable = LONG, .align = 1, .zero = true });
			assert_filled(e->object, LONG, 0);
			give(e);
		}
	opt_at_start.zero_free = false;
	guards_release(&pages, 0, false);
}

/* The kernel has cleared a long one when it was sealed. */
static void
a_long_sealed_object_is_zero_or_junk_when_it_is_used_again(void **state)
{
	(void)state;
	opt_at_start.guard_large = opt_at_start.zero_free = true;
	opt_at_start.calloc_madvise_threshold = LONG;
	for (unsigned i = 0; i < 4; i++) {
		bool zero = i % 2 != 0, junk = i / 2 != 0 && !zero;
		struct extent *e = take_written(LONG, LONG);

		opt_at_start.junk_free = i / 2 != 0;
		large_wipe(&pages, e, true);
		assert_true(e->sealed);
		give(e);
		assert_ptr_equal(large_take(&large, &pages,
				     &(struct large_request){ .usable = LONG,
					 .align = 1,
					 .zero = zero }),
		    e);
		assert_filled(e->object, LONG, junk ? JUNK_FREE : 0);
		assert_int_equal(e->zeroed, !junk);
		give(e);
	}
	guards_release(&pages, 0, false);
}

/* Its first pages are gone, and the others may be used by somebody else. */
static void
what_moves_to_a_smaller_place_leaves_nothing_to_read(void **state)
{
	(void)state;
	for (unsigned wipes = 0; wipes < 2; wipes++) {
		struct extent *from = take_written(2 * LONG, 2 * LONG);
		struct extent *to = take_written(LONG, LONG);
		char *old = from->object;

		opt_at_start.zero_free = wipes != 0;
		memset(to->object, 0, LONG);
		assert_true(large_move(&large, &pages, from, to));
		assert_filled(to->object, LONG, OLD);
		assert_filled(old + LONG, LONG, wipes ? 0 : OLD);
		give(to);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(freed_objects_are_as_they_were_unless_they_are_wiped),
		TEST(with_a_canary_no_more_is_wiped_than_was_used),
		TEST(where_hooks_are_long_objects_are_overwritten),
		TEST(long_objects_that_are_held_are_sealed_if_they_have_guards),
		TEST(what_moves_to_a_smaller_place_leaves_nothing_to_read),
		TEST(a_sealed_object_is_wiped_before_it_is_used_again),
		TEST(
		    a_long_sealed_object_is_zero_or_junk_when_it_is_used_again),
	};

	system_init();
	metadata_init();
	extent_records_init();
	size_class_init(system_info.page_size, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
