/*
 * What is shared by threads is touched under its lock alone: of each function
 * here, all that it does with a table is done while nobody else is inside.
 */
#include "../unit.h"
#include "../waits.h"
#include "extent/metadata.h"
#include "os/system.h"
#include "prof/prof_names.h"
#include "prof/prof_objects.h"
#include "prof/prof_recent.h"
#include "prof/prof_stats.h"
#include "prof/prof_table.h"
#include "prof/prof_trace.h"

static struct prof_thread *thread;
static void *pcs[] = { (void *)0x1000, (void *)0x2000 };
static const struct prof_counts sample = { 1, 100, 256, 25600 };

/* --- the table ---------------------------------------------------------- */

static void
enter_and_leave(void)
{
	prof_table_leave(prof_table_enter());
}

static void
name_it(void)
{
	prof_table_set_name(thread, "name");
	assert_string_equal(prof_table_name(thread), "name");
}

/* A stack that is not known: looked for, made, entered; and its end. */
static void
add_and_remove(void)
{
	prof_table_remove(prof_table_add(thread, pcs, 2, &sample), &sample, 1);
}

static void
accumulate(void)
{
	prof_table_accumulate(false);
}

static void
copy_table(void)
{
	struct prof_snapshot snapshot;

	assert_true(prof_snapshot_take(&snapshot));
	prof_snapshot_end(&snapshot);
}

static void
a_table_of_samples_is_used_under_its_lock(void **state)
{
	struct lock *lock = prof_table_lock();
	const struct use uses[] = {
		USE(enter_and_leave, lock, 2),
		USE(name_it, lock, 1),
		USE(add_and_remove, lock, 3),
		USE(accumulate, lock, 1),
		USE(copy_table, lock, 2),
	};

	(void)state;
	thread = prof_table_enter();
	assert_used(uses, ARRAY_LEN(uses));
	prof_table_leave(thread);
}

/* --- the last samples --------------------------------------------------- */

static const struct prof_doer doer = {
	.thread = 1, .name = "name", .pcs = pcs, .depth = 2
};

static void
set_max(void)
{
	prof_recent_set_max(4);
}

static void
begin_and_end(void)
{
	prof_record_slot slot = NULL;

	prof_recent_begin(&slot, 10, 16, &doer);
	prof_recent_end(&slot, &doer);
}

static void
copy_recent(void)
{
	struct prof_recent_copy copy;

	assert_true(prof_recent_copy_take(&copy));
	prof_recent_copy_end(&copy);
}

static void
the_last_samples_are_used_under_their_lock(void **state)
{
	struct lock *lock = prof_recent_lock();
	const struct use uses[] = {
		USE(set_max, lock, 1),
		USE(begin_and_end, lock, 2),
		USE(copy_recent, lock, 2),
	};

	(void)state;
	assert_used(uses, ARRAY_LEN(uses));
}

/* --- stacks, sums, names ------------------------------------------------ */

static void
take_and_give_stack(void)
{
	void *other[] = { (void *)0x3000 };

	prof_trace_give(prof_trace_take(other, 1));
}

static void
begin_stats(void)
{
	prof_stats_begin(10, 16);
}

static void
end_stats(void)
{
	prof_stats_end(10, 16);
}

static void
read_stats(void)
{
	prof_stats_read(0);
}

static void
set_prefix(void)
{
	prof_names_set_prefix("prefix");
}

static void
note_objects(void)
{
	prof_objects_note(pcs, 2);
}

static void
list_closed(void)
{
	struct prof_closed closed;

	assert_true(prof_closed_take(&closed));
	prof_closed_end(&closed);
}

static void
so_are_stacks_and_sums_and_names(void **state)
{
	const struct use uses[] = {
		USE(take_and_give_stack, prof_trace_lock(), 3),
		USE(begin_stats, prof_stats_lock(), 1),
		USE(end_stats, prof_stats_lock(), 1),
		USE(read_stats, prof_stats_lock(), 1),
		USE(set_prefix, prof_names_lock(), 1),
		USE(note_objects, prof_objects_lock(), 1),
		USE(prof_objects_settle, prof_objects_lock(), 1),
		USE(prof_objects_forget, prof_objects_lock(), 1),
		USE(list_closed, prof_objects_lock(), 1),
	};

	(void)state;
	assert_used(uses, ARRAY_LEN(uses));
	assert_int_equal(prof_stats_read(0).live.count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_of_samples_is_used_under_its_lock),
		cmocka_unit_test(the_last_samples_are_used_under_their_lock),
		cmocka_unit_test(so_are_stacks_and_sums_and_names),
	};

	system_init();
	metadata_init();
	prof_table_init();
	prof_trace_init();
	prof_objects_init();
	prof_recent_init(4);
	prof_stats_init();
	prof_names_init("jeprof");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
