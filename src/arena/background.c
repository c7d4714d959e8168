#include "arena/background.h"

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "extent/extent_hooks.h"
#include "os/clock.h"
#include "os/error_text.h"
#include "os/message.h"
#include "os/os_thread.h"
#include "os/system.h"
#include "pages/ageing.h"

/* More give memory back no faster: the kernel's locks are the limit. */
#define WORKERS_MAX	16
#define MS		UINT64_C(1000000)
/* Caches are looked at so often while threads use them. */
#define TRIM_NS		(500 * MS)
/* The leader sleeps for so long at least, whatever is due. */
#define SLEEP_MIN_NS	(20 * MS)
/* At most so long where a call could be missed, for want of a barrier. */
#define SLEEP_BLIND_NS	(10000 * MS)
/*
 * In the child of a fork, which often ends or becomes another program soon, a
 * thread waits for so long, or for so much that came to lie unused, or for a
 * second thread of the program's: who has one will stay.
 */
#define REBIRTH_NS	(1000 * MS)
#define REBIRTH_BYTES	((size_t)1 << 20)
/* Another thread is worth it for so much. */
#define WORTH_A_THREAD	((size_t)16 << 20)

struct worker {
	pthread_t thread;
	_Atomic uint32_t word;		/* raised to wake it */
	_Atomic uint64_t nruns;
	_Atomic uint64_t slept_ns;
};

static struct {
	struct lock lock;
	bool changing;		/* somebody starts or ends threads */
	_Atomic bool wanted;
	_Atomic bool held;	/* by a fork: start none */
	_Atomic bool stop;
	_Atomic bool abandoned;
	_Atomic size_t nthreads;
	_Atomic size_t most;
	_Atomic uint64_t not_before_ns;
	_Atomic bool missed;	/* a call to start, for somebody was in the way */
	uintptr_t forker;	/* since a fork: the thread that there was */
	size_t unused_at_fork;
	bool trims;		/* caches; the leader's */
	struct worker worker[WORKERS_MAX];
} background;

struct background_trimmer background_trimmer;
_Atomic bool background_watches_caches;

static bool
get(const _Atomic bool *flag)
{
	return atomic_load_explicit(flag, memory_order_acquire);
}

static void
set(_Atomic bool *flag, bool value)
{
	atomic_store_explicit(flag, value, memory_order_release);
}

struct lock *
background_lock(void)
{
	return &background.lock;
}

/* --- what is to be done -------------------------------------------------- */

struct round {
	uint64_t now_ns;
	uint64_t wait_ns;	/* until the next thing is due */
};

static void
age_one(struct arena *arena, void *context)
{
	struct round *round = context;
	uint64_t due_ns = ageing_wait(&arena->pages, round->now_ns);

	if (due_ns == 0) {
		ageing_tick(&arena->pages, round->now_ns);
		round->now_ns = clock_now_ns();
		due_ns = ageing_wait(&arena->pages, round->now_ns);
	}
	if (due_ns < round->wait_ns)
		round->wait_ns = due_ns;
}

/* Of the arenas with an index of `share` modulo `of`; ns until the next. */
static uint64_t
age(size_t share, size_t of)
{
	struct round round = { clock_now_ns(), UINT64_MAX };

	for (unsigned i = (unsigned)share; i < arena_table_count();
	    i += (unsigned)of)
		arena_table_visit(i, age_one, &round);
	return round.wait_ns;
}

static void
add_unused(struct arena *arena, void *sum)
{
	*(size_t *)sum += ageing_unused(&arena->pages);
}

static size_t
unused(void)
{
	size_t sum = 0;

	arena_table_each(add_unused, &sum);
	return sum;
}

static size_t
workers_wanted(void)
{
	size_t most = atomic_load_explicit(&background.most,
	    memory_order_relaxed);

	if (most > system_info.ncpus)
		most = system_info.ncpus;
	return most < WORKERS_MAX ? most : WORKERS_MAX;
}

/* --- threads ------------------------------------------------------------- */

static void
raise_word(struct worker *worker)
{
	atomic_fetch_add_explicit(&worker->word, 1, memory_order_release);
	os_thread_wake(&worker->word);
}

static void
sleep_on(struct worker *worker, uint32_t value, uint64_t wait_ns)
{
	uint64_t start_ns = clock_now_ns();

	os_thread_sleep(&worker->word, value, wait_ns);
	atomic_fetch_add_explicit(&worker->slept_ns,
	    clock_now_ns() - start_ns, memory_order_relaxed);
}

static void *run_helper(void *arg);

/* The threads of a running program: its calls from our side allocate. */
static int
start_worker(struct worker *worker, void *(*run)(void *))
{
	void *before = extent_hooks_guard.enter();
	int error = os_thread_start(&worker->thread, run, worker);

	if (before != NULL)
		extent_hooks_guard.leave(before);
	if (error == 0)
		atomic_fetch_add_explicit(&background.nthreads, 1,
		    memory_order_release);
	return error;
}

static void
find_much(struct arena *arena, void *found)
{
	if (ageing_unused(&arena->pages) >= WORTH_A_THREAD &&
	    ageing_wait(&arena->pages, clock_now_ns()) == 0)
		*(bool *)found = true;
}

/* Is there much to give back now in the arenas of a share? */
static bool
is_worth_it(size_t share, size_t of)
{
	bool found = false;

	for (unsigned i = (unsigned)share; i < arena_table_count() && !found;
	    i += (unsigned)of)
		arena_table_visit(i, find_much, &found);
	return found;
}

/*
 * Wakes others, or starts one more. The leader goes through all arenas all the
 * same, and finds done what was done.
 */
static void
share_work(void)
{
	size_t wanted = workers_wanted();

	for (size_t i = 1; i < wanted; i++) {
		if (!is_worth_it(i, wanted))
			continue;
		if (i >= atomic_load_explicit(&background.nthreads,
		    memory_order_relaxed)) {
			/* Should it fail, the leader does it alone. */
			start_worker(&background.worker[i], run_helper);
			return;
		}
		raise_word(&background.worker[i]);
	}
}

static void
begin(const char *name)
{
	/* For good: nothing here may meet a cache. */
	(void)extent_hooks_guard.enter();
	os_thread_set_name(name);
}

static void *
run_helper(void *arg)
{
	struct worker *worker = arg;
	size_t share = (size_t)(worker - background.worker);

	begin("jemalloc_bg_thd");
	while (!get(&background.stop)) {
		uint32_t word = atomic_load_explicit(&worker->word,
		    memory_order_acquire);

		atomic_fetch_add_explicit(&worker->nruns, 1,
		    memory_order_relaxed);
		age(share, workers_wanted());
		if (!get(&background.stop))
			sleep_on(worker, word, UINT64_MAX);
	}
	return NULL;
}

static void
watch(bool pages, bool caches)
{
	set(&arena_ageing.watched, pages);
	set(&background_watches_caches, caches && background.trims);
}

/*
 * Nothing is due. From now on the program's calls wake us; what they did before
 * they could know must be looked for.
 */
static uint64_t
fall_asleep(void)
{
	watch(true, true);
	if (!background.trims)
		return unused() != 0 ? SLEEP_MIN_NS : SLEEP_BLIND_NS;
	os_thread_barrier();
	if (unused() != 0 || background_trimmer.idle()) {
		watch(false, false);
		return TRIM_NS;
	}
	return UINT64_MAX;
}

/* One round of the leader; how long to sleep. */
static uint64_t
lead(uint64_t *trimmed_ns, bool *in_use)
{
	uint64_t wait_ns, now_ns;

	share_work();
	wait_ns = age(0, 1);
	now_ns = clock_now_ns();
	if (background.trims && now_ns - *trimmed_ns >= TRIM_NS) {
		*in_use = background_trimmer.idle();
		*trimmed_ns = now_ns;
	}
	if (wait_ns == UINT64_MAX && !(background.trims && *in_use)) {
		wait_ns = fall_asleep();
		*in_use = true;
		return wait_ns;
	}
	/* Pages that come before the next look at caches wake us. */
	watch(wait_ns == UINT64_MAX, false);
	if (background.trims && *in_use && wait_ns > TRIM_NS)
		wait_ns = TRIM_NS;
	return wait_ns < SLEEP_MIN_NS ? SLEEP_MIN_NS : wait_ns;
}

static void
join_helpers(void)
{
	size_t n = atomic_load_explicit(&background.nthreads,
	    memory_order_acquire);

	for (size_t i = 1; i < n; i++) {
		raise_word(&background.worker[i]);
		os_thread_join(background.worker[i].thread);
	}
}

/* May the caller start and end threads now? */
static bool
try_change(void)
{
	bool mine;

	lock_acquire(&background.lock);
	mine = !background.changing;
	background.changing = true;
	lock_release(&background.lock);
	return mine;
}

static void start_on_demand(void);

/* Somebody may have wanted a start meanwhile, and not come again. */
static void
make_up(void)
{
	if (atomic_exchange(&background.missed, false))
		start_on_demand();
}

static void
end_change(void)
{
	lock_acquire(&background.lock);
	background.changing = false;
	lock_release(&background.lock);
	make_up();
}

/* The leader ends by itself; false: somebody else is about to end it. */
static bool
leave_alone(void)
{
	if (!try_change())
		return false;
	set(&background.stop, true);
	join_helpers();
	set(&background.stop, false);
	set(&background.abandoned, false);
	set(&arena_ageing.by_threads, false);
	if (background.trims)
		background_trimmer.stop();
	pthread_detach(background.worker[0].thread);
	atomic_store_explicit(&background.nthreads, 0, memory_order_release);
	/* A thread that comes after all finds us wanted, and not there. */
	watch(true, true);
	end_change();
	return true;
}

static void *
run_leader(void *arg)
{
	struct worker *worker = arg;
	uint64_t trimmed_ns = clock_now_ns(), wait_ns;
	bool in_use = true;

	begin("jemalloc_bg_thd");
	while (!get(&background.stop)) {
		uint32_t word = atomic_load_explicit(&worker->word,
		    memory_order_acquire);

		if (get(&background.abandoned) && leave_alone())
			break;
		atomic_fetch_add_explicit(&worker->nruns, 1,
		    memory_order_relaxed);
		wait_ns = lead(&trimmed_ns, &in_use);
		if (!get(&background.stop))
			sleep_on(worker, word, wait_ns);
	}
	return NULL;
}

/* --- on and off ------------------------------------------------------------ */

/* Starts the leader; the caller has the right to. */
static int
start_leader(void)
{
	int error;

	background.trims = background_trimmer.start != NULL &&
	    background_trimmer.start();
	set(&background.stop, false);
	watch(false, false);
	error = start_worker(&background.worker[0], run_leader);
	set(&arena_ageing.by_threads, error == 0);
	if (error != 0 && background.trims)
		background_trimmer.stop();
	return error;
}

static void
stop_all(void)
{
	set(&background.stop, true);
	/* The leader first: it starts others. */
	raise_word(&background.worker[0]);
	os_thread_join(background.worker[0].thread);
	join_helpers();
	atomic_store_explicit(&background.nthreads, 0, memory_order_release);
	set(&arena_ageing.by_threads, false);
	watch(false, false);
	if (background.trims)
		background_trimmer.stop();
}

static bool
is_running(void)
{
	return atomic_load_explicit(&background.nthreads,
	    memory_order_acquire) != 0;
}

/* Is it worth a thread already, in the child of a fork? */
static bool
is_time(void)
{
	uint64_t not_before_ns = atomic_load_explicit(
	    &background.not_before_ns, memory_order_relaxed);
	size_t now;

	if (not_before_ns == 0 || os_thread_self() != background.forker ||
	    clock_coarse_ns() >= not_before_ns)
		return true;
	now = unused();
	return now > background.unused_at_fork &&
	    now - background.unused_at_fork >= REBIRTH_BYTES;
}

/* The first thing to be done since they are wanted. */
static void
start_on_demand(void)
{
	char why[ERROR_TEXT_MAX];
	int error;

	if (!is_time())
		return;
	/* First the note, then the look: who is in the way looks at it last. */
	atomic_store(&background.missed, true);
	if (atomic_load(&background.held) || !try_change())
		return;
	set(&background.missed, false);
	if (get(&background.wanted) && !is_running()) {
		error = start_leader();
		if (error != 0) {
			set(&background.wanted, false);
			message("can't start a background thread (%s): calls "
			    "of the program give unused memory back",
			    error_text(error, why));
		}
	}
	end_change();
}

void
background_wake(void)
{
	LOCK_ASSERT_NONE();
	if (!is_running()) {
		start_on_demand();
		return;
	}
	watch(false, false);
	raise_word(&background.worker[0]);
}

void
background_init(bool wanted, size_t most)
{
	lock_init(&background.lock, LOCK_BACKGROUND);
	atomic_store_explicit(&background.most, most, memory_order_relaxed);
	set(&background.wanted, wanted);
	arena_ageing.wake = background_wake;
	background.trims = true;	/* as far as is known */
	watch(wanted, wanted);
}

static void
begin_change(void)
{
	while (!try_change())
		os_thread_yield();
}

int
background_set(bool wanted)
{
	int error = 0;

	begin_change();
	set(&background.wanted, wanted);
	if (wanted && !is_running())
		error = start_leader();
	else if (!wanted && is_running())
		stop_all();
	if (error != 0)
		set(&background.wanted, false);
	if (!get(&background.wanted))
		watch(false, false);
	end_change();
	return error;
}

bool
background_is_on(void)
{
	return get(&background.wanted) && (is_running() ||
	    atomic_load_explicit(&background.not_before_ns,
	    memory_order_relaxed) == 0);
}

int
background_set_max(size_t most)
{
	int error = 0;

	begin_change();
	atomic_store_explicit(&background.most, most, memory_order_relaxed);
	if (is_running()) {
		stop_all();
		error = start_leader();
	}
	end_change();
	return error;
}

size_t
background_max(void)
{
	return atomic_load_explicit(&background.most, memory_order_relaxed);
}

void
background_abandon(void)
{
	if (!is_running())
		return;
	set(&background.abandoned, true);
	raise_word(&background.worker[0]);
}

struct background_stats
background_stats(void)
{
	struct background_stats stats = { 0, 0, 0 };
	uint64_t slept_ns = 0;

	stats.nthreads = atomic_load_explicit(&background.nthreads,
	    memory_order_acquire);
	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		stats.nruns += atomic_load_explicit(
		    &background.worker[i].nruns, memory_order_relaxed);
		slept_ns += atomic_load_explicit(
		    &background.worker[i].slept_ns, memory_order_relaxed);
	}
	if (stats.nruns != 0)
		stats.interval_ns = slept_ns / stats.nruns;
	return stats;
}

void
background_fork_prepare(void)
{
	set(&background.held, true);
}

void
background_fork_parent(void)
{
	atomic_store(&background.held, false);
	make_up();
}

void
background_fork_child(void)
{
	background.changing = false;
	set(&background.stop, false);
	set(&background.abandoned, false);
	set(&background.held, false);
	set(&background.missed, false);
	set(&arena_ageing.by_threads, false);
	atomic_store_explicit(&background.nthreads, 0, memory_order_release);
	background.forker = os_thread_self();
	background.unused_at_fork = unused();
	if (!get(&background.wanted))
		return;
	atomic_store_explicit(&background.not_before_ns,
	    clock_coarse_ns() + REBIRTH_NS, memory_order_relaxed);
	watch(true, true);
}
