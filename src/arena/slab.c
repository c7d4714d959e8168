#include "arena/slab.h"

#include <string.h>

#include "conf/options.h"
#include "os/system.h"

/*
 * With safety:full a record goes on with a bitmap of the regions that the
 * program has: 1 = handed out. Regions in a cache are 0 in both bitmaps.
 */
static uint64_t *
handed_words(struct extent *slab)
{
	return extent_words(slab) +
	    slab_regions_max(system_info.page_size) / 64;
}

void
slab_init(struct extent *slab, unsigned size_class)
{
	unsigned n = size_class_tables.slab[size_class].nregions;
	uint64_t *words = extent_words(slab);

	slab->is_slab = true;
	slab->size_class = (uint8_t)size_class;
	slab->listed = false;
	slab->nfree = (uint16_t)n;
	slab->hint = 0;
	memset(words, 0xff, n / 64 * 8);
	if (n % 64 != 0)
		words[n / 64] = ((uint64_t)1 << (n % 64)) - 1;
	if (opt.safety == SAFETY_FULL)
		memset(handed_words(slab), 0, (n + 63) / 64 * 8);
}

/*
 * Finds the bit of the region at `object` in the second bitmap. False: no
 * region starts there.
 */
static bool
handed_bit(struct extent *slab, const void *object, uint64_t **word,
    uint64_t *bit)
{
	unsigned region;

	if (!slab_starts_region(slab, object))
		return false;
	region = slab_region_index(&size_class_tables.slab[slab->size_class],
	    (size_t)((const char *)object - slab->addr));
	*word = handed_words(slab) + region / 64;
	*bit = (uint64_t)1 << (region % 64);
	return true;
}

void
slab_hand_out(struct extent *slab, const void *object)
{
	uint64_t *word, bit;

	if (handed_bit(slab, object, &word, &bit))
		__atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
}

enum slab_give
slab_hand_in(struct extent *slab, const void *object)
{
	uint64_t *word, bit;

	if (!handed_bit(slab, object, &word, &bit))
		return SLAB_MISALIGNED;
	return (__atomic_fetch_and(word, ~bit, __ATOMIC_RELAXED) & bit) != 0 ?
	    SLAB_GIVEN : SLAB_ALREADY_FREE;
}

enum slab_give
slab_probe_handed(struct extent *slab, const void *object)
{
	uint64_t *word, bit;

	if (!handed_bit(slab, object, &word, &bit))
		return SLAB_MISALIGNED;
	return (__atomic_load_n(word, __ATOMIC_RELAXED) & bit) != 0 ?
	    SLAB_GIVEN : SLAB_ALREADY_FREE;
}

unsigned
slab_take(struct extent *slab, void **objects, unsigned count)
{
	size_t region_size = small_class_size(slab->size_class);
	unsigned want = count < slab->nfree ? count : slab->nfree;
	unsigned w = slab->hint, got = 0;
	uint64_t *words = extent_words(slab);

	while (got < want) {
		uint64_t word = words[w];
		char *base = slab->addr + (size_t)w * 64 * region_size;

		while (word != 0 && got < want) {
			objects[got++] = base + lowest_bit(word) * region_size;
			word &= word - 1;
		}
		words[w] = word;
		if (word == 0)
			w++;
	}
	slab->hint = (uint16_t)w;
	slab->nfree = (uint16_t)(slab->nfree - want);
	return want;
}

enum slab_give
slab_probe(const struct extent *slab, const void *object)
{
	const struct slab_geometry *g =
	    &size_class_tables.slab[slab->size_class];
	size_t offset = (size_t)((const char *)object - slab->addr);
	unsigned region = slab_region_index(g, offset);

	if ((size_t)region * g->region_size != offset ||
	    region >= g->nregions)
		return SLAB_MISALIGNED;
	if ((extent_words((struct extent *)(uintptr_t)slab)[region / 64] >>
	    (region % 64) & 1) != 0)
		return SLAB_ALREADY_FREE;
	return SLAB_GIVEN;
}

void
slab_check(const struct extent *slab)
{
	const uint64_t *words = extent_words((struct extent *)(uintptr_t)slab);
	unsigned n = size_class_tables.slab[slab->size_class].nregions;
	unsigned count = 0;

	for (unsigned w = 0; w < (n + 63) / 64; w++) {
		assert(w >= slab->hint || words[w] == 0);
		count += (unsigned)__builtin_popcountll(words[w]);
		/* The program has nothing that is free. */
		assert(opt.safety != SAFETY_FULL || (words[w] &
		    __atomic_load_n(handed_words((struct extent *)(uintptr_t)
		    slab) + w, __ATOMIC_RELAXED)) == 0);
	}
	(void)words;
	assert(slab->is_slab && extent_state(slab) == EXTENT_ACTIVE);
	assert(count == slab->nfree);
	(void)count;
}
