#include "arena/slab.h"

#include <string.h>

#include "arena/ledger.h"
#include "conf/options.h"
#include "os/system.h"

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
}

/* The entry of the region at `object`; NULL: no region starts there. */
static _Atomic uint16_t *
entry_at(struct extent *slab, const void *object)
{
	const struct slab_geometry *g =
	    &size_class_tables.slab[slab->size_class];
	size_t offset = (size_t)((const char *)object - slab->addr);
	unsigned region = slab_region_index(g, offset);

	if (unlikely(region >= g->nregions ||
	    region * (size_t)g->region_size != offset))
		return NULL;
	return &(*ledger_slot(slab))->entry[region];
}

bool
slab_hand_out(struct extent *slab, const void *object, size_t size)
{
	_Atomic uint16_t *entry = entry_at(slab, object);
	uint16_t old;

	assert(entry != NULL && size <= SMALL_MAX);
	old = atomic_load_explicit(entry, memory_order_relaxed);
	atomic_store_explicit(entry, (uint16_t)(size + 1),
	    memory_order_relaxed);
	return old != LEDGER_NEW;
}

enum slab_give
slab_hand_in(struct extent *slab, const void *object, size_t *size)
{
	_Atomic uint16_t *entry = entry_at(slab, object);
	uint16_t old;

	if (unlikely(entry == NULL))
		return SLAB_MISALIGNED;
	old = atomic_load_explicit(entry, memory_order_relaxed);
	/* If two threads free it, one of them wins. */
	if (unlikely(!ledger_is_live(old) ||
	    !atomic_compare_exchange_strong_explicit(entry, &old,
	    LEDGER_FREED, memory_order_relaxed, memory_order_relaxed)))
		return SLAB_ALREADY_FREE;
	*size = old - 1u;
	return SLAB_GIVEN;
}

enum slab_give
slab_probe_handed(struct extent *slab, const void *object, size_t *size)
{
	_Atomic uint16_t *entry = entry_at(slab, object);
	uint16_t is;

	if (unlikely(entry == NULL))
		return SLAB_MISALIGNED;
	is = atomic_load_explicit(entry, memory_order_relaxed);
	if (!ledger_is_live(is))
		return SLAB_ALREADY_FREE;
	*size = is - 1u;
	return SLAB_GIVEN;
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

/* The program has nothing that is free. */
static void
check_ledger(const struct extent *slab, unsigned n)
{
	for (unsigned i = 0; BUILD_DEBUG && opt.checked && i < n; i++) {
		const char *object = slab->addr +
		    i * small_class_size(slab->size_class);
		uint16_t entry = atomic_load_explicit(entry_at(
		    (struct extent *)(uintptr_t)slab, object),
		    memory_order_relaxed);

		assert(slab_probe(slab, object) == SLAB_GIVEN ||
		    !ledger_is_live(entry));
		(void)entry;
	}
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
	}
	(void)words;
	check_ledger(slab, n);
	assert(slab->is_slab && extent_state(slab) == EXTENT_ACTIVE);
	assert(count == slab->nfree);
	(void)count;
}
