/*
 * request: describes an allocation, and is the slow path of all entry points.
 *
 * Owns:       struct request.
 * Invariants: a request that fails changes nothing. errno is set here and in
 *             the entry points; nothing below sets it.
 * Locking:    none of its own.
 */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "util/compiler.h"

struct arena;
struct tcache;
struct thread;

struct request {
	size_t size;  /* bytes */
	size_t align; /* power of two; 1 = natural */
	size_t room;  /* bytes behind a large object, to grow into */
	bool zero;
	bool keep_errno;       /* the caller returns an error code instead */
	bool uncached;         /* past all caches */
	struct arena *arena;   /* take from it; NULL = the thread's */
	struct tcache *tcache; /* this cache; NULL = the thread's */
	const char *function;  /* for messages; NULL: an aligned function */
};

/**
 * The size of the object that a request gets. With opt.canary a part of it is
 * the canary: see checked_size(). The largest classes are more than any address
 * space has.
 * @return  0: there are no objects of this size
 */
size_t request_usable(size_t size, size_t align);

/* The object, or NULL with errno = ENOMEM. */
NOINLINE void *request_run(const struct request *request);

/*
 * Purges and calls the program, if a limit was crossed. Whatever takes memory
 * for the program calls this, or the next; the caller holds no lock.
 */
void request_look_at_limits(void);

/* Counts bytes handed out, and calls what is due: limits, peaks, events. */
void request_taken(struct thread *thread, size_t size);

/* NULL and errno, unless it is to be kept. With xmalloc it ends the process. */
COLD void *request_failed(const struct request *request);

#endif
