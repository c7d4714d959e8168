/*
 * packed: connects a page source with its huge pages.
 *
 * Owns:       nothing of its own.
 * Invariants: a pageslab is an ordinary extent. Its bytes that are handed out
 *             count as active, the others as `packed`.
 * Locking:    LOCK_PAGES for the counters, never over a call of huge_cache.
 */
#ifndef PAGES_PACKED_H
#define PAGES_PACKED_H

#include <stdbool.h>
#include <stddef.h>

struct extent;
struct page_source;

/*
 * These do what the page_source_ functions of the same names do, for an extent
 * in a pageslab. A NULL of packed_take() means: take it from the pools.
 */
struct extent *packed_take(struct page_source *source, size_t size);
void packed_give(struct page_source *source, struct extent *e);
bool packed_extend(struct page_source *source, struct extent *e, size_t size,
    bool *zeroed);
void packed_trim(struct page_source *source, struct extent *e, size_t size);

/*
 * Counts `size` bytes of pageslabs that are handed out. A negated size counts
 * bytes that come back.
 */
void packed_count(struct page_source *source, size_t size);

/* Bytes that wait to be given back; takes no lock. */
size_t packed_unused(const struct page_source *source);

#endif
