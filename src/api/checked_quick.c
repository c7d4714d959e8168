#include "api/checked_quick.h"

#include "api/checked.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "arena/canary.h"
#include "cache/quarantine.h"
#include "cache/tcache_guard.h"
#include "cache/thread.h"
#include "extent/pagemap.h"

void *
checked_quick_take(size_t size, size_t align, bool zero)
{
	struct thread *thread = thread_self;
	struct tcache *tcache = &thread->tcache;
	size_t padded = round_up(max_size(size + (opt.canary ? CANARY_MIN : 0),
	    1), align);
	struct cache_bin *bin;
	void *object;

	if (unlikely(size > SMALL_MAX || padded > SMALL_MAX || align > UNIT))
		return NULL;
	bin = &tcache->bins[small_class_of(padded) + 1];
	tcache_begin_take(tcache);
	object = cache_bin_take_as_it_is(bin);
	tcache_end_take(tcache);
	/*
	 * A damaged object is never used again. The usual path finds another
	 * one.
	 */
	if (unlikely(object == NULL) || unlikely(!checked_hand_out_small(
	    pagemap_find(object), object, size, zero)))
		return NULL;
	return object;
}

bool
checked_quick_give(void *ptr)
{
	struct thread *thread = thread_self;
	struct extent *slab;

	/* The shared records have no mark. */
	if (unlikely(pagemap_kind(ptr) != KIND_CHECKED ||
	    thread->tcache.mark == 0 || thread->live || thread_event_wanted() ||
	    opt.junk_free))
		return false;
	slab = pagemap_find(ptr);
	if (unlikely(slab == NULL) || !checked_take_back_whole(slab, ptr))
		return false;
	if (quarantine_wants(arena_table_owner(extent_arena(slab)))) {
		thread->tcache.uncached_given += small_class_size(
		    slab->size_class);
		quarantine_put(&thread->tcache, slab, ptr);
	} else {
		tcache_give(&thread->tcache, slab->size_class, ptr);
	}
	return true;
}
