#include "upkeep/background.h"

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/thread.h"
#include "extent/extent_hooks.h"
#include "os/clock.h"
#include "os/error_text.h"
#include "os/message.h"
#include "os/os_thread.h"
#include "os/system.h"
#include "unwind/loader.h"
#include "upkeep/due.h"
#include "upkeep/idle.h"
#include "upkeep/trim.h"

/*
 * How the leader is woken: when nothing is due, it sets two flags
 * (arena_upkeep.wants_pages, wants_caches), looks once more whether there is
 * anything to do, and sleeps without a timeout. A slow path of the program that
 * finds its flag set calls background_wake(). So while the leader is awake the
 * program makes no system call for it, and fast paths never look.
 *
 * A thread may have read a flag just before it was set, and have done its work
 * after that. Therefore all threads pass a barrier between setting the flags
 * and the last look. The leader sees all work from before the barrier. After
 * the barrier, each thread sees the flag. A kernel without this barrier could
 * lose a wake-up, so there the sleep has a limit.
 *
 * To wake a thread means to raise its word. The sleeper reads the word before
 * each round, and sleeps only if it has not changed since. So a wake-up during
 * a round is not lost, either.
 */

/* More threads would not be faster: the kernel's locks are the limit. */
#define WORKERS_MAX 16
#define MS          UINT64_C(1000000)
/* The time between two looks at the caches, while threads use them. */
#define TRIM_NS (500 * MS)
/* The shortest sleep of the leader, whatever is due. */
#define SLEEP_MIN_NS (20 * MS)
/* The longest sleep if a wake-up could be lost. */
#define SLEEP_BLIND_NS (10000 * MS)
/*
 * The child of a fork often ends or becomes another program soon, so a thread
 * would be wasted. It is started when this time has passed, when this much has
 * become unused, or when the child has a second thread of its own: then it is
 * likely to stay.
 */
#define REBIRTH_NS    (1000 * MS)
#define REBIRTH_BYTES ((size_t)1 << 20)
/* How long the leader of BACKGROUND_AUTO stays when nothing is left to do. */
#define LEAVE_NS (250 * MS)
/* How long it is not tried again after a start that failed. */
#define REFUSED_NS (1000 * MS)

struct worker {
	pthread_t thread;
	bool helps;            /* a helper, started and not joined */
	_Atomic uint32_t word; /* raised to wake it */
	_Atomic uint64_t nruns;
	_Atomic uint64_t slept_ns;
};

static struct {
	struct lock lock;
	bool changing; /* somebody starts or ends threads */
	_Atomic enum background_mode mode;
	_Atomic bool held; /* a fork is under way: start no thread */
	_Atomic bool stop;
	_Atomic bool abandoned;
	_Atomic size_t nthreads;
	_Atomic size_t most;
	_Atomic uint64_t not_before_ns;
	_Atomic uint64_t refused_ns; /* the last start that failed */
	_Atomic bool missed;         /* a start was wanted and not possible */
	uintptr_t forker;            /* the thread that forked this process */
	size_t unused_at_fork;
	_Atomic bool unjoined; /* a leader of BACKGROUND_AUTO has left */
	uint32_t process;      /* its id */
	struct worker worker[WORKERS_MAX];
} background;

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

static enum background_mode
mode(void)
{
	return atomic_load_explicit(&background.mode, memory_order_acquire);
}

static void
set_mode(enum background_mode mode)
{
	atomic_store_explicit(&background.mode, mode, memory_order_release);
	if (mode == BACKGROUND_AUTO)
		idle_look_out();
	else
		idle_stop_looking();
}

struct lock *
background_lock(void)
{
	return &background.lock;
}

/* --- threads ------------------------------------------------------------- */

static size_t
workers_wanted(void)
{
	size_t most = atomic_load_explicit(&background.most,
	    memory_order_relaxed);

	if (most > system_info.ncpus)
		most = system_info.ncpus;
	return most < WORKERS_MAX ? most : WORKERS_MAX;
}

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
	atomic_fetch_add_explicit(&worker->slept_ns, clock_now_ns() - start_ns,
	    memory_order_relaxed);
}

static void *run_helper(void *arg);

/*
 * Starting a thread allocates memory in the C library. The caller may be in the
 * middle of a change of its cache, so this works without the cache.
 */
static int
start_worker(struct worker *worker, void *(*run)(void *))
{
	void *before = extent_hooks_guard.enter();
	int error = os_thread_start(&worker->thread, run, worker);

	extent_hooks_guard.leave(before);
	if (error == 0)
		atomic_fetch_add_explicit(&background.nthreads, 1,
		    memory_order_release);
	return error;
}

/*
 * Wakes the threads whose share has much to give back, or starts one more. The
 * leader goes through all arenas in any case: where another thread has done the
 * work, it finds nothing due.
 */
static void
share_work(void)
{
	size_t wanted = workers_wanted();

	for (size_t i = 1; i < wanted; i++) {
		struct worker *worker = &background.worker[i];

		if (!due_is_much(i, wanted))
			continue;
		if (!worker->helps) {
			/* If this fails, the leader does the work alone. */
			worker->helps = start_worker(worker, run_helper) == 0;
			return;
		}
		raise_word(worker);
	}
}

static void
begin(void)
{
	/* There is no leave(): this thread always works without a cache. */
	(void)extent_hooks_guard.enter();
	os_thread_set_name("jemalloc_bg_thd");
}

static void *
run_helper(void *arg)
{
	struct worker *worker = arg;
	size_t share = (size_t)(worker - background.worker);

	begin();
	while (!get(&background.stop)) {
		uint32_t word = atomic_load_explicit(&worker->word,
		    memory_order_acquire);

		atomic_fetch_add_explicit(&worker->nruns, 1,
		    memory_order_relaxed);
		due_age(share, workers_wanted());
		if (!get(&background.stop))
			sleep_on(worker, word, UINT64_MAX);
	}
	return NULL;
}

static void
watch(bool pages, bool caches)
{
	set(&arena_upkeep.wants_pages, pages);
	set(&arena_upkeep.wants_caches, caches && trim_is_possible());
}

/*
 * Nothing is due: asks the program's calls to wake the leader, and looks once
 * more (see the top of this file). Returns how long to sleep.
 */
static uint64_t
fall_asleep(void)
{
	watch(true, true);
	if (trim_barrier()) {
		if (arena_table_unused() == 0 && !trim_idle())
			return UINT64_MAX;
		watch(false, false);
		return TRIM_NS;
	}
	watch(true, false);
	return arena_table_unused() != 0 ? SLEEP_MIN_NS : SLEEP_BLIND_NS;
}

/* Does one round of the leader; returns how long to sleep. */
static uint64_t
lead(uint64_t *trimmed_ns, bool *in_use)
{
	uint64_t wait_ns, now_ns;

	share_work();
	wait_ns = due_age(0, 1);
	now_ns = clock_now_ns();
	if (trim_is_possible() && now_ns - *trimmed_ns >= TRIM_NS) {
		*in_use = trim_idle();
		*trimmed_ns = now_ns;
	}
	if (wait_ns == UINT64_MAX && !(trim_is_possible() && *in_use)) {
		wait_ns = fall_asleep();
		*in_use = true;
		return wait_ns;
	}
	/* Pages that become unused before the next look should wake it. */
	watch(wait_ns == UINT64_MAX, false);
	if (trim_is_possible() && *in_use && wait_ns > TRIM_NS)
		wait_ns = TRIM_NS;
	return wait_ns < SLEEP_MIN_NS ? SLEEP_MIN_NS : wait_ns;
}

static void
join_helpers(void)
{
	/* Each has its own share, so there may be gaps. */
	for (size_t i = 1; i < WORKERS_MAX; i++) {
		struct worker *worker = &background.worker[i];

		if (!worker->helps)
			continue;
		raise_word(worker);
		os_thread_join(worker->thread);
		worker->helps = false;
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

/*
 * Does what other threads could not do: a thread that wanted a start during the
 * change may not call again.
 */
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

/* The leader ends by itself; false: another thread is changing the threads. */
static bool
leave_alone(void)
{
	if (!try_change())
		return false;
	set(&background.stop, true);
	join_helpers();
	set(&background.stop, false);
	set(&background.abandoned, false);
	set(&arena_upkeep.by_threads, false);
	trim_stop();
	os_thread_detach(background.worker[0].thread);
	atomic_store_explicit(&background.nthreads, 0, memory_order_release);
	/* If the program starts a new thread later, that one wakes us again. */
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

	begin();
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

/*
 * Leaves because nothing is left to do. If pages become unused now, either the
 * last look sees them, or their thread sees that no background thread runs.
 * This needs the two fences, here and in background_wake().
 */
static bool
leave_idle(void)
{
	bool leaves;

	if (!try_change())
		return false;
	/*
	 * The order matters: background_alone() always sees at least one of
	 * them.
	 */
	set(&background.unjoined, true);
	atomic_store_explicit(&background.nthreads, 0, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
	leaves = !idle_is_worth_it();
	if (!leaves) {
		atomic_store_explicit(&background.nthreads, 1,
		    memory_order_release);
		set(&background.unjoined, false);
	}
	end_change();
	return leaves;
}

/* The leader of BACKGROUND_AUTO. */
static void *
run_idle(void *arg)
{
	struct worker *worker = arg;
	struct idle idle = { 0 };
	bool is_leaving = false;
	uint64_t wait_ns;

	/* It has no name, because a sandbox may forbid to give it one. */
	(void)extent_hooks_guard.enter();
	while (!get(&background.stop)) {
		uint32_t word = atomic_load_explicit(&worker->word,
		    memory_order_acquire);

		atomic_fetch_add_explicit(&worker->nruns, 1,
		    memory_order_relaxed);
		wait_ns = idle_step(&idle, clock_now_ns());
		/*
		 * Before it leaves, calls of the program report what is new,
		 * for one more step. If that is much, it stays.
		 */
		if (wait_ns == 0 && is_leaving) {
			if (leave_idle())
				break;
			wait_ns = LEAVE_NS;
		}
		is_leaving = wait_ns == 0;
		if (is_leaving)
			idle_end(&idle, clock_now_ns());
		else
			idle_stop_looking();
		if (!get(&background.stop))
			sleep_on(worker, word, is_leaving ? LEAVE_NS : wait_ns);
	}
	trim_patient_stop();
	return NULL;
}

/* --- on and off ----------------------------------------------------------- */

/* Waits for the end of a thread that has left. */
static void
join_left(void)
{
	pthread_t left = background.worker[0].thread;

	if (!get(&background.unjoined))
		return;
	/* The thread that left may be the caller, by end_change(). */
	if (pthread_equal(left, pthread_self()))
		os_thread_detach(left);
	else
		os_thread_join(left);
	set(&background.unjoined, false);
}

/* Starts the leader of BACKGROUND_AUTO; the caller has set `changing`. */
static int
start_idle(void)
{
	int error;

	set(&background.stop, false);
	idle_stop_looking();
	error = start_worker(&background.worker[0], run_idle);
	if (error != 0) {
		atomic_store_explicit(&background.refused_ns, clock_now_ns(),
		    memory_order_relaxed);
		idle_look_out();
	}
	return error;
}

/* Starts the leader; the caller has set `changing`. */
static int
start_leader(void)
{
	int error;

	join_left();
	if (mode() == BACKGROUND_AUTO)
		return start_idle();
	trim_start();
	set(&background.stop, false);
	watch(false, false);
	error = start_worker(&background.worker[0], run_leader);
	set(&arena_upkeep.by_threads, error == 0);
	if (error != 0)
		trim_stop();
	return error;
}

static void
stop_all(void)
{
	set(&background.stop, true);
	/* End the leader first, because it may start others. */
	raise_word(&background.worker[0]);
	os_thread_join(background.worker[0].thread);
	join_helpers();
	atomic_store_explicit(&background.nthreads, 0, memory_order_release);
	if (!get(&arena_upkeep.by_threads))
		return;
	set(&arena_upkeep.by_threads, false);
	watch(false, false);
	trim_stop();
}

static bool
is_running(void)
{
	return atomic_load_explicit(&background.nthreads,
		   memory_order_acquire) != 0;
}

/*
 * If the program has only one thread, so must the process: ends ours. The
 * caller has set `changing`, and the mode is BACKGROUND_AUTO.
 */
static void
stop_if_alone(void)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (thread_living() > 1)
		return;
	if (is_running())
		stop_all();
	join_left();
	idle_look_out();
}

/* In the child of a fork it may be too early to start. */
static bool
is_late_enough(void)
{
	uint64_t not_before_ns = atomic_load_explicit(&background.not_before_ns,
	    memory_order_relaxed);
	size_t now;

	if (not_before_ns == 0 || os_thread_self() != background.forker ||
	    clock_coarse_ns() >= not_before_ns)
		return true;
	now = arena_table_unused();
	return now > background.unused_at_fork &&
	    now - background.unused_at_fork >= REBIRTH_BYTES;
}

static bool
was_just_refused(void)
{
	uint64_t refused_ns = atomic_load_explicit(&background.refused_ns,
	    memory_order_relaxed);

	return refused_ns != 0 && clock_now_ns() - refused_ns < REFUSED_NS;
}

/*
 * May a thread be started now? The C library may call free() while it holds the
 * lock of its thread stacks. A new thread needs that lock, so a later call must
 * start it.
 */
static bool
is_time(void)
{
	bool is_auto = mode() == BACKGROUND_AUTO;

	if (is_auto ? was_just_refused() || !idle_is_worth_it()
		    : !is_late_enough())
		return false;
	/*
	 * A child of vfork(), or one without fork handlers, gets none. If it is
	 * a child of clone(), its function may return: then only that thread
	 * ends, and ours would keep the process.
	 */
	if (os_process_id() != background.process)
		return false;
	if (likely(!loader_calls_us(is_auto)))
		return true;
	idle_ask_again();
	return false;
}

/* Starts the leader, if it is wanted and does not run. */
static void
start_on_demand(void)
{
	char why[ERROR_TEXT_MAX];
	int error;

	if (!is_time())
		return;
	/*
	 * First leaves the note, then looks. A thread that is changing the
	 * threads, or forking, reads the note after it has finished. So either
	 * it sees the note, or this look finds that it has finished.
	 */
	atomic_store(&background.missed, true);
	if (atomic_load(&background.held) || !try_change())
		return;
	set(&background.missed, false);
	if (mode() != BACKGROUND_OFF && !is_running()) {
		error = start_leader();
		if (error != 0 && mode() == BACKGROUND_ON) {
			set_mode(BACKGROUND_OFF);
			message("can't start a background thread (%s): calls "
				"of the program give unused memory back",
			    error_text(error, why));
		}
	}
	/*
	 * If the other threads have just ended, background_alone() missed this
	 * one.
	 */
	if (mode() == BACKGROUND_AUTO)
		stop_if_alone();
	end_change();
}

void
background_wake(void)
{
	LOCK_ASSERT_NONE();
	if (mode() == BACKGROUND_AUTO) {
		if (thread_living() < 2)
			return;
		atomic_thread_fence(memory_order_seq_cst);
	}
	if (!is_running()) {
		start_on_demand();
		return;
	}
	watch(false, false);
	raise_word(&background.worker[0]);
}

AT_START void
background_init(enum background_mode mode, size_t most)
{
	bool wanted = mode == BACKGROUND_ON;

	lock_init_zeroed(&background.lock, LOCK_BACKGROUND);
	atomic_store_explicit(&background.most, most, memory_order_relaxed);
	background.process = os_process_id();
	set_mode(mode);
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
	if (is_running() && (!wanted || mode() == BACKGROUND_AUTO))
		stop_all();
	join_left();
	set_mode(wanted ? BACKGROUND_ON : BACKGROUND_OFF);
	if (wanted && !is_running())
		error = start_leader();
	if (error != 0)
		set_mode(BACKGROUND_OFF);
	if (mode() == BACKGROUND_OFF)
		watch(false, false);
	end_change();
	return error;
}

bool
background_is_on(void)
{
	return mode() == BACKGROUND_ON &&
	    (is_running() ||
		atomic_load_explicit(&background.not_before_ns,
		    memory_order_relaxed) == 0);
}

int
background_set_max(size_t most)
{
	int error = 0;

	begin_change();
	atomic_store_explicit(&background.most, most, memory_order_relaxed);
	if (is_running() && mode() == BACKGROUND_ON) {
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

/* Ends the thread of BACKGROUND_AUTO, if there is one. */
static void
end_idle(void)
{
	atomic_thread_fence(memory_order_seq_cst);
	if ((!is_running() && !get(&background.unjoined)) ||
	    os_process_id() != background.process)
		return;
	begin_change();
	stop_if_alone();
	end_change();
}

void
background_alone(void)
{
	if (mode() == BACKGROUND_ON)
		return;
	if (mode() == BACKGROUND_AUTO)
		end_idle();
	idle_last();
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
		stats.nruns += atomic_load_explicit(&background.worker[i].nruns,
		    memory_order_relaxed);
		slept_ns += atomic_load_explicit(&background.worker[i].slept_ns,
		    memory_order_relaxed);
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
	trim_fork_child();
	background.changing = false;
	set(&background.stop, false);
	set(&background.abandoned, false);
	set(&background.held, false);
	set(&background.missed, false);
	set(&arena_upkeep.by_threads, false);
	for (size_t i = 1; i < WORKERS_MAX; i++)
		background.worker[i].helps = false;
	atomic_store_explicit(&background.nthreads, 0, memory_order_release);
	set(&background.unjoined, false);
	idle_fork_child();
	set_mode(mode());
	background_fork_alone();
	if (mode() == BACKGROUND_ON)
		watch(true, true);
}

void
background_fork_alone(void)
{
	background.forker = os_thread_self();
	background.unused_at_fork = arena_table_unused();
	background.process = os_process_id();
	if (mode() == BACKGROUND_ON)
		atomic_store_explicit(&background.not_before_ns,
		    clock_coarse_ns() + REBIRTH_NS, memory_order_relaxed);
}
