#include "api/batch.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "api/aside.h"
#include "api/boot.h"
#include "arena/arena.h"
#include "cache/exchange.h"
#include "cache/tcache.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "os/clock.h"

/* This many objects are taken under one lock. Then the arena may age pages. */
#define CHUNK 512

/*
 * May the objects be taken straight from slabs? Otherwise request_run() takes
 * each: if the program named a cache, or if objects may be samples or must be
 * filled.
 */
static bool
is_plain(const struct thread *thread, const struct request *request,
    size_t usable)
{
	return thread != NULL && usable != 0 && usable <= SMALL_MAX &&
	    request->tcache == NULL && tcache_rare(&thread->tcache) == 0 &&
	    !opt.zero && !opt.junk_alloc && !opt.checked && !aside_active();
}

/*
 * Clears the first word: old contents may look like the mark of a freed object.
 */
static void
clean(void **objects, size_t count, size_t usable, bool zero)
{
	for (size_t i = 0; i < count; i++)
		if (zero)
			memset(objects[i], 0, usable);
		else
			*(uintptr_t *)objects[i] = 0;
}

/* Takes objects from the slabs of an arena, past all caches. */
static size_t
take_chunk(struct thread *thread, struct arena *arena, unsigned size_class,
    void **objects, size_t count)
{
	size_t usable = small_class_size(size_class);
	unsigned got = exchange_take_many(arena, thread->tcache.shard,
	    size_class, objects, (unsigned)min_size(count, CHUNK));

	thread->tcache.uncached_taken += got * usable;
	arena_tick_and_sweep(arena, clock_coarse_ns());
	return got;
}

static size_t
run_plain(struct thread *thread, const struct request *request, void **objects,
    size_t count)
{
	struct tcache *tcache = &thread->tcache;
	struct arena *arena = request->arena != NULL ? request->arena
						     : tcache->arena;
	size_t usable = request_usable(request->size, request->align);
	unsigned size_class = small_class_of(usable);
	size_t filled = 0, got;

	flight_begin(&tcache->flight, FLIGHT_OUT, size_class, objects,
	    (uint32_t)min_size(count, UINT32_MAX));
	if (!request->uncached && arena == tcache->arena)
		filled = tcache_take_many(tcache, size_class, objects, count);
	while (filled < count) {
		got = take_chunk(thread, arena, size_class, objects + filled,
		    count - filled);
		filled += got;
		if (got == 0)
			break;
	}
	flight_end(&tcache->flight);
	clean(objects, filled, usable, request->zero);
	if (filled != 0)
		request_taken(thread, filled * usable);
	return filled;
}

size_t
batch_run(const struct request *request, void **objects, size_t count)
{
	struct thread *thread = boot_thread();
	size_t filled = 0;
	int saved = errno;

	if (is_plain(thread, request,
		request_usable(request->size, request->align)))
		filled = run_plain(thread, request, objects, count);
	errno = saved;
	for (; filled < count; filled++) {
		objects[filled] = request_run(request);
		if (objects[filled] == NULL)
			break;
	}
	return filled;
}
