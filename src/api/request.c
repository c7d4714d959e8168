#include "api/request.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "api/boot.h"
#include "api/foreign.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "arena/slab.h"
#include "cache/tcache.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "conf/safety.h"
#include "extent/pagemap.h"
#include "os/clock.h"
#include "os/message.h"
#include "os/system.h"

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
	if (opt.xmalloc) {
		if (request->align > 1)
			fatal("Error allocating aligned memory: out of memory");
		fatal("Error in %s(): out of memory", request->function);
	}
	if (!request->keep_errno)
		errno = ENOMEM;
}

/* The arena of a thread, or the first one for a thread without a record. */
static struct arena *
arena_of(const struct thread *thread)
{
	return thread != NULL ? thread->arena : arena_table_get(0);
}

static void *
run_large(struct thread *thread, const struct request *request, size_t usable)
{
	struct arena *arena = arena_of(thread);
	struct extent *e = large_take(&arena->large, &arena->pages,
	    &(struct large_request){ .usable = usable,
		.align = request->align, .zero = request->zero,
		.cached = usable <= opt.tcache_max });

	if (e == NULL)
		return NULL;
	if (thread != NULL)
		thread->uncached_taken += usable;
	/* What was here before may look like the mark of a freed object. */
	*(uintptr_t *)(void *)e->object = 0;
	arena_tick(arena, clock_coarse_ns());
	return e->object;
}

static void *
run_cached(struct thread *thread, const struct request *request, unsigned bin)
{
	void *object = thread != NULL ? tcache_take_slow(thread, bin) :
	    tcache_take_uncached(arena_table_get(0), bin);

	if (object == NULL)
		return NULL;
	*(uintptr_t *)object = 0;
	if (request->zero)
		memset(object, 0, cache_bin_usable(bin));
	return object;
}

static void *
run_once(struct thread *thread, const struct request *request, size_t usable)
{
	struct cache_bin *bin;
	unsigned i;

	if (usable <= SMALL_MAX)
		return run_cached(thread, request, small_class_of(usable));
	if (usable > CACHED_MAX || request->align > system_info.page_size ||
	    thread == NULL)
		return run_large(thread, request, usable);
	i = cache_bin_of_large(usable);
	bin = &thread->bins[i + 1];
	/* Fresh pages are zero already; only a cached object must be wiped. */
	if (request->zero && bin->head == thread->cold[i].bottom)
		return run_large(thread, request, usable);
	return run_cached(thread, request, i);
}

/*
 * The kernel has no more. What this thread and all arenas hold unused may
 * be what is missing, or may make room for it.
 */
static COLD void *
run_after_release(struct thread *thread, const struct request *request,
    size_t usable)
{
	if (thread != NULL)
		tcache_flush(thread);
	for (unsigned i = 0; i < arena_table_count(); i++) {
		struct arena *arena = arena_table_get(i);

		if (arena != NULL)
			page_source_release(&arena->pages);
	}
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
	errno = saved;
	return object;
}

/* --- freeing ---------------------------------------------------------- */

/* Did the mark in the object tell the truth? Reports a double free. */
static bool
is_double_free(struct thread *thread, unsigned bin, const void *ptr)
{
	if (tcache_contains(thread, bin, ptr)) {
		safety_report("double-free", ptr, "size class %zu",
		    cache_bin_usable(bin));
		return true;
	}
	if (bin < SMALL_CLASSES) {
		struct extent *slab = pagemap_find(ptr);
		struct arena *arena = arena_table_get(extent_arena(slab));
		enum slab_give state;

		lock_acquire(&arena->bins[bin].lock);
		state = slab->is_slab ? slab_probe(slab, ptr) : SLAB_GIVEN;
		lock_release(&arena->bins[bin].lock);
		if (state == SLAB_ALREADY_FREE) {
			safety_report("double-free", ptr, "size class %zu",
			    cache_bin_usable(bin));
			return true;
		}
	}
	return false;
}

static void
free_large(struct thread *thread, void *ptr)
{
	struct extent *e = pagemap_find(ptr);
	struct arena *arena;

	if (e == NULL || extent_state(e) != EXTENT_ACTIVE || e->object != ptr) {
		foreign_free(ptr);
		return;
	}
	if (opt.junk_free)
		memset(ptr, JUNK_FREE, e->usable);
	arena = arena_table_get(extent_arena(e));
	if (thread != NULL)
		thread->uncached_given += e->usable;
	/* From here on a second free finds nothing at this address. */
	pagemap_set_kind(e, KIND_NONE);
	large_give(&arena->large, &arena->pages, e);
	arena_tick(arena, clock_coarse_ns());
}

static void
free_cached(struct thread *thread, unsigned bin, void *ptr)
{
	if (opt.junk_free)
		memset(ptr, JUNK_FREE, cache_bin_usable(bin));
	if (thread == NULL) {
		tcache_give_uncached(bin, ptr);
		return;
	}
	if (opt.safety != SAFETY_OFF && *(uintptr_t *)ptr == thread->key &&
	    is_double_free(thread, bin, ptr))
		return;
	tcache_give_slow(thread, bin, ptr);
}

void
request_free(void *ptr)
{
	uint16_t kind = pagemap_kind(ptr);
	struct thread *thread;
	int saved;

	if (ptr == NULL)
		return;
	saved = errno;
	thread = boot_thread();
	if (kind_is_bin(kind))
		free_cached(thread, bin_of_kind(kind), ptr);
	else if (kind == KIND_LARGE)
		free_large(thread, ptr);
	else if (!boot_owns(ptr))
		foreign_free(ptr);
	errno = saved;
}

void
request_free_sized(void *ptr, size_t size, size_t align)
{
	uint16_t kind = pagemap_kind(ptr);
	size_t usable, claimed;

	if (ptr == NULL)
		return;
	if (opt.safety != SAFETY_OFF && kind != KIND_NONE) {
		usable = request_usable_of(ptr);
		claimed = request_usable(size, align);
		if (claimed != usable) {
			safety_report("size-mismatch", ptr,
			    "true size %zu, claimed size %zu", usable, size);
			return;
		}
	}
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
	e = kind == KIND_LARGE ? pagemap_find(ptr) : NULL;
	if (e != NULL && extent_state(e) == EXTENT_ACTIVE && e->object == ptr)
		return e->usable;
	return boot_owns(ptr) ? boot_usable(ptr) : foreign_usable(ptr);
}
