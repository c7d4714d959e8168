/*
 * checked: objects whose every call is looked at (opt.checked).
 *
 * Owns:       nothing; slabs have ledgers, large objects have records.
 * Invariants: between hand_out and take_back the object is the program's, and
 *             with opt.canary the bytes behind the requested ones are a
 *             canary. After take_back a small one is wiped, if the options say
 *             so; for a large one, large_wipe() does it.
 *             What is damaged is reported once and then left alone for ever.
 * Locking:    none: the caller has the object.
 */
#ifndef API_CHECKED_H
#define API_CHECKED_H

#include <stdbool.h>
#include <stddef.h>

struct extent;

/*
 * The program gets an object for a request of `size` bytes; with `zero` those
 * are zeroed, except those of a large object, which are zero already. False:
 * the program has written into it after it freed it; that is reported, and
 * another object is needed.
 */
bool checked_hand_out(void *object, size_t size, bool zero);

/* The same for an object of a slab. */
bool checked_hand_out_small(struct extent *slab, void *object, size_t size,
    bool zero);

/*
 * The program has freed the object, of which it had requested `size` bytes.
 * False: it is damaged, and must be left alone.
 */
bool checked_take_back(void *object, size_t size);

/*
 * The same for what may be an object of this slab. False: something is wrong.
 * Then nothing has been changed or reported; the usual way will tell what.
 */
bool checked_take_back_whole(struct extent *slab, void *object);

/* Looks at the canary of a live object. False: it is damaged and reported. */
bool checked_is_whole(const void *object);

/*
 * The live object has been given `size` bytes in place. Bytes that it did not
 * have before become zero.
 */
void checked_resize(void *object, size_t size);

/* The bytes that the program may use of a live object. */
size_t checked_size(const void *object);

#endif
