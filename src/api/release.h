/*
 * release: the slow path of all functions that free.
 *
 * Owns:       nothing.
 * Invariants: keeps errno. A pointer that is not the start of a live object is
 *             reported or passed on (foreign.h), and changes nothing.
 * Locking:    none of its own.
 */
#ifndef API_RELEASE_H
#define API_RELEASE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/compiler.h"

struct tcache;

/* Frees an object that the fast path could not free. It may be NULL. */
NOINLINE void release_object(void *ptr);

/*
 * Frees an object as the flags of a call ask: into a given cache, or past
 * all caches. If neither is asked for, as release_object() does.
 */
void release_as_asked(struct tcache *tcache, bool uncached, void *ptr);

/* release_object() with the size that the program gives: it is checked. */
NOINLINE void release_sized(void *ptr, size_t size, size_t align);

#endif
