/*
 * borrow: page sources that share take dirty pages of each other.
 *
 * Owns:       the table of the sources that share, by index of the arena.
 * Invariants: a borrowed extent counts where it is in use. It knows its lender,
 *             and goes back to the lender's pools: there its neighbours are, to
 *             be joined with.
 * Locking:    LOCK_PAGES of one source at a time.
 *
 * Where threads take in turns, each one's source would keep the pages of its
 * own peak until they have aged. So who would touch new pages first asks who
 * has dirty ones.
 */
#ifndef PAGES_BORROW_H
#define PAGES_BORROW_H

#include "pages/pools.h"

/* Sources that share have indices below. */
#define SHARERS_MAX	4096
/* What is larger grows by moving pages, which throws away those in its way. */
#define BORROW_LIMIT	((size_t)1 << 20)

/*
 * From now on `source`, which never ends, and the others that share lend each
 * other dirty pages: what one has too many of, another need not fetch from the
 * kernel. To be called before anything is taken.
 */
void borrow_share(struct page_source *source);

/* Is it worth a look whether others have dirty pages? */
static inline bool
borrow_may_locked(const struct page_source *source, size_t size)
{
	return source->shares && size < BORROW_LIMIT &&
	    (int32_t)(source->takes - source->look_at) >= 0;
}

/* Takes dirty pages of another source, or NULL. */
struct extent *borrow_take(struct page_source *source, size_t size,
    size_t align);

/* `e`, which is borrowed, counts with its lender again, who is returned. */
struct page_source *borrow_return(struct page_source *source,
    struct extent *e);

/* The opposite. */
void borrow_lend(struct page_source *lender, struct page_source *source,
    struct extent *e);

#endif
