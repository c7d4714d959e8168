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

#include "util/compiler.h"

struct arena;
struct extent;
struct heap_part;
struct lock;
struct tcache;

/* The most objects of a batch. */
#define QUARANTINE_BATCH_OBJECTS 55

void quarantine_init(void);
struct lock *quarantine_lock(void);

/* Is an object of this arena held back? */
bool quarantine_wants(const struct arena *arena);

/*
 * Takes a freed object of the extent `e`. It is wiped if the options say so,
 * and counted as freed. The oldest objects then go into the cache or to their
 * arenas, if the queue is too long.
 */
void quarantine_put(struct tcache *tcache, struct extent *e, void *object);

/* Hands the thread's batch on, at the end of the thread. */
void quarantine_leave(struct tcache *tcache);

/* Releases the objects of this thread, and all in the queue. */
void quarantine_flush(struct tcache *tcache);

struct quarantine_held {
	size_t nsmall;
	size_t small_size;	/* bytes */
	size_t nlarge;
	size_t large_size;	/* bytes */
};

/*
 * Copies the pointers of a thread's batches; `tcache` is NULL: of the queue.
 * `to` has room for `most`; returns how many it copied. Objects that a running
 * thread hands on or releases meanwhile may be missing. So callers read the
 * threads before the queue.
 */
size_t quarantine_copy(const struct tcache *tcache, void **to, size_t most);

/* Adds what a thread's batch holds. `tcache` is NULL: what the queue holds. */
void quarantine_add_held(const struct tcache *tcache,
    struct quarantine_held *sum);

/* For tools that read the heap. */
extern HIDDEN const struct heap_part quarantine_heap_part;

#endif
