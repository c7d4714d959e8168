/*
 * guards: extents whose object lies between pages that nobody can touch
 * (opt.guard_large), and those that were freed and wait with their guards.
 *
 * Owns:       the number of guards; the kept extents of each source, in a tree
 *             by size, with the oldest first, and in a list by age.
 * Invariants: a kept extent is EXTENT_BUSY and in no pool. It counts as dirty
 *             pages: for the memory limit, for purges and for figures. If it is
 *             `sealed`, its object can't be touched either, and may have
 *             contents of the program; these are cleared before it becomes
 *             ordinary dirty pages, unless they are zero already (`zeroed`).
 *             If the kernel refuses to make an extent usable again, it stays
 *             here.
 * Locking:    LOCK_PAGES of the source; not held over a system call.
 *
 * A guard costs a system call when it is set and one when it is lifted. But
 * programs take and free objects of the same sizes again and again, so an
 * extent is used again with its guards.
 */
#ifndef PAGES_GUARDS_H
#define PAGES_GUARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pages/pools.h"

void guards_init(struct guards *guards, uint64_t now_ns);

/* May we change the access to pages of this extent? */
bool guards_may_protect(const struct page_source *source,
    const struct extent *e);

/*
 * Makes the pages around the object of a new extent guards, or none of them. If
 * the kernel refuses half-way, and to undo it, one may be missing.
 */
void guards_set(struct page_source *source, struct extent *e);

/*
 * The object, which still has its old size, will have all of the extent, so the
 * guard behind it has to move to the end. If the kernel refuses the new guard,
 * the object has none. False: it can't grow. The guard then stays where it is,
 * though the extent may have grown already.
 */
bool guards_move(struct extent *e);

/*
 * From now on nobody can touch the object; false: the kernel refuses. If it
 * does not undo what it did, the object is sealed, but not all of it is shut.
 * The pages of a long one go back to the kernel.
 */
bool guards_seal(struct extent *e);

/* Opens a sealed object; false: the kernel refuses, it stays sealed. */
bool guards_unseal(struct extent *e);

/*
 * A kept extent of exactly `size` bytes, whose object lies `before` bytes
 * behind its start and is aligned to `align`; it is ACTIVE, and perhaps sealed.
 * NULL: there is none.
 */
struct extent *guards_take(struct page_source *source, size_t size,
    size_t before, size_t align);

/*
 * Keeps an ACTIVE extent that was freed. False: it is not kept and has no
 * guards any more; the caller gives it to the page source.
 */
bool guards_keep(struct page_source *source, struct extent *e);

/*
 * Makes the oldest kept extents ordinary dirty pages until `keep` bytes stay.
 * Contents of sealed ones are cleared; with `drop` the kernel does that.
 */
void guards_release(struct page_source *source, size_t keep, bool drop);

/* Releases extents that were kept for a part of the decay time. */
void guards_age(struct page_source *source, uint64_t now_ns);

/* Nanoseconds until guards_age() has something to do; UINT64_MAX: never. */
uint64_t guards_wait(struct page_source *source, uint64_t now_ns);

/* Moves extents that the kernel refuses to release to another source. */
void guards_hand_over(struct page_source *source, struct page_source *heir);

/* The number of guards that could not be set so far. */
uint64_t guards_missing(void);

#endif
