#include "api/inspect.h"

#include "api/aside.h"
#include "api/boot.h"
#include "api/foreign.h"
#include "api/request.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "arena/slab.h"
#include "cache/tcache.h"
#include "conf/safety.h"
#include "extent/pagemap.h"

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

bool
inspect_is_freed(const struct tcache *tcache, unsigned bin, const void *ptr)
{
	return tcache_contains(tcache, bin, ptr) || (bin < SMALL_CLASSES &&
	    probe_small(ptr, bin) == SLAB_ALREADY_FREE);
}

void
inspect_report_double_free(const void *ptr, unsigned bin)
{
	safety_report("double-free", ptr, "size class %zu",
	    cache_bin_usable(bin));
}

/* inspect_is_object() in a slab of small samples of the heap profile. */
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
inspect_is_object(const void *ptr, const char *kind)
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
	if (!kind_is_bin(page_kind) || !inspect_bears_mark(ptr))
		return true;
	bin = bin_of_kind(page_kind);
	if (thread_is_own(thread_self) &&
	    inspect_is_freed(&thread_self->tcache, bin, ptr)) {
		safety_report(kind, ptr, "freed before, size class %zu",
		    cache_bin_usable(bin));
		return false;
	}
	return true;
}

bool
inspect_size_fits(const void *ptr, size_t size, size_t align)
{
	size_t usable;

	if (opt.safety == SAFETY_OFF || pagemap_kind(ptr) == KIND_NONE)
		return true;
	usable = inspect_usable(ptr);
	/* A request of 0 bytes is served as one of 1 byte. */
	if (request_usable(size == 0 ? 1 : size, align) == usable)
		return true;
	safety_report("size-mismatch", ptr, "true size %zu, claimed size %zu",
	    usable, size);
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
	if (unlikely(kind == KIND_SAMPLE))
		return small_class_size(pagemap_find(ptr)->size_class);
	e = kind == KIND_LARGE ? large_find(ptr) : NULL;
	if (e != NULL)
		return e->usable;
	if (aside_active())
		return aside_usable(ptr);
	return boot_owns(ptr) ? boot_usable(ptr) : foreign_usable(ptr);
}
