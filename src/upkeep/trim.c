#include "upkeep/trim.h"

#include <stdatomic.h>

#include "cache/exchange.h"
#include "cache/holding.h"
#include "cache/tcache_guard.h"
#include "cache/thread.h"
#include "os/clock.h"
#include "os/os_thread.h"
#include "util/heap_part.h"

/* The most threads for one barrier, and the most objects taken at once. */
#define THREADS_MAX 128
#define OBJECTS_MAX 64
/*
 * The most silent threads at once, because the caller of trim_silent() has
 * other work to do.
 */
#define SILENT_MAX 32

struct round {
	struct tcache *idle[THREADS_MAX];
	unsigned n;
	bool more;          /* some thread is awake, or found no place here */
	uint64_t before_ns; /* silent: no event since then */
	uint64_t now_ns;    /* trim_patient(); 0: others */
};

static uint32_t
entries_of(const struct tcache *tcache)
{
	return atomic_load_explicit(&tcache->guard.entries,
	    memory_order_acquire);
}

/*
 * A thread counts as asleep if it began no slow path since the last round, and
 * is not inside one. `entries` shows both.
 */
static void
collect(struct thread *thread, void *context)
{
	struct tcache_guard *guard = &thread->tcache.guard;
	uint32_t entries = entries_of(&thread->tcache);
	struct round *round = context;

	if (entries != guard->seen || entries % 2 != 0) {
		guard->seen = entries;
		guard->done = false;
		round->more = true;
	} else if (!guard->done) {
		if (round->n < THREADS_MAX)
			round->idle[round->n++] = &thread->tcache;
		else
			round->more = true;
	}
}

/* Do fast paths set `taking` when they take from this bin? */
static bool
is_watched(unsigned bin)
{
	return cache_bin_usable(bin) > CLASS_FINE_MAX;
}

/*
 * Step 1 for one bin: it looks empty and full, so each call is slow. The owner
 * uses plain loads and stores. Here each access is atomic, so that no value is
 * torn.
 */
static void
mark_bin(struct tcache *tcache, unsigned i)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	void **head = READ_RELAXED(bin->head);

	SET_RELAXED(bin->empty, head);
	SET_RELAXED(bin->full, head);
}

static bool
mark(struct tcache *tcache)
{
	if (!tcache_try_guard(&tcache->guard))
		return false;
	/*
	 * Since collect(), the owner may have taken a slow path, or the record
	 * may belong to another thread now. Then `entries` has changed.
	 */
	if (entries_of(tcache) == tcache->guard.seen) {
		atomic_store_explicit(&tcache->guard.marked, true,
		    memory_order_relaxed);
		for (unsigned i = 0; i < CACHE_BINS; i++)
			if (tcache->cold[i].limit != 0 && !tcache->hidden)
				mark_bin(tcache, i);
	}
	tcache_release_guard(&tcache->guard);
	return true;
}

/* The first slot of a bin that its owner can't reach. */
static void **
first_free(const struct tcache *tcache, unsigned i)
{
	const struct cache_bin *bin = &tcache->bins[i + 1];
	bool is_exposed = !is_watched(i) ||
	    atomic_load_explicit(&tcache->guard.taking, memory_order_acquire);
	void **above_top;

	if (tcache->hidden)
		return tcache->cold[i].hidden_head;
	/* A call that began before the barrier may still take the top. */
	above_top = READ_RELAXED(bin->head) + is_exposed;
	return above_top < bin->empty ? bin->empty : above_top;
}

/* Objects that were taken and not yet given back: see take_locked(). */
static struct flight flight;

const struct heap_part trim_heap_part = {
	.root = HEAP_ROOT_TRIM_FLIGHT,
	.stride = sizeof(flight),
	.count = 1,
	.address = &flight,
};

/*
 * Takes up to OBJECTS_MAX objects from the bottom of a bin. They are in flight
 * until empty() has given them back. The owner still sees them, so `vacated`
 * tells it at its next slow path that they are gone.
 */
static unsigned
take_locked(struct tcache *tcache, unsigned i, void **objects)
{
	struct cache_bin_cold *cold = &tcache->cold[i];
	uint32_t vacated = atomic_load_explicit(&cold->vacated,
	    memory_order_relaxed);
	void **end = cold->bottom - vacated, **from = first_free(tcache, i);
	unsigned n;

	if (from >= end)
		return 0;
	n = end - from < OBJECTS_MAX ? (unsigned)(end - from) : OBJECTS_MAX;
	for (unsigned k = 0; k < n; k++)
		objects[k] = end[-1 - (ptrdiff_t)k];
	flight_begin(&flight, FLIGHT_FLUSH, i, objects, n);
	atomic_store_explicit(&cold->vacated, vacated + n,
	    memory_order_relaxed);
	return n;
}

/*
 * A part of step 2 for one bin. Returns how many objects it took; 0: there are
 * no more. The guard is held only while they are copied, not while they are
 * given back. If the owner took a slow path meanwhile, `marked` is false.
 */
static unsigned
take(struct tcache *tcache, unsigned i, void **objects)
{
	unsigned n = 0;

	if (!tcache_try_guard(&tcache->guard))
		return 0;
	if (atomic_load_explicit(&tcache->guard.marked, memory_order_relaxed) &&
	    tcache->cold[i].limit != 0)
		n = take_locked(tcache, i, objects);
	tcache_release_guard(&tcache->guard);
	return n;
}

/* Until its owner is back, the cache does not count. */
static void
leave(struct tcache *tcache, uint64_t now_ns)
{
	if (!tcache_try_guard(&tcache->guard))
		return;
	if (atomic_load_explicit(&tcache->guard.marked, memory_order_relaxed)) {
		holding_leave(tcache);
		tcache->emptied_ns = now_ns;
	}
	tcache_release_guard(&tcache->guard);
}

/* Returns how many bytes it took. */
static size_t
empty(struct tcache *tcache, uint64_t now_ns)
{
	/*
	 * Not on the stack: in the child of a fork, tools could not read it
	 * there, because another thread may reuse that stack.
	 */
	static void *objects[OBJECTS_MAX];
	size_t bytes = 0;
	unsigned n;

	for (unsigned i = 0; i < CACHE_BINS; i++)
		while ((n = take(tcache, i, objects)) != 0) {
			exchange_give(i, objects, n);
			flight_end(&flight);
			bytes += n * cache_bin_usable(i);
		}
	leave(tcache, now_ns);
	/* Holds until the owner's next slow path, which changes `entries`. */
	tcache->guard.done = true;
	return bytes;
}

/*
 * False: the barrier was refused, so owners need not have seen their marks, and
 * nothing is taken. The marks stay, as they do after any round.
 */
static bool
trim(struct round *round)
{
	for (unsigned i = 0; i < round->n; i++)
		if (!mark(round->idle[i]))
			round->more = true;
	if (round->n != 0 && !os_thread_barrier())
		return false;
	for (unsigned i = 0; i < round->n; i++)
		empty(round->idle[i], round->now_ns);
	return true;
}

static _Atomic bool trimming;

static bool
try_begin(void)
{
	return !atomic_exchange_explicit(&trimming, true, memory_order_acquire);
}

static void
end(void)
{
	atomic_store_explicit(&trimming, false, memory_order_release);
}

static void
release_owners(void)
{
	atomic_fetch_sub_explicit(&tcache_guarded, 1, memory_order_release);
}

static bool
guard_owners(void)
{
	if (!os_thread_barrier_init())
		return false;
	atomic_fetch_add_explicit(&tcache_guarded, 1, memory_order_relaxed);
	/*
	 * A thread may have begun a slow path without the guard. After the
	 * barrier we see its odd `entries`, and don't trim it.
	 */
	if (os_thread_barrier())
		return true;
	release_owners();
	return false;
}

/* --- with a thread of our own --------------------------------------------- */

static struct {
	bool started;
	_Atomic bool refused; /* the barrier was: it trims no more */
} leader;

bool
trim_is_possible(void)
{
	return !leader.refused;
}

/* After the program has set a filter of system calls, for example. */
static void
give_up(void)
{
	leader.refused = true;
	trim_stop();
}

bool
trim_barrier(void)
{
	if (leader.refused)
		return false;
	if (!os_thread_barrier())
		give_up();
	return !leader.refused;
}

bool
trim_idle(void)
{
	struct round round = { .now_ns = 0 };
	bool refused;

	if (!try_begin())
		return true;
	do {
		round.n = 0;
		round.more = false;
		thread_each(collect, &round);
		refused = !trim(&round);
	} while (!refused && round.n == THREADS_MAX);
	end();
	if (refused)
		give_up();
	return !refused && round.more;
}

/* --- without a thread of our own ------------------------------------------ */

/*
 * A thread that wakes up within SOON_NS after it was trimmed is trimmed again
 * only after LONGER_NS more of silence, the next time after three times as
 * much, and so on. So a thread that sleeps for less than SOON_NS, again and
 * again, soon keeps its cache.
 */
#define SOON_NS     UINT64_C(10000000000)
#define LONGER_NS   UINT64_C(500000000)
#define RETURNS_MAX 5

/* How much longer than others must its owner be silent? */
static uint64_t
longer_ns(struct tcache *tcache, uint32_t entries, uint64_t now_ns)
{
	if (tcache->emptied_ns != 0 && entries != tcache->guard.seen) {
		if (now_ns - tcache->emptied_ns >= SOON_NS)
			tcache->returns = 0;
		else if (tcache->returns < RETURNS_MAX)
			tcache->returns++;
		tcache->emptied_ns = 0;
	}
	return LONGER_NS * ((1u << tcache->returns) - 1);
}

static void
collect_silent(struct thread *thread, void *context)
{
	struct tcache_guard *guard = &thread->tcache.guard;
	uint32_t entries = entries_of(&thread->tcache);
	uint64_t event_ns = atomic_load_explicit(&guard->event_ns,
	    memory_order_relaxed);
	struct round *round = context;

	if (round->now_ns != 0)
		event_ns += longer_ns(&thread->tcache, entries, round->now_ns);
	if (entries % 2 != 0 || (entries == guard->seen && guard->done) ||
	    event_ns > round->before_ns)
		return;
	if (round->n == SILENT_MAX) {
		round->more = true;
		return;
	}
	guard->seen = entries;
	guard->done = false;
	round->idle[round->n++] = &thread->tcache;
}

bool
trim_silent(uint64_t before_ns)
{
	struct round round = { .before_ns = before_ns };

	if (!try_begin())
		return false;
	thread_each(collect_silent, &round);
	if (round.n == 0 || !guard_owners()) {
		round.more = false;
	} else {
		round.more = trim(&round) && round.more;
		release_owners();
	}
	end();
	return round.more;
}

/* --- time as a barrier ---------------------------------------------------- */

/*
 * A store reaches the other processors within a microsecond, and a thread that
 * loses its processor in the middle of a call stores nothing meanwhile. So this
 * much is more than enough.
 */
#define PATIENCE_NS UINT64_C(100000000)

static struct {
	bool started;      /* tcache_guarded counts us */
	uint64_t since_ns; /* the last stores that threads must see */
	unsigned n;
	struct tcache *marked[SILENT_MAX];
	uint32_t entries[SILENT_MAX]; /* when it was marked */
} patient;

/* Those that have begun no slow path since they were marked. */
static size_t
empty_marked(uint64_t now_ns)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < patient.n; i++)
		if (entries_of(patient.marked[i]) == patient.entries[i])
			bytes += empty(patient.marked[i], now_ns);
	patient.n = 0;
	return bytes;
}

static void
mark_silent(struct round *round)
{
	thread_each(collect_silent, round);
	for (unsigned i = 0; i < round->n; i++) {
		struct tcache *tcache = round->idle[i];

		patient.entries[patient.n] = tcache->guard.seen;
		patient.marked[patient.n] = tcache;
		patient.n += mark(tcache);
	}
}

/* Other threads must see what was stored until now. */
static void
begin_to_wait(void)
{
	atomic_thread_fence(memory_order_seq_cst);
	patient.since_ns = clock_now_ns();
}

bool
trim_patient(uint64_t now_ns, uint64_t before_ns, size_t *taken)
{
	struct round round = { .before_ns = before_ns, .now_ns = now_ns };

	if (!patient.started) {
		patient.started = true;
		atomic_fetch_add_explicit(&tcache_guarded, 1,
		    memory_order_relaxed);
		begin_to_wait();
		return true;
	}
	/* A clock that can't be read any more says 0: then no time passes. */
	if (now_ns < patient.since_ns + PATIENCE_NS || !try_begin())
		return true;
	*taken += empty_marked(now_ns);
	mark_silent(&round);
	begin_to_wait();
	end();
	return patient.n != 0 || round.more;
}

void
trim_patient_stop(void)
{
	if (patient.started)
		release_owners();
	patient.started = false;
	patient.n = 0;
}

/* --- starting and stopping ------------------------------------------------ */

bool
trim_start(void)
{
	leader.started = guard_owners();
	leader.refused = !leader.started;
	return leader.started;
}

void
trim_stop(void)
{
	if (leader.started)
		release_owners();
	leader.started = false;
}

void
trim_fork_child(void)
{
	atomic_store_explicit(&tcache_guarded, 0, memory_order_relaxed);
	leader.started = patient.started = false;
	patient.n = 0;
	end();
}
