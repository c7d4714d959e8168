/*
 * borrow: page sources that share take dirty pages from each other.
 *
 * Owns:       the table of the sources that share, by index of the arena.
 * Invariants: a borrowed extent is counted by the source that uses it. It
 *             knows its lender, and goes back to the lender's pools, because
 *             its neighbours are there and it can be joined with them.
 * Locking:    LOCK_PAGES of one source at a time.
 *
 * Each arena has its own source. If threads of several arenas need much memory
 * one after the other, each source would keep the pages of its own peak until
 * they have aged, and the process would need the sum of all peaks. So before a
 * source touches new pages, it looks for dirty pages of the others.
 */
#ifndef PAGES_BORROW_H
#define PAGES_BORROW_H

#include <stdatomic.h>

#include "pages/pools.h"
#include "util/compiler.h"

/* A source can share only if the index of its arena is below this. */
#define SHARERS_MAX 4096
/*
 * From now on `source` and the other sharing sources lend each other dirty
 * pages. Call this before anything is taken. The source must never be
 * destroyed, because others look at it without holding it.
 */
void borrow_share(struct page_source *source);

/* Should the source look for `size` dirty bytes of others? */
static inline bool
borrow_may_locked(const struct page_source *source, size_t size)
{
	return source->shares &&
	    (size < source->not_found ||
		(int32_t)(source->takes - source->look_at) >= 0);
}

/*
 * Takes dirty pages of another source, whose threads run on the same node;
 * NULL: none was found.
 */
struct extent *borrow_take(struct page_source *source, size_t size,
    size_t align);

/*
 * If `e` is borrowed, counts it with its lender again. Returns the source in
 * whose pools its neighbours are: the lender, or `source`.
 */
struct page_source *borrow_return(struct page_source *source, struct extent *e);

/*
 * Puts the ACTIVE extent `e` into the dirty pool of its lender, or of `source`;
 * returns whose pool it was.
 */
struct page_source *borrow_give_dirty(struct page_source *source,
    struct extent *e);

/*
 * A source that has got pages back from `source` since this was last asked, or
 * NULL.
 */
static inline struct page_source *
borrow_lender(struct page_source *source)
{
	return likely(atomic_load_explicit(&source->lender,
			  memory_order_relaxed) == NULL)
	    ? NULL
	    : atomic_exchange_explicit(&source->lender, NULL,
		  memory_order_relaxed);
}

/* The opposite: `source` uses and counts `e`, an extent of `owner`. */
void borrow_lend(struct page_source *owner, struct page_source *source,
    struct extent *e);

#endif
