/*
 * mapped: all address ranges that are mapped for one arena.
 *
 * Owns:       the regions of the arena's source, and the memory blocks for
 *             their records.
 * Invariants: before anything is mapped or unmapped there is room to note it.
 * Locking:    LOCK_PAGES of the source; memory is fetched without it.
 *
 * Only an arena that may be destroyed needs this: at its end it must find all
 * that it has mapped (`track_regions`). If the arena was created with hooks of
 * the program, then these hooks also provide the memory for the records, unless
 * the program does not want that: the first block when the arena is created,
 * more when it is full. Each block goes back to the hooks that gave it. If they
 * refuse a later block, the library uses its own metadata, as for all other
 * sources.
 */
#ifndef PAGES_MAPPED_H
#define PAGES_MAPPED_H

#include <stdbool.h>
#include <stddef.h>

struct extent;
struct extent_hooks;
struct page_source;
struct region_block;

#define MAPPED_FIRST_BLOCK ((size_t)16 << 10) /* bytes */

/*
 * Gets `size` bytes for records from `hooks`, or returns NULL. If the regions
 * of a source get a first block while no other thread can see it yet, it asks
 * its hooks whenever it needs more.
 */
struct region_block *mapped_ask_block(struct extent_hooks *hooks,
    unsigned arena_index, size_t size);

/* Gives all blocks back; nothing may be mapped any more. */
void mapped_give_blocks(struct page_source *source);

/*
 * mapped_lock_for_new() locks the source, and reserves a record and room for a
 * range that is about to be mapped; NULL: there is no memory for that, it is
 * not locked. Then one of the others says that the range was mapped, and enters
 * it into the record, or that it was not.
 */
struct extent *mapped_lock_for_new(struct page_source *source);
void mapped_came_locked(struct page_source *source, struct extent *e,
    char *addr, size_t size);
void mapped_came_not(struct page_source *source, struct extent *e);

/*
 * Call these before and after an attempt to unmap `e`. All traces of `e` must
 * be removed before: as soon as the pages are unmapped, the kernel may give the
 * addresses to another thread, which then enters its own extent there.
 * @return  false: there is no record for the case that the attempt fails;
 *          leave `e` mapped
 */
bool mapped_leave(struct page_source *source, struct extent *e);
void mapped_stay(struct page_source *source, const struct extent *e, bool gone);

#endif
