#include "stats/locks.h"

#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/system.h"
#include "prof/prof.h"
#include "prof/prof_log.h"
#include "prof/prof_names.h"
#include "prof/prof_recent.h"
#include "prof/prof_stats.h"
#include "prof/prof_table.h"
#include "prof/prof_trace.h"
#include "upkeep/background.h"

enum { ARENAS = 3, LOCKS_MAX = 4096 };

static struct lock *locks[LOCKS_MAX];
static unsigned nlocks;

static void
collect(struct lock *lock)
{
	for (unsigned i = 0; i < nlocks; i++)
		assert_ptr_not_equal(locks[i], lock);
	assert_true(nlocks < LOCKS_MAX);
	locks[nlocks++] = lock;
}

/* One by one: arena_fork() might have forgotten the same as others. */
static void
collect_arena(struct arena *arena)
{
	collect(&arena->pages.lock);
	collect(&arena->pages.decay_lock);
	collect(&arena->large.lock);
	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		for (unsigned shard = 0; shard < arena_nshards(i); shard++)
			collect(&arena_bin(arena, i, shard)->lock);
}

static int
start(void **state)
{
	(void)state;
	system_init();
	metadata_init();
	extent_records_init();
	options_init(&opt_at_start);
	opt_at_start.bin_shards[3] = 5;
	size_class_init(system_info.page_size, NULL);
	thread_init(0x5a5a5a5b);
	prof_table_init();
	prof_trace_init();
	prof_recent_init(4);
	prof_stats_init();
	prof_names_init("jeprof");
	if (!arena_table_init(ARENAS, 0))
		return 1;
	for (unsigned i = 0; i < ARENAS; i++) {
		if (arena_table_need(i) == NULL)
			return 1;
		collect_arena(arena_table_need(i));
	}
	collect(background_lock());
	collect(thread_lock());
	collect(arena_table_lock());
	collect(extent_records_lock());
	collect(metadata_lock());
	collect(prof_table_lock());
	collect(prof_names_lock());
	collect(prof_recent_lock());
	collect(prof_stats_lock());
	collect(prof_log_lock());
	collect(prof_trace_lock());
	return 0;
}

/* Each lock has figures of its own. */
static void
mark_all(void)
{
	for (unsigned i = 0; i < nlocks; i++) {
		lock_acquire(locks[i]);
		locks[i]->stats = (struct lock_stats){ .num_ops = 1000 + i,
			.num_wait = 1,
			.num_spin_acq = 2,
			.num_owner_switch = 3,
			.total_wait_ns = 4,
			.max_wait_ns = 10000 + i,
			.max_waiters = 5 };
		lock_release(locks[i]);
	}
}

static unsigned
number_of(const struct lock *lock)
{
	for (unsigned i = 0; i < nlocks; i++)
		if (locks[i] == lock)
			return i;
	fail();
	return 0;
}

/* By its name; what this library has no lock for stays as it was. */
static void
each_name_has_the_figures_of_its_lock(void **state)
{
	static const struct {
		enum global_mutex which;
		struct lock *(*lock)(void);
		bool profile;
	} rows[] = {
		{ GLOBAL_MUTEX_BACKGROUND_THREAD, background_lock, false },
		{ GLOBAL_MUTEX_PROF, prof_table_lock, true },
		{ GLOBAL_MUTEX_PROF_DUMP, prof_names_lock, true },
		{ GLOBAL_MUTEX_PROF_RECENT_ALLOC, prof_recent_lock, true },
		{ GLOBAL_MUTEX_PROF_STATS, prof_stats_lock, true },
	};
	static const struct lock_stats none;

	(void)state;
	mark_all();
	for (unsigned on = 0; on < 2; on++) {
		struct lock_stats is[GLOBAL_MUTEXES];
		bool known[GLOBAL_MUTEXES] = { false };

		atomic_store(&prof.period, on);
		memset(is, 0, sizeof(is));
		locks_read(is);
		for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
			unsigned number = number_of(rows[i].lock());

			if (rows[i].profile && on == 0)
				continue;
			known[rows[i].which] = true;
			assert_int_equal(is[rows[i].which].max_wait_ns,
			    10000 + number);
			assert_in_range(is[rows[i].which].num_ops,
			    1000 + number, 1003 + number);
		}
		for (unsigned i = 0; i < GLOBAL_MUTEXES; i++)
			if (!known[i])
				assert_memory_equal(&is[i], &none,
				    sizeof(none));
	}
	atomic_store(&prof.period, 0);
}

static void
all_figures_are_cleared_at_once(void **state)
{
	(void)state;
	mark_all();
	locks_reset();
	for (unsigned i = 0; i < nlocks; i++) {
		struct lock_stats is;

		locks_read_one(locks[i], &is);
		if (is.max_wait_ns != 0 || is.num_ops > 100)
			fail_msg("lock %u of rank %u was not cleared", i,
			    locks[i]->rank);
		assert_int_equal(is.num_wait + is.num_spin_acq +
			is.total_wait_ns + is.max_waiters,
		    0);
	}
	/* One alone leaves the others. */
	mark_all();
	locks_reset_one(locks[5]);
	for (unsigned i = 0; i < nlocks; i++)
		assert_int_equal(locks[i]->stats.max_wait_ns,
		    i == 5 ? 0 : 10000 + i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_name_has_the_figures_of_its_lock),
		cmocka_unit_test(all_figures_are_cleared_at_once),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
