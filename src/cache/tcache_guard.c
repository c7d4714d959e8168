#include "cache/tcache_guard.h"

#include <string.h>

#include "cache/holding.h"
#include "os/os_thread.h"

_Atomic unsigned tcache_guarded;

/*
 * Repairs a bin after trim.c, which took `vacated` objects from the bottom. All
 * other code expects the stack to end at `bottom`, so the remaining objects
 * move down. Then the marks are removed.
 */
static void
repair(struct tcache *tcache, unsigned i)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	struct cache_bin_cold *cold = &tcache->cold[i];
	bool hidden = tcache->hidden;
	void ***head = hidden ? &cold->hidden_head : &bin->head;
	uint32_t vacated = atomic_load_explicit(&cold->vacated,
	    memory_order_relaxed);
	size_t rest = (size_t)(cold->bottom - vacated - *head);

	if (vacated != 0) {
		flight_begin(&tcache->flight, FLIGHT_MOVE, i, *head,
		    (uint32_t)rest + vacated);
		memmove(*head + vacated, *head, rest * sizeof(void *));
		SET_RELAXED(*head, *head + vacated);
		cold->counted -= vacated;
		atomic_store_explicit(&cold->vacated, 0, memory_order_relaxed);
		flight_end(&tcache->flight);
	}
	if (!hidden) {
		bin->empty = cold->bottom;
		bin->full = cold->bottom - cold->limit;
	}
}

void
tcache_enter_guarded(struct tcache *tcache)
{
	struct tcache_guard *guard = &tcache->guard;

	while (!tcache_try_guard(guard))
		os_thread_yield();
	guard->mine = true;
	if (atomic_load_explicit(&guard->marked, memory_order_relaxed)) {
		atomic_store_explicit(&guard->marked, false,
		    memory_order_relaxed);
		for (unsigned i = 0; i < CACHE_BINS; i++)
			if (tcache->cold[i].limit != 0)
				repair(tcache, i);
		holding_return(tcache);
	}
}

void
tcache_leave_guarded(struct tcache_guard *guard)
{
	guard->mine = false;
	tcache_release_guard(guard);
}

void
tcache_fork_child(struct tcache *tcache)
{
	/*
	 * If trim.c held the guard, nobody in the child releases it. If the
	 * forking thread itself is in a slow path with the guard, it keeps it.
	 */
	atomic_store_explicit(&tcache->guard.held, tcache->guard.mine,
	    memory_order_relaxed);
}
