#include "guard/guard_pool.h"

#include <assert.h>

#include "extent/limit.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/lock.h"
#include "os/pages.h"
#include "os/system.h"
#include "util/bits.h"
#include "util/compiler.h"
#include "util/heap_part.h"

/* Address space of a slot is a multiple of this many pages. */
#define STEP_PAGES 4

static struct {
	struct lock lock; /* protects the next three */
	struct list idle; /* the slot that has rested longest is first */
	unsigned nidle;
	unsigned live; /* slots that are BUSY, LIVE or LEAVING */
	unsigned live_max;
	unsigned nslots;
	unsigned nlost; /* opened ones, which are not used any more */
	_Atomic(struct guard_slot *) slots;
	_Atomic size_t in_use;
	_Atomic size_t in_memory;
} pool;

static const struct heap_field heap_fields[] = {
	HEAP_ROW(GUARDS, SLOTS, __typeof__(pool), slots),
	HEAP_ROW(GUARDS, COUNT, __typeof__(pool), nslots),
};

const struct heap_part guard_pool_heap_part = HEAP_VARIABLE(HEAP_ROOT_GUARDS,
    pool, heap_fields);

static int
state_of(const struct guard_slot *slot)
{
	return atomic_load_explicit(&slot->state, memory_order_acquire);
}

static void
set_state(struct guard_slot *slot, enum guard_state state)
{
	atomic_store_explicit(&slot->state, state, memory_order_release);
}

static bool
is_opened(const struct guard_slot *slot)
{
	return atomic_load_explicit(&slot->opened, memory_order_relaxed);
}

AT_START void
guard_pool_init(void)
{
	lock_init_zeroed(&pool.lock, LOCK_GUARD);
	list_init(&pool.idle);
}

bool
guard_pool_make(unsigned live)
{
	unsigned nslots = 2 * live;
	struct guard_slot *slots;

	if (atomic_load_explicit(&pool.slots, memory_order_acquire) != NULL)
		return true;
	slots = metadata_take(nslots * sizeof(*slots), CACHELINE);
	if (slots == NULL)
		return false;
	lock_acquire(&pool.lock);
	/*
	 * If two threads do this at the same time, the memory of one is lost.
	 */
	if (atomic_load_explicit(&pool.slots, memory_order_relaxed) == NULL) {
		for (unsigned i = 0; i < nslots; i++) {
			extent_set_place(&slots[i].extent, EXTENT_ACTIVE, 0);
			list_push_back(&pool.idle, &slots[i].idle);
		}
		pool.nidle = pool.nslots = nslots;
		pool.live_max = live;
		atomic_store_explicit(&pool.slots, slots, memory_order_release);
	}
	lock_release(&pool.lock);
	return true;
}

/* --- address space ------------------------------------------------------ */

/* What is more than before has been taken from the limit already. */
static void
count_memory(struct guard_slot *slot, size_t now)
{
	if (now < slot->kept)
		limit_give(slot->kept - now);
	atomic_fetch_add_explicit(&pool.in_memory, now - slot->kept,
	    memory_order_relaxed);
	slot->kept = now;
}

static void
count_use(struct guard_slot *slot, size_t now)
{
	atomic_fetch_add_explicit(&pool.in_use, now - slot->used,
	    memory_order_relaxed);
	slot->used = now;
}

/* Where the window would be in the address space that the slot has. */
static char *
window_in(const struct extent *space, size_t size, size_t align)
{
	size_t page = system_info.page_size, front;

	if (space->size == 0)
		return NULL;
	front = page + lead_to(space->addr + page, max_size(align, page));
	return space->size > front && space->size - front >= size + page
	    ? space->addr + front
	    : NULL;
}

/*
 * Sets the address space of a slot. The process may fork at any moment, and the
 * child must not use addresses that the slot no longer has. So the size is 0
 * while the address changes.
 */
static void
set_space(struct extent *space, char *addr, size_t size)
{
	space->size = 0;
	atomic_thread_fence(memory_order_release);
	space->addr = addr;
	atomic_thread_fence(memory_order_release);
	space->size = size;
}

/* Gives the slot other address space; false: it keeps what it has. */
static bool
map_space(struct guard_slot *slot, size_t window_size, size_t align)
{
	struct extent *space = &slot->extent;
	char *old = space->addr;
	size_t page = system_info.page_size, front = max_size(align, page);
	size_t size = round_up(front + window_size + page, STEP_PAGES * page);
	size_t old_size = space->size;
	char *addr = pages_reserve(size, front);

	if (addr == NULL)
		return false;
	if (!pagemap_reserve(addr, size)) {
		pages_unmap(addr, size);
		return false;
	}
	count_memory(slot, 0);
	if (old_size != 0) {
		pagemap_clear_all(space);
		set_space(space, old, 0);
		/* If the kernel refuses, only address space is lost. */
		pages_unmap(old, old_size);
	}
	set_space(space, addr, size);
	pagemap_set_all(space, KIND_GUARDED);
	slot->window = NULL;
	slot->fresh = true;
	slot->unsure = false;
	return true;
}

/* Repairs a slot after a failed call, or after a fork in the middle of one. */
static bool
make_sure(struct guard_slot *slot)
{
	struct extent *space = &slot->extent;

	if (slot->unsure && space->size != 0) {
		pagemap_set_all(space, KIND_GUARDED);
		if (!pages_forbid(space->addr, space->size))
			return false;
	}
	slot->unsure = false;
	return true;
}

/*
 * Nobody could touch the window while the slot rested. So if it is used again
 * unchanged, only the bytes of the last object may have changed.
 */
static void
remember_changed(struct guard_slot *slot, bool kept)
{
	slot->changed = kept ? guard_slot_object(slot) : NULL;
	slot->changed_size = slot->size;
}

/* Makes the window accessible, and nothing else. */
static bool
open_window(struct guard_slot *slot, size_t size, size_t align)
{
	struct extent *space = &slot->extent;
	bool sure = !slot->unsure;
	char *window;
	size_t more;

	if (!make_sure(slot))
		return false;
	window = window_in(space, size, align);
	if (window == NULL) {
		if (!map_space(slot, size, align))
			return false;
		window = window_in(space, size, align);
	}
	if (slot->kept != 0 &&
	    (window != slot->window || size < slot->window_size) &&
	    pages_purge_forced(slot->window, slot->window_size))
		count_memory(slot, 0);
	more = size > slot->kept ? size - slot->kept : 0;
	if (!limit_take(more))
		return false;
	if (!pages_allow(window, size)) {
		limit_give(more);
		slot->unsure = true;
		return false;
	}
	remember_changed(slot,
	    sure && slot->kept == size && window == slot->window);
	slot->window = window;
	slot->window_size = size;
	count_memory(slot, size);
	count_use(slot, size);
	return true;
}

/* --- take and give -------------------------------------------------------- */

/* The idle slot that has rested longest, or NULL. It counts as live now. */
static struct guard_slot *
pop_idle_locked(void)
{
	while (pool.live < pool.live_max && !list_empty(&pool.idle)) {
		struct guard_slot *slot = container_of(pool.idle.next,
		    struct guard_slot, idle);

		list_remove(&slot->idle);
		pool.nidle--;
		if (is_opened(slot)) {
			pool.nlost++;
			continue;
		}
		pool.live++;
		set_state(slot, GUARD_BUSY);
		return slot;
	}
	return NULL;
}

static void
push_idle(struct guard_slot *slot, enum guard_state state)
{
	count_use(slot, 0);
	lock_acquire(&pool.lock);
	set_state(slot, state);
	list_push_back(&pool.idle, &slot->idle);
	pool.nidle++;
	pool.live--;
	lock_release(&pool.lock);
}

enum guard_taken
guard_pool_take(const struct guard_place *place, struct guard_slot **taken)
{
	size_t window_size = round_up(place->size, system_info.page_size);
	struct guard_slot *slot;
	uintptr_t object;

	/*
	 * A signal handler may have interrupted a thread that holds the lock.
	 * Guarding is optional, so nobody waits for the lock.
	 */
	if (atomic_load_explicit(&pool.slots, memory_order_acquire) == NULL ||
	    !lock_try(&pool.lock))
		return GUARD_NONE_IDLE;
	slot = pop_idle_locked();
	lock_release(&pool.lock);
	if (slot == NULL)
		return GUARD_NONE_IDLE;
	if (!open_window(slot, window_size, place->align)) {
		push_idle(slot, GUARD_EMPTY);
		return GUARD_REFUSED;
	}
	object = (uintptr_t)slot->window;
	if (!place->at_start)
		object = round_down(object + window_size - place->size,
		    place->align);
	atomic_store_explicit(&slot->object, (char *)object,
	    memory_order_relaxed);
	slot->size = place->size;
	slot->freed.thread = slot->freed.depth = 0;
	*taken = slot;
	return GUARD_TAKEN;
}

void
guard_pool_hand_out(struct guard_slot *slot)
{
	slot->fresh = false;
	set_state(slot, GUARD_LIVE);
}

bool
guard_pool_claim(struct guard_slot *slot, const void *object)
{
	int live = GUARD_LIVE;

	if (guard_slot_object(slot) != object ||
	    !atomic_compare_exchange_strong_explicit(&slot->state, &live,
		GUARD_LEAVING, memory_order_acquire, memory_order_relaxed))
		return false;
	/* If it was freed twice, the slot may have another object by now. */
	if (likely(guard_slot_object(slot) == object))
		return true;
	set_state(slot, GUARD_LIVE);
	return false;
}

void
guard_pool_unclaim(struct guard_slot *slot)
{
	set_state(slot, GUARD_LIVE);
}

bool
guard_pool_give(struct guard_slot *slot)
{
	bool forbidden = true;

	if (!is_opened(slot)) {
		forbidden = pages_forbid(slot->window, slot->window_size);
		slot->unsure = !forbidden;
		/* One page is kept, because most objects need just that. */
		if (slot->window_size > system_info.page_size &&
		    pages_purge_forced(slot->window, slot->window_size))
			count_memory(slot, 0);
	}
	push_idle(slot, GUARD_FREED);
	return forbidden;
}

struct guard_slot *
guard_pool_find(const void *addr)
{
	struct extent *e;

	if (pagemap_kind(addr) != KIND_GUARDED)
		return NULL;
	e = pagemap_find(addr);
	return e == NULL ? NULL : container_of(e, struct guard_slot, extent);
}

bool
guard_pool_open(struct guard_slot *slot)
{
	atomic_store_explicit(&slot->opened, true, memory_order_relaxed);
	return pages_allow(slot->extent.addr, slot->extent.size);
}

struct guard_pool_stats
guard_pool_stats(void)
{
	return (struct guard_pool_stats){
		.live = READ_RELAXED(pool.live),
		.in_use = atomic_load_explicit(&pool.in_use,
		    memory_order_relaxed),
		.in_memory = atomic_load_explicit(&pool.in_memory,
		    memory_order_relaxed),
	};
}

/* --- fork, checks --------------------------------------------------------- */

static struct guard_slot *
slot_at(unsigned i)
{
	return &atomic_load_explicit(&pool.slots, memory_order_relaxed)[i];
}

void
guard_pool_fork_child(void)
{
	for (unsigned i = 0; i < pool.nslots; i++) {
		struct guard_slot *slot = slot_at(i);
		int state = state_of(slot);

		if (state != GUARD_BUSY && state != GUARD_LEAVING)
			continue;
		slot->unsure = true;
		/* Its gaps may have been filled. */
		slot->fresh = false;
		push_idle(slot, GUARD_EMPTY);
	}
}

AT_START struct lock *
guard_pool_lock(void)
{
	return &pool.lock;
}

/* Is the window between guard pages, and the object in the window? */
static bool
is_guarded(const struct guard_slot *slot)
{
	const char *object = guard_slot_object(slot);
	const char *window_end = slot->window + slot->window_size;
	size_t page = system_info.page_size;

	return slot->window >= slot->extent.addr + page &&
	    window_end + page <= extent_end(&slot->extent) &&
	    object >= slot->window && object + slot->size <= window_end;
}

static bool
slot_is_right(const struct guard_slot *slot)
{
	const struct extent *space = &slot->extent;

	return space->size == 0 ||
	    (guard_pool_find(space->addr) == slot &&
		guard_pool_find(extent_end(space) - 1) == slot &&
		(!guard_slot_is_live(slot) || is_guarded(slot)));
}

void
guard_pool_check(void)
{
	unsigned idle = 0, live = 0;
	size_t kept = 0;

	lock_acquire(&pool.lock);
	for (const struct list *at = pool.idle.next; at != &pool.idle;
	     at = at->next)
		idle++;
	for (unsigned i = 0; i < pool.nslots; i++) {
		int state = state_of(slot_at(i));

		live += state != GUARD_EMPTY && state != GUARD_FREED;
		kept += slot_at(i)->kept;
		assert(slot_is_right(slot_at(i)));
	}
	assert(idle == pool.nidle && live == pool.live);
	assert(live <= pool.live_max);
	assert(pool.nidle + pool.live + pool.nlost == pool.nslots);
	assert(kept ==
	    atomic_load_explicit(&pool.in_memory, memory_order_relaxed));
	lock_release(&pool.lock);
	/* Only assertions use them. */
	(void)idle;
	(void)kept;
	(void)slot_is_right;
}
