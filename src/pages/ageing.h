/*
 * ageing: free pages go back to the kernel: dirty -> muzzy -> retained.
 *
 * Owns:       the ageing state of each source.
 * Invariants: whatever a system call answers, no page is lost: pages that the
 *             kernel does not take stay in their pool and in its counters.
 * Locking:    `decay_lock` (LOCK_DECAY) for the curve; LOCK_PAGES for short
 *             moments. Neither is held over a system call.
 */
#ifndef PAGES_AGEING_H
#define PAGES_AGEING_H

#include "pages/packed.h"
#include "pages/pools.h"
#include "util/compiler.h"

/*
 * How many bytes one call of the program purges if it has not asked for it. A
 * program that seldom calls pays for several pieces, or it would fall behind.
 */
#define AGEING_PIECE  ((size_t)256 << 10)
#define AGEING_PIECES 4

/* Sets a decay time of a new source: dirty (0) or muzzy (1). */
void ageing_init(struct page_source *source, unsigned which, int64_t time_ms,
    uint64_t now_ns);

/* Changes a decay time; pages that are free now are purged, unless it is -1. */
void ageing_set_decay(struct page_source *source, unsigned which,
    int64_t time_ms, uint64_t now_ns);

/* Ages what is due at `now_ns`; cheap if nothing is due. */
void ageing_tick(struct page_source *source, uint64_t now_ns);

/*
 * The same inside a call of the program, which must not take long: purges a
 * piece or a few, and the next tick goes on with the rest. Returns whether it
 * has purged anything.
 */
bool ageing_tick_short(struct page_source *source, uint64_t now_ns);

/* Nanoseconds until something is due; UINT64_MAX: never. */
uint64_t ageing_wait(struct page_source *source, uint64_t now_ns);

/*
 * If no thread has ticked for a whole decay period, no free page may stay. This
 * serves arenas whose threads have ended or sleep. It is also a part of a call
 * of the program, so it purges a few pieces. Returns whether it has purged
 * anything; then there may be more.
 */
bool ageing_tick_silent(struct page_source *source, uint64_t now_ns);

/* How long pages may stay unused, in ns; 0: not at all, or for ever. */
static inline uint64_t
ageing_period(const struct page_source *source)
{
	uint64_t period_ns = 0;

	for (unsigned i = 0; i < 2; i++)
		if (pools_age(source, i) &&
		    pools_stay_ns(source, i) > period_ns)
			period_ns = pools_stay_ns(source, i);
	return period_ns;
}

/* Has the kernel refused pages, and accepted none since then? */
static inline bool
ageing_is_refused(const struct page_source *source)
{
	return atomic_load_explicit(&source->refused_until_ns,
		   memory_order_relaxed) != 0;
}

/* Bytes of empty slabs that bins keep, if they are to be given back. */
static inline size_t
ageing_kept(const struct page_source *source)
{
	return pools_age(source, 0)
	    ? atomic_load_explicit(&source->kept, memory_order_relaxed)
	    : 0;
}

/* Bytes that wait to be given back; takes no lock. */
static inline size_t
ageing_unused(const struct page_source *source)
{
	size_t unused = 0;

	for (unsigned i = 0; i < 2; i++)
		if (pools_age(source, i))
			unused += READ_RELAXED(source->pool[i].size);
	unused += ageing_kept(source);
	if (pools_age(source, 0))
		unused += READ_RELAXED(source->guards.size);
	if (unlikely(source->huge != NULL))
		unused += packed_unused(source);
	return unused;
}

/*
 * Bins give back the empty slabs that they keep. Who purges several sources
 * does this for all of them first, because a slab may go back to another
 * source, from which its pages were borrowed.
 */
void ageing_shed(struct page_source *source);

/*
 * Returns all dirty and muzzy pages to the kernel now. Pages that it refuses
 * stay in their pools.
 */
void ageing_purge(struct page_source *source);

/*
 * Unless dirty pages are to stay for ever: ages the oldest ones now, until
 * `keep` bytes are left, or about `most` bytes are done. It makes few system
 * calls, so that it takes no time where the program has touched nothing.
 */
void ageing_keep(struct page_source *source, size_t keep, size_t most);

/* Ages all dirty pages by one state now, unless the kernel refuses. */
void ageing_purge_dirty(struct page_source *source);

/* Returns all of them now, unless the kernel refuses; bins keep their slabs. */
void ageing_purge_pages(struct page_source *source);

/*
 * Returns all free address space to the kernel. For the end of a source, and
 * for the case that the kernel has no more address space: other arenas or the
 * program may need it. Extents that the kernel does not take are kept.
 */
void ageing_release(struct page_source *source);

/*
 * A part of it, if less is enough. ageing_loosen() moves all free pages into
 * the pools first; false: the source has hooks, which have been asked. Then
 * ageing_unmap() gives address space of one pool back, the oldest first, until
 * it was `enough`; it returns how much it was.
 */
bool ageing_loosen(struct page_source *source);
size_t ageing_unmap(struct page_source *source, enum extent_state state,
    size_t enough);

/* Bytes that ageing_release() may give back; takes no lock. */
size_t ageing_spare(const struct page_source *source);

#endif
