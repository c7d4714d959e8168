#include "cache/tcache_table.h"

#include "../allocated.h"
#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/tcache.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/system.h"

#define KEY ((uintptr_t)UINT64_C(0x1234567887654321))

static struct fault piece;

void *__real_metadata_take_piece(size_t size);
void *__wrap_metadata_take_piece(size_t size);

void *
__wrap_metadata_take_piece(size_t size)
{
	return fault_hits(&piece) ? NULL : __real_metadata_take_piece(size);
}

static struct arena *
arena(void)
{
	return arena_table_owner(0);
}

static void
an_id_that_was_not_created_has_no_cache(void **state)
{
	static const unsigned ids[] = { 0, 1, TCACHES_MAX - 1, TCACHES_MAX,
		UINT32_MAX };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(ids); i++) {
		assert_null(tcache_table_get(ids[i]));
		assert_false(tcache_table_flush(ids[i]));
		assert_false(tcache_table_destroy(ids[i]));
	}
}

static void
ids_count_up_and_the_last_destroyed_is_used_first(void **state)
{
	unsigned id;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		assert_true(tcache_table_create(arena(), &id));
		assert_int_equal(id, i);
		assert_non_null(tcache_table_get(id));
		assert_ptr_equal(tcache_table_get(id)->arena, arena());
		assert_int_equal(tcache_table_get(id)->mark,
		    cache_mark_of(KEY));
	}
	assert_true(tcache_table_destroy(1));
	assert_true(tcache_table_destroy(3));
	assert_false(tcache_table_destroy(3));
	assert_null(tcache_table_get(3));
	assert_true(tcache_table_create(arena(), &id));
	assert_int_equal(id, 3);
	assert_true(tcache_table_create(arena(), &id));
	assert_int_equal(id, 1);
	assert_true(tcache_table_create(arena(), &id));
	assert_int_equal(id, 5);
	for (unsigned i = 0; i < 6; i++)
		assert_true(tcache_table_destroy(i));
}

static void
flush_and_destroy_return_what_is_cached(void **state)
{
	unsigned id, first = 0;
	void *objects[100];

	(void)state;
	for (unsigned destroy = 0; destroy < 2; destroy++) {
		assert_true(tcache_table_create(arena(), &id));
		for (unsigned i = 0; i < 100; i++)
			objects[i] = tcache_take_slow(tcache_table_get(id), 5);
		for (unsigned i = 0; i < 100; i++)
			tcache_give_slow(tcache_table_get(id), 5, objects[i]);
		assert_true(arena_allocated(arena()) > 0);
		if (destroy == 0) {
			assert_true(tcache_table_flush(id));
			first = id;
		} else {
			assert_true(tcache_table_destroy(id));
		}
		assert_int_equal(arena_allocated(arena()), 0);
	}
	assert_true(tcache_table_destroy(first));
}

static void
without_memory_no_id_is_used(void **state)
{
	unsigned next, id = 7777;

	(void)state;
	assert_true(tcache_table_create(arena(), &next));
	assert_true(tcache_table_destroy(next));
	fault_set(&piece, 1, true);
	assert_false(tcache_table_create(arena(), &id));
	assert_int_equal(id, 7777);
	fault_set(&piece, 0, false);
	assert_true(tcache_table_create(arena(), &id));
	assert_int_equal(id, next);
	assert_true(tcache_table_destroy(id));
}

static void
there_are_4094_ids(void **state)
{
	unsigned id;
	size_t used;

	(void)state;
	for (unsigned i = 0; i < TCACHES_MAX; i++)
		assert_true(tcache_table_create(arena(), &id));
	assert_false(tcache_table_create(arena(), &id));
	used = metadata_stats().used;
	for (unsigned i = 0; i < 10; i++)
		assert_false(tcache_table_create(arena(), &id));
	assert_int_equal(metadata_stats().used, used);
	for (unsigned i = 0; i < TCACHES_MAX; i++)
		assert_true(tcache_table_destroy(i));
	assert_true(tcache_table_create(arena(), &id));
	assert_int_equal(id, TCACHES_MAX - 1);
	assert_true(tcache_table_destroy(id));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_that_was_not_created_has_no_cache),
		cmocka_unit_test(
		    ids_count_up_and_the_last_destroyed_is_used_first),
		cmocka_unit_test(flush_and_destroy_return_what_is_cached),
		cmocka_unit_test(without_memory_no_id_is_used),
		cmocka_unit_test(there_are_4094_ids),
	};

	system_init();
	metadata_init();
	extent_records_init();
	options_init(&opt_at_start);
	opt_at_start.junk_alloc = opt_at_start.junk_free = false;
	opt_at_start.zero = false;
	size_class_init(system_info.page_size, NULL);
	tcache_table_init(KEY);
	if (!arena_table_init(1, 0))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
