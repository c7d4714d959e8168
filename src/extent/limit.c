#include "extent/limit.h"

#include "extent/extent_hooks.h"
#include "os/lock.h"

struct limit limit;

static struct {
	struct lock lock;	/* protects the next two */
	limit_callback *callback;
	void *context;
	_Atomic bool told;	/* since memory was last below the limit */
} listener;

void
limit_init(void)
{
	lock_init(&listener.lock, LOCK_LISTENER);
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
compare_with_soft(size_t now)
{
	size_t soft = load(&limit.soft);

	if (likely(soft == 0))
		return;
	if (now <= soft)
		atomic_store_explicit(&listener.told, false,
		    memory_order_relaxed);
	else if (!atomic_load_explicit(&listener.told, memory_order_relaxed))
		atomic_store_explicit(&limit.crossed, true,
		    memory_order_relaxed);
}

bool
limit_take(size_t size)
{
	size_t before = load(&limit.in_memory), hard;

	do {
		hard = load(&limit.hard);
		if (unlikely(hard != 0 && (before > hard ||
		    size > hard - before)))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&limit.in_memory,
	    &before, before + size, memory_order_relaxed,
	    memory_order_relaxed));
	compare_with_soft(before + size);
	return true;
}

void
limit_add(size_t size)
{
	compare_with_soft(atomic_fetch_add_explicit(&limit.in_memory, size,
	    memory_order_relaxed) + size);
}

void
limit_give(size_t size)
{
	compare_with_soft(atomic_fetch_sub_explicit(&limit.in_memory, size,
	    memory_order_relaxed) - size);
}

void
limit_set_soft(size_t bytes)
{
	atomic_store_explicit(&limit.soft, bytes, memory_order_relaxed);
	atomic_store_explicit(&listener.told, false, memory_order_relaxed);
	compare_with_soft(load(&limit.in_memory));
}

void
limit_set_hard(size_t bytes)
{
	atomic_store_explicit(&limit.hard, bytes, memory_order_relaxed);
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
	if (before != NULL)
		extent_hooks_guard.leave(before);
}
