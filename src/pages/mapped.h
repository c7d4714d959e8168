/*
 * mapped: what is mapped for an arena that has to find all it has.
 *
 * Owns:       the regions of such a source, and the blocks of memory for them.
 * Invariants: before anything is mapped or unmapped there is room to note it.
 * Locking:    LOCK_PAGES of the source; memory is fetched without it.
 *
 * A source made on functions of the program has its records in memory of
 * theirs, unless the program did not want it: the first block when it is made,
 * more when that is full. Each goes back to the functions that gave it. What
 * they refuse later, the library has itself, as for all other sources.
 */
#ifndef PAGES_MAPPED_H
#define PAGES_MAPPED_H

#include <stdbool.h>
#include <stddef.h>

struct extent;
struct extent_hooks;
struct page_source;
struct region_block;

/*
 * Memory from `hooks` for the records that the arena at `arena_index` needs to
 * find all it has, or NULL. Its source gets it before anybody else sees that;
 * from now on it asks its hooks whenever it needs more. What was not used goes
 * back alone.
 */
struct region_block *mapped_ask_block(struct extent_hooks *hooks,
    unsigned arena_index);
void mapped_use_block(struct page_source *source, struct region_block *block);
void mapped_give_block(struct region_block *block, unsigned arena_index);

/* All of them go back; nothing is mapped any more. */
void mapped_give_blocks(struct page_source *source);

/*
 * Locks the source with two spare records, and room to note what comes or goes;
 * false: no memory for that, it is not locked.
 */
bool mapped_lock(struct page_source *source);

/* Something is about to be mapped; then `size` bytes at `addr` are, or not. */
void mapped_expect_locked(struct page_source *source);
void mapped_came_locked(struct page_source *source, char *addr, size_t size);
void mapped_came_not_locked(struct page_source *source);

/*
 * Before and after an attempt to unmap `e`. All traces of it go first, because
 * another thread may be given its addresses before we come to it.
 * @return  false: no record in case that it stays, leave it mapped
 */
bool mapped_leave(struct page_source *source, struct extent *e);
void mapped_stay(struct page_source *source, const struct extent *e,
    bool gone);

#endif
