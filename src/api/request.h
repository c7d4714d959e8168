/*
 * request: what was asked for, and the one slow path of all entry points.
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
struct extent;
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

/* Where `usable` bytes lie for who takes from `arena` without a word. */
struct arena *request_arena_for(struct arena *arena, size_t usable);

/*
 * A large object gets another size without being taken anew. Is it drawn as a
 * sample of the heap profile? Then no cache may take it, and it becomes one
 * when it has its size; what it was before ends either way.
 */
bool request_resize_draws(size_t usable);
void request_resized(const struct request *request, struct extent *e,
    bool drawn);

/* The object, or NULL with errno = ENOMEM. */
NOINLINE void *request_run(const struct request *request);

/* So many bytes of objects were handed out: who wants to know of that? */
void request_taken(struct thread *thread, size_t size);

/* Frees what the fast path could not take. NULL is fine. */
NOINLINE void request_free(void *ptr);

/* Frees into a given cache, or, if that is NULL, past all caches. */
void request_free_into(struct tcache *tcache, void *ptr);

/* The same with the size that the program believes in. */
NOINLINE void request_free_sized(void *ptr, size_t size, size_t align);

/* Does the size that the program believes in fit? If not, it is reported. */
bool request_size_fits(const void *ptr, size_t size, size_t align);

/* Usable bytes of a live object; 0 for NULL. */
size_t request_usable_of(const void *ptr);

/* Is this one of our objects in use, by its start? If not, reports `kind`. */
bool request_is_object(const void *ptr, const char *kind);

/* Sets errno (unless kept), or ends the process if xmalloc is on. */
COLD void request_failed(const struct request *request);

#endif
