#include "extent/limit.h"

#include "extent/extent_hooks.h"
#include "os/lock.h"
#include "util/bits.h"

/*
 * Parts of the room: with less free than the first one, it is nearly used up.
 * It counts as nearly used up again after growing by the second one.
 */
#define PART_LEFT  8
#define PART_AGAIN 64

struct limit limit;

static struct {
	struct lock lock; /* protects the next two */
	limit_callback *callback;
	void *context;
	_Atomic bool told; /* since memory use was last below the limit */
} listener;

AT_START void
limit_init(void)
{
	lock_init_zeroed(&listener.lock, LOCK_LISTENER);
}

struct lock *
limit_lock(void)
{
	return &listener.lock;
}

static size_t
load(const _Atomic size_t *place)
{
	return atomic_load_explicit(place, memory_order_relaxed);
}

static void
store(_Atomic size_t *place, size_t value)
{
	atomic_store_explicit(place, value, memory_order_relaxed);
}

static void
cross(void)
{
	atomic_store_explicit(&limit.crossed, true, memory_order_relaxed);
}

static void
compare_with_soft(size_t now, size_t soft)
{
	if (now <= soft)
		atomic_store_explicit(&listener.told, false,
		    memory_order_relaxed);
	else if (!atomic_load_explicit(&listener.told, memory_order_relaxed))
		cross();
}

static size_t
nearly(size_t room)
{
	return room - room / PART_LEFT;
}

/*
 * After a purge that freed little, the next one waits until enough has been
 * taken again. Threads that come here at the same time may each ask for a
 * purge, which does no harm.
 */
static void
compare_with_room(size_t now, size_t room)
{
	size_t at = load(&limit.purge_at), again = now + room / PART_AGAIN;

	if (now > at) {
		store(&limit.purge_at, again);
		cross();
	} else if (again < at && at > nearly(room)) {
		store(&limit.purge_at, max_size(again, nearly(room)));
	}
}

static AT_START void
compare(size_t now)
{
	size_t soft = load(&limit.soft), room = load(&limit.room);

	if (unlikely(soft != 0))
		compare_with_soft(now, soft);
	if (unlikely(room != 0))
		compare_with_room(now, room);
}

bool
limit_take(size_t size)
{
	size_t before = load(&limit.in_memory), hard;

	do {
		hard = load(&limit.hard);
		if (unlikely(hard != 0 &&
			(before > hard || size > hard - before))) {
			atomic_fetch_add_explicit(&limit.refusals, 1,
			    memory_order_relaxed);
			return false;
		}
	} while (!atomic_compare_exchange_weak_explicit(&limit.in_memory,
	    &before, before + size, memory_order_relaxed,
	    memory_order_relaxed));
	compare(before + size);
	return true;
}

void
limit_add(size_t size)
{
	compare(atomic_fetch_add_explicit(&limit.in_memory, size,
		    memory_order_relaxed) +
	    size);
}

void
limit_give(size_t size)
{
	compare(atomic_fetch_sub_explicit(&limit.in_memory, size,
		    memory_order_relaxed) -
	    size);
}

AT_START void
limit_set_soft(size_t bytes)
{
	store(&limit.soft, bytes);
	atomic_store_explicit(&listener.told, false, memory_order_relaxed);
	compare(load(&limit.in_memory));
}

AT_START void
limit_set_hard(size_t bytes)
{
	store(&limit.hard, bytes);
}

AT_START void
limit_set_room(size_t bytes)
{
	store(&limit.purge_at, nearly(bytes));
	store(&limit.room, bytes);
	compare(load(&limit.in_memory));
}

void
limit_set_callback(limit_callback *callback, void *context)
{
	lock_acquire(&listener.lock);
	listener.callback = callback;
	listener.context = context;
	lock_release(&listener.lock);
}

void
limit_tell(void)
{
	limit_callback *callback;
	size_t now = load(&limit.in_memory), soft = load(&limit.soft);
	void *context, *before;

	lock_acquire(&listener.lock);
	callback = listener.callback;
	context = listener.context;
	lock_release(&listener.lock);
	if (callback == NULL || soft == 0 || now <= soft ||
	    atomic_exchange(&listener.told, true))
		return;
	before = extent_hooks_guard.enter();
	callback(now, soft, context);
	extent_hooks_guard.leave(before);
}
