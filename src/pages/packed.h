/*
 * packed: between a page source and its huge pages.
 *
 * Owns:       nothing of its own.
 * Invariants: a pageslab is an extent like others. It counts as `packed`
 *             instead of active, less the bytes that were cut off it.
 * Locking:    LOCK_PAGES for the counters, never over a call of huge_cache.
 */
#ifndef PAGES_PACKED_H
#define PAGES_PACKED_H

#include <stdbool.h>
#include <stddef.h>

struct extent;
struct page_source;

/* NULL: take it elsewhere. */
struct extent *packed_take(struct page_source *source, size_t size);
void packed_give(struct page_source *source, struct extent *e);
bool packed_extend(struct page_source *source, struct extent *e, size_t size,
    bool *zeroed);
void packed_trim(struct page_source *source, struct extent *e, size_t size);

/* `size` bytes of pageslabs are handed out; or come back, below zero. */
void packed_count(struct page_source *source, size_t size);

/* Bytes that wait to be given back; takes no lock. */
size_t packed_unused(const struct page_source *source);

#endif
