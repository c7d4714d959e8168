#include "api/request.h"

#include <errno.h>
#include <string.h>

#include "api/aside.h"
#include "api/boot.h"
#include "api/checked.h"
#include "api/checked_quick.h"
#include "api/prof_signal.h"
#include "api/sampled.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/exchange.h"
#include "cache/quarantine.h"
#include "cache/tcache.h"
#include "cache/tcache_counts.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/limit.h"
#include "extent/pagemap.h"
#include "guard/guard.h"
#include "os/clock.h"
#include "os/message.h"
#include "os/room.h"
#include "os/system.h"
#include "prof/prof.h"
#include "prof/prof_output.h"
#include "stats/report.h"

/*
 * If address space lacks, this much more is given back than the request needs:
 * for a slab and for records, and so that the next requests do not lack again.
 */
#define RELEASE_EXTRA ((size_t)2 << 20)

size_t
request_usable(size_t size, size_t align)
{
	size_t usable = options_class(size, align);

	/* With that the sizes of extents and mappings can't overflow. */
	if (usable > SMALL_MAX &&
	    usable > LARGE_MAXCLASS - round_up(align, UNIT))
		return 0;
	return usable;
}

void *
request_failed(const struct request *request)
{
	if (opt.xmalloc && request->function == NULL)
		fatal("Error allocating aligned memory: out of memory");
	else if (opt.xmalloc)
		fatal("Error in %s(): out of memory", request->function);
	if (!request->keep_errno)
		errno = ENOMEM;
	return NULL;
}

/* Where a request is served from. */
struct route {
	struct arena *arena;
	struct tcache *tcache; /* NULL: none */
};

static struct route
route_of(struct thread *thread, const struct request *request)
{
	struct route route = { request->arena, request->tcache };

	if (route.arena == NULL)
		route.arena = thread != NULL ? thread->tcache.arena
					     : arena_table_first();
	if (route.tcache == NULL && thread != NULL && !request->uncached &&
	    route.arena == thread->tcache.arena)
		route.tcache = &thread->tcache;
	return route;
}

/*
 * Very large objects have an arena of their own, so that they don't lie between
 * smaller ones and leave holes there. This does not apply if the program has
 * chosen an arena for the request or its thread.
 */
static struct arena *
arena_for(struct arena *arena, size_t size)
{
	size_t threshold = READ_RELAXED(arena->oversize_threshold);
	struct arena *oversize;

	if (likely(threshold == 0 || size < threshold) || arena->manual)
		return arena;
	oversize = arena_table_oversize();
	return oversize != NULL ? oversize : arena;
}

/* Takes a large object. `sample` is its sample of the heap profile, or NULL. */
static void *
run_large(struct thread *thread, const struct request *request,
    struct arena *arena, size_t usable, struct prof_sample *sample)
{
	struct extent *e = large_take(&arena->large, &arena->pages,
	    &(struct large_request){ .usable = usable,
		.asked = request->size,
		.align = request->align,
		.room = request->room,
		.zero = request->zero,
		.cached = sample == NULL && usable <= opt.tcache_max });

	if (e == NULL)
		return NULL;
	e->sample = sample;
	thread_count_uncached(thread, usable, 0);
	/*
	 * The old contents may look like the mark of a freed object. If it
	 * holds zeroes, it is left alone: a write would bring a page into
	 * memory, or 2 MiB where the kernel gives huge pages to all.
	 */
	if (!e->zeroed && !request->zero)
		*(uintptr_t *)(void *)e->object = 0;
	arena_tick_and_sweep(arena, clock_coarse_ns());
	return e->object;
}

/*
 * The old contents may look like the mark of a freed object. With opt.checked
 * there are no marks, and the contents are looked at first.
 */
static void
clean(const struct request *request, void *object, size_t usable)
{
	if (opt.checked)
		return;
	*(uintptr_t *)object = 0;
	if (request->zero)
		memset(object, 0, usable);
}

/*
 * Small samples have slabs of their own. The page map marks these, so free()
 * takes its slow path and ends the sample.
 */
static void *
take_sample(struct thread *thread, const struct request *request,
    struct arena *arena, size_t usable)
{
	void *object = exchange_take_sample(arena, small_class_of(usable));

	if (object == NULL)
		return NULL;
	thread_count_uncached(thread, usable, 0);
	clean(request, object, usable);
	/* If all objects are samples, no other call ages the arena. */
	arena_tick_and_sweep(arena, clock_coarse_ns());
	return object;
}

/*
 * With opt.prof_holes a small sample gets a stand-in: an ordinary object that
 * comes from where this one would have come from. A reset of an arena of the
 * program would free it behind our back, so it never comes from there.
 */
static void
take_stand_in(struct thread *thread, const struct request *request,
    const struct arena *arena, struct prof_sample *sample, size_t usable)
{
	unsigned bin = small_class_of(usable);
	struct arena *owner;
	void *object;

	if (!opt.prof_holes || opt.checked || arena->manual ||
	    arena != thread->tcache.arena || request->tcache != NULL ||
	    request->uncached)
		return;
	object = tcache_take_aside(&thread->tcache, bin);
	if (object == NULL)
		return;
	owner = arena_table_owner(extent_arena(pagemap_find(object)));
	if (owner->manual) {
		tcache_give_aside(&thread->tcache, bin, object);
		return;
	}
	clean(&(struct request){ .zero = false }, object, usable);
	prof_set_stand_in(sample, object);
}

static void *
run_sampled(struct thread *thread, const struct request *request,
    struct arena *arena, size_t usable)
{
	struct prof_sample *sample = prof_begin(thread, request->size, usable);
	void *object;

	if (sample == NULL)
		return NULL;
	object = usable <= SMALL_MAX
	    ? take_sample(thread, request, arena, usable)
	    : run_large(thread, request, arena, usable, sample);
	if (object == NULL) {
		prof_cancel(sample);
	} else if (usable <= SMALL_MAX) {
		take_stand_in(thread, request, arena, sample, usable);
		prof_taken_small(thread, sample, object);
	} else
		prof_taken(thread, sample, object);
	return object;
}

/* What caches hold has no such alignment, and no room to grow. */
static bool
past_caches(const struct request *request)
{
	return request->align > system_info.page_size || request->room != 0;
}

/* The bin of the thread's own cache for a request, or CACHE_BINS if none. */
static unsigned
own_bin(const struct thread *thread, const struct request *request,
    const struct route *route, size_t usable)
{
	unsigned bin;

	if (route->tcache != &thread->tcache || usable > CACHED_MAX ||
	    (usable > SMALL_MAX && past_caches(request)))
		return CACHE_BINS;
	bin = usable <= SMALL_MAX ? small_class_of(usable)
				  : cache_bin_of_large(usable);
	/* A bin that does not cache has no countdown to the next sample. */
	if (thread->tcache.cold[bin].max == 0 ||
	    (request->zero && usable > SMALL_MAX &&
		tcache_count(&thread->tcache, bin) == 0))
		return CACHE_BINS;
	return bin;
}

static struct arena *
arena_of(const struct request *request, const struct route *route)
{
	return request->arena != NULL ? request->arena
				      : arena_for(route->arena, request->size);
}

/* Takes a guarded object, which may be a sample as well. NULL: none. */
static void *
run_guarded(struct thread *thread, const struct request *request,
    const struct arena *arena, size_t usable, bool sampled)
{
	struct prof_sample *sample = NULL;
	void *object;

	/* Objects of such an arena have to be in its pages. */
	if (request->arena != NULL || arena->manual || usable > GUARD_SIZE_MAX)
		return NULL;
	if (sampled)
		sample = prof_begin(thread, request->size, usable);
	object = guard_take(&(struct guard_request){ .size = request->size,
	    .align = request->align,
	    .usable = usable,
	    .zero = request->zero,
	    .sample = sample });
	if (object != NULL)
		thread_count_uncached(thread, guard_size(object), 0);
	if (object != NULL && sample != NULL)
		prof_taken(thread, sample, object);
	else if (sample != NULL)
		prof_cancel(sample);
	return object;
}

/*
 * Draws whether the object is a sample, or guarded. NULL: it is neither, or
 * there is no record for it.
 */
static void *
run_if_picked(struct thread *thread, const struct request *request,
    size_t usable)
{
	struct route route = route_of(thread, request);
	struct arena *arena = arena_of(request, &route);
	unsigned bin = own_bin(thread, request, &route, usable);
	unsigned pick = sampled_draw(&thread->tcache, bin, usable);
	bool sampled = (pick & SAMPLER_PROFILE) != 0;
	void *object = NULL;

	if (unlikely((pick & SAMPLER_GUARD) != 0))
		object = run_guarded(thread, request, arena, usable, sampled);
	if (object == NULL && sampled)
		object = run_sampled(thread, request, arena, usable);
	if (prof_is_on())
		prof_output_tick(thread, sampled);
	return object;
}

/* For threads with rare work to do first. NULL: the usual path follows. */
static COLD void *
run_rare(struct thread *thread, const struct request *request, size_t usable)
{
	unsigned rare = tcache_rare(&thread->tcache);

	if ((rare & TCACHE_FOLLOWS_CPU) != 0)
		tcache_follow_cpu(&thread->tcache);
	if ((rare & TCACHE_SIGNALLED) != 0) {
		tcache_set_rare(&thread->tcache, TCACHE_SIGNALLED, false);
		prof_signal_act();
	}
	return (rare & TCACHE_SAMPLED) != 0
	    ? run_if_picked(thread, request, usable)
	    : NULL;
}

/*
 * A short check for the most frequent case while objects are picked: the
 * thread's own bin serves the request, and no pick is due. Returns the bin, or
 * CACHE_BINS in all other cases.
 */
static inline unsigned
bin_far_from_sample(const struct tcache *tcache, const struct request *request,
    size_t usable)
{
	unsigned bin;

	if (tcache_rare(tcache) != TCACHE_SAMPLED || usable > SMALL_MAX ||
	    request->arena != NULL || request->tcache != NULL ||
	    request->uncached)
		return CACHE_BINS;
	bin = small_class_of(usable);
	return sampled_is_far(tcache, bin) ? bin : CACHE_BINS;
}

/*
 * The bin that serves the request by `route`; CACHE_BINS: none does, it is for
 * run_large().
 */
static unsigned
bin_of(const struct request *request, const struct route *route,
    const struct arena *arena, size_t usable)
{
	unsigned bin;

	if (usable <= SMALL_MAX)
		return small_class_of(usable);
	if (usable > CACHED_MAX || past_caches(request) ||
	    route->tcache == NULL || arena != route->arena)
		return CACHE_BINS;
	bin = cache_bin_of_large(usable);
	/* New pages are zero already; only a cached object must be zeroed. */
	return request->zero && tcache_count(route->tcache, bin) == 0
	    ? CACHE_BINS
	    : bin;
}

static void *
run_once(struct thread *thread, const struct request *request, size_t usable)
{
	struct tcache *own = thread != NULL ? &thread->tcache : NULL;
	struct route route = { NULL, own };
	unsigned bin = CACHE_BINS;
	void *object;

	if (own != NULL && unlikely(tcache_rare(own) != 0)) {
		bin = bin_far_from_sample(own, request, usable);
		if (bin == CACHE_BINS) {
			object = run_rare(thread, request, usable);
			if (object != NULL)
				return object;
		}
	}
	if (bin == CACHE_BINS) {
		struct arena *arena;

		route = route_of(thread, request);
		arena = arena_of(request, &route);
		if (request->tcache != NULL)
			SET_RELAXED(request->tcache->arena, route.arena);
		bin = bin_of(request, &route, arena, usable);
		if (bin == CACHE_BINS)
			return run_large(thread, request, arena, usable, NULL);
	}
	object = route.tcache != NULL ? tcache_take_slow(route.tcache, bin)
				      : exchange_take_one(route.arena, bin);
	if (object == NULL)
		return NULL;
	usable = cache_bin_usable(bin);
	if (own == NULL || route.tcache != own)
		thread_count_uncached(thread, usable, 0);
	clean(request, object, usable);
	return object;
}

/*
 * The limit is exceeded: purges pages, and tells the program if that is not
 * enough.
 */
static COLD void
react_to_limit(void)
{
	int saved = errno;

	arena_table_purge();
	limit_tell();
	errno = saved;
}

/*
 * Gives unused address space of all arenas back, so that the kernel can serve a
 * mapping of `need` bytes. False: that can't help. Then nothing is given back:
 * a limit may have been lowered, and the program could not get it again.
 */
static bool
release_for(size_t need)
{
	struct arena_space space = arena_table_space();
	size_t lack = room_lack(need, RELEASE_EXTRA, space.mapped);

	if (lack > RELEASE_EXTRA && lack - RELEASE_EXTRA > space.spare)
		return false;
	if (lack == 0)
		arena_table_release();
	else
		arena_table_unmap(lack);
	return true;
}

/*
 * The kernel gave no memory. So unused memory of this thread and of all arenas
 * is given back if it helps, and the request is tried again.
 */
static COLD void *
run_after_release(struct thread *thread, const struct request *request,
    size_t usable)
{
	size_t need = usable, refusals;
	void *object;

	/* It is cut from a mapping that is longer, see pages_map(). */
	if (request->align > system_info.page_size)
		need += request->align - system_info.page_size;
	if (room_is_too_large(need))
		return NULL;
	if (thread != NULL) {
		quarantine_flush(&thread->tcache);
		tcache_flush(&thread->tcache);
	}
	if (opt.quarantine != 0) {
		object = run_once(thread, request, usable);
		if (object != NULL)
			return object;
	}
	if (atomic_load_explicit(&limit.hard, memory_order_relaxed) != 0) {
		/* Probably the hard limit was reached: purging is enough. */
		arena_table_purge();
		refusals = limit_refusals();
		object = run_once(thread, request, usable);
		/* Unused address space does not count towards that limit. */
		if (object != NULL || limit_refusals() != refusals ||
		    limit_is_exceeded())
			return object;
	}
	return release_for(need) ? run_once(thread, request, usable) : NULL;
}

static void
fill_new(const struct request *request, void *object, size_t usable)
{
	if (likely(!opt.junk_alloc) || request->zero)
		return;
	memset(object, JUNK_ALLOC, opt.canary ? request->size : usable);
}

/*
 * Reports the bytes allocated since the last call, if these are enough. No
 * countdown is longer (stride_bound() at the start).
 */
static COLD void
count_interval(struct thread *thread)
{
	uint64_t taken, given, more;

	thread_counters(thread, &taken, &given);
	more = taken - thread->reported;
	if (more < report_interval_batch())
		return;
	thread->reported = taken;
	report_interval(more);
}

void
request_look_at_limits(void)
{
	if (limit_was_crossed())
		react_to_limit();
}

void
request_taken(struct thread *thread, size_t size)
{
	request_look_at_limits();
	if (thread == NULL)
		return;
	thread_count(thread, size, 0);
	thread_watch_peak(thread);
	thread_tell_events(thread);
	if (unlikely(opt.stats_interval >= 0))
		count_interval(thread);
}

/* Takes an object; gives back unused memory and tries again if it must. */
static void *
run(struct thread *thread, const struct request *request, size_t usable)
{
	void *object = run_once(thread, request, usable);

	return likely(object != NULL)
	    ? object
	    : run_after_release(thread, request, usable);
}

/* The same with opt.checked: damaged objects are left out. */
static void *
run_checked(struct thread *thread, const struct request *request, size_t usable)
{
	void *object;

	do {
		object = run(thread, request, usable);
	} while (object != NULL &&
	    !checked_hand_out(object, request->size, request->zero));
	return object;
}

void *
request_run(const struct request *request)
{
	struct request for_zeroes;
	struct thread *thread;
	size_t usable;
	void *object;
	int saved;

	if (aside_active())
		return aside_allocate(request->size, request->align,
		    request->zero);
	if (opt.checked && request->arena == NULL && request->tcache == NULL &&
	    !request->uncached) {
		object = checked_quick_take(request->size, request->align,
		    request->zero);
		if (likely(object != NULL))
			return object;
	}
	saved = errno;
	thread = boot_thread();
	if (unlikely(thread == NULL && !boot_ready())) {
		object = boot_take(request->size, request->align);
		return object != NULL ? object : request_failed(request);
	}
	usable = request_usable(request->size, request->align);
	if (usable == 0)
		return request_failed(request);
	/* As a calloc, so that new pages, which are zero, stay untouched. */
	if (unlikely(opt.zero) && !request->zero) {
		for_zeroes = *request;
		for_zeroes.zero = true;
		request = &for_zeroes;
	}
	object = opt.checked ? run_checked(thread, request, usable)
			     : run(thread, request, usable);
	if (unlikely(object == NULL))
		return request_failed(request);
	/* It has the size that was requested, not that of its class. */
	if (unlikely(pagemap_kind(object) == KIND_GUARDED))
		usable = guard_size(object);
	fill_new(request, object, usable);
	request_taken(thread, usable);
	errno = saved;
	return object;
}
