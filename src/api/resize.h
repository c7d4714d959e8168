/*
 * resize: grow, shrink or move an object.
 *
 * Owns:       the choice between staying, stretching, moving page tables and
 *             copying.
 * Invariants: on failure the old object is as it was. Bytes up to the smaller
 *             of old usable and new size are kept.
 * Locking:    none of its own.
 */
#ifndef API_RESIZE_H
#define API_RESIZE_H

#include "api/request.h"

/* Blocks from this size on move by page tables. */
#define RESIZE_MOVE_MIN ((size_t)1 << 20)

/**
 * @param ptr      a live object of ours, not NULL
 * @param request  size > 0; zero = bytes behind the old usable size are zero
 * @return         the object, maybe elsewhere; NULL with errno = ENOMEM
 */
void *resize_object(void *ptr, const struct request *request);

/*
 * An object was to have the size that it has: it counts as freed and allocated.
 */
NOINLINE void resize_kept(size_t usable);

/**
 * The same without moving.
 * @return  the usable size afterwards; the old one if it had to stay
 */
size_t resize_in_place(void *ptr, const struct request *request);

#endif
