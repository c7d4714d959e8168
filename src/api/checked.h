/*
 * checked: checks on every allocation and free (opt.checked).
 *
 * Owns:       nothing; slabs have ledgers, large objects have records.
 * Invariants: between hand_out and take_back the object belongs to the program.
 *             With opt.canary, a canary follows the requested bytes. take_back
 *             wipes a small object if the options say so; large_wipe() does it
 *             for a large one. A damaged object is reported once and is never
 *             used again.
 * Locking:    none: the caller has the object.
 */
#ifndef API_CHECKED_H
#define API_CHECKED_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The program gets the object for a request of `size` bytes. With `zero`, all
 * that it may use becomes zero; a large object is zero already. False: the
 * program wrote into the object after freeing it. That is reported, and the
 * caller must find another object.
 */
bool checked_hand_out(void *object, size_t size, bool zero);

/*
 * The program has freed the object, of which it had requested `size` bytes.
 * False: it is damaged, and must be left alone.
 */
bool checked_take_back(void *object, size_t size);

/* Looks at the canary of a live object. False: it is damaged and reported. */
bool checked_is_whole(const void *object);

/*
 * The live object was resized in place to `size` bytes. New bytes become zero,
 * or what opt.junk says unless `zero` is set.
 */
void checked_resize(void *object, size_t size, bool zero);

/* The bytes that the program may use of a live object. */
size_t checked_size(const void *object);

#endif
