/*
 * fast: the fast paths of the calling thread's cache, as inline functions.
 *
 * Owns:       nothing. Entry points include it to save a call.
 * Invariants: unusual cases make a branch fail that the path needs anyway. Such
 *             cases are a thread without a record, an option that needs every
 *             call, an event that is due, a foreign or unaligned pointer, and
 *             a full or an empty cache. Only the mark of freed objects has its
 *             own branch.
 * Locking:    none.
 */
#ifndef API_FAST_H
#define API_FAST_H

#include <stddef.h>
#include <stdint.h>

#include "api/release.h"
#include "api/request.h"
#include "api/resize.h"
#include "arena/slab.h"
#include "cache/tcache_guard.h"
#include "cache/thread.h"
#include "extent/pagemap.h"
#include "util/bits.h"
#include "util/compiler.h"

static ALWAYS_INLINE struct cache_bin *
bin_at(struct thread *thread, size_t offset)
{
	return (struct cache_bin *)(void *)((char *)thread + offset);
}

/*
 * The bin for a request. If no cache serves it, the dummy bin, which is empty.
 */
static ALWAYS_INLINE struct cache_bin *
bin_for(struct thread *thread, size_t size)
{
	if (likely(size <= CLASS_FINE_MAX))
		return bin_at(thread, thread->tcache.fine[(size + 7) >> 3]);
	if (size <= SMALL_MAX)
		return bin_at(thread, thread->tcache.coarse[(size + 255) >> 8]);
	if (likely(size <= CACHED_MAX))
		return bin_at(thread,
		    kind_of_bin(SMALL_CLASSES - CACHED_UNITS_MIN) +
			((size + UNIT - 1) >> (LG_UNIT - LG_KIND_STEP) &
			    ~(size_t)(KIND_STEP - 1)));
	return thread->tcache.bins;
}

/* Takes from a bin of which trim may take all objects (upkeep/trim.h). */
static ALWAYS_INLINE void *
take_watched(struct thread *thread, size_t size)
{
	void *object;

	tcache_begin_take(&thread->tcache);
	object = cache_bin_take(bin_for(thread, size));
	tcache_end_take(&thread->tcache);
	return object;
}

/* aligned_alloc for an alignment that is a power of two. */
static ALWAYS_INLINE void *
fast_aligned(size_t align, size_t size)
{
	if (size == 0)
		size = 1;
	/* The class of a multiple of `align` has at least this alignment. */
	if (likely(align <= UNIT && size <= SMALL_MAX)) {
		size_t rounded = round_up(size, align);
		void *object = rounded <= SMALL_MAX
		    ? take_watched(thread_self, rounded)
		    : NULL;

		if (likely(object != NULL))
			return object;
	}
	return request_run(&(struct request){ .size = size, .align = align });
}

/* The whole of free(). */
static ALWAYS_INLINE void
fast_free(void *ptr)
{
	struct thread *thread = thread_self;
	struct cache_bin *bin = bin_at(thread, pagemap_kind_of_start(ptr));
	void **head = bin->head;

	if (unlikely(head <= bin->full))
		goto slow;
	/* free left this mark, so this is probably a double free. */
	if (unlikely(cache_is_marked(ptr, thread->tcache.mark)))
		goto slow;
	cache_set_mark(ptr, thread->tcache.mark);
	cache_bin_give(bin, head, ptr);
	return;
slow:
	release_object(ptr);
}

/* The same with a size, which must lead to the bin that the page map has. */
static ALWAYS_INLINE void
fast_free_sized(void *ptr, size_t size, size_t align)
{
	struct thread *thread = thread_self;
	struct cache_bin *bin = bin_at(thread, pagemap_kind_of_start(ptr));
	void **head = bin->head;
	size_t served = size;

	/* See fast_aligned(). No cache serves the largest size. */
	if (align > QUANTUM)
		served = align <= UNIT && size <= SMALL_MAX
		    ? round_up(size, align)
		    : SIZE_MAX;
	if (unlikely(head <= bin->full || bin != bin_for(thread, served) ||
		cache_is_marked(ptr, thread->tcache.mark))) {
		release_sized(ptr, size, align);
		return;
	}
	cache_set_mark(ptr, thread->tcache.mark);
	cache_bin_give(bin, head, ptr);
}

/*
 * The object stays as it is, but counts as freed and allocated again. A thread
 * without a record of its own uses a shared one, which must not be written: it
 * is known by its mark, which is 0.
 */
static ALWAYS_INLINE void
count_kept(uint16_t kind)
{
	struct thread *thread = thread_self;
	size_t usable = bin_at(thread, kind)->usable;

	if (unlikely(thread->tcache.mark == 0 || thread->live ||
		thread_event_wanted())) {
		resize_kept(cache_bin_usable(bin_of_kind(kind)));
		return;
	}
	thread->tcache.uncached_taken += usable;
	thread->tcache.uncached_given += usable;
}

/*
 * Does a small object have the class of `size` bytes already? Then only the
 * counters change, if `ptr` really is an object.
 */
static ALWAYS_INLINE bool
fast_keep(void *ptr, size_t size)
{
	uint16_t kind = pagemap_kind(ptr);

	if (unlikely(!kind_is_bin(kind) || size > SMALL_MAX ||
		kind != kind_of_bin(small_class_of(size)) ||
		!slab_starts_region(pagemap_find(ptr), ptr)))
		return false;
	count_kept(kind);
	return true;
}

#endif
