/*
 * request: what was asked for, and the one slow path that all entry points
 * take for it.
 *
 * Owns:       struct request.
 * Invariants: a request that fails changes nothing. errno is set here, and in
 *             the entry points, nowhere below.
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
	size_t size;		/* bytes */
	size_t align;		/* power of two; 1 = natural */
	bool zero;
	bool keep_errno;	/* the caller returns an error code instead */
	bool uncached;		/* past all caches */
	struct arena *arena;	/* take from it; NULL = the thread's */
	struct tcache *tcache;	/* this cache; NULL = the thread's */
	const char *function;	/* for messages; NULL: one of the aligned family */
};

/**
 * Usable bytes of what a request is given.
 * @return  0 if no such object can exist
 */
size_t request_usable(size_t size, size_t align);

/* Where `usable` bytes lie for a thread of `arena` that does not say where. */
struct arena *request_arena_for(struct arena *arena, size_t usable);

/* The object, or NULL with errno = ENOMEM. */
NOINLINE void *request_run(const struct request *request);

/* So many bytes of objects were handed out: who wants to know of that? */
void request_taken(struct thread *thread, size_t size);

/* Sets errno (unless kept), or ends the process if xmalloc is on. */
COLD void request_failed(const struct request *request);

#endif
