#include "upkeep/background.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/clock.h"
#include "os/os_thread.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "upkeep/trim.h"

#define MS       UINT64_C(1000000)
#define FOR_EVER UINT64_MAX

/*
 * Time stands still, and the leader sleeps until it is woken or the test lets
 * it go: so the test knows where it is.
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	_Atomic uint64_t clock_ns;
	/* The last sleep. */
	unsigned nsleeps, nseen;
	bool asleep, let_go;
	bool frozen; /* it does not even wake up */
	uint64_t wait_ns;
	bool watched, watched_caches;
	/* The barrier. */
	void (*at_barrier)(void);
	unsigned nbarriers;
	bool refuse_barrier, refuse_trim;
	/* Threads. */
	bool refuse_start;
	unsigned nstarts;
	pthread_t started[8]; /* and not joined yet */
	unsigned nstarted;
	unsigned nwrong_joins;
	/* What trim says, and what was asked of it. */
	bool can_trim;
	_Atomic bool in_use;
	unsigned ntrim_starts, ntrim_stops;
} stage = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER };

uint64_t __wrap_clock_now_ns(void);
uint64_t __wrap_clock_coarse_ns(void);
void __wrap_os_thread_sleep(_Atomic uint32_t *word, uint32_t value,
    uint64_t wait_ns);
void __wrap_os_thread_wake(_Atomic uint32_t *word);
int __real_os_thread_start(pthread_t *thread, void *(*run)(void *), void *arg);
int __wrap_os_thread_start(pthread_t *thread, void *(*run)(void *), void *arg);
void __real_os_thread_join(pthread_t thread);
void __wrap_os_thread_join(pthread_t thread);
bool __wrap_trim_start(void);
void __wrap_trim_stop(void);
bool __wrap_trim_idle(void);
bool __wrap_trim_barrier(void);
bool __wrap_trim_is_possible(void);

uint64_t
__wrap_clock_now_ns(void)
{
	return stage.clock_ns;
}

uint64_t
__wrap_clock_coarse_ns(void)
{
	return stage.clock_ns;
}

void
__wrap_os_thread_sleep(_Atomic uint32_t *word, uint32_t value, uint64_t wait_ns)
{
	pthread_mutex_lock(&stage.lock);
	if (*word == value) {
		stage.nsleeps++;
		stage.asleep = true;
		stage.wait_ns = wait_ns;
		stage.watched = arena_upkeep.wants_pages;
		stage.watched_caches = arena_upkeep.wants_caches;
		pthread_cond_broadcast(&stage.changed);
	}
	while (stage.frozen || (*word == value && !stage.let_go))
		pthread_cond_wait(&stage.changed, &stage.lock);
	stage.asleep = stage.let_go = false;
	pthread_mutex_unlock(&stage.lock);
}

void
__wrap_os_thread_wake(_Atomic uint32_t *word)
{
	(void)word;
	pthread_mutex_lock(&stage.lock);
	pthread_cond_broadcast(&stage.changed);
	pthread_mutex_unlock(&stage.lock);
}

int
__wrap_os_thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	int error = EAGAIN;

	pthread_mutex_lock(&stage.lock);
	stage.nstarts++;
	if (!stage.refuse_start)
		error = __real_os_thread_start(thread, run, arg);
	if (error == 0 && stage.nstarted < ARRAY_LEN(stage.started))
		stage.started[stage.nstarted++] = *thread;
	pthread_mutex_unlock(&stage.lock);
	return error;
}

/* Each thread that was started is joined once, and nothing else is. */
void
__wrap_os_thread_join(pthread_t thread)
{
	unsigned i = 0;

	pthread_mutex_lock(&stage.lock);
	while (i < stage.nstarted && !pthread_equal(stage.started[i], thread))
		i++;
	if (i == stage.nstarted)
		stage.nwrong_joins++;
	else
		stage.started[i] = stage.started[--stage.nstarted];
	pthread_mutex_unlock(&stage.lock);
	__real_os_thread_join(thread);
}

bool
__wrap_trim_start(void)
{
	stage.ntrim_starts++;
	return stage.can_trim;
}

void
__wrap_trim_stop(void)
{
	stage.ntrim_stops++;
}

bool
__wrap_trim_idle(void)
{
	if (stage.refuse_trim)
		stage.can_trim = false;
	return stage.can_trim && stage.in_use;
}

bool
__wrap_trim_barrier(void)
{
	if (!stage.can_trim)
		return false;
	stage.nbarriers++;
	if (stage.at_barrier != NULL)
		stage.at_barrier();
	stage.can_trim = !stage.refuse_barrier;
	return stage.can_trim;
}

bool
__wrap_trim_is_possible(void)
{
	return stage.can_trim;
}

/* Waits for the next sleep of the leader that the test has not seen. */
static void
next_sleep(void)
{
	pthread_mutex_lock(&stage.lock);
	while (!stage.asleep || stage.nsleeps == stage.nseen)
		pthread_cond_wait(&stage.changed, &stage.lock);
	stage.nseen = stage.nsleeps;
	pthread_mutex_unlock(&stage.lock);
}

/* The time that it wanted to sleep for is over; it does its next round. */
static void
time_passes(uint64_t ns)
{
	stage.clock_ns += ns;
	pthread_mutex_lock(&stage.lock);
	stage.let_go = true;
	pthread_cond_broadcast(&stage.changed);
	pthread_mutex_unlock(&stage.lock);
	next_sleep();
}

static void
thaw(void)
{
	pthread_mutex_lock(&stage.lock);
	stage.frozen = false;
	pthread_cond_broadcast(&stage.changed);
	pthread_mutex_unlock(&stage.lock);
}

static void
until_it_sleeps_for_ever(void)
{
	for (unsigned i = 0; stage.wait_ns != FOR_EVER; i++) {
		assert_true(i < 1000);
		time_passes(stage.wait_ns);
	}
}

/* --- pages of an arena that nobody uses ----------------------------------- */

static struct arena *arena;
static struct extent *held;

static void
hold(size_t size)
{
	held = page_source_take(&arena->pages, size, system_info.page_size);
	assert_non_null(held);
}

static void
drop_held(void)
{
	page_source_give(&arena->pages, held);
}

static size_t
unused_bytes(void)
{
	return ageing_unused(&arena->pages);
}

static void
leave_unused(size_t size)
{
	hold(size);
	drop_held();
	assert_int_not_equal(unused_bytes(), 0);
}

/* Do calls of the program age pages, as time goes by for them? */
static bool
calls_age(void)
{
	uint64_t now_ns = stage.clock_ns;

	for (unsigned i = 0; i < 1000 && unused_bytes() != 0; i++)
		arena_tick(arena, now_ns += 100 * MS);
	return unused_bytes() == 0;
}

static void
begin(bool wanted)
{
	assert_int_equal(unused_bytes(), 0);
	stage.at_barrier = NULL;
	stage.nbarriers = stage.nsleeps = stage.nseen = stage.nstarts = 0;
	stage.nstarted = stage.nwrong_joins = 0;
	stage.refuse_start = stage.asleep = false;
	stage.in_use = stage.refuse_barrier = stage.refuse_trim = false;
	stage.can_trim = true;
	stage.ntrim_starts = stage.ntrim_stops = 0;
	background_init(BACKGROUND_OFF, 1);
	background_fork_child(); /* forgets what was before */
	stage.clock_ns += 2000 * MS;
	background_init(wanted ? BACKGROUND_ON : BACKGROUND_OFF, 1);
}

static void
begin_asleep(void)
{
	begin(false);
	assert_int_equal(background_set(true), 0);
	next_sleep();
}

static void
end(void)
{
	assert_int_equal(background_set(false), 0);
	/* Nobody wants to be told of anything. */
	assert_false(arena_upkeep.wants_pages || arena_upkeep.wants_caches);
	ageing_purge(&arena->pages);
	assert_int_equal(unused_bytes(), 0);
	assert_int_equal(stage.ntrim_starts, stage.ntrim_stops);
	assert_int_equal(stage.nwrong_joins, 0);
}

/* --- falling asleep ------------------------------------------------------- */

static void
with_nothing_due_it_sleeps_until_it_is_woken(void **state)
{
	(void)state;
	begin_asleep();
	assert_true(arena_upkeep.by_threads);
	until_it_sleeps_for_ever();
	assert_true(stage.watched && stage.watched_caches);
	/* Before it runs, others need not tell it again. */
	stage.frozen = true;
	background_wake();
	assert_false(arena_upkeep.wants_pages || arena_upkeep.wants_caches);
	thaw();
	next_sleep();
	assert_int_not_equal(stage.wait_ns, FOR_EVER);
	assert_false(stage.watched_caches);
	/* Caches are in use: it comes back for them, and for pages at once. */
	stage.in_use = true;
	for (unsigned i = 0; i < 10; i++) {
		time_passes(stage.wait_ns);
		assert_int_not_equal(stage.wait_ns, FOR_EVER);
		assert_true(stage.watched);
	}
	stage.in_use = false;
	until_it_sleeps_for_ever();
	end();
}

static void
it_ages_pages_and_sleeps_when_that_is_done(void **state)
{
	(void)state;
	begin_asleep();
	leave_unused((size_t)4 << 20);
	/* Nobody but the leader does it. */
	assert_false(calls_age());
	background_wake();
	next_sleep();
	until_it_sleeps_for_ever();
	assert_int_equal(unused_bytes(), 0);
	end();
}

/* A round that has done what was due sleeps until the next step. */
static void
it_sleeps_until_more_is_due(void **state)
{
	(void)state;
	begin_asleep();
	leave_unused((size_t)4 << 20);
	background_wake();
	next_sleep();
	stage.in_use = false;
	for (unsigned i = 0; i < 50 && unused_bytes() != 0; i++) {
		uint64_t due_ns = ageing_wait(&arena->pages, stage.clock_ns);

		assert_true(due_ns > 0);
		assert_true(stage.wait_ns >= due_ns ||
		    stage.wait_ns == 500 * MS);
		time_passes(stage.wait_ns);
	}
	until_it_sleeps_for_ever();
	end();
}

/* Helpers are for arenas that have much due, and for CPUs that are there. */
static void
helpers_start_where_there_are_cpus_for_them(void **state)
{
	static const struct {
		size_t most;
		unsigned ncpus, nstarts;
		size_t size;
	} cases[] = {
		{ 1, 4, 1, (size_t)32 << 20 },
		{ 4, 1, 1, (size_t)32 << 20 },
		{ 2, 2, 2, (size_t)32 << 20 },
		{ 2, 4, 2, (size_t)32 << 20 },
		{ 2, 2, 1, (size_t)15 << 20 },
	};
	struct arena *first = arena, *second = arena_table_create(NULL, false);
	unsigned ncpus = system_info.ncpus;

	(void)state;
	assert_non_null(second);
	assert_int_equal(second->index, 1);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned before;

		system_info.ncpus = cases[i].ncpus;
		begin_asleep();
		assert_int_equal(background_set_max(cases[i].most), 0);
		next_sleep();
		before = stage.nstarts - 1;
		arena = second;
		leave_unused(cases[i].size);
		ageing_tick(&second->pages, stage.clock_ns);
		stage.clock_ns += 1000 * MS;
		background_wake();
		next_sleep();
		assert_int_equal(stage.nstarts - before, cases[i].nstarts);
		/* The helper may sleep before the leader has counted it. */
		while (background_stats().nthreads != cases[i].nstarts)
			sched_yield();
		ageing_purge(&second->pages);
		arena = first;
		end();
	}
	system_info.ncpus = ncpus;
}

static bool was_told_first;

/* A call that did not know yet that it should wake the leader. */
static void
pages_come_at_the_barrier(void)
{
	was_told_first = arena_upkeep.wants_pages && arena_upkeep.wants_caches;
	drop_held();
	stage.at_barrier = NULL;
}

static void
caches_are_used_at_the_barrier(void)
{
	was_told_first = arena_upkeep.wants_pages && arena_upkeep.wants_caches;
	stage.in_use = true;
	stage.at_barrier = NULL;
}

/*
 * Behind the barrier all others know that they are to wake it; what they did
 * before that, without a word, must be looked for.
 */
static void
what_came_before_the_barrier_keeps_it_awake(void **state)
{
	void (*const events[])(void) = { pages_come_at_the_barrier,
		caches_are_used_at_the_barrier };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(events); i++) {
		begin_asleep();
		hold((size_t)1 << 20);
		was_told_first = false;
		stage.at_barrier = events[i];
		for (unsigned k = 0; stage.at_barrier != NULL; k++) {
			assert_true(k < 100);
			assert_int_not_equal(stage.wait_ns, FOR_EVER);
			time_passes(stage.wait_ns);
		}
		assert_true(was_told_first);
		assert_int_not_equal(stage.wait_ns, FOR_EVER);
		assert_false(stage.watched || stage.watched_caches);
		stage.in_use = false;
		until_it_sleeps_for_ever();
		assert_int_equal(unused_bytes(), 0);
		if (i != 0)
			drop_held();
		end();
	}
}

static void
without_a_barrier_it_looks_now_and_then(void **state)
{
	(void)state;
	begin(false);
	stage.can_trim = false;
	assert_int_equal(background_set(true), 0);
	next_sleep();
	for (unsigned i = 0; i < 4; i++) {
		assert_int_not_equal(stage.wait_ns, FOR_EVER);
		assert_true(stage.watched);
		assert_false(stage.watched_caches);
		time_passes(stage.wait_ns);
	}
	/* A call that was missed. */
	leave_unused((size_t)1 << 20);
	for (unsigned i = 0; unused_bytes() != 0; i++) {
		assert_true(i < 1000);
		time_passes(stage.wait_ns);
	}
	assert_int_equal(stage.nbarriers, 0);
	end();
}

/* The program has set a filter of system calls. */
static void
a_barrier_refused_later_is_as_none_at_all(void **state)
{
	bool *const refusals[] = { &stage.refuse_barrier, &stage.refuse_trim };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(refusals); i++) {
		begin_asleep();
		until_it_sleeps_for_ever();
		*refusals[i] = true;
		time_passes((uint64_t)2000 * MS);
		assert_false(stage.can_trim);
		stage.nbarriers = 0;
		leave_unused((size_t)1 << 20);
		for (unsigned k = 0; k < 8 || unused_bytes() != 0; k++) {
			assert_true(k < 1000);
			assert_int_not_equal(stage.wait_ns, FOR_EVER);
			assert_false(stage.watched_caches);
			time_passes(stage.wait_ns);
		}
		assert_int_equal(stage.nbarriers, 0);
		end();
	}
}

/* --- when they are gone --------------------------------------------------- */

static void
turned_off_calls_age_pages_again(void **state)
{
	(void)state;
	begin_asleep();
	leave_unused((size_t)1 << 20);
	assert_int_equal(background_set(false), 0);
	assert_false(background_is_on());
	assert_int_equal(background_stats().nthreads, 0);
	assert_false(arena_upkeep.wants_caches);
	assert_true(calls_age());
	assert_int_equal(stage.nstarts, 1);
	end();
}

static void
turned_off_before_it_was_needed_it_never_is(void **state)
{
	(void)state;
	begin(true);
	assert_true(arena_upkeep.wants_pages);
	end();
	background_wake();
	assert_int_equal(stage.nstarts, 0);
}

static void
until_it_is_gone(void)
{
	while (background_stats().nthreads != 0)
		sched_yield();
}

/*
 * The last thread that allocated has ended: nobody trims any more, or each slow
 * path would pay for it; and who comes after all has them start again, or ages
 * pages by itself while that can't be.
 */
static void
left_alone_it_ends_as_if_turned_off(void **state)
{
	(void)state;
	begin_asleep();
	assert_int_equal(stage.ntrim_starts, 1);
	background_abandon();
	until_it_is_gone();
	assert_int_equal(stage.ntrim_stops, 1);
	assert_true(arena_upkeep.wants_pages && arena_upkeep.wants_caches);
	background_fork_prepare();
	leave_unused((size_t)1 << 20);
	assert_true(calls_age());
	assert_int_equal(stage.nstarts, 1);
	/* That was noted, and is made up for. */
	background_fork_parent();
	next_sleep();
	assert_true(background_is_on());
	assert_int_equal(stage.nstarts, 2);
	assert_int_equal(stage.ntrim_starts, 2);
	/* It is no more abandoned. */
	time_passes(stage.wait_ns);
	end();
}

static void
after_a_fork_that_nobody_came_by_none_is_started(void **state)
{
	(void)state;
	begin(true);
	background_fork_prepare();
	background_fork_parent();
	assert_int_equal(stage.nstarts, 0);
	background_wake();
	next_sleep();
	assert_int_equal(stage.nstarts, 1);
	end();
}

static void
one_that_can_not_be_started_changes_nothing(void **state)
{
	(void)state;
	begin(false);
	stage.refuse_start = true;
	assert_int_equal(background_set(true), EAGAIN);
	assert_false(background_is_on());
	assert_int_equal(stage.ntrim_starts, stage.ntrim_stops);
	leave_unused((size_t)1 << 20);
	assert_true(calls_age());
	end();
	/* Nor does it when the first call finds it missing: not again. */
	begin(true);
	stage.refuse_start = true;
	leave_unused((size_t)1 << 20);
	background_wake();
	background_wake();
	assert_int_equal(stage.nstarts, 1);
	assert_false(background_is_on());
	assert_true(calls_age());
	end();
}

static void
other_maxima_start_it_anew(void **state)
{
	(void)state;
	begin(false);
	assert_int_equal(background_set_max(3), 0);
	assert_int_equal(stage.nstarts, 0);
	assert_int_equal(background_max(), 3);
	assert_int_equal(background_set(true), 0);
	next_sleep();
	assert_int_equal(background_set(true), 0);
	assert_int_equal(stage.nstarts, 1);
	assert_int_equal(background_set_max(1), 0);
	next_sleep();
	assert_int_equal(stage.nstarts, 2);
	assert_int_equal(background_stats().nthreads, 1);
	assert_true(arena_upkeep.by_threads);
	end();
}

/* --- in the child of a fork ----------------------------------------------- */

static int
child_without_threads(void)
{
	unsigned nstarts = stage.nstarts;

	background_fork_child();
	if (background_stats().nthreads != 0 || background_is_on())
		return 2;
	/* They are wanted, so who comes by tries, but it is too early. */
	if (!arena_upkeep.wants_pages || !arena_upkeep.wants_caches)
		return 3;
	if (!calls_age())
		return 4;
	return stage.nstarts == nstarts ? 0 : 5;
}

static void
in_a_child_calls_age_pages(void **state)
{
	int status = 1;
	pid_t child;

	(void)state;
	begin_asleep();
	leave_unused((size_t)1 << 18);
	background_fork_prepare();
	child = fork();
	if (child == 0)
		_exit(child_without_threads());
	background_fork_parent();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(background_is_on());
	end();
}

static void *
wake_once(void *arg)
{
	background_wake();
	return arg;
}

/* What makes them come again in a child: 0 = nothing yet. */
static void
child_comes_by(unsigned reason)
{
	pthread_t other;

	begin(true);
	leave_unused((size_t)4 << 20);
	hold((size_t)1 << 16);
	background_fork_prepare();
	background_fork_child();
	drop_held(); /* little, though there is much */
	if (reason == 1)
		stage.clock_ns += 1000 * MS;
	else if (reason == 2)
		leave_unused((size_t)8 << 20);
	else
		stage.clock_ns += 999 * MS;
	if (reason == 3) {
		assert_int_equal(pthread_create(&other, NULL, wake_once, NULL),
		    0);
		pthread_join(other, NULL);
	} else {
		background_wake();
	}
	assert_int_equal(stage.nstarts, reason != 0);
	assert_int_equal(background_is_on(), reason != 0);
	if (reason != 0)
		next_sleep();
	end();
}

static void
in_a_child_they_come_when_it_is_worth_it(void **state)
{
	(void)state;
	for (unsigned reason = 0; reason < 4; reason++)
		child_comes_by(reason);
}

static void
in_a_child_they_do_not_come_if_they_are_off(void **state)
{
	(void)state;
	begin(false);
	background_fork_prepare();
	background_fork_child();
	stage.clock_ns += 2000 * MS;
	background_wake();
	assert_int_equal(stage.nstarts, 0);
	assert_false(background_is_on());
	assert_false(arena_upkeep.wants_pages || arena_upkeep.wants_caches);
	end();
}

/* Leaves pages unused in that arena, which are all due. */
static void
leave_due(unsigned index)
{
	struct arena *before = arena;

	arena = arena_table_owner(index);
	/* The tick may end a step, which purges a free extent as a whole. */
	do {
		leave_unused((size_t)32 << 20);
		ageing_tick(&arena->pages, stage.clock_ns);
	} while (ageing_unused(&arena->pages) < (size_t)32 << 20);
	arena = before;
}

/* The helper of the last share is the first to be needed, again and again. */
static void
a_helper_starts_and_ends_without_those_before_it(void **state)
{
	unsigned ncpus = system_info.ncpus;

	(void)state;
	while (arena_table_count() < 3)
		assert_non_null(arena_table_create(NULL, false));
	system_info.ncpus = 3;
	for (unsigned i = 0; i < 3; i++) {
		begin_asleep();
		assert_int_equal(background_set_max(3), 0);
		next_sleep();
		stage.frozen = true;
		leave_due(2);
		stage.clock_ns += 1000 * MS;
		background_wake();
		thaw();
		while (background_stats().nthreads != 2)
			sched_yield();
		ageing_purge(&arena_table_owner(2)->pages);
		end();
		/* All that were started have been joined. */
		assert_int_equal(stage.nstarted, 0);
	}
	system_info.ncpus = ncpus;
}

int
main(void)
{
	static const char *const none[CONF_SOURCES];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_nothing_due_it_sleeps_until_it_is_woken),
		cmocka_unit_test(it_ages_pages_and_sleeps_when_that_is_done),
		cmocka_unit_test(it_sleeps_until_more_is_due),
		cmocka_unit_test(what_came_before_the_barrier_keeps_it_awake),
		cmocka_unit_test(without_a_barrier_it_looks_now_and_then),
		cmocka_unit_test(a_barrier_refused_later_is_as_none_at_all),
		cmocka_unit_test(turned_off_calls_age_pages_again),
		cmocka_unit_test(turned_off_before_it_was_needed_it_never_is),
		cmocka_unit_test(left_alone_it_ends_as_if_turned_off),
		cmocka_unit_test(
		    after_a_fork_that_nobody_came_by_none_is_started),
		cmocka_unit_test(one_that_can_not_be_started_changes_nothing),
		cmocka_unit_test(other_maxima_start_it_anew),
		cmocka_unit_test(in_a_child_calls_age_pages),
		cmocka_unit_test(in_a_child_they_come_when_it_is_worth_it),
		cmocka_unit_test(in_a_child_they_do_not_come_if_they_are_off),
		cmocka_unit_test(helpers_start_where_there_are_cpus_for_them),
		cmocka_unit_test(
		    a_helper_starts_and_ends_without_those_before_it),
	};

	alarm(600);
	stage.clock_ns = 100000 * MS;
	system_init();
	metadata_init();
	extent_records_init();
	conf_settle(&opt_at_start, none);
	size_class_init(system_info.page_size, opt.slab_sizes);
	if (!arena_table_init(1, 0))
		return 1;
	arena = arena_table_owner(0);
	arena_upkeep.wake = background_wake;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
