/*
 * checked_quick: the short path of most calls with opt.checked.
 *
 * Owns:       nothing.
 * Invariants: these functions have the same effect as request_run() and
 *             release_object(). They serve small objects from the thread's own
 *             cache, if nothing rare is due and nothing is wrong. In all other
 *             cases they change nothing and report failure, and the usual path
 *             follows.
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

/* Frees the object. False: not freed. `ptr` may be any address. */
bool checked_quick_give(void *ptr);

#endif
