#include "upkeep/sweep.h"

#include <stdatomic.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "conf/options.h"
#include "pages/ageing.h"
#include "upkeep/trim.h"

/* The least time between two looks at all threads. */
#define TRIM_NS UINT64_C(1000000000)

static _Atomic uint64_t trimmed_ns; /* all silent threads were trimmed */

/*
 * A thread that has done nothing for a whole decay time does not need its
 * cache. This looks at all threads, so it is not done often.
 */
static void
trim_silent_threads(uint64_t now_ns)
{
	uint64_t period_ns = ageing_period(&arena_table_first()->pages);
	uint64_t since_ns = now_ns -
	    atomic_load_explicit(&trimmed_ns, memory_order_relaxed);

	if (period_ns == 0 || now_ns < period_ns || since_ns < period_ns / 4 ||
	    since_ns < TRIM_NS)
		return;
	if (!trim_silent(now_ns - period_ns))
		atomic_store_explicit(&trimmed_ns, now_ns,
		    memory_order_relaxed);
}

struct round {
	uint64_t now_ns;
	bool purged;
};

static void
tick_silent(struct arena *arena, void *context)
{
	struct round *round = context;

	/* One purge is enough for one call of the program. */
	if (!round->purged)
		round->purged = ageing_tick_silent(&arena->pages,
		    round->now_ns);
}

bool
sweep(uint64_t now_ns)
{
	struct round round = { now_ns, false };

	if (opt.tcache_trim)
		trim_silent_threads(now_ns);
	arena_table_each(tick_silent, &round);
	return round.purged;
}
