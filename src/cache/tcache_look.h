/*
 * tcache_look: what a cache holds, for reports and for tools.
 *
 * Owns:       nothing.
 * Invariants: looking does not change a cache.
 * Locking:    none. Any thread may look; the caller makes sure that the cache
 *             stays.
 */
#ifndef CACHE_TCACHE_LOOK_H
#define CACHE_TCACHE_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tcache;

/* Is `object` in the stack of cache bin `bin`? Only the owner may ask. */
bool tcache_contains(const struct tcache *tcache, unsigned bin,
    const void *object);

/**
 * Copies the pointers of a stack.
 * @param at_rest  its owner is the caller, or does not exist any more
 * @param most     room in `to`
 * @return         how many; 0 if the owner is in a slow path just now. All of
 *                 them were cached at some moment of this call
 */
uint32_t tcache_copy(const struct tcache *tcache, unsigned bin, bool at_rest,
    void **to, size_t most);

#endif
