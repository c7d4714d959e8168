#include "cache/holding.h"

#include <stdatomic.h>

#include "arena/arena.h"
#include "cache/tcache_state.h"
#include "os/clock.h"
#include "util/compiler.h"

/* Alone in its cache line: others are read far more often. */
static struct {
	_Atomic size_t bytes;
} CACHE_ALIGNED sum;

size_t
holding_sum(void)
{
	return atomic_load_explicit(&sum.bytes, memory_order_relaxed);
}

static bool
is_wanted(void)
{
	return holding_sum() >= atomic_load_explicit(&arena_upkeep.wants_held,
				    memory_order_relaxed);
}

bool
holding_rests(uint64_t now_ns)
{
	uint64_t since_ns = atomic_load_explicit(&arena_upkeep.rests_since_ns,
	    memory_order_relaxed);

	/* If the clock went back, the difference wraps to a huge number. */
	return now_ns - since_ns <
	    atomic_load_explicit(&arena_upkeep.rest_ns, memory_order_relaxed);
}

void
holding_look(uint64_t now_ns)
{
	if (unlikely(is_wanted()) && !holding_rests(now_ns))
		arena_upkeep.wake();
}

static void
add(size_t bytes)
{
	atomic_fetch_add_explicit(&sum.bytes, bytes, memory_order_relaxed);
	if (unlikely(is_wanted()))
		holding_look(clock_coarse_ns());
}

static void
subtract(size_t bytes)
{
	atomic_fetch_sub_explicit(&sum.bytes, bytes, memory_order_relaxed);
}

void
holding_begin(struct tcache *tcache)
{
	tcache->is_held = true;
}

void
holding_change(struct tcache *tcache, unsigned bin, uint32_t from, uint32_t to)
{
	size_t usable = tcache->bins[bin + 1].usable;

	tcache->held += to * usable - from * usable;
	if (!tcache->is_held)
		return;
	if (to > from)
		add((to - from) * usable);
	else
		subtract((from - to) * usable);
}

void
holding_leave(struct tcache *tcache)
{
	if (tcache->is_held)
		subtract(tcache->held);
	tcache->is_held = false;
}

void
holding_return(struct tcache *tcache)
{
	if (tcache->is_held)
		return;
	tcache->is_held = true;
	add(tcache->held);
}

void
holding_fork_child(const struct tcache *survivor)
{
	atomic_store_explicit(&sum.bytes,
	    survivor != NULL && survivor->is_held ? survivor->held : 0,
	    memory_order_relaxed);
}
