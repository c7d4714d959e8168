/*
 * checked_quick: the short way of most calls with opt.checked.
 *
 * Owns:       nothing.
 * Invariants: what these functions do is what request_run() and
 *             release_object() would have done. They serve small objects of the
 *             thread's own cache while nothing is rare or wrong. In all other
 *             cases they change nothing and say so, and the usual way follows.
 * Locking:    none: one thread.
 */
#ifndef API_CHECKED_QUICK_H
#define API_CHECKED_QUICK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Serves a request that names no arena and no cache, or returns NULL. `align`
 * is a power of two.
 */
void *checked_quick_take(size_t size, size_t align, bool zero);

/* Frees the object; false: not done. Any address may be given. */
bool checked_quick_give(void *ptr);

#endif
