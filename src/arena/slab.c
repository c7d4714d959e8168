#include "arena/slab.h"

#include <string.h>

#include "conf/options.h"
#include "os/system.h"

void
slab_init(struct extent *slab, unsigned size_class)
{
	unsigned n = size_class_tables.slab[size_class].nregions;
	uint64_t *words = extent_words(slab);

	slab->is_slab = true;
	SET_RELAXED(slab->size_class, (uint8_t)size_class);
	slab->listed = false;
	slab->nfree = (uint16_t)n;
	slab->hint = 0;
	memset(words, 0xff, n / 64 * 8);
	if (n % 64 != 0)
		words[n / 64] = ((uint64_t)1 << (n % 64)) - 1;
}

/* The entry of a region, its value, and the size if the program has it. */
static enum slab_give
find_live(struct extent *slab, const void *object, _Atomic uint16_t **entry,
    uint16_t *value, size_t *size)
{
	*entry = slab_entry(slab, object);
	if (unlikely(*entry == NULL))
		return SLAB_MISALIGNED;
	*value = atomic_load_explicit(*entry, memory_order_relaxed);
	if (unlikely(!ledger_is_live(*value)))
		return SLAB_ALREADY_FREE;
	*size = ledger_size(*value);
	return SLAB_GIVEN;
}

enum slab_give
slab_hand_in(struct extent *slab, const void *object, size_t *size)
{
	_Atomic uint16_t *entry;
	uint16_t value;
	enum slab_give state = find_live(slab, object, &entry, &value, size);

	if (unlikely(state != SLAB_GIVEN))
		return state;
	return ledger_claim(entry, value, false) ? SLAB_GIVEN
						 : SLAB_ALREADY_FREE;
}

enum slab_give
slab_probe_handed(struct extent *slab, const void *object, size_t *size)
{
	_Atomic uint16_t *entry;
	uint16_t value;

	return find_live(slab, object, &entry, &value, size);
}

/* A number below `n` that the program can't predict. */
static unsigned
random_below(struct ledger *ledger, unsigned n)
{
	uint64_t x = ledger->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	ledger->random = x;
	return (unsigned)((x * UINT64_C(0x2545f4914f6cdd1d) >> 32) * n >> 32);
}

/* For opt.random_slots: takes the first free region behind a random place. */
static void
take_anywhere(struct extent *slab, void **objects, unsigned want)
{
	const struct slab_geometry *g =
	    &size_class_tables.slab[slab->size_class];
	uint64_t *words = extent_words(slab);
	unsigned nwords = (g->nregions + 63) / 64;

	for (unsigned got = 0; got < want; got++) {
		unsigned region = random_below(*ledger_slot(slab), g->nregions);
		unsigned w = region / 64;
		uint64_t word = words[w] & ~UINT64_C(0) << region % 64;

		while (word == 0) {
			w = w + 1 == nwords ? 0 : w + 1;
			word = words[w];
		}
		region = w * 64 + lowest_bit(word);
		words[w] &= ~(word & -word);
		objects[got] = slab->addr + region * (size_t)g->region_size;
	}
}

/* Takes the regions at the lowest addresses. */
static void
take_lowest(struct extent *slab, void **objects, unsigned want)
{
	size_t region_size = small_class_size(slab->size_class);
	unsigned w = slab->hint, got = 0;
	uint64_t *words = extent_words(slab);

	while (got < want) {
		uint64_t word = words[w];
		char *base = slab->addr + (size_t)w * 64 * region_size;

		if (word == ~UINT64_C(0) && want - got >= 64) {
			/* All of them: no bit has to be looked for. */
			for (unsigned i = 0; i < 64; i++, base += region_size)
				objects[got++] = base;
			word = 0;
		}
		while (word != 0 && got < want) {
			objects[got++] = base + lowest_bit(word) * region_size;
			word &= word - 1;
		}
		words[w] = word;
		if (word == 0)
			w++;
	}
	slab->hint = (uint16_t)w;
}

unsigned
slab_take(struct extent *slab, void **objects, unsigned count)
{
	unsigned want = count < slab->nfree ? count : slab->nfree;

	if (unlikely(opt.random_slots))
		take_anywhere(slab, objects, want);
	else
		take_lowest(slab, objects, want);
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

	if ((size_t)region * g->region_size != offset || region >= g->nregions)
		return SLAB_MISALIGNED;
	if ((extent_words((struct extent *)(uintptr_t)slab)[region / 64] >>
		    (region % 64) &
		1) != 0)
		return SLAB_ALREADY_FREE;
	return SLAB_GIVEN;
}

/* No free region belongs to the program. */
static void
check_ledger(const struct extent *slab, unsigned n)
{
	for (unsigned i = 0; BUILD_DEBUG && opt.checked && i < n; i++) {
		const char *object = slab->addr +
		    i * small_class_size(slab->size_class);
		uint16_t entry = atomic_load_explicit(
		    slab_entry((struct extent *)(uintptr_t)slab, object),
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
