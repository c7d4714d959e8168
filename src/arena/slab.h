/*
 * slab: the regions of one extent.
 *
 * Owns:       the fields of struct extent with "slab:" in their comment.
 * Invariants: nfree = number of set bits; no bit is set in words below `hint`;
 *             bits from nregions on are clear. Regions are handed out lowest
 *             address first, so that slabs and pages at high addresses become
 *             empty; with opt.random_slots in random order.
 * Locking:    the lock of the bin that the slab belongs to. The functions with
 *             `hand` in their names need none.
 */
#ifndef ARENA_SLAB_H
#define ARENA_SLAB_H

#include <stdatomic.h>

#include "arena/ledger.h"
#include "extent/extent.h"

/* Makes a new extent a slab of `size_class`, with all regions free. */
void slab_init(struct extent *slab, unsigned size_class);

/* Takes up to `count` regions into objects[]; returns how many. */
unsigned slab_take(struct extent *slab, void **objects, unsigned count);

enum slab_give {
	SLAB_GIVEN,
	SLAB_MISALIGNED, /* not the start of a region */
	SLAB_ALREADY_FREE,
};

/* Regions that are given back one after the other; their sums come later. */
struct slab_run {
	uint64_t *words;
	unsigned lowest; /* word that has got a region */
	unsigned given;
};

static inline struct slab_run
slab_run_begin(struct extent *slab)
{
	return (struct slab_run){ extent_words(slab), slab->hint, 0 };
}

/* Takes back the region at `offset` from the start of the slab. */
static ALWAYS_INLINE enum slab_give
slab_run_give(struct slab_run *run, const struct slab_geometry *g,
    size_t offset)
{
	unsigned region = slab_region_index(g, offset), w = region / 64;
	uint64_t bit = (uint64_t)1 << (region % 64), word;

	if (unlikely((size_t)region * g->region_size != offset ||
		region >= g->nregions))
		return SLAB_MISALIGNED;
	word = run->words[w];
	if (unlikely((word & bit) != 0))
		return SLAB_ALREADY_FREE;
	run->words[w] = word | bit;
	run->lowest = w < run->lowest ? w : run->lowest;
	run->given++;
	return SLAB_GIVEN;
}

static inline void
slab_run_end(const struct slab_run *run, struct extent *slab)
{
	slab->hint = (uint16_t)run->lowest;
	slab->nfree = (uint16_t)(slab->nfree + run->given);
}

/* Does a region of the slab start at `object`? */
static inline bool
slab_starts_region(const struct extent *slab, const void *object)
{
	const struct slab_geometry *g =
	    &size_class_tables.slab[slab->size_class];
	size_t offset = (size_t)((const char *)object - slab->addr);
	unsigned region = slab_region_index(g, offset);

	return region < g->nregions &&
	    region * (size_t)g->region_size == offset;
}

/*
 * Is the region at `object` handed out, to a cache or to the user? If so, this
 * is SLAB_GIVEN; the slab does not change.
 */
enum slab_give slab_probe(const struct extent *slab, const void *object);

/*
 * These are for opt.checked: then the slab also knows which of its regions the
 * program has, and which are in a cache. They take no lock, because a region
 * that is handed out belongs to the program, and so does its entry.
 *
 * The entry in the ledger of the region at `object`; NULL: none starts there.
 */
static ALWAYS_INLINE _Atomic uint16_t *
slab_entry_at(struct extent *slab, const struct slab_geometry *g,
    const void *object)
{
	size_t offset = (size_t)((const char *)object - slab->addr);
	unsigned region = slab_region_index(g, offset);

	if (unlikely(region >= g->nregions ||
		region * (size_t)g->region_size != offset))
		return NULL;
	return &(*ledger_slot(slab))->entry[region];
}

static inline _Atomic uint16_t *
slab_entry(struct extent *slab, const void *object)
{
	return slab_entry_at(slab, &size_class_tables.slab[slab->size_class],
	    object);
}

/*
 * The program frees the region. SLAB_GIVEN: the program had requested *size
 * bytes; the entry is LEDGER_BUSY now.
 */
enum slab_give slab_hand_in(struct extent *slab, const void *object,
    size_t *size);

/* Does the program have the region? If so, *size is what it requested. */
enum slab_give slab_probe_handed(struct extent *slab, const void *object,
    size_t *size);

void slab_check(const struct extent *slab);

#endif
