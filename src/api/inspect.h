/*
 * inspect: finds out what a pointer from the program points to.
 *
 * Owns:       nothing.
 * Invariants: changes nothing but the counter of reports. The memory at a
 *             pointer that is not ours is not read; `foreign` decides about it.
 * Locking:    takes the lock of a bin to look at one of its slabs.
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

/*
 * The size of the object's class. A guarded object has fewer usable bytes. A
 * size that is passed with an object must be of the same class.
 */
size_t inspect_class(const void *ptr);

/*
 * The bytes that the program may use. With opt.canary these are the bytes that
 * it requested. With safety:full, and for guarded objects, a pointer that is no
 * object is reported.
 */
size_t inspect_query(const void *ptr);

/*
 * Is this the start of an object, if its page is that of cache bin `bin`? The
 * object may be free.
 */
bool inspect_starts_object(const void *ptr, unsigned bin);

/*
 * Is this the start of a live object of ours? If not, reports it as `kind`.
 * Objects in caches of other threads seem live, except with safety:full.
 */
bool inspect_is_object(const void *ptr, const char *kind);

/*
 * The program frees an object of a slab with KIND_CHECKED. False: that was a
 * mistake, which is reported. *size is what it had requested.
 */
bool inspect_hand_in(const void *ptr, size_t *size);

/* Does the size that the program gives fit the object? If not, reports it. */
bool inspect_size_fits(const void *ptr, size_t size, size_t align);

/*
 * Does the object begin with the mark of objects that were freed into this
 * cache? The program may have stored this value by chance, so
 * inspect_is_freed() must confirm it.
 */
static inline bool
inspect_bears_mark(const struct tcache *tcache, const void *ptr)
{
	return opt.safety != SAFETY_OFF && cache_is_marked(ptr, tcache->mark);
}

/* Is an object with the mark really free: in a cache, or in its slab? */
bool inspect_is_freed(const struct tcache *tcache, unsigned bin,
    const void *ptr);

void inspect_report_double_free(const void *ptr, unsigned bin);

#endif
