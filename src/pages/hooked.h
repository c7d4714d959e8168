/*
 * hooked: a page source whose memory comes from functions of the program.
 *
 * Owns:       nothing of its own.
 * Invariants: each cut and each join needs leave of the program. Whatever is
 *             refused leaves the extents as they were.
 * Locking:    leave is asked without the lock, so an extent is first taken out
 *             of its pool and belongs to the asking thread alone meanwhile.
 *
 * Pages may be decommitted. They are taken for zero only if a function promised
 * it when they were new: how it purges is the program's business. Free extents
 * may be adjacent here.
 */
#ifndef PAGES_HOOKED_H
#define PAGES_HOOKED_H

#include <stdbool.h>
#include <stddef.h>

#include "extent/extent.h"

struct page_source;

/* As page_source_take() and page_source_extend(), of such a source. */
struct extent *hooked_take(struct page_source *source, size_t size,
    size_t align);
bool hooked_extend(struct page_source *source, struct extent *e, size_t size,
    bool *zeroed);

/* `e`, which is out of the pools, goes into that of `state`. */
void hooked_insert(struct page_source *source, struct extent *e,
    enum extent_state state);

/* May it be cut behind its first `size` bytes? */
bool hooked_may_split(struct page_source *source, const struct extent *e,
    size_t size);

/*
 * What becomes of an aged extent; EXTENT_BUSY: it is not mapped any more;
 * `from`: all that was asked was refused.
 * `lazy`: the kernel may take the contents when it wants, if it can.
 */
enum extent_state hooked_purge(struct page_source *source, struct extent *e,
    enum extent_state from, bool lazy);

/* The end of all that is free. */
void hooked_fini(struct page_source *source);

#endif
