/*
 * fast: taking and giving an object of the calling thread's cache, in line.
 *
 * Owns:       nothing; for entry points that can't afford a call more.
 * Invariants: everything unusual makes the paths' own branches fail: a thread
 *             without record, an option that needs every call, an event that
 *             is due, a foreign pointer, a full or empty cache.
 * Locking:    none.
 */
#ifndef API_FAST_H
#define API_FAST_H

#include <stddef.h>
#include <stdint.h>

#include "api/release.h"
#include "api/request.h"
#include "arena/slab.h"
#include "cache/thread.h"
#include "extent/pagemap.h"
#include "util/bits.h"
#include "util/compiler.h"

static ALWAYS_INLINE struct cache_bin *
bin_at(struct thread *thread, size_t offset)
{
	return (struct cache_bin *)(void *)((char *)thread + offset);
}

/* The bin for a request: the dummy, always empty, if no cache serves it. */
static ALWAYS_INLINE struct cache_bin *
bin_for(struct thread *thread, size_t size)
{
	if (likely(size <= CLASS_FINE_MAX))
		return bin_at(thread, thread->tcache.fine[(size + 7) >> 3]);
	if (size <= SMALL_MAX)
		return bin_at(thread, thread->tcache.coarse[(size + 255) >> 8]);
	if (likely(size <= CACHED_MAX))
		return bin_at(thread, kind_of_bin(SMALL_CLASSES -
		    CACHED_UNITS_MIN) + ((size + UNIT - 1) >>
		    (LG_UNIT - LG_KIND_STEP) & ~(size_t)(KIND_STEP - 1)));
	return thread->tcache.bins;
}

/* An object of a bin that may be trimmed down to nothing (cache/trim.h). */
static ALWAYS_INLINE void *
take_watched(struct thread *thread, size_t size)
{
	void *object;

	tcache_begin_take(&thread->tcache);
	object = cache_bin_take(bin_for(thread, size));
	tcache_end_take(&thread->tcache);
	return object;
}

/* What aligned_alloc does, for an alignment that is a power of two. */
static ALWAYS_INLINE void *
fast_aligned(size_t align, size_t size)
{
	if (size == 0)
		size = 1;
	/* Natural alignment may do: the rounded size's class is aligned. */
	if (likely(align <= UNIT && size <= SMALL_MAX)) {
		size_t rounded = round_up(size, align);
		void *object = rounded <= SMALL_MAX ?
		    take_watched(thread_self, rounded) : NULL;

		if (likely(object != NULL))
			return object;
	}
	return request_run(&(struct request){ .size = size, .align = align });
}

/* What free does. */
static ALWAYS_INLINE void
fast_free(void *ptr)
{
	struct thread *thread = thread_self;
	struct cache_bin *bin = bin_at(thread, pagemap_kind(ptr));
	void **head = bin->head;

	if (unlikely(head <= bin->full))
		goto slow;
	/* The mark that the last free left: likely a double free. */
	if (unlikely(*(uintptr_t *)ptr == thread->tcache.key))
		goto slow;
	*(uintptr_t *)ptr = thread->tcache.key;
	cache_bin_give(bin, head, ptr);
	return;
slow:
	release_object(ptr);
}

/* As free, if the size that the caller claims leads to the same bin. */
static ALWAYS_INLINE void
fast_free_sized(void *ptr, size_t size, size_t align)
{
	struct thread *thread = thread_self;
	struct cache_bin *bin = bin_at(thread, pagemap_kind(ptr));
	void **head = bin->head;

	if (unlikely(head <= bin->full || align > 16 ||
	    bin != bin_for(thread, size) ||
	    *(uintptr_t *)ptr == thread->tcache.key)) {
		release_sized(ptr, size, align);
		return;
	}
	*(uintptr_t *)ptr = thread->tcache.key;
	cache_bin_give(bin, head, ptr);
}

#endif
