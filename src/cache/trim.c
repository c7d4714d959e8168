#include "cache/trim.h"

#include <stdatomic.h>

#include "cache/thread.h"
#include "os/os_thread.h"

/* Threads trimmed with one barrier; each object on its way needs a place. */
#define THREADS_MAX	128
#define OBJECTS_MAX	64

struct round {
	struct tcache *idle[THREADS_MAX];
	unsigned n;
	bool more;	/* some thread is not asleep, or did not fit in */
};

static bool
try_guard(struct tcache *tcache)
{
	return !atomic_exchange_explicit(&tcache->guard.held, true,
	    memory_order_acquire);
}

static void
leave_guard(struct tcache *tcache)
{
	atomic_store_explicit(&tcache->guard.held, false,
	    memory_order_release);
}

static uint32_t
entries_of(const struct tcache *tcache)
{
	return atomic_load_explicit(&tcache->guard.entries,
	    memory_order_acquire);
}

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

/* The slots of a bin that are trim's to read and to change are atomic here. */
static void **
load(void *const *const *place)
{
	return (void **)(uintptr_t)__atomic_load_n((const uintptr_t *)
	    (const void *)place, __ATOMIC_RELAXED);
}

static void
store(void ***place, void **value)
{
	__atomic_store_n((uintptr_t *)(void *)place, (uintptr_t)value,
	    __ATOMIC_RELAXED);
}

/* Step 1 for one bin. */
static void
mark_bin(struct tcache *tcache, unsigned i)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	struct cache_bin_cold *cold = &tcache->cold[i];
	void **head = load((void *const *const *)&bin->head);
	void **end = cold->bottom - atomic_load_explicit(&cold->vacated,
	    memory_order_relaxed);

	store(&bin->empty, head < end ? head + 1 : end);
	store(&bin->full, head);
}

static bool
mark(struct tcache *tcache)
{
	if (!try_guard(tcache))
		return false;
	/* The owner may have come and gone; or another thread may own it. */
	if (entries_of(tcache) == tcache->guard.seen) {
		tcache->guard.marked = true;
		for (unsigned i = 0; i < CACHE_BINS; i++)
			if (tcache->cold[i].limit != 0 &&
			    !tcache_bin_is_hidden(tcache, i))
				mark_bin(tcache, i);
	}
	leave_guard(tcache);
	return true;
}

/* The first slot of a bin that its owner can't reach. */
static void **
first_free(const struct tcache *tcache, unsigned i)
{
	const struct cache_bin *bin = &tcache->bins[i + 1];
	void **above_top;

	if (tcache_bin_is_hidden(tcache, i))
		return tcache->cold[i].hidden_head;
	/* A call that began before the barrier may yet take the top. */
	above_top = load((void *const *const *)&bin->head) + 1;
	return above_top < bin->empty ? bin->empty : above_top;
}

/* Takes up to OBJECTS_MAX objects out of a bin, from the bottom. */
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
	atomic_store_explicit(&cold->vacated, vacated + n,
	    memory_order_relaxed);
	return n;
}

/* Step 2 for one bin, in part; how many objects, 0 when it is done. */
static unsigned
take(struct tcache *tcache, unsigned i, void **objects)
{
	unsigned n = 0;

	if (!try_guard(tcache))
		return 0;
	if (tcache->guard.marked && tcache->cold[i].limit != 0)
		n = take_locked(tcache, i, objects);
	leave_guard(tcache);
	return n;
}

static void
empty(struct tcache *tcache)
{
	void *objects[OBJECTS_MAX];
	unsigned n;

	for (unsigned i = 0; i < CACHE_BINS; i++)
		while ((n = take(tcache, i, objects)) != 0)
			tcache_give_back(i, objects, n);
	/* Should the owner have come by, its entries tell. */
	tcache->guard.done = true;
}

bool
trim_idle(void)
{
	struct round round;

	do {
		round.n = 0;
		round.more = false;
		thread_each(collect, &round);
		for (unsigned i = 0; i < round.n; i++)
			if (!mark(round.idle[i]))
				round.more = true;
		if (round.n != 0)
			os_thread_barrier();
		for (unsigned i = 0; i < round.n; i++)
			empty(round.idle[i]);
	} while (round.n == THREADS_MAX);
	return round.more;
}

bool
trim_start(void)
{
	if (!os_thread_barrier_init())
		return false;
	atomic_store_explicit(&tcache_guarded, true,
	    memory_order_relaxed);
	/* Who is inside of a slow path without the guard has odd entries. */
	os_thread_barrier();
	return true;
}

void
trim_stop(void)
{
	atomic_store_explicit(&tcache_guarded, false,
	    memory_order_relaxed);
}
