#include "api/inspect.h"

#include <string.h>

#include "api/aside.h"
#include "api/boot.h"
#include "api/checked.h"
#include "api/foreign.h"
#include "api/request.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "arena/slab.h"
#include "cache/tcache.h"
#include "cache/tcache_look.h"
#include "conf/safety.h"
#include "extent/pagemap.h"
#include "guard/guard.h"
#include "os/os_thread.h"

/*
 * How often all threads' caches are searched before an object counts as free.
 */
#define LOOKS 1000

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

/*
 * A large object that another thread has freed may be in that thread's cache,
 * with its extent. One look may find an entry that is out of date. If all looks
 * find it, the object is there.
 */
static bool
is_in_some_cache(unsigned bin, const void *ptr)
{
	for (unsigned i = 0; i < LOOKS; i++) {
		if (!thread_any_contains(bin, ptr))
			return false;
		os_thread_yield();
	}
	return true;
}

bool
inspect_is_freed(const struct tcache *tcache, unsigned bin, const void *ptr)
{
	if (tcache_contains(tcache, bin, ptr))
		return true;
	return bin < SMALL_CLASSES ? probe_small(ptr, bin) == SLAB_ALREADY_FREE
				   : is_in_some_cache(bin, ptr);
}

void
inspect_report_double_free(const void *ptr, unsigned bin)
{
	safety_report("double-free", ptr, "size class %zu",
	    cache_bin_usable(bin));
}

bool
inspect_starts_object(const void *ptr, unsigned bin)
{
	const struct extent *slab = pagemap_find(ptr);

	if (bin >= SMALL_CLASSES)
		return large_find(ptr) != NULL;
	/*
	 * If the slab was freed just now, this is a double free; flush reports
	 * it.
	 */
	return slab == NULL || slab_starts_region(slab, ptr);
}

static void
report_small(const void *ptr, const char *kind, enum slab_give state,
    size_t usable)
{
	if (state == SLAB_MISALIGNED)
		safety_report(kind, ptr,
		    "not the start of an object, "
		    "size class %zu",
		    usable);
	else if (strcmp(kind, "invalid-free") == 0)
		safety_report("double-free", ptr, "size class %zu", usable);
	else
		safety_report(kind, ptr, "freed before, size class %zu",
		    usable);
}

bool
inspect_hand_in(const void *ptr, size_t *size)
{
	struct extent *slab = pagemap_find(ptr);
	enum slab_give state;

	/*
	 * Another thread has just freed this object, the last one of its slab.
	 */
	if (unlikely(slab == NULL)) {
		foreign_report("invalid-free", ptr);
		return false;
	}
	state = slab_hand_in(slab, ptr, size);
	if (likely(state == SLAB_GIVEN))
		return true;
	report_small(ptr, "invalid-free", state,
	    small_class_size(slab->size_class));
	return false;
}

/* inspect_is_object() if the kind is not that of a bin. The answer is exact. */
static bool
is_certain_object(const void *ptr, const char *kind)
{
	struct extent *slab = pagemap_find(ptr);
	unsigned size_class = slab != NULL ? slab->size_class : 0;
	enum slab_give state;
	size_t size;

	if (slab == NULL || pagemap_kind(ptr) == KIND_SAMPLE)
		state = probe_small(ptr, size_class);
	else
		state = slab_probe_handed(slab, ptr, &size);
	if (state == SLAB_GIVEN)
		return true;
	report_small(ptr, kind, state, small_class_size(size_class));
	return false;
}

bool
inspect_is_object(const void *ptr, const char *kind)
{
	uint16_t page_kind = pagemap_kind(ptr);
	unsigned bin;

	if (unlikely(kind_is_certain_slab(page_kind)))
		return is_certain_object(ptr, kind);
	if (unlikely(page_kind == KIND_GUARDED))
		return guard_is_object(ptr, kind);
	if (!kind_is_bin(page_kind)) {
		if (page_kind != KIND_NONE && large_find(ptr) != NULL)
			return true;
		foreign_report(kind, ptr);
		return false;
	}
	bin = bin_of_kind(page_kind);
	if (!inspect_starts_object(ptr, bin)) {
		if (bin >= SMALL_CLASSES)
			foreign_report(kind, ptr);
		else
			report_small(ptr, kind, SLAB_MISALIGNED,
			    cache_bin_usable(bin));
		return false;
	}
	if (thread_is_own(thread_self) &&
	    inspect_bears_mark(&thread_self->tcache, ptr) &&
	    inspect_is_freed(&thread_self->tcache, bin, ptr)) {
		report_small(ptr, kind, SLAB_ALREADY_FREE,
		    cache_bin_usable(bin));
		return false;
	}
	return true;
}

bool
inspect_size_fits(const void *ptr, size_t size, size_t align)
{
	uint16_t kind = pagemap_kind(ptr);
	size_t usable, asked;
	bool fits, exact;

	if (opt.safety == SAFETY_OFF || kind == KIND_NONE)
		return true;
	/* A pointer that is no object is reported when it is freed. */
	if (kind == KIND_LARGE && large_find(ptr) == NULL)
		return true;
	usable = inspect_class(ptr);
	if (usable == 0)
		return true;
	asked = size;
	exact = true;
	if (opt.canary && kind != KIND_GUARDED && !boot_owns(ptr)) {
		asked = checked_size(ptr);
		/* A request of 0 bytes may be served as one of 1 byte. */
		exact = size == asked || (size == 0 && asked == 1);
	}
	fits = request_usable(asked, align) == usable;
	if (likely(fits && exact &&
		(opt.safety != SAFETY_FULL ||
		    ((uintptr_t)ptr & (align - 1)) == 0)))
		return true;
	if (!inspect_is_object(ptr, "invalid-free"))
		return false;
	if (fits && exact)
		safety_report("alignment-mismatch", ptr,
		    "size class %zu, "
		    "not aligned to %zu",
		    usable, align);
	else
		safety_report("size-mismatch", ptr,
		    "true size %zu, "
		    "claimed size %zu",
		    exact ? usable : asked, size);
	return false;
}

size_t
inspect_usable(const void *ptr)
{
	uint16_t kind = pagemap_kind(ptr);
	struct extent *e;

	if (ptr == NULL)
		return 0;
	if (kind_is_bin(kind))
		return cache_bin_usable(bin_of_kind(kind));
	if (unlikely(kind_is_certain_slab(kind)))
		return small_class_size(pagemap_find(ptr)->size_class);
	if (unlikely(kind == KIND_GUARDED))
		return guard_size(ptr);
	e = kind == KIND_LARGE ? large_find(ptr) : NULL;
	if (e != NULL)
		return e->usable;
	if (aside_active())
		return aside_usable(ptr);
	return boot_owns(ptr) ? boot_usable(ptr) : foreign_usable(ptr);
}

size_t
inspect_class(const void *ptr)
{
	return pagemap_kind(ptr) == KIND_GUARDED ? guard_class(ptr)
						 : inspect_usable(ptr);
}

size_t
inspect_query(const void *ptr)
{
	uint16_t kind = pagemap_kind(ptr);

	/* With safety:full no object has the kind of a bin. */
	if (likely(kind_is_bin(kind)))
		return cache_bin_usable(bin_of_kind(kind));
	if (kind == KIND_GUARDED && !guard_is_object(ptr, "invalid-query"))
		return 0;
	if (opt.safety == SAFETY_FULL && kind_is_certain_slab(kind) &&
	    !is_certain_object(ptr, "invalid-query"))
		return 0;
	if (opt.canary &&
	    (kind == KIND_LARGE ? large_find(ptr) != NULL
				: kind_is_certain_slab(kind)))
		return checked_size(ptr);
	return inspect_usable(ptr);
}
