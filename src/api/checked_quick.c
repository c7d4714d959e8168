#include "api/checked_quick.h"

#include "api/checked_small.h"
#include "arena/arena_table.h"
#include "cache/quarantine.h"
#include "cache/tcache_guard.h"
#include "cache/thread.h"
#include "extent/pagemap.h"

void *
checked_quick_take(size_t size, size_t align, bool zero)
{
	struct tcache *tcache = &thread_self->tcache;
	size_t padded = size + (opt.canary ? CANARY_MIN : size == 0);
	void *object;

	if (unlikely(size > SMALL_MAX || align > UNIT))
		return NULL;
	padded = round_up(padded, align);
	if (unlikely(padded > SMALL_MAX))
		return NULL;
	tcache_begin_take(tcache);
	object =
	    cache_bin_take_as_it_is(&tcache->bins[small_class_of(padded) + 1]);
	tcache_end_take(tcache);
	/*
	 * A damaged object is never used again. The usual path finds another
	 * one.
	 */
	if (unlikely(object == NULL) ||
	    unlikely(!checked_hand_out_small(pagemap_find(object), object, size,
		zero)))
		return NULL;
	return object;
}

bool
checked_quick_give(void *ptr)
{
	struct thread *thread = thread_self;
	struct extent *slab;
	size_t size;

	/* The shared records have no mark. */
	if (unlikely(pagemap_kind(ptr) != KIND_CHECKED ||
		thread->tcache.mark == 0 || thread->live ||
		thread_event_wanted() || opt.junk_free))
		return false;
	slab = pagemap_find(ptr);
	if (unlikely(slab == NULL) ||
	    !checked_take_back_whole(slab, ptr, thread_living() == 1))
		return false;
	size = small_class_size(slab->size_class);
	if (quarantine_wants(arena_table_owner(extent_arena(slab)))) {
		thread->tcache.uncached_given += size;
		quarantine_put_small(&thread->tcache, slab, ptr, size);
	} else {
		tcache_give(&thread->tcache, slab->size_class, ptr);
	}
	return true;
}
