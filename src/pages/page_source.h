/*
 * page_source: the pages of one arena: taking, giving back, changing in place.
 *
 * Owns:       the decision where a request goes: pools, huge pages, another
 *             source, the program's hooks, the kernel.
 * Invariants: those of pages/pools.h. A call that fails changes nothing.
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
	bool want_huge;      /* ask for huge pages in what is mapped */
	bool refuse_huge;    /* ask for small pages in what is mapped */
	bool small_at_first; /* no huge pages until the heap is large */
	uint64_t now_ns;
	int dss; /* enum dss */
	/* See struct page_source; NULL: nobody keeps any. */
	void (*shed)(struct page_source *source, bool all);
};

/* `source` is all zero: what stays so is not touched. */
void page_source_init(struct page_source *source, unsigned arena_index,
    const struct page_source_config *config);

struct huge_config;
struct huge_cache_config;

/*
 * From now on `huge`, of huge_cache_size() bytes, packs short extents. Call
 * this before anything is taken. The function itself fills in the arena and
 * the backing of `shard`.
 */
void page_source_pack(struct page_source *source, struct huge_cache *huge,
    const struct huge_cache_config *config, struct huge_config *shard);

/**
 * Pages for a slab or a large object.
 * @param size   bytes, multiple of the page size
 * @param align  power of two, at least the page size
 * @return       an ACTIVE extent, not in the page map yet, or NULL; its
 *               `zeroed` tells whether its bytes are known to be zero
 */
struct extent *page_source_take(struct page_source *source, size_t size,
    size_t align);

/* Sets the hooks that are asked for memory, and returns the former ones. */
struct extent_hooks *page_source_set_hooks(struct page_source *source,
    struct extent_hooks *hooks);

/* Takes an ACTIVE extent back, whatever page map entries it has. */
void page_source_give(struct page_source *source, struct extent *e);

/* Like page_source_give(), for pages that are zero and not in memory. */
void page_source_give_retained(struct page_source *source, struct extent *e);

/**
 * Lengthens an ACTIVE extent in place to `size` bytes, and updates the page
 * map.
 * @param zeroed  out: are the new bytes known to be zero?
 * @return        false: there is no room behind it; nothing has changed
 */
bool page_source_extend(struct page_source *source, struct extent *e,
    size_t size, bool *zeroed);

/*
 * Cuts an ACTIVE extent down to `size` bytes; false: there is no record for
 * the rest, or the program's hooks do not let it be cut.
 */
bool page_source_trim(struct page_source *source, struct extent *e,
    size_t size);

/*
 * Makes whole pages of an ACTIVE extent zero by giving them back to the kernel.
 * False: they can't be, or should stay in memory; nothing has changed.
 */
bool page_source_clear(struct page_source *source, const struct extent *e,
    char *addr, size_t size);

void page_source_check(struct page_source *source);

#endif
