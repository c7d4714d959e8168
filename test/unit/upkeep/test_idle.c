#include "upkeep/background.h"
#include "upkeep/idle.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/holding.h"
#include "cache/tcache_state.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "extent/extent_hooks.h"
#include "extent/extent_records.h"
#include "extent/limit.h"
#include "extent/metadata.h"
#include "os/clock.h"
#include "os/os_thread.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "pages/pools.h"
#include "upkeep/trim.h"

#define MS        UINT64_C(1000000)
#define MIB       ((size_t)1 << 20)
#define PERIOD_NS (10000 * MS) /* opt.dirty_decay_ms */
#define WORTH     (32 * MIB)
#define MUCH      (128 * MIB)

/* Time stands still, and the thread sleeps until the test lets it go. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	_Atomic uint64_t clock_ns;
	uint64_t
	    work_ns; /* passes until a thread has looked twice at its time */
	unsigned nlooks;
	unsigned nsleeps, nseen;
	bool let_go;
	_Atomic bool gone; /* the thread has been waited for */
	void (*at_start)(void);
	unsigned nstarts, njoins;
	bool refuse_start;
	bool called_by_loader;
	uint32_t process;
	_Atomic unsigned nliving;
	_Atomic unsigned ntrims;
	_Atomic unsigned more_silent;
	uint64_t trim_before_ns;
	_Atomic bool asleep;       /* trimming empties the cache */
	_Atomic size_t cached;     /* bytes that are in it */
	_Atomic size_t asleep_one; /* bytes that trimming takes, no more */
} stage = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER };

uint64_t __wrap_clock_now_ns(void);
uint64_t __wrap_clock_coarse_ns(void);
uint64_t __wrap_clock_thread_ns(void);
void __wrap_os_thread_sleep(_Atomic uint32_t *word, uint32_t value,
    uint64_t wait_ns);
void __wrap_os_thread_wake(_Atomic uint32_t *word);
int __real_os_thread_start(pthread_t *thread, void *(*run)(void *), void *arg);
int __wrap_os_thread_start(pthread_t *thread, void *(*run)(void *), void *arg);
void __real_os_thread_join(pthread_t thread);
void __wrap_os_thread_join(pthread_t thread);
uint32_t __wrap_os_process_id(void);
bool __wrap_loader_calls_us(bool unknown);
unsigned __wrap_thread_living(void);
bool __wrap_trim_patient(uint64_t now_ns, uint64_t before_ns, size_t *taken);
void __wrap_trim_patient_stop(void);

uint64_t
__wrap_clock_now_ns(void)
{
	return stage.clock_ns;
}

/* A thread waits for as long as it works. */
uint64_t
__wrap_clock_thread_ns(void)
{
	if (stage.nlooks++ % 2 == 0)
		return 7;
	stage.clock_ns += 2 * stage.work_ns;
	return 7 + stage.work_ns;
}

uint64_t
__wrap_clock_coarse_ns(void)
{
	return stage.clock_ns;
}

void
__wrap_os_thread_sleep(_Atomic uint32_t *word, uint32_t value, uint64_t wait_ns)
{
	assert_true(wait_ns != UINT64_MAX);
	pthread_mutex_lock(&stage.lock);
	stage.nsleeps++;
	pthread_cond_broadcast(&stage.changed);
	while (*word == value && !stage.let_go)
		pthread_cond_wait(&stage.changed, &stage.lock);
	stage.let_go = false;
	stage.clock_ns += wait_ns;
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
	stage.nstarts++;
	if (stage.at_start != NULL)
		stage.at_start();
	return stage.refuse_start ? EAGAIN
				  : __real_os_thread_start(thread, run, arg);
}

void
__wrap_os_thread_join(pthread_t thread)
{
	stage.njoins++;
	__real_os_thread_join(thread);
}

uint32_t
__wrap_os_process_id(void)
{
	return stage.process;
}

bool
__wrap_loader_calls_us(bool unknown)
{
	assert_true(unknown);
	return stage.called_by_loader;
}

unsigned
__wrap_thread_living(void)
{
	return stage.nliving;
}

/* One for all threads: what it holds are objects of 1 MiB. */
static struct tcache cache;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

static void
caches_have_room(size_t bytes)
{
	pthread_mutex_lock(&guard);
	cache.bins[1].usable = MIB;
	holding_return(&cache);
	holding_change(&cache, 0, (uint32_t)(cache.held / MIB),
	    (uint32_t)(bytes / MIB));
	pthread_mutex_unlock(&guard);
}

bool
__wrap_trim_patient(uint64_t now_ns, uint64_t before_ns, size_t *taken)
{
	*taken += stage.asleep_one;
	if (stage.asleep) {
		*taken += stage.cached;
		stage.cached = 0;
		pthread_mutex_lock(&guard);
		holding_leave(&cache);
		pthread_mutex_unlock(&guard);
	}
	assert_int_equal(now_ns, stage.clock_ns);
	stage.ntrims++;
	stage.trim_before_ns = before_ns;
	return stage.more_silent != 0 && --stage.more_silent != 0;
}

void
__wrap_trim_patient_stop(void)
{
	stage.ntrims = 0;
}

/* Waits for a sleep of the thread that the test has not seen. */
static void
next_sleep(void)
{
	pthread_mutex_lock(&stage.lock);
	while (stage.nsleeps == stage.nseen)
		pthread_cond_wait(&stage.changed, &stage.lock);
	stage.nseen = stage.nsleeps;
	pthread_mutex_unlock(&stage.lock);
}

static void
let_go(void)
{
	pthread_mutex_lock(&stage.lock);
	stage.let_go = true;
	pthread_cond_broadcast(&stage.changed);
	pthread_mutex_unlock(&stage.lock);
}

static size_t
nthreads(void)
{
	return background_stats().nthreads;
}

/* The thread does one round; false: it has left after it. */
static bool
round_passes(void)
{
	let_go();
	for (;;) {
		pthread_mutex_lock(&stage.lock);
		if (stage.nsleeps != stage.nseen) {
			stage.nseen = stage.nsleeps;
			pthread_mutex_unlock(&stage.lock);
			return true;
		}
		pthread_mutex_unlock(&stage.lock);
		/* It may look once more, and stay; this waits for that. */
		if (nthreads() == 0 && background_set_max(1) == 0 &&
		    nthreads() == 0)
			return false;
		sched_yield();
	}
}

static struct arena *arena;

static void
leave_unused_in(struct arena *to, size_t size)
{
	page_source_give(&to->pages,
	    page_source_take(&to->pages, size, system_info.page_size));
	arena_tick(to, stage.clock_ns);
}

static void
leave_unused(size_t size)
{
	leave_unused_in(arena, size);
}

static size_t
unused_bytes(void)
{
	return ageing_unused(&arena->pages);
}

static int
begin(void **state)
{
	(void)state;
	ageing_release(&arena->pages);
	stage.clock_ns += 100 * MS; /* so that the tick sees it */
	arena_tick(arena, stage.clock_ns);
	stage.nsleeps = stage.nseen = stage.nstarts = stage.njoins = 0;
	stage.refuse_start = stage.called_by_loader = stage.let_go = false;
	stage.at_start = NULL;
	stage.process = 1000;
	stage.nliving = 2;
	stage.ntrims = stage.more_silent = 0;
	stage.work_ns = 0;
	stage.asleep = false;
	stage.cached = stage.asleep_one = 0;
	caches_have_room(0);
	idle_fork_child(); /* no rest is left from the test before */
	limit_set_hard(0);
	limit_set_soft(0);
	limit_set_room(0);
	background_init(BACKGROUND_AUTO, 1);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	assert_int_equal(background_set(false), 0);
	assert_int_equal(nthreads(), 0);
	return 0;
}

/* --- when one is born ----------------------------------------------------- */

static void
much_that_is_unused_is_worth_a_thread(void **state)
{
	(void)state;
	leave_unused(WORTH - 4 * MIB);
	assert_int_equal(stage.nstarts, 0);
	leave_unused(WORTH);
	assert_int_equal(stage.nstarts, 1);
	next_sleep();
	/* It is not what the contract calls background threads. */
	assert_false(background_is_on());
	assert_false(arena_upkeep.by_threads);
	assert_int_equal(nthreads(), 1);
	/* More of it wakes nobody. */
	leave_unused(3 * WORTH);
	assert_int_equal(stage.nstarts, 1);
	assert_int_equal(stage.nsleeps, stage.nseen);
}

static void
what_many_arenas_have_is_added_up(void **state)
{
	struct arena *other[8];

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		other[i] = arena_table_create(NULL, false);
		assert_non_null(other[i]);
	}
	for (unsigned i = 0; i < 8; i++) {
		leave_unused_in(other[i], 5 * MIB);
		assert_int_equal(stage.nstarts, 5 * MIB * (i + 1) >= WORTH);
	}
	assert_int_equal(stage.nstarts, 1);
	assert_int_equal(background_set(false), 0);
	for (unsigned i = 0; i < 8; i++)
		ageing_release(&other[i]->pages);
}

static void
a_process_with_one_thread_stays_so(void **state)
{
	(void)state;
	stage.nliving = 1;
	leave_unused(4 * WORTH);
	assert_int_equal(stage.nstarts, 0);
	/* What has become unused then counts when there is a second one. */
	stage.nliving = 2;
	leave_unused(4 * WORTH);
	assert_int_equal(stage.nstarts, 1);
	next_sleep();
}

static void
none_is_born_in_a_process_that_was_not_made_by_fork(void **state)
{
	(void)state;
	stage.process = 2000;
	leave_unused(4 * WORTH);
	assert_int_equal(stage.nstarts, 0);
}

/* --- the last but one of the program's threads ---------------------------- */

static void
what_the_others_leave_goes_back_as_the_last_one_ends(void **state)
{
	(void)state;
	stage.nliving = 1;
	leave_unused(WORTH - MIB);
	background_alone();
	assert_int_equal(unused_bytes(), WORTH - MIB); /* too little */
	leave_unused(4 * WORTH);
	background_alone();
	assert_int_equal(unused_bytes(), 0);
	/* It is a call of the program. */
	assert_int_equal(background_set(false), 0);
	leave_unused(4 * WORTH);
	background_alone();
	assert_int_equal(unused_bytes(), 0);
	assert_int_equal(stage.nstarts, 0);
}

static void
what_is_to_stay_for_ever_does_not_go_then(void **state)
{
	(void)state;
	stage.nliving = 1;
	ageing_set_decay(&arena->pages, 0, -1, stage.clock_ns);
	leave_unused(4 * WORTH);
	background_alone();
	assert_int_equal(pools_of(&arena->pages, EXTENT_DIRTY)->size,
	    4 * WORTH);
	ageing_set_decay(&arena->pages, 0, (ssize_t)(PERIOD_NS / MS),
	    stage.clock_ns);
}

/* A thread for each piece of work would lose its pages again and again. */
static void
threads_that_end_spend_a_part_of_the_time_on_it(void **state)
{
	static const uint64_t takes_ns[] = { MS, 16 * MS, 50 * MS };

	(void)state;
	stage.nliving = 1;
	for (unsigned i = 0; i < ARRAY_LEN(takes_ns); i++) {
		/* A program that does something else meanwhile. */
		stage.clock_ns += 100000 * MS;
		stage.work_ns = takes_ns[i];
		leave_unused(2 * WORTH);
		background_alone();
		assert_int_equal(unused_bytes(), 0);
		/* And one that ends its threads all the time. */
		for (unsigned part = 64; part >= 16; part /= 4) {
			leave_unused(part == 64 ? 3 * WORTH : 2 * MUCH);
			/* Some bytes age meanwhile. */
			background_alone();
			assert_true(unused_bytes() > WORTH);
			stage.clock_ns += part * takes_ns[i] - 1;
			background_alone();
			assert_true(unused_bytes() > WORTH);
			stage.clock_ns += 1;
			background_alone();
			assert_int_equal(unused_bytes(), 0);
		}
	}
	/* The clock goes back: this does not stop it for long. */
	stage.clock_ns -= 5000 * MS;
	leave_unused(2 * WORTH);
	background_alone();
	assert_int_equal(unused_bytes(), 0);
}

/* --- one step, and the end, by themselves --------------------------------- */

static void
caches_with_half_of_what_is_worth_it_are_full(void **state)
{
	struct idle some = { 0 }, half = { 0 };

	(void)state;
	caches_have_room(WORTH / 2 - MIB);
	assert_int_equal(idle_step(&some, stage.clock_ns), 0);
	caches_have_room(WORTH / 2);
	assert_int_equal(idle_step(&half, stage.clock_ns), 250 * MS);
}

/* Which of the two was the reason counts for the next one. */
static void
a_thread_is_for_caches_if_pages_alone_were_too_few(void **state)
{
	struct idle pages = { 0 }, both = { 0 };

	(void)state;
	idle_stop_looking();
	caches_have_room(MIB);
	leave_unused(WORTH);
	idle_step(&pages, stage.clock_ns);
	assert_false(pages.for_caches);
	ageing_release(&arena->pages);
	leave_unused(WORTH - MIB);
	idle_step(&both, stage.clock_ns);
	assert_true(both.for_caches);
	idle_look_out();
}

static void
little_is_waited_for_as_long_as_two_decay_times(void **state)
{
	struct idle idle = { .low_since_ns = stage.clock_ns - 2 * PERIOD_NS };

	(void)state;
	leave_unused(4 * MIB);
	assert_int_equal(idle_step(&idle, stage.clock_ns), 250 * MS);
	idle.low_since_ns--;
	assert_int_equal(idle_step(&idle, stage.clock_ns), 0);
}

/* Returns how long no thread is started for caches then. */
static uint64_t
rest_after(bool for_caches, size_t taken)
{
	struct idle idle = { .for_caches = for_caches, .taken = taken };

	idle_end(&idle, stage.clock_ns);
	return arena_upkeep.rest_ns;
}

static void
a_quarter_of_what_is_worth_it_was_worth_the_thread(void **state)
{
	size_t much = WORTH / 4;

	(void)state;
	assert_int_equal(rest_after(true, much - 1), 1000 * MS);
	assert_int_equal(rest_after(true, much - 1), 2000 * MS);
	assert_int_equal(rest_after(false, much - 1), 2000 * MS);
	assert_int_equal(rest_after(true, much), 0);
	/* But not if the caches are as full again. */
	idle_stop_looking();
	caches_have_room(WORTH - MIB);
	assert_int_equal(rest_after(true, much), 0);
	idle_stop_looking();
	caches_have_room(WORTH);
	assert_int_equal(rest_after(true, much), 1000 * MS);
	for (unsigned i = 0; i < 20; i++)
		rest_after(true, 0);
	assert_int_equal(arena_upkeep.rest_ns, 3600 * 1000 * MS);
	idle_fork_child();
}

/* --- very large objects of a program with one thread ---------------------- */

/* Frees some, of so many bytes each. Returns what is unused then. */
static size_t
free_long(unsigned n, size_t size)
{
	struct extent *e[16];

	assert_int_equal(begin(NULL), 0);
	stage.nliving = 1;
	for (unsigned i = 0; i < n; i++) {
		e[i] = page_source_take(&arena->pages, size,
		    system_info.page_size);
		assert_non_null(e[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		page_source_give(&arena->pages, e[i]);
		idle_freed_long(arena, size);
	}
	return unused_bytes();
}

static void
one_thread_that_frees_very_large_objects_keeps_some(void **state)
{
	(void)state;
	assert_int_equal(free_long(4, IDLE_LONG), 128 * MIB);
	assert_in_range(free_long(12, IDLE_LONG), 96 * MIB, 128 * MIB);
	/* The next one of this size can have its pages. */
	assert_int_equal(free_long(1, 200 * MIB), 200 * MIB);
	assert_in_range(free_long(3, 200 * MIB), 160 * MIB, 200 * MIB);
}

static void
it_keeps_all_of_them_if_somebody_else_ages_pages(void **state)
{
	struct extent *e[12];

	(void)state;
	for (unsigned threads = 0; threads < 2; threads++) {
		assert_int_equal(begin(NULL), 0);
		for (unsigned i = 0; i < ARRAY_LEN(e); i++)
			e[i] = page_source_take(&arena->pages, IDLE_LONG,
			    system_info.page_size);
		stage.nliving = threads ? 1 : 2;
		arena_upkeep.by_threads = threads;
		for (unsigned i = 0; i < ARRAY_LEN(e); i++) {
			page_source_give(&arena->pages, e[i]);
			idle_freed_long(arena, IDLE_LONG);
		}
		arena_upkeep.by_threads = false;
		assert_int_equal(unused_bytes(), ARRAY_LEN(e) * IDLE_LONG);
	}
}

static void
the_child_of_a_fork_starts_its_own(void **state)
{
	(void)state;
	leave_unused(2 * WORTH);
	next_sleep();
	/* As in the child: the thread is not there. */
	assert_int_equal(background_set(false), 0);
	background_init(BACKGROUND_AUTO, 1);
	background_fork_prepare();
	leave_unused(4 * WORTH);
	assert_int_equal(stage.nstarts, 1);
	stage.process = 3000;
	stage.nliving = 1;
	background_fork_child();
	leave_unused(6 * WORTH);
	assert_int_equal(stage.nstarts, 1);
	stage.nliving = 2;
	leave_unused(8 * WORTH);
	assert_int_equal(stage.nstarts, 2);
	next_sleep();
}

static void
a_start_that_a_fork_prevents_comes_after_it(void **state)
{
	(void)state;
	background_fork_prepare();
	leave_unused(4 * WORTH);
	assert_int_equal(stage.nstarts, 0);
	background_fork_parent();
	assert_int_equal(stage.nstarts, 1);
	next_sleep();
}

static void
none_is_born_while_the_loader_calls_us(void **state)
{
	(void)state;
	stage.called_by_loader = true;
	leave_unused(2 * WORTH);
	assert_int_equal(stage.nstarts, 0);
	/* The next call starts it, though no more is unused. */
	stage.called_by_loader = false;
	arena_tick(arena, stage.clock_ns);
	assert_int_equal(stage.nstarts, 1);
	next_sleep();
}

static void
one_that_can_not_be_started_is_tried_again_later(void **state)
{
	(void)state;
	stage.refuse_start = true;
	leave_unused(2 * WORTH);
	assert_int_equal(stage.nstarts, 1);
	assert_int_equal(nthreads(), 0);
	arena_tick(arena, stage.clock_ns);
	assert_int_equal(stage.nstarts, 1);
	stage.refuse_start = false;
	/* Not at each call. */
	leave_unused(3 * WORTH);
	assert_int_equal(stage.nstarts, 1);
	stage.clock_ns += 1000 * MS;
	leave_unused(4 * WORTH);
	assert_int_equal(stage.nstarts, 2);
	next_sleep();
}

static void
with_a_limit_less_is_worth_it(void)
{
	leave_unused(9 * MIB);
	assert_int_equal(stage.nstarts, 0);
	leave_unused(12 * MIB);
	assert_int_equal(stage.nstarts, 1);
	next_sleep();
}

static void
a_limit_makes_less_worth_it(void **state)
{
	(void)state;
	limit_set_hard(80 * MIB);
	with_a_limit_less_is_worth_it();
}

static void
so_does_the_room_of_a_container(void **state)
{
	(void)state;
	limit_set_room(80 * MIB);
	with_a_limit_less_is_worth_it();
}

static void
a_soft_limit_makes_less_worth_it(void **state)
{
	(void)state;
	limit_set_soft(80 * MIB);
	with_a_limit_less_is_worth_it();
}

static void
pages_that_are_kept_for_ever_are_not_worth_it(void **state)
{
	(void)state;
	ageing_set_decay(&arena->pages, 0, -1, stage.clock_ns);
	leave_unused(4 * WORTH);
	assert_int_equal(stage.nstarts, 0);
	ageing_set_decay(&arena->pages, 0, 10000, stage.clock_ns);
}

/* Any call of the program that looks at more than its own cache. */
static void
slow_call(void)
{
	holding_look(stage.clock_ns);
}

static unsigned npurges;

static void *
map(struct extent_hooks *hooks, void *address, size_t size, size_t align,
    bool *zero, bool *commit, unsigned index)
{
	char *room = address != NULL
	    ? MAP_FAILED
	    : mmap(NULL, size + align, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)hooks, (void)index;
	if (room == MAP_FAILED)
		return NULL;
	*zero = *commit = true;
	return room + (align - (uintptr_t)room % align) % align;
}

static bool
purge(struct extent_hooks *hooks, void *address, size_t size, size_t offset,
    size_t length, unsigned index)
{
	(void)hooks, (void)address, (void)size, (void)offset, (void)length;
	(void)index;
	npurges++;
	return true;
}

static void
functions_of_the_program_are_never_called(void **state)
{
	static struct extent_hooks hooks = {
		.alloc = map, .purge_lazy = purge, .purge_forced = purge
	};
	struct arena *mine = arena_table_create(&hooks, false);
	size_t unused;

	(void)state;
	assert_non_null(mine);
	leave_unused_in(mine, 4 * WORTH);
	unused = ageing_unused(&mine->pages);
	assert_true(unused >= 4 * WORTH);
	assert_int_equal(stage.nstarts, 0);
	/* Nor if it is born for other arenas. */
	leave_unused(2 * WORTH);
	next_sleep();
	while (round_passes())
		;
	assert_int_equal(ageing_unused(&mine->pages), unused);
	assert_int_equal(npurges, 0);
	/* Objects of that arena may be in caches, and emptied slabs merged. */
	assert_int_equal(stage.ntrims, 0);
	caches_have_room(WORTH);
	slow_call();
	assert_int_equal(stage.nstarts, 1);
}

/* --- what it does, and how it ends ---------------------------------------- */

static void
it_gives_all_back_within_a_decay_time_and_leaves(void **state)
{
	uint64_t start_ns = stage.clock_ns, left_ns;
	struct extent *e[32];

	(void)state;
	/* Each other one is in use, so these are many extents. */
	for (unsigned i = 0; i < ARRAY_LEN(e); i++) {
		e[i] = page_source_take(&arena->pages, WORTH / 8,
		    system_info.page_size);
		assert_non_null(e[i]);
	}
	for (unsigned i = 0; i < ARRAY_LEN(e); i += 2)
		page_source_give(&arena->pages, e[i]);
	arena_tick(arena, stage.clock_ns);
	assert_int_equal(stage.nstarts, 1);
	next_sleep();
	/* Silent threads, but not one that has just had an event. */
	assert_int_equal(stage.ntrims, 1);
	assert_true(stage.trim_before_ns < start_ns &&
	    stage.trim_before_ns >= start_ns - 1000 * MS);
	while (unused_bytes() != 0) {
		assert_true(stage.clock_ns - start_ns <= PERIOD_NS + 500 * MS);
		assert_true(round_passes());
	}
	left_ns = stage.clock_ns;
	while (round_passes())
		assert_true(stage.clock_ns - left_ns <= 1000 * MS);
	assert_int_equal(nthreads(), 0);
	/* Not at once: it follows the curve. */
	assert_true(stage.clock_ns - start_ns > PERIOD_NS / 2);
	for (unsigned i = 1; i < ARRAY_LEN(e); i += 2)
		page_source_give(&arena->pages, e[i]);
	ageing_release(&arena->pages);
	/* The next burst is seen, too. */
	leave_unused(4 * WORTH);
	assert_int_equal(stage.nstarts, 2);
	assert_int_equal(stage.njoins, 1);
	next_sleep();
}

static void
it_stays_until_all_silent_threads_are_trimmed(void **state)
{
	(void)state;
	stage.more_silent = 60;
	leave_unused(4 * WORTH);
	next_sleep();
	while (round_passes())
		;
	assert_int_equal(stage.more_silent, 0);
	assert_int_equal(unused_bytes(), 0);
	/* It says that it trims no more, and ends. */
	assert_int_equal(background_set(false), 0);
	assert_int_equal(stage.ntrims, 0);
}

static void
it_stays_while_the_program_makes_new_ones(void **state)
{
	(void)state;
	leave_unused(4 * WORTH);
	next_sleep();
	for (unsigned i = 0; i < 200; i++) {
		leave_unused(4 * WORTH);
		assert_true(round_passes());
	}
}

/* After how many rounds it leaves, if each of them begins with so much. */
static unsigned
rounds_with(size_t bytes)
{
	unsigned n = 0;

	leave_unused(2 * WORTH);
	next_sleep();
	do
		leave_unused(bytes);
	while (++n < 400 && round_passes());
	return n;
}

static void
it_leaves_a_program_that_is_awake_and_has_little(void **state)
{
	(void)state;
	assert_in_range(rounds_with(2 * MIB), 41, 399);
	assert_in_range(rounds_with(MIB), 41, 399);
	assert_in_range(rounds_with(WORTH / 2 - MIB), 41, 399);
	/* But not one that has half of what is worth it. */
	assert_int_equal(rounds_with(WORTH / 2), 400);
}

/* The same for its threads: now and then one of them sleeps. */
static void
it_leaves_a_program_whose_threads_wake_up_and_sleep(void **state)
{
	unsigned n = 0;

	(void)state;
	stage.more_silent = 1000;
	leave_unused(2 * WORTH);
	next_sleep();
	while (round_passes())
		assert_true(++n < 400);
	assert_true(stage.more_silent > 0);
}

/* What comes and goes each second would keep it here for ever. */
static void
it_does_not_wait_for_the_last_pages(void **state)
{
	unsigned n = 0;

	(void)state;
	leave_unused(2 * WORTH);
	next_sleep();
	do {
		leave_unused(MIB / 2);
		assert_true(++n < 60);
	} while (round_passes());
}

static void
a_burst_while_it_is_leaving_keeps_it(void **state)
{
	(void)state;
	leave_unused(2 * WORTH);
	next_sleep();
	while (unused_bytes() != 0)
		assert_true(round_passes());
	/* It has found nothing, and looks once more. */
	leave_unused(4 * WORTH);
	next_sleep();
	assert_int_equal(nthreads(), 1);
	assert_true(round_passes());
	assert_int_equal(stage.nstarts, 1);
}

static void
when_one_thread_is_left_it_is_gone(void **state)
{
	(void)state;
	leave_unused(4 * WORTH);
	next_sleep();
	stage.nliving = 3;
	background_alone(); /* others have come meanwhile */
	assert_int_equal(nthreads(), 1);
	stage.nliving = 1;
	background_alone();
	assert_int_equal(nthreads(), 0);
	assert_int_equal(stage.njoins, 1);
	leave_unused(6 * WORTH);
	assert_int_equal(stage.nstarts, 1);
	stage.nliving = 2;
	leave_unused(8 * WORTH);
	assert_int_equal(stage.nstarts, 2);
	next_sleep();
}

/* One that leaves by itself is waited for as well. */
static void
when_one_thread_is_left_it_has_left(void **state)
{
	(void)state;
	leave_unused(2 * WORTH);
	next_sleep();
	while (round_passes())
		;
	assert_int_equal(stage.njoins, 0);
	stage.nliving = 1;
	background_alone();
	assert_int_equal(stage.njoins, 1);
}

static void
the_others_end(void)
{
	stage.nliving = 1;
	background_alone(); /* this sees no thread yet */
}

static void
one_that_is_born_as_the_others_end_is_gone_at_once(void **state)
{
	(void)state;
	stage.at_start = the_others_end;
	leave_unused(4 * WORTH);
	assert_int_equal(stage.nstarts, 1);
	assert_int_equal(stage.njoins, 1);
	assert_int_equal(nthreads(), 0);
}

static void
the_program_may_say_what_it_wants(void **state)
{
	(void)state;
	leave_unused(4 * WORTH);
	next_sleep();
	assert_int_equal(background_set(true), 0);
	assert_int_equal(stage.njoins, 1);
	assert_true(background_is_on());
	assert_true(arena_upkeep.by_threads);
	next_sleep();
	assert_int_equal(background_set(false), 0);
	/* Off is off: it does not become automatic again. */
	leave_unused(8 * WORTH);
	assert_int_equal(stage.nstarts, 2);
	assert_int_equal(nthreads(), 0);
}

/* --- what caches hold ----------------------------------------------------- */

static void
what_caches_may_hold_is_worth_a_thread(void **state)
{
	(void)state;
	for (unsigned i = 1; i < 32; i++) {
		caches_have_room(i * MIB);
		slow_call();
		assert_int_equal(stage.nstarts, 0);
	}
	/* There may be no other call. */
	caches_have_room(WORTH);
	assert_int_equal(stage.nstarts, 1);
	next_sleep();
	/* More of it wakes nobody. */
	caches_have_room(4 * WORTH);
	slow_call();
	assert_int_equal(stage.nstarts, 1);
	assert_int_equal(stage.nsleeps, stage.nseen);
}

static void
caches_and_unused_pages_are_added_up(void **state)
{
	(void)state;
	caches_have_room(16 * MIB);
	leave_unused(12 * MIB);
	assert_int_equal(stage.nstarts, 0);
	leave_unused(16 * MIB);
	assert_int_equal(stage.nstarts, 1);
	next_sleep();
	assert_int_equal(background_set(false), 0);
	/* The same the other way round, to within a quarter. */
	assert_int_equal(begin(state), 0);
	leave_unused(16 * MIB);
	caches_have_room(12 * MIB);
	assert_int_equal(stage.nstarts, 0);
	caches_have_room(24 * MIB);
	assert_int_equal(stage.nstarts, 1);
	next_sleep();
}

static void
with_a_limit_less_in_caches_is_worth_it(void **state)
{
	(void)state;
	limit_set_hard(80 * MIB);
	caches_have_room(9 * MIB);
	assert_int_equal(stage.nstarts, 0);
	caches_have_room(12 * MIB);
	assert_int_equal(stage.nstarts, 1);
	next_sleep();
}

static void
caches_do_not_count_where_they_can_not_be_given_back(void **state)
{
	(void)state;
	stage.nliving = 1;
	caches_have_room(4 * WORTH);
	assert_int_equal(stage.nstarts, 0);
	stage.nliving = 2;
	/* Their pages would stay for ever. */
	ageing_set_decay(&arena->pages, 0, -1, stage.clock_ns);
	slow_call();
	assert_int_equal(stage.nstarts, 0);
	ageing_set_decay(&arena->pages, 0, 10000, stage.clock_ns);
	assert_int_equal(background_set(false), 0);
	slow_call();
	caches_have_room(8 * WORTH);
	assert_int_equal(stage.nstarts, 0);
}

/* How long it stays if each round ends with `meanwhile`. */
static uint64_t
stays_for(void (*meanwhile)(void))
{
	uint64_t start_ns = stage.clock_ns;

	next_sleep();
	while (round_passes())
		if (meanwhile != NULL)
			meanwhile();
	return stage.clock_ns - start_ns;
}

static void
threads_fall_asleep_after_it_was_born(void **state)
{
	(void)state;
	stage.cached = WORTH;
	caches_have_room(WORTH);
	next_sleep();
	for (unsigned i = 0; i < 40; i++)
		assert_true(round_passes());
	stage.asleep = true;
	assert_true(round_passes());
	assert_int_equal(stage.cached, 0);
	while (round_passes())
		assert_true(stage.clock_ns < 200000 * MS);
	/* It took much, so the next burst has another one at once. */
	stage.asleep = false;
	caches_have_room(WORTH);
	assert_int_equal(stage.nstarts, 2);
	next_sleep();
}

/* Every 15 s `bytes` can be taken; the other threads fill their caches. */
static uint64_t
stays_if_some_sleep(size_t bytes)
{
	uint64_t start_ns = stage.clock_ns;
	bool stays = true;

	for (unsigned i = 1; stays && i <= 600; i++) {
		stage.asleep_one = i % 60 == 0 ? bytes : 0;
		stays = round_passes();
	}
	return stage.clock_ns - start_ns;
}

static void
threads_fall_asleep_one_after_the_other(void **state)
{
	(void)state;
	caches_have_room(4 * WORTH);
	next_sleep();
	assert_in_range(stays_if_some_sleep(WORTH / 4), 140000 * MS,
	    160000 * MS);
	assert_in_range(stays_if_some_sleep(WORTH / 4 - MIB), 0, 30000 * MS);
}

static void
a_busy_program_has_one_ever_more_rarely(void **state)
{
	uint64_t rest_ns = 1000 * MS;

	(void)state;
	caches_have_room(4 * WORTH);
	for (unsigned i = 1; i < 20; i++) {
		assert_int_equal(stage.nstarts, i);
		/* The program wakes it no sooner. */
		assert_in_range(stays_for(slow_call), 20000 * MS, 21000 * MS);
		stage.clock_ns += rest_ns - 1000 * MS;
		slow_call();
		caches_have_room((4 + i) * WORTH);
		assert_int_equal(stage.nstarts, i);
		stage.clock_ns += 1000 * MS;
		slow_call();
		rest_ns *= 2;
		if (rest_ns > 3600 * 1000 * MS)
			rest_ns = 3600 * 1000 * MS;
	}
	/* It falls asleep at last. */
	stage.asleep = true;
	stage.cached = WORTH;
	assert_true(stays_for(NULL) < 21000 * MS);
	stage.asleep = false;
	caches_have_room(WORTH);
	assert_int_equal(stage.nstarts, 21);
	assert_true(stays_for(NULL) > 20000 * MS);
	/* And the rests begin with a second again. */
	stage.clock_ns += 1000 * MS;
	slow_call();
	assert_int_equal(stage.nstarts, 22);
	next_sleep();
}

static void
empty_caches_of_sleeping_threads_bring_it_ever_more_rarely(void **state)
{
	(void)state;
	stage.asleep = true;
	for (unsigned i = 1; i < 10; i++) {
		caches_have_room(WORTH);
		assert_int_equal(stage.nstarts, i);
		assert_true(stays_for(NULL) < 2000 * MS);
		caches_have_room(WORTH);
		assert_int_equal(stage.nstarts, i);
		stage.clock_ns += (1000 * MS) << (i - 1);
		slow_call();
	}
	next_sleep();
}

/* Pages are worth it even then, and that says nothing about caches. */
static void
a_rest_is_for_caches_alone(void **state)
{
	(void)state;
	caches_have_room(WORTH);
	assert_true(stays_for(NULL) > 20000 * MS);
	leave_unused(2 * WORTH);
	assert_int_equal(stage.nstarts, 2);
	stage.asleep = true;
	stage.cached = WORTH;
	assert_true(stays_for(NULL) < PERIOD_NS + 2000 * MS);
	/* What it took ends the rest. */
	stage.asleep = false;
	caches_have_room(WORTH);
	assert_int_equal(stage.nstarts, 3);
	stage.asleep = true;
	stage.cached = WORTH;
	stays_for(NULL);
	for (unsigned i = 4; i < 8; i++) {
		stage.cached = 0;
		leave_unused(2 * WORTH);
		assert_int_equal(stage.nstarts, i);
		stays_for(NULL);
	}
	caches_have_room(WORTH);
	assert_int_equal(stage.nstarts, 8);
	next_sleep();
}

static void
caches_that_fill_up_while_it_is_leaving_keep_it(void **state)
{
	uint64_t start_ns;

	(void)state;
	stage.asleep = true;
	stage.cached = WORTH;
	caches_have_room(WORTH);
	next_sleep();
	assert_int_equal(stage.cached, 0);
	/* It has found nothing, and looks once more. */
	stage.asleep = false;
	start_ns = stage.clock_ns;
	caches_have_room(2 * WORTH);
	next_sleep();
	while (round_passes())
		assert_int_equal(stage.nstarts, 1);
	/* It begins to watch from then on. */
	assert_in_range(stage.clock_ns - start_ns, 20000 * MS, 21000 * MS);
}

static void
caches_of_the_parent_do_not_count_in_the_child(void **state)
{
	(void)state;
	caches_have_room(WORTH);
	stays_for(NULL);
	/* As in the child: the thread is not there. */
	assert_int_equal(background_set(false), 0);
	background_init(BACKGROUND_AUTO, 1);
	caches_have_room(31 * MIB);
	background_fork_prepare();
	holding_fork_child(NULL);
	background_fork_child();
	slow_call();
	holding_fork_child(&cache);
	slow_call();
	assert_int_equal(stage.nstarts, 1);
	/* Nor does it rest for its parent. */
	caches_have_room(WORTH);
	assert_int_equal(stage.nstarts, 2);
	next_sleep();
}

int
main(void)
{
	static const char *const none[CONF_SOURCES];
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(much_that_is_unused_is_worth_a_thread),
		TEST(what_many_arenas_have_is_added_up),
		TEST(a_process_with_one_thread_stays_so),
		TEST(none_is_born_in_a_process_that_was_not_made_by_fork),
		TEST(caches_with_half_of_what_is_worth_it_are_full),
		TEST(a_thread_is_for_caches_if_pages_alone_were_too_few),
		TEST(little_is_waited_for_as_long_as_two_decay_times),
		TEST(a_quarter_of_what_is_worth_it_was_worth_the_thread),
		TEST(one_thread_that_frees_very_large_objects_keeps_some),
		TEST(it_keeps_all_of_them_if_somebody_else_ages_pages),
		TEST(what_the_others_leave_goes_back_as_the_last_one_ends),
		TEST(what_is_to_stay_for_ever_does_not_go_then),
		TEST(threads_that_end_spend_a_part_of_the_time_on_it),
		TEST(the_child_of_a_fork_starts_its_own),
		TEST(a_start_that_a_fork_prevents_comes_after_it),
		TEST(none_is_born_while_the_loader_calls_us),
		TEST(one_that_can_not_be_started_is_tried_again_later),
		TEST(a_limit_makes_less_worth_it),
		TEST(so_does_the_room_of_a_container),
		TEST(a_soft_limit_makes_less_worth_it),
		TEST(pages_that_are_kept_for_ever_are_not_worth_it),
		TEST(it_gives_all_back_within_a_decay_time_and_leaves),
		TEST(it_stays_until_all_silent_threads_are_trimmed),
		TEST(it_stays_while_the_program_makes_new_ones),
		TEST(it_leaves_a_program_that_is_awake_and_has_little),
		TEST(it_leaves_a_program_whose_threads_wake_up_and_sleep),
		TEST(it_does_not_wait_for_the_last_pages),
		TEST(a_burst_while_it_is_leaving_keeps_it),
		TEST(when_one_thread_is_left_it_is_gone),
		TEST(when_one_thread_is_left_it_has_left),
		TEST(one_that_is_born_as_the_others_end_is_gone_at_once),
		TEST(the_program_may_say_what_it_wants),
		TEST(what_caches_may_hold_is_worth_a_thread),
		TEST(caches_and_unused_pages_are_added_up),
		TEST(with_a_limit_less_in_caches_is_worth_it),
		TEST(caches_do_not_count_where_they_can_not_be_given_back),
		TEST(threads_fall_asleep_after_it_was_born),
		TEST(threads_fall_asleep_one_after_the_other),
		TEST(a_busy_program_has_one_ever_more_rarely),
		TEST(
		    empty_caches_of_sleeping_threads_bring_it_ever_more_rarely),
		TEST(a_rest_is_for_caches_alone),
		TEST(caches_that_fill_up_while_it_is_leaving_keep_it),
		TEST(caches_of_the_parent_do_not_count_in_the_child),
		/* The last one, because its arena stays. */
		TEST(functions_of_the_program_are_never_called),
	};

	alarm(600);
	stage.clock_ns = 100000 * MS;
	system_init();
	metadata_init();
	extent_records_init();
	conf_settle(&opt_at_start, none);
	size_class_init(system_info.page_size, opt.slab_sizes);
	limit_init();
	if (!arena_table_init(1, 0))
		return 1;
	arena = arena_table_owner(0);
	holding_begin(&cache);
	arena_upkeep.wake = background_wake;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
