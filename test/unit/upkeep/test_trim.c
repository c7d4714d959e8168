#include "upkeep/trim.h"

#include <limits.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../allocated.h"
#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/holding.h"
#include "cache/tcache_counts.h"
#include "cache/tcache_guard.h"
#include "cache/thread.h"
#include "os/clock.h"
#include "os/os_thread.h"
#include "os/system.h"
#include "trim_stage.h"

#define KEY     ((uintptr_t)UINT64_C(0x1234567887654321))
#define OBJECTS 3000

/* --- the barrier, at which a test may let the owner go on ---------------- */

static struct {
	void (*at)(void);
	unsigned calls;
	unsigned granted; /* so many are, before all others are refused */
} barrier = { .granted = UINT_MAX };

bool __real_os_thread_barrier(void);
bool __wrap_os_thread_barrier(void);

bool
__wrap_os_thread_barrier(void)
{
	barrier.calls++;
	if (barrier.at != NULL)
		barrier.at();
	if (barrier.granted == 0)
		return false;
	if (barrier.granted != UINT_MAX)
		barrier.granted--;
	return __real_os_thread_barrier();
}

/* --- the clock, which a test may take over -------------------------------- */

static _Atomic uint64_t fake_ns; /* 0: the real one is used */

uint64_t __real_clock_now_ns(void);
uint64_t __wrap_clock_now_ns(void);

uint64_t
__wrap_clock_now_ns(void)
{
	return fake_ns != 0 ? fake_ns : __real_clock_now_ns();
}

/* --- an owner: its calls, and what it has --------------------------------- */

struct owner {
	struct thread *thread;
	uint64_t seed;
	unsigned n;
	struct {
		uint64_t *object;
		uint64_t tag;
		unsigned bin;
	} has[OBJECTS];
};

static struct cache_bin *
bin_of(struct owner *owner, unsigned bin)
{
	return &owner->thread->tcache.bins[bin + 1];
}

/* Nobody else may write to it until it is given back. */
static void
note_taken(struct owner *owner, unsigned bin, uint64_t *object)
{
	uint64_t tag = random_next(&owner->seed) | 2;

	assert_true(owner->n < OBJECTS);
	object[0] = tag;
	owner->has[owner->n].object = object;
	owner->has[owner->n].tag = tag;
	owner->has[owner->n++].bin = bin;
}

/* As api/malloc.c does it. */
static void
take(struct owner *owner, unsigned bin)
{
	struct tcache *tcache = &owner->thread->tcache;
	void *object;

	if (cache_bin_usable(bin) > CLASS_FINE_MAX)
		tcache_begin_take(tcache);
	object = cache_bin_take(bin_of(owner, bin));
	if (cache_bin_usable(bin) > CLASS_FINE_MAX)
		tcache_end_take(tcache);
	if (object == NULL)
		object = tcache_take_slow(&owner->thread->tcache, bin);
	assert_non_null(object);
	note_taken(owner, bin, object);
}

static uint64_t *
forget(struct owner *owner, unsigned k)
{
	uint64_t *object = owner->has[k].object;

	assert_int_equal(object[0], owner->has[k].tag);
	owner->has[k] = owner->has[--owner->n];
	return object;
}

static void
give(struct owner *owner, unsigned k)
{
	struct cache_bin *bin = bin_of(owner, owner->has[k].bin);
	unsigned i = owner->has[k].bin;
	uint64_t *object = forget(owner, k);
	void **head = bin->head;

	if (head <= bin->full) {
		tcache_give_slow(&owner->thread->tcache, i, object);
		return;
	}
	*object = KEY;
	cache_bin_give(bin, head, object);
}

static void
any_call(struct owner *owner, unsigned bins)
{
	unsigned bin = (unsigned)random_below(&owner->seed, bins);

	/* Now and then a large one. */
	if (random_below(&owner->seed, 64) == 0)
		bin = SMALL_CLASSES + bin % 4;
	if (owner->n < OBJECTS &&
	    (owner->n == 0 || random_below(&owner->seed, 2) == 0))
		take(owner, bin);
	else
		give(owner, (unsigned)random_below(&owner->seed, owner->n));
}

static void
give_all(struct owner *owner)
{
	while (owner->n > 0)
		give(owner, owner->n - 1);
}

/* --- one thread, the owner goes on in the middle -------------------------- */

static struct owner owner;

static void
begin(uint64_t seed)
{
	memset(&owner, 0, sizeof(owner));
	owner.seed = seed;
	owner.thread = thread_birth();
	assert_non_null(owner.thread);
	barrier.at = NULL;
}

static void
end(void)
{
	barrier.at = NULL;
	give_all(&owner);
	thread_death(owner.thread);
	thread_self = &thread_unborn;
	assert_int_equal(arena_allocated(arena_table_owner(0)), 0);
}

/* The first bin of objects larger than `size`. */
static unsigned
bin_above(size_t size)
{
	unsigned bin = 0;

	while (cache_bin_usable(bin) <= size)
		bin++;
	return bin;
}

/* As if it was asleep since the last time. */
static void
trim_twice(void)
{
	trim_idle();
	trim_idle();
}

static void
a_sleeping_thread_keeps_one_object_of_small_sizes(void **state)
{
	struct held_objects cached;

	(void)state;
	begin(1);
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 400; i++)
			take(&owner, i % SMALL_CLASSES);
		for (unsigned i = 0; i < 8; i++)
			take(&owner, SMALL_CLASSES + i % 4);
		give_all(&owner);
	}
	cached = thread_cached();
	assert_true(cached.nsmall > 2 * SMALL_CLASSES);
	trim_twice();
	cached = thread_cached();
	assert_int_equal(cached.nsmall, bin_above(CLASS_FINE_MAX));
	assert_int_equal(cached.nlarge, 0);
	assert_int_equal(cached.small_size,
	    arena_allocated(arena_table_owner(0)));
	/* It wakes up, and all is as before. */
	for (unsigned i = 0; i < 1000; i++)
		any_call(&owner, SMALL_CLASSES);
	end();
}

/* Some objects of some sizes in the owner's cache. */
static void
fill_cache(void)
{
	for (unsigned i = 0; i < 200; i++)
		take(&owner, i % SMALL_CLASSES);
	give_all(&owner);
}

static void
silent_threads_are_trimmed_in_passing(void **state)
{
	struct tcache_guard *guard;
	size_t before;

	(void)state;
	trim_stop();
	begin(6);
	guard = &owner.thread->tcache.guard;
	fill_cache();
	before = thread_cached().nsmall;
	guard->event_ns = 1000;
	assert_false(trim_silent(999));
	assert_int_equal(thread_cached().nsmall, before);
	assert_false(trim_silent(1000));
	assert_int_equal(thread_cached().nsmall, bin_above(CLASS_FINE_MAX));
	assert_int_equal(tcache_guarded, 0);
	/* Again only after it has done something. */
	barrier.calls = 0;
	trim_silent(1000);
	assert_int_equal(barrier.calls, 0);
	fill_cache();
	trim_silent(1000);
	/* Once when trimming begins, and once before a cache is emptied. */
	assert_int_equal(barrier.calls, 2);
	end();
	assert_true(trim_start());
}

/*
 * A filter of system calls may come at any time. Without the barrier, the owner
 * need not have seen its marks, so nothing is taken.
 */
static void
if_the_barrier_is_refused_nothing_is_taken(void **state)
{
	size_t before;

	(void)state;
	begin(8);
	fill_cache();
	before = thread_cached().nsmall;
	trim_idle();
	barrier.granted = 0;
	for (unsigned i = 0; i < 3; i++) {
		assert_false(trim_idle());
		assert_false(trim_is_possible());
		assert_int_equal(tcache_guarded, 0);
	}
	assert_int_equal(thread_cached().nsmall, before);
	/* The marks that it has set do no harm. */
	for (unsigned i = 0; i < 1000; i++)
		any_call(&owner, SMALL_CLASSES);
	/* In passing: at the start, and before the cache is emptied. */
	give_all(&owner);
	before = thread_cached().nsmall;
	for (unsigned granted = 0; granted < 2; granted++) {
		barrier.granted = granted;
		assert_false(trim_silent(UINT64_MAX));
		assert_int_equal(barrier.granted, 0);
		assert_int_equal(thread_cached().nsmall, before);
		assert_int_equal(tcache_guarded, 0);
	}
	assert_false(trim_start());
	assert_int_equal(tcache_guarded, 0);
	barrier.granted = 1;
	assert_true(trim_start());
	assert_false(trim_barrier());
	assert_false(trim_is_possible());
	assert_int_equal(tcache_guarded, 0);
	/* It may have been for a moment only. */
	barrier.granted = UINT_MAX;
	trim_silent(UINT64_MAX);
	assert_int_equal(thread_cached().nsmall, bin_above(CLASS_FINE_MAX));
	end();
	assert_true(trim_start());
}

/* A call of the program does not do all of it: whoever asks comes again. */
static void
of_many_silent_threads_some_are_left_for_later(void **state)
{
	struct thread *threads[40];

	(void)state;
	trim_stop();
	for (unsigned i = 0; i < ARRAY_LEN(threads); i++) {
		threads[i] = thread_birth();
		assert_non_null(threads[i]);
	}
	assert_true(trim_silent(1000));
	assert_false(trim_silent(1000));
	for (unsigned i = 0; i < ARRAY_LEN(threads); i++)
		thread_death(threads[i]);
	thread_self = &thread_unborn;
	assert_true(trim_start());
}

/* --- without a barrier ---------------------------------------------------- */

#define STEP_NS UINT64_C(250000000)

static size_t taken; /* bytes */

/* Threads without an event since `before_ns`, after one more step of time. */
static bool
trim_by_time(uint64_t before_ns)
{
	fake_ns += STEP_NS;
	return trim_patient(fake_ns, before_ns, &taken);
}

static void
begin_by_time(uint64_t seed)
{
	trim_stop();
	begin(seed);
	fake_ns = STEP_NS;
	barrier.calls = 0;
	assert_int_equal(tcache_guarded, 0);
	/* Before it can mark caches, their owners must know of it. */
	assert_true(trim_patient(fake_ns, UINT64_MAX, &taken));
	assert_int_equal(tcache_guarded, 1);
}

static void
end_by_time(void)
{
	trim_patient_stop();
	trim_patient_stop();
	assert_int_equal(tcache_guarded, 0);
	assert_int_equal(barrier.calls, 0);
	fake_ns = 0;
	end();
	assert_true(trim_start());
}

static void
silent_threads_are_trimmed_when_time_has_passed(void **state)
{
	size_t before;

	(void)state;
	begin_by_time(8);
	fill_cache();
	before = thread_cached().nsmall;
	owner.thread->tcache.guard.event_ns = 1000;
	assert_false(trim_by_time(999));
	assert_false(trim_by_time(999));
	assert_int_equal(thread_cached().nsmall, before);
	assert_true(trim_by_time(1000));
	assert_int_equal(thread_cached().nsmall, before);
	/* Not before every thread has seen the marks. */
	assert_true(trim_patient(fake_ns, 1000, &taken));
	assert_true(trim_patient(fake_ns + STEP_NS / 10, 1000, &taken));
	assert_int_equal(thread_cached().nsmall, before);
	assert_false(trim_by_time(1000));
	assert_int_equal(thread_cached().nsmall, bin_above(CLASS_FINE_MAX));
	assert_false(trim_by_time(1000));
	end_by_time();
}

/* What the cache of the owner holds, apart from what the trimmer leaves. */
static size_t
bytes_to_take(void)
{
	struct held_objects cached = thread_cached();
	size_t stays = 0;

	for (unsigned i = 0; i < bin_above(CLASS_FINE_MAX); i++)
		if (tcache_count(&owner.thread->tcache, i) > 0)
			stays += cache_bin_usable(i);
	return cached.small_size + cached.large_size - stays;
}

/* A cache that was emptied counts nothing until its owner is back. */
static void
what_is_taken_is_known(void **state)
{
	size_t held, most;

	(void)state;
	begin_by_time(10);
	assert_int_equal(holding_sum(), 0);
	fill_cache();
	held = holding_sum();
	most = bytes_to_take();
	assert_true(most > 0 && held >= most);
	taken = 1000;
	assert_true(trim_by_time(UINT64_MAX));
	assert_int_equal(holding_sum(), held);
	assert_false(trim_by_time(UINT64_MAX));
	assert_int_equal(holding_sum(), 0);
	assert_int_equal(taken, 1000 + most);
	/* Fast calls change nothing, because each is slow now. */
	take(&owner, 0);
	assert_int_equal(holding_sum(), held);
	/* One that wakes up before its cache is emptied goes on counting. */
	assert_true(trim_by_time(UINT64_MAX));
	fill_cache();
	held = holding_sum();
	trim_by_time(UINT64_MAX - 1);
	assert_int_equal(holding_sum(), held);
	end_by_time();
	assert_int_equal(holding_sum(), 0);
}

/* Its owner wakes up after that, and sleeps. How long until it is taken? */
static uint64_t
time_until_trimmed(uint64_t sleep_ns)
{
	struct tcache_guard *guard = &owner.thread->tcache.guard;
	uint64_t start_ns;

	fake_ns += sleep_ns;
	fill_cache();
	start_ns = fake_ns;
	guard->event_ns = start_ns;
	for (unsigned i = 0; i < 200 && holding_sum() > 0; i++)
		trim_by_time(fake_ns + STEP_NS - 500000000);
	assert_int_equal(holding_sum(), 0);
	return fake_ns - start_ns;
}

static void
who_comes_back_soon_keeps_its_cache_for_longer(void **state)
{
	const uint64_t at_once = 500000000 + STEP_NS;
	uint64_t longer = 0;

	(void)state;
	begin_by_time(11);
	assert_int_equal(time_until_trimmed(0), at_once);
	for (unsigned i = 0; i < 5; i++) {
		longer = 2 * longer + 500000000;
		assert_int_equal(time_until_trimmed(3 * STEP_NS),
		    at_once + longer);
	}
	/* No longer than that. */
	assert_int_equal(time_until_trimmed(3 * STEP_NS), at_once + longer);
	/* Who sleeps for long starts again. */
	assert_int_equal(time_until_trimmed(40 * STEP_NS), at_once);
	assert_int_equal(time_until_trimmed(38 * STEP_NS), at_once + 500000000);
	end_by_time();
}

/* As of a clock that the kernel does not let us read any more. */
static void
without_a_clock_no_time_passes(void **state)
{
	size_t before;

	(void)state;
	begin_by_time(12);
	fill_cache();
	before = thread_cached().nsmall;
	/* It is marked now. */
	assert_true(trim_by_time(UINT64_MAX));
	for (unsigned i = 0; i < 3; i++)
		assert_true(trim_patient(0, UINT64_MAX, &taken));
	assert_int_equal(thread_cached().nsmall, before);
	trim_by_time(UINT64_MAX);
	assert_int_equal(thread_cached().nsmall, bin_above(CLASS_FINE_MAX));
	end_by_time();
}

static void
who_wakes_up_meanwhile_keeps_its_cache(void **state)
{
	size_t before;

	(void)state;
	begin_by_time(9);
	fill_cache();
	assert_true(trim_by_time(UINT64_MAX));
	fill_cache();
	before = thread_cached().nsmall;
	trim_by_time(UINT64_MAX - 1);
	assert_int_equal(thread_cached().nsmall, before);
	end_by_time();
}

static void
marks_outlive_who_set_them(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 10; round++) {
		begin(7 + round);
		fill_cache();
		trim_twice();
		trim_stop();
		for (unsigned i = 0; i < 1000; i++)
			take(&owner, i % SMALL_CLASSES);
		end();
		assert_true(trim_start());
	}
}

static void
nothing_is_left_to_do_after_that(void **state)
{
	unsigned calls;

	(void)state;
	begin(2);
	take(&owner, 3);
	assert_true(trim_idle());
	assert_false(trim_idle());
	calls = barrier.calls;
	assert_false(trim_idle());
	assert_int_equal(barrier.calls, calls);
	/* After one call of the owner that was not seen there may be one. */
	give(&owner, 0);
	assert_true(trim_idle());
	end();
}

static void
a_thread_that_is_awake_is_left_alone(void **state)
{
	size_t before;

	(void)state;
	begin(3);
	for (unsigned i = 0; i < 100; i++)
		take(&owner, 2);
	give_all(&owner);
	trim_idle();
	before = thread_cached().nsmall;
	/* Slow paths show that it lives. */
	for (unsigned i = 0; i < 5; i++) {
		tcache_leave_counts(&owner.thread->tcache);
		assert_true(trim_idle());
		assert_int_equal(thread_cached().nsmall, before);
	}
	end();
}

/* The bin that it all happens in. */
static unsigned played;

/* A call that was past its compare when the marks came: it takes the top. */
static void
finish_a_take(void)
{
	struct cache_bin *bin = bin_of(&owner, played);

	if (bin->head < owner.thread->tcache.cold[played].bottom) {
		uint64_t *object = *bin->head++;

		note_taken(&owner, played, object);
	}
}

/* The same for giving: it puts on top. */
static void
finish_a_give(void)
{
	struct cache_bin *bin = bin_of(&owner, played);

	for (unsigned k = 0; k < owner.n; k++) {
		if (owner.has[k].bin != played)
			continue;
		*--bin->head = forget(&owner, k);
		return;
	}
}

/* Several calls, before the marks are seen at all. */
static void
go_on_blindly(void)
{
	for (unsigned i = 0; i < 7; i++) {
		if (random_below(&owner.seed, 3) == 0)
			finish_a_give();
		else
			finish_a_take();
	}
}

/* The same, and one that is finished when all is over. */
static bool unfinished;

static void
go_on_blindly_and_stop_in_a_take(void)
{
	go_on_blindly();
	unfinished = true;
	if (cache_bin_usable(played) > CLASS_FINE_MAX)
		tcache_begin_take(&owner.thread->tcache);
}

static void
wake_up(void)
{
	for (unsigned i = 0; i < 20; i++)
		any_call(&owner, played + 3);
}

/* The owner goes on between the marks and the next step. */
static void
trim_with_patience(void)
{
	trim_by_time(UINT64_MAX);
	if (barrier.at != NULL)
		barrier.at();
	trim_by_time(UINT64_MAX);
}

static void
play(unsigned bin, void (*trim_all)(void))
{
	void (*const at[])(void) = { finish_a_take, finish_a_give,
		go_on_blindly, go_on_blindly_and_stop_in_a_take, wake_up };

	played = bin;
	take(&owner, played);
	give(&owner, 0);
	for (unsigned round = 0; round < 4000; round++) {
		unsigned calls = (unsigned)random_below(&owner.seed, 60);

		for (unsigned i = 0; i < calls; i++)
			any_call(&owner, played + 3);
		/* Room, so that finish_a_give() finds some. */
		while (bin_of(&owner, played)->head - 8 <=
		    bin_of(&owner, played)->full)
			take(&owner, played);
		barrier.at = at[random_below(&owner.seed, ARRAY_LEN(at))];
		trim_all();
		barrier.at = NULL;
		if (unfinished) {
			finish_a_take();
			tcache_end_take(&owner.thread->tcache);
		}
		unfinished = false;
		while (owner.n > OBJECTS / 2)
			give(&owner, owner.n - 1);
	}
}

static void
calls_that_are_under_way_lose_nothing(void **state)
{
	const unsigned bins[] = { 5, bin_above(CLASS_FINE_MAX) };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(bins); i++) {
		begin(4);
		play(bins[i], trim_twice);
		end();
		begin_by_time(4);
		play(bins[i], trim_with_patience);
		end_by_time();
	}
}

static void
counters_stay_exact(void **state)
{
	uint64_t taken, given, want_taken = 0;

	(void)state;
	begin(5);
	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < 50; i++) {
			unsigned bin = i % 10 == 9 ? SMALL_CLASSES : i % 9;

			take(&owner, bin);
			want_taken += cache_bin_usable(bin);
		}
		give_all(&owner);
		if (round % 3 == 0)
			trim_twice();
		thread_counters(owner.thread, &taken, &given);
		assert_int_equal(taken, want_taken);
		assert_int_equal(given, want_taken);
	}
	end();
}

/* --- threads -------------------------------------------------------------- */

static struct {
	_Atomic bool stop;
	_Atomic unsigned rounds;
	bool naps; /* long enough to be trimmed */
} run;

static void *
live(void *arg)
{
	struct owner *mine = malloc(sizeof(*mine));

	for (unsigned life = 0; !run.stop; life++) {
		memset(mine, 0, sizeof(*mine));
		mine->seed = (uintptr_t)arg + life;
		mine->thread = thread_birth();
		for (unsigned i = 0; i < 200 && !run.stop; i++) {
			for (unsigned k = 0; k < 400; k++)
				any_call(mine, 6);
			if (run.naps && i % 64 == 0)
				usleep((useconds_t)random_below(&mine->seed,
				    400000));
			else if (i % 16 == 0)
				usleep(300);
			run.rounds++;
		}
		give_all(mine);
		thread_death(mine->thread);
		thread_self = &thread_unborn;
	}
	free(mine);
	return NULL;
}

static void
while_threads_live(bool naps, void (*trim_all)(void))
{
	pthread_t thread[4];

	barrier.at = NULL;
	run.stop = false;
	run.rounds = 0;
	run.naps = naps;
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, live,
				     (void *)(1000 * (i + 1))),
		    0);
	trim_all();
	run.stop = true;
	for (unsigned i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(arena_allocated(arena_table_owner(0)), 0);
	assert_int_equal(thread_cached().nsmall, 0);
}

/* Far more often than in life, so that they are awake in fact. */
static void
trim_very_often(void)
{
	for (unsigned i = 0; i < 2000 || run.rounds < 4000; i++)
		trim_idle();
}

static void
trim_for_a_while(void)
{
	for (unsigned i = 0; i < 15; i++) {
		trim_patient(clock_now_ns(), UINT64_MAX, &taken);
		usleep(110000);
	}
	trim_patient_stop();
}

static void
threads_go_on_while_they_are_trimmed(void **state)
{
	(void)state;
	while_threads_live(false, trim_very_often);
	while_threads_live(true, trim_for_a_while);
}

static int
setup(void **state)
{
	(void)state;
	return trim_stage_start(KEY) ? 0 : 1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_sleeping_thread_keeps_one_object_of_small_sizes),
		cmocka_unit_test(silent_threads_are_trimmed_in_passing),
		cmocka_unit_test(if_the_barrier_is_refused_nothing_is_taken),
		cmocka_unit_test(
		    of_many_silent_threads_some_are_left_for_later),
		cmocka_unit_test(
		    silent_threads_are_trimmed_when_time_has_passed),
		cmocka_unit_test(what_is_taken_is_known),
		cmocka_unit_test(
		    who_comes_back_soon_keeps_its_cache_for_longer),
		cmocka_unit_test(without_a_clock_no_time_passes),
		cmocka_unit_test(who_wakes_up_meanwhile_keeps_its_cache),
		cmocka_unit_test(marks_outlive_who_set_them),
		cmocka_unit_test(nothing_is_left_to_do_after_that),
		cmocka_unit_test(a_thread_that_is_awake_is_left_alone),
		cmocka_unit_test(calls_that_are_under_way_lose_nothing),
		cmocka_unit_test(counters_stay_exact),
		cmocka_unit_test(threads_go_on_while_they_are_trimmed),
	};

	if (RACE_DETECTOR)
		SKIP_BECAUSE("the race detector knows no such barrier");
	if (setup(NULL) != 0)
		return 1;
	if (!trim_start()) {
		long offered = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0,
		    0);

		if (offered >= 0 &&
		    (offered & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0)
			return 1;
		SKIP_BECAUSE("this kernel has no membarrier");
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
