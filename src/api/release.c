#include "api/release.h"

#include <errno.h>
#include <string.h>

#include "api/aside.h"
#include "api/boot.h"
#include "api/checked.h"
#include "api/checked_quick.h"
#include "api/foreign.h"
#include "api/inspect.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "arena/slab.h"
#include "arena/wipe.h"
#include "cache/exchange.h"
#include "cache/quarantine.h"
#include "cache/stride.h"
#include "cache/tcache.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/pagemap.h"
#include "guard/guard.h"
#include "os/clock.h"
#include "prof/prof.h"
#include "prof/prof_live.h"
#include "prof/prof_sample.h"
#include "unwind/loader.h"
#include "upkeep/idle.h"

/* If wiping is on, it leaves the same bytes. */
static void
fill_freed(void *ptr, size_t usable)
{
	if (opt.junk_free && !wipe_is_on())
		memset(ptr, JUNK_FREE, usable);
}

/* Counts bytes that are freed past the thread's cache. */
static void
count_freed(struct thread *thread, size_t usable)
{
	thread_count_uncached(thread, 0, usable);
	if (thread != NULL)
		thread_count(thread, 0, usable);
}

static void
free_large(struct thread *thread, void *ptr)
{
	struct extent *e = large_find(ptr);
	struct arena *arena;
	size_t size;
	uint64_t now_ns;
	bool hold;

	if (e == NULL) {
		foreign_free(ptr);
		return;
	}
	if (opt.checked && !checked_take_back(ptr, e->asked)) {
		large_hide(e);
		return;
	}
	/* Comes before the object is filled, because a hook may read it. */
	if (unlikely(e->sample != NULL)) {
		prof_end(thread, e->sample);
		e->sample = NULL;
	}
	fill_freed(ptr, e->usable);
	arena = arena_table_owner(extent_arena(e));
	count_freed(thread, e->usable);
	/* From here on a second free finds no object at this address. */
	large_hide(e);
	hold = thread != NULL && quarantine_wants(arena);
	if (wipe_is_on() || hold)
		large_wipe(&arena->pages, e, hold);
	if (hold) {
		quarantine_put(&thread->tcache, e, ptr);
		return;
	}
	size = e->size;
	large_give(&arena->large, &arena->pages, e);
	now_ns = clock_coarse_ns();
	if (thread != NULL)
		stride_passed(&thread->tcache, arena, now_ns);
	arena_tick_and_sweep(arena, now_ns);
	if (unlikely(size >= IDLE_LONG))
		idle_freed_long(arena, size);
}

static void
free_guarded(struct thread *thread, void *ptr)
{
	struct prof_sample *sample = guard_take_sample(ptr);
	size_t size;

	if (sample != NULL)
		prof_end(thread, sample);
	size = guard_give(ptr);
	count_freed(thread, size);
}

/* Frees an object that was checked already. */
static void
give_bin(struct thread *thread, struct tcache *tcache, unsigned bin, void *ptr)
{
	size_t usable = cache_bin_usable(bin);

	fill_freed(ptr, usable);
	if (thread == NULL || tcache != &thread->tcache)
		thread_count_uncached(thread, 0, usable);
	if (thread != NULL)
		thread_count(thread, 0, usable);
	if (tcache != NULL)
		tcache_give_slow(tcache, bin, ptr);
	else
		exchange_give_one(bin, ptr);
}

static void
free_sample(struct thread *thread, struct tcache *tcache, void *ptr)
{
	unsigned size_class = pagemap_find(ptr)->size_class;
	size_t usable = small_class_size(size_class);
	struct prof_sample *sample = prof_live_remove(ptr);
	void *stand_in;
	size_t size;

	if (sample == NULL) {
		if (slab_starts_region(pagemap_find(ptr), ptr))
			inspect_report_double_free(ptr, size_class);
		else
			inspect_is_object(ptr, "invalid-free");
		return;
	}
	stand_in = prof_sample_stand_in(sample);
	prof_end(thread, sample);
	if (opt.checked &&
	    (!inspect_hand_in(ptr, &size) || !checked_take_back(ptr, size)))
		return;
	fill_freed(ptr, usable);
	count_freed(thread, usable);
	exchange_give_one(size_class, ptr);
	if (likely(stand_in == NULL))
		return;
	if (tcache != NULL)
		tcache_give_aside(tcache, size_class, stand_in);
	else
		exchange_give_one(size_class, stand_in);
}

/* Is the marked object free, or did the program store the mark by chance? */
static bool
is_freed(struct tcache *tcache, unsigned bin, const void *ptr)
{
	if (inspect_is_freed(tcache, bin, ptr))
		return true;
	tcache_met_mark(tcache);
	return false;
}

static void
free_bin(struct thread *thread, struct tcache *tcache, unsigned bin, void *ptr)
{
	if (opt.safety != SAFETY_OFF &&
	    unlikely(!inspect_starts_object(ptr, bin)))
		inspect_is_object(ptr, "invalid-free");
	else if (tcache != NULL && inspect_bears_mark(tcache, ptr) &&
	    is_freed(tcache, bin, ptr))
		inspect_report_double_free(ptr, bin);
	else
		give_bin(thread, tcache, bin, ptr);
}

/* The same with opt.checked: the object may go into the quarantine. */
static void
give_checked(struct thread *thread, struct tcache *tcache, void *ptr)
{
	struct extent *slab = pagemap_find(ptr);
	size_t usable = small_class_size(slab->size_class);

	if (thread == NULL ||
	    !quarantine_wants(arena_table_owner(extent_arena(slab)))) {
		give_bin(thread, tcache, slab->size_class, ptr);
		return;
	}
	fill_freed(ptr, usable);
	count_freed(thread, usable);
	quarantine_put(&thread->tcache, slab, ptr);
}

static void
free_into(struct thread *thread, struct tcache *tcache, void *ptr)
{
	uint16_t kind = pagemap_kind(ptr);
	size_t size;

	if (kind_is_bin(kind)) {
		free_bin(thread, tcache, bin_of_kind(kind), ptr);
	} else if (kind == KIND_LARGE) {
		free_large(thread, ptr);
	} else if (kind == KIND_SAMPLE) {
		free_sample(thread, tcache, ptr);
	} else if (kind == KIND_GUARDED) {
		free_guarded(thread, ptr);
	} else if (kind == KIND_CHECKED) {
		if (inspect_hand_in(ptr, &size) && checked_take_back(ptr, size))
			give_checked(thread, tcache, ptr);
	} else if (!boot_owns(ptr)) {
		foreign_free(ptr);
	}
}

/*
 * The calling thread's record. A thread that has ended without ever calling us
 * may free the memory of other threads. A record of its own would stay for
 * ever, because its destructors have run.
 */
static struct thread *
own_thread(void)
{
	if (unlikely(thread_self == &thread_unborn) && loader_calls_us(false))
		return NULL;
	return boot_thread();
}

void
release_object(void *ptr)
{
	struct thread *thread;
	int saved;

	if (opt.checked && likely(checked_quick_give(ptr)))
		return;
	if (ptr == NULL)
		return;
	if (aside_active()) {
		aside_free(ptr);
		return;
	}
	saved = errno;
	thread = own_thread();
	free_into(thread, thread != NULL ? &thread->tcache : NULL, ptr);
	if (thread != NULL)
		thread_tell_events(thread);
	errno = saved;
}

void
release_as_asked(struct tcache *tcache, bool uncached, void *ptr)
{
	struct thread *thread;
	int saved = errno;

	if (tcache == NULL && !uncached) {
		release_object(ptr);
		return;
	}
	if (aside_active()) {
		aside_free(ptr);
		return;
	}
	thread = boot_thread();
	free_into(thread, tcache, ptr);
	if (thread != NULL)
		thread_tell_events(thread);
	errno = saved;
}

void
release_sized(void *ptr, size_t size, size_t align)
{
	if (ptr != NULL && inspect_size_fits(ptr, size, align))
		release_object(ptr);
}
