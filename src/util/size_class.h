/*
 * size_class: request size <-> size class; slab geometry; cache bins.
 *
 * Owns:       the tables of the small classes, filled once by init.
 * Invariants: the sizes of classes rise strictly. Small classes are below 4
 *             units of 4 KiB, whatever the kernel's page size is, so that a
 *             binary behaves the same everywhere. A slab holds at most
 *             slab_regions_max() regions.
 * Locking:    none; read only after init.
 *
 * A thread caches objects by cache bin. There is one bin for each small class,
 * then one for each number of units up to CACHED_MAX. So a cached large object
 * has exactly the usable size that its request is rounded up to.
 */
#ifndef UTIL_SIZE_CLASS_H
#define UTIL_SIZE_CLASS_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "util/bits.h"
#include "util/build.h"
#include "util/compiler.h"

/* The unit of page counts in size classes and in the page map. */
#define LG_UNIT 12
#define UNIT    ((size_t)1 << LG_UNIT)

#define LG_QUANTUM        BUILD_LG_QUANTUM
#define QUANTUM           ((size_t)1 << LG_QUANTUM)
#define SMALL_CLASSES     (LG_QUANTUM == 4 ? 36u : 39u)
#define SMALL_CLASSES_MAX 39
#define SMALL_MAX         ((size_t)14336)
#define LARGE_MIN         (4 * UNIT)
/* Each doubling of the size has four classes. */
#define SIZE_CLASSES \
	((LG_QUANTUM == 4 ? 232u : 235u) - 4 * (64 - BUILD_ADDRESS_BITS))
/*
 * 7/8 of what a ptrdiff_t can say: the largest request that is possible. This
 * is 0x7000000000000000, or 0x70000000 where an address has 32 bits.
 */
#define LARGE_MAXCLASS ((size_t)7 << (BUILD_ADDRESS_BITS - 4))

/*
 * The most regions of a slab on 4 KiB pages: a page full of regions of 8 bytes.
 */
#define SLAB_REGIONS_MAX 512
/* The same on larger pages: a slab is at least a page, and should be full. */
#define SLAB_REGIONS_LIMIT 4096

/* Cached large objects: 4 to 64 units. */
#define CACHED_UNITS_MAX 64
#define CACHED_UNITS_MIN 4
#define CACHED_MAX       (CACHED_UNITS_MAX * UNIT)
#define CACHE_BINS_LARGE (CACHED_UNITS_MAX - CACHED_UNITS_MIN + 1)
#define CACHE_BINS       (SMALL_CLASSES + CACHE_BINS_LARGE)
#define CACHE_BINS_MAX   (SMALL_CLASSES_MAX + CACHE_BINS_LARGE)

/*
 * The table up to this size has steps of 8 bytes, the table above steps of 256.
 */
#define CLASS_FINE_MAX   1024
#define CLASS_FINE_LEN   (CLASS_FINE_MAX / 8 + 1)
#define CLASS_COARSE_LEN (14336 / 256 + 1)

struct slab_geometry {
	uint32_t region_size; /* bytes */
	uint32_t slab_size;   /* bytes */
	uint32_t nregions;
	uint32_t reciprocal; /* offset * this >> 32 = offset / region_size */
};

struct size_class_tables {
	struct slab_geometry slab[SMALL_CLASSES_MAX];
	uint8_t fine[CLASS_FINE_LEN];
	uint8_t coarse[CLASS_COARSE_LEN];
};

extern HIDDEN struct size_class_tables size_class_tables;

/**
 * Fills the tables.
 * @param page_size    the kernel's page size in bytes; slabs are multiples
 * @param slab_units   for each small class the wanted slab size in units of
 *                     4 KiB, 0 for the default; NULL: all defaults
 */
void size_class_init(size_t page_size, const uint16_t *slab_units);

/* The most regions of a slab, if the kernel's pages have this size. */
static inline unsigned
slab_regions_max(size_t page_size)
{
	return (unsigned)min_size(max_size(page_size / 16, SLAB_REGIONS_MAX),
	    SLAB_REGIONS_LIMIT);
}

/* Size in bytes of class `index` < SIZE_CLASSES. */
size_t size_class_size(unsigned index);

/* The smallest class that holds `size` <= LARGE_MAXCLASS bytes. */
unsigned size_class_of(size_t size);

/* The largest class whose size does not exceed `size`; size >= 8. */
unsigned size_class_floor(size_t size);

/* The small class for size <= SMALL_MAX. */
static inline unsigned
small_class_of(size_t size)
{
	assert(size <= SMALL_MAX);
	if (likely(size <= CLASS_FINE_MAX))
		return size_class_tables.fine[(size + 7) >> 3];
	return size_class_tables.coarse[(size + 255) >> 8];
}

static inline size_t
small_class_size(unsigned size_class)
{
	return size_class_tables.slab[size_class].region_size;
}

/*
 * offset / region size. This is exact at the start of a region, and everywhere
 * in a slab of default size. In a larger slab the last bytes of a region may
 * give the index of the next one.
 */
static inline unsigned
slab_region_index(const struct slab_geometry *g, size_t offset)
{
	return (unsigned)(((uint64_t)offset * g->reciprocal) >> 32);
}

/* The cache bin of a large object of `usable` bytes <= CACHED_MAX. */
static inline unsigned
cache_bin_of_large(size_t usable)
{
	return SMALL_CLASSES + (unsigned)(usable >> LG_UNIT) - CACHED_UNITS_MIN;
}

/* The usable size in bytes of the objects in a cache bin. */
static inline size_t
cache_bin_usable(unsigned bin)
{
	if (bin < SMALL_CLASSES)
		return small_class_size(bin);
	return (size_t)(bin - SMALL_CLASSES + CACHED_UNITS_MIN) << LG_UNIT;
}

#endif
