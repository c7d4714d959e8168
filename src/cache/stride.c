#include "cache/stride.h"

#include <stdatomic.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/pace.h"
#include "cache/tcache_counts.h"
#include "cache/tcache_guard.h"
#include "cache/tcache_state.h"
#include "pages/ageing.h"
#include "util/bits.h"

/* So much that has become unused is a burst. */
#define BURST_BYTES ((size_t)4 << 20)
/* A burst goes on; its end counts. */
#define BURST_NS UINT64_C(10000000)
/* With so many unused bytes, more events would pay. */
#define EVENT_WORTH ((size_t)1 << 20)
/* Without an event for so long, a thread does little, or a bin. */
#define SLOW_NS UINT64_C(100000000)
/* A bin that has events as often as this is used all the time. */
#define QUICK_NS (SLOW_NS / 10)
/* Bins note the times of their events in steps of 4 ms. */
#define LG_STEP_NS 22
/* How often a busy thread looks for bins that it seldom uses. */
#define LOOK_NS UINT64_C(1000000000)

/* The most bytes from event to event, for all threads; UINT32_MAX: no bound. */
static _Atomic uint32_t bound = UINT32_MAX;

static inline uint32_t
bounded(uint32_t stride, uint32_t usable, uint32_t bytes)
{
	if (likely(bytes == UINT32_MAX))
		return stride;
	return (uint32_t)min_size(stride, max_size(bytes / usable, 1));
}

void
stride_init(struct tcache *tcache)
{
	uint32_t bytes = atomic_load_explicit(&bound, memory_order_relaxed);

	for (unsigned i = 0; i < CACHE_BINS; i++) {
		struct cache_bin *bin = &tcache->bins[i + 1];
		struct cache_bin_cold *cold = &tcache->cold[i];
		uint32_t stride;

		bin->usable = (uint32_t)cache_bin_usable(i);
		cold->stride = (uint16_t)pace_first(bin->usable);
		stride = bounded(cold->stride, bin->usable, bytes);
		SET_RELAXED(cold->granted, stride);
		SET_RELAXED(bin->countdown, (int32_t)stride);
	}
}

void
stride_grant(struct tcache *tcache, unsigned i, uint32_t least)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	struct cache_bin_cold *cold = &tcache->cold[i];
	uint32_t count = bounded(cold->stride, bin->usable,
	    atomic_load_explicit(&bound, memory_order_relaxed));

	tcache_settle(tcache, i);
	if (sampler_is_on(&tcache->sampler)) {
		if (cold->until_sample < count)
			count = (uint32_t)cold->until_sample;
		cold->until_sample -= count;
		if (count == 0)
			count = least;
	}
	SET_RELAXED(bin->countdown, (int32_t)count);
	SET_RELAXED(cold->granted, count);
}

void
stride_shorten(struct tcache *tcache, unsigned i, uint32_t most)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	struct cache_bin_cold *cold = &tcache->cold[i];
	uint32_t less;

	if (bin->countdown <= (int32_t)most)
		return;
	less = (uint32_t)bin->countdown - most;
	tcache_settle(tcache, i);
	if (sampler_is_on(&tcache->sampler))
		cold->until_sample += less;
	SET_RELAXED(bin->countdown, (int32_t)most);
	SET_RELAXED(cold->granted, most);
}

/*
 * Since the last event of a bin. After minutes it begins at 0 again, and then a
 * bin may take the wrong pace for once.
 */
static inline uint64_t
since_bin(const struct cache_bin_cold *cold, uint64_t now_ns)
{
	uint16_t steps = (uint16_t)((now_ns >> LG_STEP_NS) - cold->event_at);

	return (uint64_t)steps << LG_STEP_NS;
}

/*
 * Each bin has an event at its next object, and then comes to its pace anew.
 * This concerns a whole burst, so it costs little.
 */
static COLD void
shorten_all(struct tcache *tcache)
{
	for (unsigned i = 0; i < CACHE_BINS; i++) {
		tcache->cold[i].stride = 1;
		stride_shorten(tcache, i, 0);
	}
}

/* The same for bins that had none for a while. */
static COLD void
shorten_idle(struct tcache *tcache, uint64_t now_ns)
{
	for (unsigned i = 0; i < CACHE_BINS; i++)
		if (since_bin(&tcache->cold[i], now_ns) > SLOW_NS)
			stride_shorten(tcache, i, 0);
}

/*
 * Has much memory become unused since the last time? Or is it time for the bins
 * that a busy thread seldom uses?
 */
static inline void
look(struct tcache *tcache, size_t unused, size_t *seen, uint64_t now_ns)
{
	uint64_t since_ns = now_ns - tcache->shortened_ns;

	if (unlikely(unused > *seen + BURST_BYTES)) {
		/* Else what is seen stays as it is, so it is seen again. */
		if (since_ns >= BURST_NS) {
			*seen = unused;
			tcache->shortened_ns = now_ns;
			shorten_all(tcache);
		}
		return;
	}
	if (unused < *seen)
		*seen = unused;
	if (unlikely(since_ns >= LOOK_NS) && unused >= EVENT_WORTH) {
		tcache->shortened_ns = now_ns;
		shorten_idle(tcache, now_ns);
	}
}

void
stride_look(struct tcache *tcache, uint64_t now_ns)
{
	look(tcache, ageing_unused(&tcache->arena->pages), &tcache->unused_seen,
	    now_ns);
}

uint64_t
stride_event(struct tcache *tcache, unsigned i, uint32_t least, uint64_t now_ns)
{
	struct cache_bin_cold *cold = &tcache->cold[i];
	uint64_t bin_ns,
	    since_ns = now_ns -
	    atomic_load_explicit(&tcache->guard.event_ns, memory_order_relaxed);
	size_t unused = ageing_unused(&tcache->arena->pages);
	bool much = unused >= EVENT_WORTH;

	if (unlikely(much)) {
		/* Before this bin gets its objects. */
		if (tcache->guard.depth == 1)
			look(tcache, unused, &tcache->unused_seen, now_ns);
	} else {
		if (unused < tcache->unused_seen)
			tcache->unused_seen = unused;
		/* Also for arenas whose threads may sleep. */
		if (unlikely(since_ns > SLOW_NS))
			much = arena_table_unused() >= EVENT_WORTH;
	}
	/*
	 * While much is unused, it also counts how long the bin itself took:
	 * the others may be busy now, and this one soon be the only one.
	 */
	if (unlikely(much)) {
		bin_ns = since_bin(cold, now_ns);
		if (bin_ns >= QUICK_NS)
			since_ns = bin_ns;
	}
	cold->stride = (uint16_t)pace_stride(cold->stride, cold->granted,
	    tcache->bins[i + 1].usable, since_ns, much);
	cold->event_at = (uint16_t)(now_ns >> LG_STEP_NS);
	stride_grant(tcache, i, least);
	return since_ns;
}

void
stride_passed(struct tcache *tcache, struct arena *arena, uint64_t now_ns)
{
	size_t unused = ageing_unused(&arena->pages);
	size_t *seen = arena == tcache->arena ? &tcache->unused_seen
					      : &tcache->unused_elsewhere;

	if (likely(unused <= *seen + BURST_BYTES))
		return;
	tcache_enter(tcache);
	if (tcache->guard.depth == 1)
		look(tcache, unused, seen, now_ns);
	tcache_leave(tcache);
}

AT_START void
stride_bound(struct tcache *tcache, uint64_t bytes)
{
	uint32_t old = atomic_load_explicit(&bound, memory_order_relaxed);
	uint32_t new = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;

	while (new < old)
		if (atomic_compare_exchange_weak_explicit(&bound, &old, new,
			memory_order_relaxed, memory_order_relaxed))
			old = new;
	if (tcache == NULL)
		return;
	tcache_enter(tcache);
	for (unsigned i = 0; i < CACHE_BINS; i++)
		stride_shorten(tcache, i,
		    bounded(tcache->cold[i].granted, tcache->bins[i + 1].usable,
			old));
	tcache_leave(tcache);
}
