/*
 * inspect: what a pointer that the program gives us points to.
 *
 * Owns:       nothing.
 * Invariants: changes nothing but the counter of reports. A pointer that is
 *             none of ours is not read, but for what foreign finds out.
 * Locking:    the lock of a bin, to look at one of its slabs.
 */
#ifndef API_INSPECT_H
#define API_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/thread.h"
#include "conf/options.h"

struct tcache;

/* Usable bytes of a live object; 0 for NULL. */
size_t inspect_usable(const void *ptr);

/* Is this one of our objects in use, by its start? If not, reports `kind`. */
bool inspect_is_object(const void *ptr, const char *kind);

/* Does the size that the program believes in fit? If not, it is reported. */
bool inspect_size_fits(const void *ptr, size_t size, size_t align);

/* Does the object look like one that was freed? Then inspect_is_freed() knows. */
static inline bool
inspect_bears_mark(const void *ptr)
{
	return opt.safety != SAFETY_OFF && *(const uintptr_t *)ptr ==
	    thread_key();
}

/* Did the mark in the object tell the truth? */
bool inspect_is_freed(const struct tcache *tcache, unsigned bin,
    const void *ptr);

void inspect_report_double_free(const void *ptr, unsigned bin);

#endif
