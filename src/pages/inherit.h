/*
 * inherit: the end of a page source, and what it leaves to whom.
 *
 * Owns:       nothing.
 * Invariants: what can't go back to the kernel, or to the program's functions,
 *             has an owner afterwards.
 * Locking:    LOCK_PAGES of one source at a time.
 */
#ifndef PAGES_INHERIT_H
#define PAGES_INHERIT_H

struct page_source;

/* Returns all memory; nothing may be taken. What can't go, `heir` gets. */
void inherit_fini(struct page_source *source, struct page_source *heir);

#endif
