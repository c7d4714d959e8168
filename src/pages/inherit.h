/*
 * inherit: the end of a page source, and where its memory goes.
 *
 * Owns:       nothing.
 * Invariants: memory that can't go back to the kernel, or to the program's
 *             hooks, has an owner afterwards.
 * Locking:    LOCK_PAGES of one source at a time.
 */
#ifndef PAGES_INHERIT_H
#define PAGES_INHERIT_H

struct page_source;

/*
 * Returns all memory of `source`, of which nothing may be in use. Extents that
 * the kernel does not take go to the pools of `heir`.
 */
void inherit_fini(struct page_source *source, struct page_source *heir);

#endif
