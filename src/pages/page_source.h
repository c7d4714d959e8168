/*
 * page_source: the pages of one arena: taking, giving back, changing in place.
 *
 * Owns:       which way a request goes: pools, huge pages, another source, the
 *             program's functions, the kernel.
 * Invariants: those of pages/pools.h. What can't be had changes nothing.
 * Locking:    see pages/pools.h.
 *
 *	take: dirty -> muzzy -> dirty of others -> retained -> newly mapped
 *	give: dirty  --ageing-->  muzzy  --ageing-->  retained (or unmapped)
 */
#ifndef PAGES_PAGE_SOURCE_H
#define PAGES_PAGE_SOURCE_H

#include "pages/pools.h"

struct page_source_config {
	int64_t dirty_decay_ms;
	int64_t muzzy_decay_ms;
	bool retain;
	unsigned lg_max_active_fit;
	bool want_huge;		/* advice for what is mapped, or: */
	bool refuse_huge;
	bool small_at_first;	/* no huge pages until the heap is large */
	uint64_t now_ns;
	int dss;		/* enum dss */
};

void page_source_init(struct page_source *source, unsigned arena_index,
    const struct page_source_config *config);

struct huge_config;
struct huge_cache_config;

/*
 * From now on `huge`, of huge_cache_size() bytes, packs short extents. To be
 * called before anything is taken. `shard` need not say who backs it.
 */
void page_source_pack(struct page_source *source, struct huge_cache *huge,
    const struct huge_cache_config *config, struct huge_config *shard);

/**
 * Pages for a slab or a large object.
 * @param size   bytes, multiple of the page size
 * @param align  power of two, at least the page size
 * @return       an ACTIVE extent, in the page map at neither end yet; its
 *               `zeroed` tells whether its bytes are known to be zero
 */
struct extent *page_source_take(struct page_source *source, size_t size,
    size_t align);

/*
 * Sets who is asked for memory; the former ones, which may be the default ones.
 */
struct extent_hooks *page_source_set_hooks(struct page_source *source,
    struct extent_hooks *hooks);

/* Takes an ACTIVE extent back, with whatever page map entries it has. */
void page_source_give(struct page_source *source, struct extent *e);

/* Like give, for pages that are known to be zero and not in memory. */
void page_source_give_retained(struct page_source *source, struct extent *e);

/**
 * Lengthens an ACTIVE extent in place to `size` bytes, page map included.
 * @param zeroed  out: are the new bytes known to be zero?
 */
bool page_source_extend(struct page_source *source, struct extent *e,
    size_t size, bool *zeroed);

/* Cuts an ACTIVE extent down to `size` bytes; false: no record to be had. */
bool page_source_trim(struct page_source *source, struct extent *e,
    size_t size);

void page_source_check(struct page_source *source);

#endif
