/*
 * resize: lets an object grow, shrink or move.
 *
 * Owns:       the choice: the object stays, is resized in place, is moved by
 *             page tables, or is copied.
 * Invariants: if it fails, the object does not change. Bytes up to the smaller
 *             of the old usable size and the new size are kept.
 * Locking:    none of its own.
 */
#ifndef API_RESIZE_H
#define API_RESIZE_H

#include "api/request.h"

/* Objects from this size on are moved by page tables, not copied. */
#define RESIZE_MOVE_MIN ((size_t)1 << 20)

/**
 * @param ptr      a live object of ours, not NULL
 * @param request  size > 0; zero: bytes behind the old usable size become 0
 * @return         the object, maybe at a new address; NULL with errno = ENOMEM
 */
void *resize_object(void *ptr, const struct request *request);

/*
 * For an object that already has the wanted size: counts it as freed and
 * allocated.
 */
NOINLINE void resize_kept(size_t usable);

/**
 * The same without moving.
 * @return  the usable size afterwards; the old one if it can't be resized
 */
size_t resize_in_place(void *ptr, const struct request *request);

/*
 * The same with opt.canary, for xallocx(). The result is what the program may
 * use afterwards: just the requested size if it can have that, because it may
 * name this size, or the result, when it frees the object.
 */
size_t resize_with_canary(void *ptr, const struct request *request);

#endif
