/*
 * quarantine: holds freed objects back for a while, so that a use after free
 * hits memory that nobody else uses yet (opt.quarantine).
 *
 * Owns:       a queue of batches of objects, the oldest in front; each thread's
 *             cache has the batch that the thread fills.
 * Invariants: the queue holds no more bytes than the option allows; the batch
 *             of a thread at most 16 KiB, or one object. For bins and page map
 *             these objects are in use. For ledgers and the program they are
 *             free. Objects of manual arenas never come here, because these
 *             arenas may be reset.
 * Locking:    LOCK_QUARANTINE for the queue; it is not held when objects are
 *             released. A batch belongs to the thread of its cache.
 */
#ifndef CACHE_QUARANTINE_H
#define CACHE_QUARANTINE_H

#include <stdbool.h>
#include <stddef.h>

#include "arena/arena.h"
#include "cache/tcache_counts.h"
#include "cache/tcache_state.h"
#include "conf/options.h"
#include "util/compiler.h"

struct extent;
struct heap_part;
struct lock;

/* The most objects of a batch. */
#define QUARANTINE_BATCH_OBJECTS 55

struct quarantine_batch {
	struct quarantine_batch *next;
	size_t n;
	size_t released; /* the first ones, which were given back */
	size_t bytes;    /* that count for the limit */
	size_t most;     /* with more it is handed on */
	struct held_objects held;
	void *objects[QUARANTINE_BATCH_OBJECTS];
};

void quarantine_init(void);
struct lock *quarantine_lock(void);

/* Is an object of this arena held back? */
static inline bool
quarantine_wants(const struct arena *arena)
{
	return opt.quarantine != 0 && !arena->manual;
}

/*
 * Takes a freed object of the extent `e`. It is wiped if the options say so,
 * and counted as freed. The oldest objects then go into the cache or to their
 * arenas, if the queue is too long.
 */
void quarantine_put(struct tcache *tcache, struct extent *e, void *object);

static ALWAYS_INLINE void
quarantine_add_small(struct quarantine_batch *batch, void *object, size_t size)
{
	batch->objects[batch->n++] = object;
	batch->bytes += size;
	ADD_RELAXED(batch->held.nsmall, 1);
	ADD_RELAXED(batch->held.small_size, size);
}

/* The same for an object of `size` bytes in a slab. */
static ALWAYS_INLINE void
quarantine_put_small(struct tcache *tcache, struct extent *slab, void *object,
    size_t size)
{
	struct quarantine_batch *batch = tcache->quarantine;

	/* Is there room, and not only for this object? */
	if (likely(batch != NULL && batch->n + 1 < QUARANTINE_BATCH_OBJECTS &&
		batch->bytes + size <= batch->most))
		quarantine_add_small(batch, object, size);
	else
		quarantine_put(tcache, slab, object);
}

/* Hands the thread's batch on, at the end of the thread. */
void quarantine_leave(struct tcache *tcache);

/* Releases the objects of this thread, and all in the queue. */
void quarantine_flush(struct tcache *tcache);

/*
 * Copies the pointers of a thread's batches; `tcache` is NULL: of the queue.
 * `to` has room for `most`; returns how many it copied. Objects that a running
 * thread hands on or releases meanwhile may be missing. So callers read the
 * threads before the queue.
 */
size_t quarantine_copy(const struct tcache *tcache, void **to, size_t most);

/* Adds what a thread's batch holds. `tcache` is NULL: what the queue holds. */
void quarantine_add_held(const struct tcache *tcache, struct held_objects *sum);

/* For tools that read the heap. */
extern HIDDEN const struct heap_part quarantine_heap_part;

#endif
