#include "cache/thread.h"

#include <stdatomic.h>
#include <string.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/holding.h"
#include "cache/quarantine.h"
#include "cache/stride.h"
#include "cache/tcache.h"
#include "cache/tcache_guard.h"
#include "cache/tcache_look.h"
#include "extent/metadata.h"
#include "os/lock.h"
#include "os/os_thread.h"
#include "util/heap_part.h"

/* A stack with more objects is not searched. */
#define SEARCHED_MAX 64
/* While a peak is watched, each bin hands out so much until the next look. */
#define PEAK_BYTES ((uint64_t)64 << 10)

SPARSE struct thread thread_unborn;
SPARSE struct thread thread_dead;
SPARSE struct thread thread_away;

__thread struct thread *thread_self
    __attribute__((tls_model("initial-exec"))) = &thread_unborn;

static struct {
	struct lock lock;
	struct list living;
	struct list spare;
	struct list lost; /* threads of the parent of this process */
	_Atomic unsigned nliving;
	uintptr_t key;
} registry;

#define ROW(field, member) \
	HEAP_ROW_STRUCT(THREADS, field, __typeof__(registry), member)

static const struct heap_field heap_fields[] = {
	ROW(LIVING, living),
	ROW(SPARE, spare),
	ROW(LOST, lost),
};

const struct heap_part thread_heap_part = HEAP_VARIABLE(HEAP_ROOT_THREADS,
    registry, heap_fields);

AT_START void
thread_init(uintptr_t key)
{
	lock_init_zeroed(&registry.lock, LOCK_THREADS);
	list_init(&registry.living);
	list_init(&registry.spare);
	list_init(&registry.lost);
	registry.key = key;
}

AT_START struct lock *
thread_lock(void)
{
	return &registry.lock;
}

unsigned
thread_living(void)
{
	return atomic_load_explicit(&registry.nliving, memory_order_relaxed);
}

/* Only under the lock; other threads may read the number at any time. */
static unsigned
add_living(int n)
{
	unsigned now = thread_living() + (unsigned)n;

	atomic_store_explicit(&registry.nliving, now, memory_order_relaxed);
	return now;
}

static struct thread *
take_spare(void)
{
	struct thread *thread = NULL;

	lock_acquire(&registry.lock);
	if (!list_empty(&registry.spare)) {
		thread = container_of(registry.spare.next, struct thread,
		    registered);
		list_remove(&thread->registered);
	}
	lock_release(&registry.lock);
	return thread;
}

struct thread *
thread_birth(void)
{
	const size_t after_guard = offsetof(struct thread, tcache.guard) +
	    sizeof(struct tcache_guard);
	struct thread *thread = take_spare();

	if (thread == NULL) {
		thread = metadata_take(sizeof(*thread), CACHELINE);
		if (thread == NULL)
			return NULL;
	}
	/*
	 * Clears all but the guard, which trim.c may still hold for a moment.
	 */
	memset(thread, 0, offsetof(struct thread, tcache.guard));
	memset((char *)thread + after_guard, 0, sizeof(*thread) - after_guard);
	thread->number = thread_number();
	tcache_init(&thread->tcache, arena_table_bind(), registry.key);
	holding_begin(&thread->tcache);
	tcache_set_rare(&thread->tcache, TCACHE_FOLLOWS_CPU,
	    arena_table_per_cpu() != 0);
	lock_acquire(&registry.lock);
	list_push_back(&registry.living, &thread->registered);
	add_living(1);
	lock_release(&registry.lock);
	thread_self = thread;
	return thread;
}

uint32_t
thread_id(void)
{
	struct thread *thread = thread_self;

	if (unlikely(!thread_is_own(thread)))
		return os_thread_id();
	if (unlikely(thread->id == 0))
		thread->id = os_thread_id();
	return thread->id;
}

unsigned
thread_death(struct thread *thread)
{
	unsigned left;

	thread_self = &thread_dead;
	quarantine_leave(&thread->tcache);
	tcache_fini(&thread->tcache);
	arena_table_unbind(thread->tcache.arena);
	lock_acquire(&registry.lock);
	list_remove(&thread->registered);
	list_push_back(&registry.spare, &thread->registered);
	left = add_living(-1);
	lock_release(&registry.lock);
	return left;
}

void *
thread_go_away(void)
{
	struct thread *thread = thread_self;

	if (thread == &thread_away)
		return NULL;
	thread_self = &thread_away;
	return thread;
}

void
thread_come_back(void *before)
{
	if (before != NULL)
		thread_self = before;
}

void
thread_counters(struct thread *thread, uint64_t *taken, uint64_t *given)
{
	if (thread->live) {
		*taken = thread->allocated;
		*given = thread->deallocated;
		return;
	}
	tcache_bytes(&thread->tcache, taken, given);
}

bool
thread_go_live(struct thread *thread)
{
	if (thread->live)
		return true;
	if (tcache_is_busy(&thread->tcache))
		return false;
	thread_counters(thread, &thread->allocated, &thread->deallocated);
	thread->live = true;
	tcache_hide(&thread->tcache, true);
	return true;
}

void
thread_peak_update(struct thread *thread)
{
	uint64_t taken, given, now;

	thread_counters(thread, &taken, &given);
	now = taken - given - thread->peak_base;
	/*
	 * Negative if the thread freed objects of other threads. That is no
	 * peak.
	 */
	if ((int64_t)now > (int64_t)thread->peak)
		thread->peak = now;
}

void
thread_peak_begin(struct thread *thread)
{
	if (thread->peak_watched)
		return;
	thread->peak_watched = true;
	stride_bound(&thread->tcache, PEAK_BYTES);
}

void
thread_peak_reset(struct thread *thread)
{
	uint64_t taken, given;

	thread_peak_begin(thread);
	thread_counters(thread, &taken, &given);
	thread->peak_base = taken - given;
	thread->peak = 0;
}

bool
thread_set_arena(struct thread *thread, unsigned index)
{
	struct arena *old = thread->tcache.arena;
	struct arena *arena = arena_table_bind_to(index);

	if (arena == NULL)
		return false;
	tcache_leave_counts(&thread->tcache);
	SET_RELAXED(thread->tcache.arena, arena);
	tcache_set_rare(&thread->tcache, TCACHE_FOLLOWS_CPU,
	    arena_table_per_cpu() != 0 && !arena->manual);
	arena_table_unbind(old);
	return true;
}

uintptr_t
thread_key(void)
{
	return registry.key;
}

bool
thread_any_contains(unsigned bin, const void *object)
{
	void *cached[SEARCHED_MAX];
	bool found = false;

	lock_acquire(&registry.lock);
	for (struct list *l = registry.living.next;
	     l != &registry.living && !found; l = l->next) {
		uint32_t n = tcache_copy(
		    &container_of(l, struct thread, registered)->tcache, bin,
		    false, cached, SEARCHED_MAX);

		while (n > 0 && !found)
			found = cached[--n] == object;
	}
	lock_release(&registry.lock);
	return found;
}

static void
visit_all(struct list *list, thread_visit *visit, void *context)
{
	lock_acquire(&registry.lock);
	for (struct list *l = list->next; l != list; l = l->next)
		visit(container_of(l, struct thread, registered), context);
	lock_release(&registry.lock);
}

void
thread_each(thread_visit *visit, void *context)
{
	visit_all(&registry.living, visit, context);
}

void
thread_each_lost(thread_visit *visit, void *context)
{
	visit_all(&registry.lost, visit, context);
}

static void
add_held(struct thread *thread, void *context)
{
	struct held_objects *sum = context;

	quarantine_add_held(&thread->tcache, sum);
	for (unsigned i = 0; i < CACHE_BINS; i++) {
		size_t count = tcache_count(&thread->tcache, i);
		size_t size = count * cache_bin_usable(i);

		if (i < SMALL_CLASSES) {
			sum->nsmall += count;
			sum->small_size += size;
		} else {
			sum->nlarge += count;
			sum->large_size += size;
		}
	}
}

struct held_objects
thread_cached(void)
{
	struct held_objects sum = { .nsmall = 0 };

	quarantine_add_held(NULL, &sum);
	thread_each(add_held, &sum);
	return sum;
}

void
thread_fork_alone(struct thread *survivor)
{
	if (thread_is_own(survivor))
		survivor->id = 0;
}

void
thread_fork_child(struct thread *survivor)
{
	thread_fork_alone(survivor);
	/*
	 * The threads of the other records do not exist in the child. Their
	 * records are left alone, so what they had cached is lost. We can't
	 * take it over: the fork may have copied a thread in the middle of a
	 * change of its cache. A walk over the heap still finds these objects.
	 */
	if (thread_is_own(survivor))
		list_remove(&survivor->registered);
	list_splice_back(&registry.lost, &registry.living);
	holding_fork_child(thread_is_own(survivor) ? &survivor->tcache : NULL);
	if (thread_is_own(survivor)) {
		list_push_back(&registry.living, &survivor->registered);
		tcache_fork_child(&survivor->tcache);
	}
	atomic_store_explicit(&registry.nliving, thread_is_own(survivor),
	    memory_order_relaxed);
	/* trim.c may have held the guard of a thread that had just died. */
	for (struct list *l = registry.spare.next; l != &registry.spare;
	     l = l->next)
		tcache_fork_child(
		    &container_of(l, struct thread, registered)->tcache);
}
