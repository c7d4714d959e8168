#include "huge/pageslab.h"

#include <assert.h>
#include <string.h>

#include "util/bits.h"

#define WORD_BITS 64u

static unsigned
nwords(unsigned npages)
{
	return (npages + WORD_BITS - 1) / WORD_BITS;
}

size_t
pageslab_size(unsigned npages)
{
	return sizeof(struct pageslab) + 2 * nwords(npages) * sizeof(uint64_t);
}

/* The bits of word `w` that belong to the run. */
static uint64_t
mask_of(struct pageslab_run run, unsigned w)
{
	unsigned start = w * WORD_BITS, end = start + WORD_BITS;
	unsigned low = run.at > start ? run.at - start : 0;
	unsigned high = run.at + run.count < end ? end - run.at - run.count : 0;

	return ~(uint64_t)0 >> high & ~(uint64_t)0 << low;
}

static unsigned
first_word(struct pageslab_run run)
{
	return run.at / WORD_BITS;
}

static unsigned
last_word(struct pageslab_run run)
{
	return (run.at + run.count - 1) / WORD_BITS;
}

/* The first bit at or above `from` that is `value`, or `npages`. */
static unsigned
next_bit(const uint64_t *bits, unsigned npages, unsigned from, bool value)
{
	while (from < npages) {
		uint64_t word = bits[from / WORD_BITS];

		word = (value ? word : ~word) >> from % WORD_BITS;
		if (word != 0) {
			from += lowest_bit(word);
			return from < npages ? from : npages;
		}
		from = (from / WORD_BITS + 1) * WORD_BITS;
	}
	return npages;
}

/* The next free run at or above `from`; false: there is none. */
static bool
next_free(const struct pageslab *slab, unsigned from, struct pageslab_run *run)
{
	run->at = next_bit(slab->active, slab->npages, from, false);
	run->count = next_bit(slab->active, slab->npages, run->at, true) -
	    run->at;
	return run->count != 0;
}

static unsigned
longest_run(const struct pageslab *slab)
{
	struct pageslab_run run = { 0, 0 };
	unsigned longest = 0;

	while (next_free(slab, run.at + run.count, &run))
		if (run.count > longest)
			longest = run.count;
	return longest;
}

/* All pages have memory and contents. */
static void
touch_all(struct pageslab *slab)
{
	struct pageslab_run all = { 0, slab->npages };

	for (unsigned w = 0; w <= last_word(all); w++)
		slab->touched[w] = mask_of(all, w);
	slab->ntouched = slab->npages;
	slab->nidle = slab->npages - slab->nactive;
}

void
pageslab_init(struct pageslab *slab, unsigned npages, bool touched)
{
	memset(slab, 0, pageslab_size(npages));
	slab->touched = slab->active + nwords(npages);
	slab->npages = slab->longest = npages;
	list_init(&slab->all);
	list_init(&slab->hugify.node);
	list_init(&slab->purge.node);
	if (touched)
		touch_all(slab);
}

unsigned
pageslab_find(const struct pageslab *slab, unsigned count)
{
	struct pageslab_run run = { 0, 0 };

	while (next_free(slab, run.at + run.count, &run))
		if (run.count >= count)
			return run.at;
	return PAGESLAB_NONE;
}

bool
pageslab_is_free(const struct pageslab *slab, struct pageslab_run run)
{
	return run.at + run.count <= slab->npages &&
	    next_bit(slab->active, slab->npages, run.at, true) >=
	    run.at + run.count;
}

static unsigned
count_of(uint64_t word)
{
	return (unsigned)__builtin_popcountll(word);
}

bool
pageslab_use(struct pageslab *slab, struct pageslab_run run)
{
	unsigned known = 0;

	assert(pageslab_is_free(slab, run));
	for (unsigned w = first_word(run); w <= last_word(run); w++) {
		uint64_t mask = mask_of(run, w);

		known += count_of(slab->touched[w] & mask);
		slab->active[w] |= mask;
		slab->touched[w] |= mask;
	}
	slab->nactive += run.count;
	slab->ntouched += run.count - known;
	slab->nidle -= known;
	slab->longest = longest_run(slab);
	return known == 0;
}

void
pageslab_free(struct pageslab *slab, struct pageslab_run run)
{
	for (unsigned w = first_word(run); w <= last_word(run); w++) {
		assert((~slab->active[w] & mask_of(run, w)) == 0);
		slab->active[w] &= ~mask_of(run, w);
	}
	slab->nactive -= run.count;
	slab->nidle += run.count;
	slab->longest = longest_run(slab);
}

unsigned
pageslab_ndirty(const struct pageslab *slab)
{
	return slab->huge && slab->ntouched != 0 ? slab->npages - slab->nactive
						 : slab->nidle;
}

bool
pageslab_next_dirty(const struct pageslab *slab, unsigned from,
    struct pageslab_run *run)
{
	struct pageslab_run idle = { 0, from };
	unsigned first, next;

	if (pageslab_ndirty(slab) == 0)
		return false;
	while (next_free(slab, idle.at + idle.count, &idle)) {
		unsigned end = idle.at + idle.count;

		*run = idle;
		if (slab->huge)
			return true;
		first = next_bit(slab->touched, end, idle.at, true);
		if (first == end)
			continue;
		run->at = first;
		for (next = first; next < end;
		     next = next_bit(slab->touched, end, next, true)) {
			next = next_bit(slab->touched, end, next, false);
			run->count = next - run->at;
		}
		return true;
	}
	return false;
}

void
pageslab_clean(struct pageslab *slab, struct pageslab_run run)
{
	for (unsigned w = first_word(run); w <= last_word(run); w++) {
		uint64_t gone = mask_of(run, w) & slab->touched[w] &
		    ~slab->active[w];

		slab->touched[w] &= ~gone;
		slab->ntouched -= count_of(gone);
		slab->nidle -= count_of(gone);
	}
}

void
pageslab_break(struct pageslab *slab)
{
	slab->huge = false;
	if (slab->ntouched != 0)
		touch_all(slab);
}

void
pageslab_check(const struct pageslab *slab)
{
	unsigned nactive = 0, ntouched = 0, nidle = 0;

	for (unsigned w = 0; w < nwords(slab->npages); w++) {
		nactive += count_of(slab->active[w]);
		ntouched += count_of(slab->touched[w]);
		nidle += count_of(slab->touched[w] & ~slab->active[w]);
		assert((slab->active[w] & ~slab->touched[w]) == 0);
	}
	assert(nactive == slab->nactive && ntouched == slab->ntouched);
	assert(nidle == slab->nidle && longest_run(slab) == slab->longest);
	(void)nactive, (void)ntouched, (void)nidle;
}
