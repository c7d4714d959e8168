/*
 * ageing: free pages go back to the kernel: dirty -> muzzy -> retained.
 *
 * Owns:       the ageing state of each source.
 * Invariants: whatever a system call answers, no page is lost: what can't be
 *             given to the kernel stays in a pool, and counts as it did.
 * Locking:    `decay_lock` (LOCK_DECAY) for the curve; LOCK_PAGES for moments.
 *             Neither is held over a system call.
 */
#ifndef PAGES_AGEING_H
#define PAGES_AGEING_H

#include "pages/packed.h"
#include "pages/pools.h"
#include "util/compiler.h"

/* Sets a decay time, dirty (0) or muzzy (1), of a source that is new. */
void ageing_init(struct page_source *source, unsigned which, int64_t time_ms,
    uint64_t now_ns);

/* Changes it, and applies it. */
void ageing_set_decay(struct page_source *source, unsigned which,
    int64_t time_ms, uint64_t now_ns);

/* Ages what is due at `now_ns`; cheap when nothing is. */
void ageing_tick(struct page_source *source, uint64_t now_ns);

/* Nanoseconds until something is due; UINT64_MAX: never. */
uint64_t ageing_wait(struct page_source *source, uint64_t now_ns);

/*
 * Ages all at once if nobody came by for so long that nothing may stay: for an
 * arena whose threads are gone or asleep.
 */
void ageing_tick_silent(struct page_source *source, uint64_t now_ns);

/* For how long pages may lie unused, in ns; 0: not at all, or for ever. */
static inline uint64_t
ageing_period(const struct page_source *source)
{
	return atomic_load_explicit(&source->period_ns, memory_order_relaxed);
}

/* Bytes that wait to be given back; takes no lock. */
static inline size_t
ageing_unused(const struct page_source *source)
{
	size_t unused = 0;

	for (unsigned i = 0; i < 2; i++)
		if (atomic_load_explicit(&source->ages[i],
		    memory_order_relaxed))
			unused += READ_RELAXED(source->pool[i].size);
	if (unlikely(source->huge != NULL))
		unused += packed_unused(source);
	return unused;
}

/*
 * Returns all dirty and muzzy pages to the kernel now. What it refuses stays
 * as it was.
 */
void ageing_purge(struct page_source *source);

/* Ages all dirty pages by one state now, if the kernel will. */
void ageing_purge_dirty(struct page_source *source);

/*
 * Returns all free address space to the kernel, for when it has no more: other
 * arenas or the program may need it. What it won't take back is kept.
 */
void ageing_release(struct page_source *source);

#endif
