#include "cache/thread.h"

#include <string.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/tcache.h"
#include "extent/metadata.h"
#include "os/lock.h"
#include "os/os_thread.h"

struct thread thread_unborn;
struct thread thread_dead;

__thread struct thread *thread_self
    __attribute__((tls_model("initial-exec"))) = &thread_unborn;

static struct {
	struct lock lock;
	struct list living;
	struct list spare;
	uintptr_t key;
} registry;

void
thread_init(uintptr_t key)
{
	lock_init(&registry.lock, LOCK_THREADS);
	list_init(&registry.living);
	list_init(&registry.spare);
	registry.key = key;
}

struct lock *
thread_lock(void)
{
	return &registry.lock;
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
	struct thread *thread = take_spare();

	if (thread == NULL) {
		thread = metadata_take(sizeof(*thread), CACHELINE);
		if (thread == NULL)
			return NULL;
	}
	memset(thread, 0, sizeof(*thread));
	thread->key = registry.key;
	thread->id = os_thread_id();
	thread->arena = arena_table_bind();
	thread->tick_cursor = thread->arena->index;
	tcache_init(thread);
	lock_acquire(&registry.lock);
	list_push_back(&registry.living, &thread->registered);
	lock_release(&registry.lock);
	thread_self = thread;
	return thread;
}

void
thread_death(struct thread *thread)
{
	thread_self = &thread_dead;
	tcache_fini(thread);
	arena_table_unbind(thread->arena);
	lock_acquire(&registry.lock);
	list_remove(&thread->registered);
	list_push_back(&registry.spare, &thread->registered);
	lock_release(&registry.lock);
}

void
thread_counters(struct thread *thread, uint64_t *taken, uint64_t *given)
{
	*taken = thread->uncached_taken;
	*given = thread->uncached_given;
	for (unsigned i = 0; i < CACHE_BINS; i++) {
		tcache_settle(thread, i);
		*taken += thread->cold[i].taken * thread->bins[i + 1].usable;
		*given += thread->cold[i].given * thread->bins[i + 1].usable;
	}
}

/*
 * Another thread may move its stack between our reading its two ends. No
 * object is looked at, and a length that can't be is left out.
 */
static size_t
count_cached(struct thread *thread, unsigned i)
{
	struct cache_bin_cold *cold = &thread->cold[i];
	uintptr_t head = (uintptr_t)__atomic_load_n(&thread->bins[i + 1].head,
	    __ATOMIC_RELAXED);
	uintptr_t bottom = (uintptr_t)__atomic_load_n(&cold->bottom,
	    __ATOMIC_RELAXED);
	size_t count = (bottom - head) / sizeof(void *);

	return count <= __atomic_load_n(&cold->capacity, __ATOMIC_RELAXED) ?
	    count : 0;
}

struct thread_cached
thread_cached(void)
{
	struct thread_cached sum = { .nsmall = 0 };

	lock_acquire(&registry.lock);
	for (struct list *l = registry.living.next; l != &registry.living;
	    l = l->next) {
		struct thread *thread = container_of(l, struct thread,
		    registered);

		for (unsigned i = 0; i < CACHE_BINS; i++) {
			size_t count = count_cached(thread, i);
			size_t size = count * cache_bin_usable(i);

			if (i < SMALL_CLASSES) {
				sum.nsmall += count;
				sum.small_size += size;
			} else {
				sum.nlarge += count;
				sum.large_size += size;
			}
		}
	}
	lock_release(&registry.lock);
	return sum;
}

void
thread_fork_child(struct thread *survivor)
{
	/*
	 * The others' records stay as they were when their threads vanished:
	 * what they cached belongs to nobody. Taking it over would be possible
	 * only if none of them was inside of a call.
	 */
	list_init(&registry.living);
	if (thread_is_own(survivor)) {
		survivor->id = os_thread_id();
		list_push_back(&registry.living, &survivor->registered);
	}
}
