/*
 * hooked: a page source whose memory comes from hooks of the program.
 *
 * Owns:       nothing of its own.
 * Invariants: a hook has to allow each split and each merge. If it refuses,
 *             the extents stay as they were.
 * Locking:    no lock is held while a hook runs. So an extent is first taken
 *             out of its pool, and belongs to the calling thread until it goes
 *             back.
 *
 * Pages may be decommitted. They count as zero only if the hook that gave or
 * committed them said so. They don't count as zero after a purge, because the
 * program's hook may purge in a way that keeps the contents. Free extents of
 * one state may be adjacent here.
 */
#ifndef PAGES_HOOKED_H
#define PAGES_HOOKED_H

#include <stdbool.h>
#include <stddef.h>

#include "extent/extent.h"

struct page_source;

/* Like page_source_take() and page_source_extend(), for such a source. */
struct extent *hooked_take(struct page_source *source, size_t size,
    size_t align);
bool hooked_extend(struct page_source *source, struct extent *e, size_t size,
    bool *zeroed);

/* Puts `e` into the pool of `state`, and joins it with its neighbours. */
void hooked_insert(struct page_source *source, struct extent *e,
    enum extent_state state);

/* Do the hooks allow splitting `e` after its first `size` bytes? */
bool hooked_may_split(struct page_source *source, const struct extent *e,
    size_t size);

/*
 * Purges an aged extent and returns its new state: EXTENT_BUSY if it is not
 * mapped any more, `from` if the hooks have refused everything. `lazy`: first
 * tries the way in which the kernel drops the contents later.
 */
enum extent_state hooked_purge(struct page_source *source, struct extent *e,
    enum extent_state from, bool lazy);

/* Destroys all free extents, at the end of the source. */
void hooked_fini(struct page_source *source);

#endif
