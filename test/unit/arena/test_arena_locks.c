/*
 * What threads share in an arena is touched under its lock alone.
 */
#include <string.h>

#include "../unit.h"
#include "../waits.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/system.h"

static struct arena *arena;

static void
take_and_give_large(void)
{
	struct large_request request = { .usable = 65536,
		.align = system_info.page_size };
	struct extent *e = large_take(&arena->large, &arena->pages, &request);

	assert_non_null(e);
	large_give(&arena->large, &arena->pages, e);
}

static void
take_and_give_small(void)
{
	struct bin_fault fault;
	void *object;
	struct bin_batch batch = {
		.objects = &object, .count = 1, .faults = &fault
	};

	assert_int_equal(bin_take(arena_bin(arena, 0, 0), &arena->pages, 0,
			     &batch),
	    1);
	bin_give(arena_bin(arena, 0, 0), &arena->pages, 0, &batch);
}

static void
usage(void)
{
	bin_usage(arena_bin(arena, 0, 0), 0);
}

static void
summary(void)
{
	struct arena_summary sum;

	memset(&sum, 0, sizeof(sum));
	arena_summary_add(arena, &sum);
}

static void
bind(void)
{
	arena_table_unbind(arena_table_bind());
}

static void
bind_to(void)
{
	arena_table_unbind(arena_table_bind_to(0));
}

static void
rename_it(void)
{
	char name[ARENA_NAME_SIZE];

	arena_table_name(arena, name);
	arena_table_set_name(arena, name);
}

static void
what_threads_share_is_used_under_its_lock(void **state)
{
	struct bin *bin = arena_bin(arena, 0, 0);
	const struct use uses[] = {
		USE(take_and_give_large, &arena->large.lock, 2),
		USE(take_and_give_small, &bin->lock, 2),
		USE(usage, &bin->lock, 1),
		USE(summary, &bin->lock, 1),
		USE(summary, &arena->large.lock, 1),
		USE(summary, &arena->pages.lock, 1),
		USE(bind, arena_table_lock(), 2),
		USE(bind_to, arena_table_lock(), 2),
		USE(rename_it, arena_table_lock(), 2),
	};

	(void)state;
	take_and_give_small();
	take_and_give_large();
	assert_used(uses, ARRAY_LEN(uses));
}

int
main(void)
{
	static const char *const none[CONF_SOURCES];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_threads_share_is_used_under_its_lock),
	};

	system_init();
	metadata_init();
	extent_records_init();
	conf_settle(&opt_at_start, none);
	size_class_init(system_info.page_size, opt.slab_sizes);
	if (!arena_table_init(1, 0))
		return 1;
	arena = arena_table_owner(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
