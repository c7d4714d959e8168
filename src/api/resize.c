#include "api/resize.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "api/aside.h"
#include "api/boot.h"
#include "api/checked.h"
#include "api/foreign.h"
#include "api/inspect.h"
#include "api/release.h"
#include "api/sampled.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "arena/wipe.h"
#include "cache/stride.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/pagemap.h"
#include "os/clock.h"
#include "pages/pools.h"

static void
count_change(size_t old_usable, size_t usable)
{
	struct thread *thread = thread_self;

	if (thread_is_own(thread)) {
		thread->tcache.uncached_taken += usable;
		thread->tcache.uncached_given += old_usable;
		thread_count(thread, usable, old_usable);
		thread_watch_peak(thread);
		thread_tell_events(thread);
	}
}

void
resize_kept(size_t usable)
{
	struct thread *thread;
	int saved = errno;

	thread = boot_thread();
	if (thread != NULL)
		count_change(usable, usable);
	errno = saved;
}

/*
 * Fills what an object has gained, if opt.junk says so. With a canary,
 * checked_resize() does that: it knows what the program may use.
 */
static void
junk_gained(char *object, size_t old_usable, size_t usable, bool zero)
{
	if (unlikely(opt.junk_alloc) && !opt.zero && !zero && !opt.canary &&
	    usable > old_usable)
		memset(object + old_usable, JUNK_ALLOC, usable - old_usable);
}

size_t
resize_in_place(void *ptr, const struct request *request)
{
	size_t old_usable = inspect_usable(ptr);
	size_t usable = request_usable(request->size, request->align);
	struct extent *e;
	struct arena *arena;
	uint64_t now_ns;
	bool drawn;

	if (usable == old_usable || usable == 0 || usable <= SMALL_MAX ||
	    old_usable <= SMALL_MAX)
		return old_usable;
	/*
	 * The part that is cut off would have to be wiped first, but cutting
	 * may fail.
	 */
	if (wipe_is_on() && usable < old_usable)
		return old_usable;
	e = large_find(ptr);
	if (e == NULL)
		return old_usable;
	drawn = sampled_resize_draws(usable);
	arena = arena_table_owner(extent_arena(e));
	if (!large_resize(&arena->large, &arena->pages, e,
		&(struct large_request){ .usable = usable,
		    .align = 1,
		    .zero = request->zero || opt.zero,
		    .cached = !drawn && usable <= opt.tcache_max }))
		return old_usable;
	junk_gained(ptr, old_usable, usable, request->zero);
	if (opt.checked)
		checked_resize(ptr, request->size, request->zero);
	if (unlikely(drawn || e->sample != NULL))
		sampled_resized(e, request->size, drawn);
	now_ns = clock_coarse_ns();
	if (usable < old_usable && thread_is_own(thread_self))
		stride_passed(&thread_self->tcache, arena, now_ns);
	arena_tick_and_sweep(arena, now_ns);
	count_change(old_usable, usable);
	request_look_at_limits();
	return usable;
}

/* Lets the program use so many bytes of the object, if that fits its class. */
static bool
take_up(void *ptr, const struct request *request)
{
	if (request_usable(request->size, 1) != inspect_usable(ptr))
		return false;
	checked_resize(ptr, request->size, request->zero);
	return true;
}

size_t
resize_with_canary(void *ptr, const struct request *request)
{
	size_t old = checked_size(ptr), capacity = inspect_usable(ptr);
	size_t room = capacity;

	if (!checked_is_whole(ptr) || take_up(ptr, request) ||
	    resize_in_place(ptr, request) != capacity)
		return checked_size(ptr);
	/* An aligned object has more room than objects of its size. */
	if (request_usable(capacity, 1) != capacity)
		room -= CANARY_MIN;
	if (old < request->size && request->size <= room)
		checked_resize(ptr, request->size, request->zero);
	return checked_size(ptr);
}

/* Fills what an object has gained that was moved by page tables. */
static void
fill_moved(struct page_source *pages, struct extent *e, size_t old_usable,
    const struct request *request)
{
	/* First of all: the end of these bytes becomes the canary. */
	if ((request->zero || opt.zero) && e->usable > old_usable)
		large_clear(pages, e, old_usable, e->usable);
	junk_gained(e->object, old_usable, e->usable, request->zero);
	if (opt.checked)
		checked_resize(e->object, request->size, request->zero);
}

/* Moves a large object by page tables. NULL: it must be copied. */
static void *
move_pages(void *ptr, size_t old_usable, size_t usable,
    const struct request *request)
{
	struct extent *from, *to;
	struct arena *arena, *old;
	struct large_request large = { .usable = usable,
		.asked = request->size,
		.align = request->align,
		.room = request->room,
		.moved = min_size(old_usable, usable) };
	void *sample;
	size_t asked;
	bool drawn;

	if (old_usable < RESIZE_MOVE_MIN || usable < RESIZE_MOVE_MIN)
		return NULL;
	from = large_find(ptr);
	if (from == NULL)
		return NULL;
	sample = from->sample;
	asked = from->asked;
	old = arena_table_owner(extent_arena(from));
	/* Stays in its arena, so that the old pages can be used again. */
	arena = request->arena != NULL ? request->arena : old;
	if (!page_source_is_plain(&arena->pages) ||
	    !page_source_is_plain(&old->pages))
		return NULL;
	to = large_take(&arena->large, &arena->pages, &large);
	if (to == NULL)
		return NULL;
	if (!large_move(&old->large, &old->pages, from, to)) {
		/* Its first bytes may be old ones: they were not wiped. */
		to->asked = request->size;
		if (wipe_is_on())
			large_wipe(&arena->pages, to, false);
		large_give(&arena->large, &arena->pages, to);
		return NULL;
	}
	to->sample = sample;
	to->asked = asked;
	fill_moved(&arena->pages, to, old_usable, request);
	drawn = sampled_resize_draws(usable);
	if (unlikely(drawn || sample != NULL))
		sampled_resized(to, request->size, drawn);
	count_change(old_usable, usable);
	request_look_at_limits();
	return to->object;
}

static void *
move_by_copy(void *ptr, size_t old_usable, const struct request *request)
{
	void *object = request_run(request);

	if (object == NULL)
		return NULL;
	if (opt.canary && !boot_owns(ptr))
		old_usable = checked_size(ptr);
	memcpy(object, ptr,
	    old_usable < request->size ? old_usable : request->size);
	release_as_asked(request->tcache, request->uncached, ptr);
	return object;
}

/*
 * An object that grows by a small step and has to move gets room for the next
 * steps. Otherwise many of them that grow in turns would be copied with each
 * step: one takes the place behind the other.
 */
static size_t
room_to_grow(size_t old_usable, size_t usable)
{
	return usable > old_usable && usable - old_usable < old_usable / 4 &&
		usable < LARGE_MAXCLASS / 2
	    ? usable / 4
	    : 0;
}

static void *
move(void *ptr, size_t old_usable, size_t usable, const struct request *request)
{
	struct request roomy = *request;
	void *object;

	roomy.room = room_to_grow(old_usable, usable);
	object = move_pages(ptr, old_usable, usable, &roomy);
	return object != NULL ? object : move_by_copy(ptr, old_usable, &roomy);
}

/* False: the pointer or the object is not right, and that was reported. */
static bool
may_resize(const void *ptr)
{
	return (opt.safety == SAFETY_OFF ||
		   inspect_is_object(ptr, "invalid-realloc")) &&
	    (!opt.canary || checked_is_whole(ptr));
}

void *
resize_object(void *ptr, const struct request *request)
{
	bool aligned = ((uintptr_t)ptr & (request->align - 1)) == 0;
	size_t old_usable, usable;

	if (aside_active())
		return aside_resize(ptr, request->size, request->align,
		    request->zero);
	if (unlikely(pagemap_kind(ptr) == KIND_NONE) && !boot_owns(ptr))
		return foreign_realloc(ptr, request->size);
	usable = request_usable(request->size, request->align);
	if (usable == 0)
		return request_failed(request);
	if (!boot_owns(ptr) && !may_resize(ptr)) {
		errno = ENOMEM;
		return NULL;
	}
	old_usable = inspect_usable(ptr);
	if (aligned && usable == old_usable && usable == inspect_class(ptr)) {
		if (opt.checked && !boot_owns(ptr))
			checked_resize(ptr, request->size, request->zero);
		resize_kept(usable);
		return ptr;
	}
	if (aligned && usable > SMALL_MAX &&
	    resize_in_place(ptr, request) == usable)
		return ptr;
	return move(ptr, old_usable, usable, request);
}
