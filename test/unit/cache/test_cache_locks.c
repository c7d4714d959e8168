/*
 * What threads share of their caches is touched under its lock alone.
 */
#include "../unit.h"
#include "../waits.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/quarantine.h"
#include "cache/tcache.h"
#include "cache/tcache_table.h"
#include "cache/thread.h"
#include "cache/thread_event.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/system.h"

#define KEY ((uintptr_t)UINT64_C(0x1234567887654321))

static void
be_born_and_die(void)
{
	struct thread *thread = thread_birth();

	assert_non_null(thread);
	thread_death(thread);
}

static void
sum_of_threads(void)
{
	thread_cached();
}

static void
look_in_threads(void)
{
	assert_false(thread_any_contains(SMALL_CLASSES, &thread_self));
}

static void
no_thread(struct thread *thread, void *context)
{
	(void)thread;
	(void)context;
}

static void
visit_threads(void)
{
	thread_each(no_thread, NULL);
}

static void
visit_lost_threads(void)
{
	thread_each_lost(no_thread, NULL);
}

static void
create_and_destroy(void)
{
	unsigned id;

	assert_true(tcache_table_create(arena_table_owner(0), &id));
	assert_true(tcache_table_destroy(id));
}

static void
no_cache(struct tcache *tcache, void *context)
{
	(void)tcache;
	(void)context;
}

static void
visit_caches(void)
{
	tcache_table_each(no_cache, NULL);
}

static void
no_function(bool taking, uint64_t taken, uint64_t given)
{
	(void)taking;
	(void)taken;
	(void)given;
}

static void
add_event(void)
{
	assert_true(thread_event_add(&(struct thread_event){
	    .function = no_function, .interval = 1000 }));
}

static void
copy_quarantine(void)
{
	void *object;

	assert_int_equal(quarantine_copy(NULL, &object, 1), 0);
}

static void
what_threads_share_is_used_under_its_lock(void **state)
{
	const struct use uses[] = {
		/* A spare record is looked for; one enters, and leaves. */
		USE(be_born_and_die, thread_lock(), 3),
		USE(sum_of_threads, thread_lock(), 1),
		USE(look_in_threads, thread_lock(), 1),
		USE(visit_threads, thread_lock(), 1),
		USE(visit_lost_threads, thread_lock(), 1),
		/* A number is taken; nobody finds the cache; it is free. */
		USE(create_and_destroy, tcache_table_lock(), 3),
		USE(visit_caches, tcache_table_lock(), 1),
		USE(add_event, thread_event_lock(), 1),
		USE(copy_quarantine, quarantine_lock(), 1),
	};

	(void)state;
	assert_used(uses, ARRAY_LEN(uses));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_threads_share_is_used_under_its_lock),
	};

	system_init();
	metadata_init();
	extent_records_init();
	options_init(&opt_at_start);
	size_class_init(system_info.page_size, NULL);
	thread_init(KEY);
	tcache_table_init(KEY);
	thread_event_init();
	quarantine_init();
	if (!arena_table_init(1, 0))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
