#include "api/request.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "api/boot.h"
#include "api/foreign.h"
#include "api/prof_signal.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "arena/slab.h"
#include "cache/exchange.h"
#include "cache/tcache.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "conf/safety.h"
#include "extent/limit.h"
#include "extent/pagemap.h"
#include "os/clock.h"
#include "os/message.h"
#include "os/system.h"
#include "prof/prof.h"
#include "prof/prof_output.h"
#include "stats/report.h"

#define JUNK_ALLOC	0xa5
#define JUNK_FREE	0x5a

static size_t
large_usable(size_t size)
{
	if (size <= LARGE_MIN)
		return LARGE_MIN;
	if (size > LARGE_MAXCLASS)
		return 0;
	if (opt.disable_large_size_classes)
		return round_up(size, UNIT);
	return size_class_size(size_class_of(size));
}

size_t
request_usable(size_t size, size_t align)
{
	size_t usable;

	if (size <= SMALL_MAX && align <= UNIT) {
		size_t rounded = round_up(size, align);

		if (rounded <= SMALL_MAX)
			return small_class_size(small_class_of(rounded));
	}
	if (align > LARGE_MAXCLASS)
		return 0;
	usable = large_usable(size);
	if (usable > LARGE_MAXCLASS - round_up(align, UNIT))
		return 0;
	return usable;
}

void
request_failed(const struct request *request)
{
	if (opt.xmalloc && request->function == NULL)
		fatal("Error allocating aligned memory: out of memory");
	else if (opt.xmalloc)
		fatal("Error in %s(): out of memory", request->function);
	if (!request->keep_errno)
		errno = ENOMEM;
}

/* Where a request is served from. */
struct route {
	struct arena *arena;
	struct tcache *tcache;	/* NULL: none */
};

static struct route
route_of(struct thread *thread, const struct request *request)
{
	struct route route = { request->arena, request->tcache };

	if (route.arena == NULL)
		route.arena = thread != NULL ? thread->tcache.arena :
		    arena_table_first();
	if (route.tcache != NULL)
		SET_RELAXED(route.tcache->arena, route.arena);
	else if (thread != NULL && !request->uncached &&
	    route.arena == thread->tcache.arena)
		route.tcache = &thread->tcache;
	return route;
}

/* Counts what did not go through the thread's own cache. */
static void
count_uncached(struct thread *thread, size_t taken, size_t given)
{
	if (thread == NULL)
		return;
	thread->tcache.uncached_taken += taken;
	thread->tcache.uncached_given += given;
}

/*
 * Large blocks that come and go have an arena of their own, so that they don't
 * lie between others: unless the program said where, also by way of its thread.
 */
struct arena *
request_arena_for(struct arena *arena, size_t usable)
{
	size_t threshold = READ_RELAXED(arena->oversize_threshold);
	struct arena *oversize;

	if (likely(threshold == 0 || usable < threshold) || arena->manual)
		return arena;
	oversize = arena_table_oversize();
	return oversize != NULL ? oversize : arena;
}

/* `sample`: of the heap profile, or NULL. */
static void *
run_large(struct thread *thread, const struct request *request,
    struct arena *arena, size_t usable, struct prof_sample *sample)
{
	struct extent *e = large_take(&arena->large, &arena->pages,
	    &(struct large_request){ .usable = usable,
		.align = request->align, .zero = request->zero,
		.cached = sample == NULL && usable <= opt.tcache_max });

	if (e == NULL)
		return NULL;
	e->sample = sample;
	count_uncached(thread, usable, 0);
	/* What was here before may look like the mark of a freed object. */
	*(uintptr_t *)(void *)e->object = 0;
	arena_table_tick(arena, clock_coarse_ns());
	return e->object;
}

static void *
run_cached(struct thread *thread, const struct request *request,
    const struct route *route, unsigned bin)
{
	size_t usable = cache_bin_usable(bin);
	void *object = route->tcache != NULL ?
	    tcache_take_slow(route->tcache, bin) :
	    exchange_take_one(route->arena, bin);

	if (object == NULL)
		return NULL;
	if (thread == NULL || route->tcache != &thread->tcache)
		count_uncached(thread, usable, 0);
	*(uintptr_t *)object = 0;
	if (request->zero)
		memset(object, 0, usable);
	return object;
}

/* A small sample lies among such, where freeing it asks for its record. */
static void *
take_sample(struct thread *thread, const struct request *request,
    struct arena *arena, size_t usable)
{
	void *object = exchange_take_sample(arena, small_class_of(usable));

	if (object == NULL)
		return NULL;
	count_uncached(thread, usable, 0);
	*(uintptr_t *)object = 0;
	if (request->zero)
		memset(object, 0, usable);
	return object;
}

static void *
run_sampled(struct thread *thread, const struct request *request,
    struct arena *arena, size_t usable)
{
	struct prof_sample *sample = prof_begin(thread, request->size,
	    usable);
	void *object;

	if (sample == NULL)
		return NULL;
	object = usable <= SMALL_MAX ?
	    take_sample(thread, request, arena, usable) :
	    run_large(thread, request, arena, usable, sample);
	if (object == NULL)
		prof_cancel(sample);
	else if (usable <= SMALL_MAX)
		prof_taken_small(thread, sample, object);
	else
		prof_taken(thread, sample, object);
	return object;
}

/* The bin of the thread's own cache that would serve it, or CACHE_BINS. */
static unsigned
own_bin(const struct thread *thread, const struct request *request,
    const struct route *route, size_t usable)
{
	unsigned bin;

	if (route->tcache != &thread->tcache || usable > CACHED_MAX ||
	    (usable > SMALL_MAX && request->align > system_info.page_size))
		return CACHE_BINS;
	bin = usable <= SMALL_MAX ? small_class_of(usable) :
	    cache_bin_of_large(usable);
	/* A bin that does not cache does not count down. */
	if (thread->tcache.cold[bin].max == 0 || (request->zero &&
	    usable > SMALL_MAX && tcache_count(&thread->tcache, bin) == 0))
		return CACHE_BINS;
	return bin;
}

/* The period; the thread's sampler is told when it has become another one. */
static uint64_t
follow_period(struct tcache *tcache)
{
	uint64_t period = prof_period();

	if (unlikely(period == 0)) {
		/* In this order, or it might be on and this thread off. */
		tcache_set_rare(tcache, TCACHE_SAMPLED, false);
		period = prof_period();
		if (period != 0)
			tcache_set_rare(tcache, TCACHE_SAMPLED, true);
	}
	if (unlikely(tcache->sampler.period != period))
		tcache_sample(tcache, period, prof_seed());
	return period;
}

static struct arena *
arena_of(const struct request *request, const struct route *route,
    size_t usable)
{
	return request->arena != NULL ? request->arena :
	    request_arena_for(route->arena, usable);
}

/* Draws, where the profile is on; NULL: it is no sample. */
static void *
run_if_sampled(struct thread *thread, const struct request *request,
    size_t usable)
{
	struct tcache *tcache = &thread->tcache;
	struct route route = route_of(thread, request);
	struct arena *arena = arena_of(request, &route, usable);
	unsigned bin = own_bin(thread, request, &route, usable);
	void *object;
	bool hit;

	if (follow_period(tcache) == 0)
		return NULL;
	hit = bin == CACHE_BINS ? sampler_hits(&tcache->sampler, usable) :
	    tcache_sample_due(tcache, bin);
	if (hit && bin != CACHE_BINS)
		tcache_sampled(tcache, bin);
	object = hit ? run_sampled(thread, request, arena, usable) : NULL;
	prof_output_tick(thread, hit);
	return object;
}

bool
request_resize_draws(size_t usable)
{
	struct thread *thread = thread_self;

	return thread_is_own(thread) &&
	    (tcache_rare(&thread->tcache) & TCACHE_SAMPLED) != 0 &&
	    follow_period(&thread->tcache) != 0 &&
	    sampler_hits(&thread->tcache.sampler, usable);
}

void
request_resized(const struct request *request, struct extent *e, bool drawn)
{
	struct thread *thread = thread_self;

	if (e->sample != NULL)
		prof_end(thread_is_own(thread) ? thread : NULL, e->sample);
	e->sample = drawn ? prof_begin(thread, request->size, e->usable) :
	    NULL;
	if (e->sample != NULL)
		prof_taken(thread, e->sample, e->object);
}

/* What few threads have to do first; NULL: what all others do, now. */
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
	return (rare & TCACHE_SAMPLED) != 0 ?
	    run_if_sampled(thread, request, usable) : NULL;
}

/*
 * Nothing is to be done first but to see that no sample is due: so it is for
 * most requests while the heap profile is on, and they learn it in few steps.
 * Returns the bin that serves them, the thread's own, or CACHE_BINS.
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
	return tcache->bins[bin + 1].countdown > 0 &&
	    tcache->cold[bin].max != 0 &&
	    tcache->sampler.period == prof_period() && !prof_gdump() ? bin :
	    CACHE_BINS;
}

static void *
run_once(struct thread *thread, const struct request *request, size_t usable)
{
	struct route route;
	struct arena *arena;
	unsigned bin;

	if (thread != NULL && unlikely(tcache_rare(&thread->tcache) != 0)) {
		void *object;

		bin = bin_far_from_sample(&thread->tcache, request, usable);
		route = (struct route){ thread->tcache.arena, &thread->tcache };
		if (bin != CACHE_BINS)
			return run_cached(thread, request, &route, bin);
		object = run_rare(thread, request, usable);
		if (object != NULL)
			return object;
	}
	route = route_of(thread, request);
	arena = arena_of(request, &route, usable);
	if (usable <= SMALL_MAX)
		return run_cached(thread, request, &route,
		    small_class_of(usable));
	if (usable > CACHED_MAX || request->align > system_info.page_size ||
	    route.tcache == NULL || arena != route.arena)
		return run_large(thread, request, arena, usable, NULL);
	bin = cache_bin_of_large(usable);
	/* Fresh pages are zero already; only a cached object must be wiped. */
	if (request->zero && tcache_count(route.tcache, bin) == 0)
		return run_large(thread, request, arena, usable, NULL);
	return run_cached(thread, request, &route, bin);
}

/* The program has more than it wants to: what is unused goes, then it hears. */
static COLD void
exceed_soft_limit(void)
{
	arena_table_purge();
	limit_tell();
}

static void
release(struct arena *arena, void *unused)
{
	(void)unused;
	page_source_release(&arena->pages);
}

/*
 * The kernel has no more. What this thread and all arenas hold unused may
 * be what is missing, or may make room for it.
 */
static COLD void *
run_after_release(struct thread *thread, const struct request *request,
    size_t usable)
{
	void *object;

	if (thread != NULL)
		tcache_flush(&thread->tcache);
	if (atomic_load_explicit(&limit.hard, memory_order_relaxed) != 0) {
		/* Not the kernel refused, most likely: address space is there. */
		arena_table_purge();
		object = run_once(thread, request, usable);
		if (object != NULL)
			return object;
	}
	arena_table_each(release, NULL);
	return run_once(thread, request, usable);
}

static void
fill_new(const struct request *request, void *object, size_t usable)
{
	if (request->zero)
		return;
	if (opt.zero)
		memset(object, 0, usable);
	else if (opt.junk_alloc)
		memset(object, JUNK_ALLOC, usable);
}

/* Tells what was allocated since the last time; close, not exact. */
static COLD void
count_interval(struct thread *thread)
{
	uint64_t sum = thread->tcache.event_bytes +
	    thread->tcache.uncached_taken;
	uint64_t more = sum - thread->reported;

	thread->reported = sum;
	if (more != 0)
		report_interval(more);
}

void
request_taken(struct thread *thread, size_t size)
{
	if (limit_was_crossed())
		exceed_soft_limit();
	if (thread == NULL)
		return;
	thread_count(thread, size, 0);
	thread_watch_peak(thread);
	thread_tell_events(thread);
	if (unlikely(opt.stats_interval >= 0))
		count_interval(thread);
}

void *
request_run(const struct request *request)
{
	struct thread *thread = boot_thread();
	size_t usable;
	void *object;
	int saved = errno;

	if (unlikely(thread == NULL && !boot_ready())) {
		object = boot_take(request->size, request->align);
		if (object == NULL)
			request_failed(request);
		return object;
	}
	usable = request_usable(request->size, request->align);
	if (usable == 0) {
		request_failed(request);
		return NULL;
	}
	object = run_once(thread, request, usable);
	if (unlikely(object == NULL))
		object = run_after_release(thread, request, usable);
	if (unlikely(object == NULL)) {
		request_failed(request);
		return NULL;
	}
	fill_new(request, object, usable);
	request_taken(thread, usable);
	errno = saved;
	return object;
}

/* --- freeing ---------------------------------------------------------- */

/* The state of a region: handed out, free, or not the start of one. */
static enum slab_give
probe_small(const void *ptr, unsigned bin)
{
	struct extent *slab = pagemap_find(ptr);
	struct arena *arena;
	enum slab_give state;

	if (unlikely(slab == NULL))
		return SLAB_ALREADY_FREE;
	arena = arena_table_owner(extent_arena(slab));
	lock_acquire(&arena_bin(arena, bin, slab->shard)->lock);
	state = slab->is_slab ? slab_probe(slab, ptr) : SLAB_ALREADY_FREE;
	lock_release(&arena_bin(arena, bin, slab->shard)->lock);
	return state;
}

/* Did the mark in the object tell the truth? */
static bool
is_freed(const struct tcache *tcache, unsigned bin, const void *ptr)
{
	return tcache_contains(tcache, bin, ptr) || (bin < SMALL_CLASSES &&
	    probe_small(ptr, bin) == SLAB_ALREADY_FREE);
}

static bool
bears_mark(const void *ptr)
{
	return opt.safety != SAFETY_OFF && *(const uintptr_t *)ptr ==
	    thread_key();
}

static void
report_double_free(const void *ptr, unsigned bin)
{
	safety_report("double-free", ptr, "size class %zu",
	    cache_bin_usable(bin));
}

static bool
is_sample(const void *ptr, const char *kind)
{
	const struct extent *slab = pagemap_find(ptr);
	enum slab_give state = probe_small(ptr, slab->size_class);

	if (state == SLAB_GIVEN)
		return true;
	safety_report(kind, ptr, state == SLAB_MISALIGNED ?
	    "not the start of an object, size class %zu" :
	    "freed before, size class %zu",
	    small_class_size(slab->size_class));
	return false;
}

bool
request_is_object(const void *ptr, const char *kind)
{
	uint16_t page_kind = pagemap_kind(ptr);
	unsigned bin;

	if (unlikely(page_kind == KIND_SAMPLE))
		return is_sample(ptr, kind);

	if (!kind_is_bin(page_kind) || bin_of_kind(page_kind) >=
	    SMALL_CLASSES) {
		if (page_kind == KIND_NONE || large_find(ptr) == NULL) {
			foreign_report(kind, ptr);
			return false;
		}
	} else if (!slab_starts_region(pagemap_find(ptr), ptr)) {
		safety_report(kind, ptr, "not the start of an object, "
		    "size class %zu", cache_bin_usable(bin_of_kind(page_kind)));
		return false;
	}
	if (!kind_is_bin(page_kind) || !bears_mark(ptr))
		return true;
	bin = bin_of_kind(page_kind);
	if (thread_is_own(thread_self) &&
	    is_freed(&thread_self->tcache, bin, ptr)) {
		safety_report(kind, ptr, "freed before, size class %zu",
		    cache_bin_usable(bin));
		return false;
	}
	return true;
}

static void
free_large(struct thread *thread, void *ptr)
{
	struct extent *e = large_find(ptr);
	struct arena *arena;

	if (e == NULL) {
		foreign_free(ptr);
		return;
	}
	/* Who hears of it finds the object as it was. */
	if (unlikely(e->sample != NULL)) {
		prof_end(thread, e->sample);
		e->sample = NULL;
	}
	if (opt.junk_free)
		memset(ptr, JUNK_FREE, e->usable);
	arena = arena_table_owner(extent_arena(e));
	count_uncached(thread, 0, e->usable);
	if (thread != NULL)
		thread_count(thread, 0, e->usable);
	/* From here on a second free finds nothing at this address. */
	pagemap_set_kind(e, KIND_NONE);
	large_give(&arena->large, &arena->pages, e);
	arena_table_tick(arena, clock_coarse_ns());
}

static void
free_sample(struct thread *thread, void *ptr)
{
	unsigned size_class = pagemap_find(ptr)->size_class;
	size_t usable = small_class_size(size_class);
	struct prof_sample *sample = prof_claim_small(ptr);

	if (sample == NULL) {
		if (slab_starts_region(pagemap_find(ptr), ptr))
			report_double_free(ptr, size_class);
		else
			request_is_object(ptr, "invalid-free");
		return;
	}
	prof_end(thread, sample);
	if (opt.junk_free)
		memset(ptr, JUNK_FREE, usable);
	count_uncached(thread, 0, usable);
	if (thread != NULL)
		thread_count(thread, 0, usable);
	exchange_give_one(size_class, ptr);
}

static void
free_bin(struct thread *thread, struct tcache *tcache, unsigned bin,
    void *ptr)
{
	size_t usable = cache_bin_usable(bin);

	if (bears_mark(ptr) && tcache != NULL && is_freed(tcache, bin, ptr)) {
		report_double_free(ptr, bin);
		return;
	}
	if (opt.junk_free)
		memset(ptr, JUNK_FREE, usable);
	if (thread == NULL || tcache != &thread->tcache)
		count_uncached(thread, 0, usable);
	if (thread != NULL)
		thread_count(thread, 0, usable);
	if (tcache != NULL)
		tcache_give_slow(tcache, bin, ptr);
	else
		exchange_give_one(bin, ptr);
}

static void
free_into(struct thread *thread, struct tcache *tcache, void *ptr)
{
	uint16_t kind = pagemap_kind(ptr);

	if (kind_is_bin(kind))
		free_bin(thread, tcache, bin_of_kind(kind), ptr);
	else if (kind == KIND_LARGE)
		free_large(thread, ptr);
	else if (kind == KIND_SAMPLE)
		free_sample(thread, ptr);
	else if (!boot_owns(ptr))
		foreign_free(ptr);
}

void
request_free(void *ptr)
{
	struct thread *thread;
	int saved;

	if (ptr == NULL)
		return;
	saved = errno;
	thread = boot_thread();
	free_into(thread, thread != NULL ? &thread->tcache : NULL, ptr);
	if (thread != NULL)
		thread_tell_events(thread);
	errno = saved;
}

void
request_free_into(struct tcache *tcache, void *ptr)
{
	int saved = errno;

	free_into(boot_thread(), tcache, ptr);
	errno = saved;
}

bool
request_size_fits(const void *ptr, size_t size, size_t align)
{
	size_t usable;

	if (opt.safety == SAFETY_OFF || pagemap_kind(ptr) == KIND_NONE)
		return true;
	usable = request_usable_of(ptr);
	/* A request of no bytes was served as one of one byte. */
	if (request_usable(size == 0 ? 1 : size, align) == usable)
		return true;
	safety_report("size-mismatch", ptr, "true size %zu, claimed size %zu",
	    usable, size);
	return false;
}

void
request_free_sized(void *ptr, size_t size, size_t align)
{
	if (ptr != NULL && request_size_fits(ptr, size, align))
		request_free(ptr);
}

size_t
request_usable_of(const void *ptr)
{
	uint16_t kind = pagemap_kind(ptr);
	struct extent *e;

	if (ptr == NULL)
		return 0;
	if (kind_is_bin(kind))
		return cache_bin_usable(bin_of_kind(kind));
	if (unlikely(kind == KIND_SAMPLE))
		return small_class_size(pagemap_find(ptr)->size_class);
	e = kind == KIND_LARGE ? large_find(ptr) : NULL;
	if (e != NULL)
		return e->usable;
	return boot_owns(ptr) ? boot_usable(ptr) : foreign_usable(ptr);
}
