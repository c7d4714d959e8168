/*
 * release: the one slow path of all functions that free.
 *
 * Owns:       nothing.
 * Invariants: keeps errno. A pointer that is no object in use is reported, or
 *             is for the next allocator; nothing changes then.
 * Locking:    none of its own.
 */
#ifndef API_RELEASE_H
#define API_RELEASE_H

#include <stddef.h>

#include "util/compiler.h"

struct tcache;

/* Frees what the fast path could not take. NULL is fine. */
NOINLINE void release_object(void *ptr);

/* Frees into a given cache, or, if that is NULL, past all caches. */
void release_into(struct tcache *tcache, void *ptr);

/* The same as release_object(), with the size that the program believes in. */
NOINLINE void release_sized(void *ptr, size_t size, size_t align);

#endif
