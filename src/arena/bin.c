#include "arena/bin.h"

#include <string.h>

#include "arena/ledger.h"
#include "arena/slab.h"
#include "conf/options.h"
#include "extent/limit.h"
#include "extent/pagemap.h"
#include "os/system.h"
#include "pages/page_source.h"

/*
 * Bytes of empty slabs that a bin keeps, but one in any case, and that all bins
 * of an arena keep. Consumers come in bursts, so this is some batches of them.
 */
#define KEPT_IN_BIN   ((size_t)64 << 10)
#define KEPT_IN_ARENA ((size_t)1 << 20)

static bool
slab_before(const struct tree_node *a, const struct tree_node *b)
{
	return container_of(a, struct extent, node)->addr <
	    container_of(b, struct extent, node)->addr;
}

AT_START void
bin_init(struct bin *bin, unsigned shard, bool samples)
{
	/* No zero is stored: so most bins are in pages that nobody touches. */
	if (shard != 0)
		bin->shard = (uint8_t)shard;
	if (samples)
		bin->samples = true;
	lock_init_zeroed(&bin->lock, LOCK_BIN);
}

static void
list_locked(struct bin *bin, struct extent *slab)
{
	tree_insert(&bin->nonfull, &slab->node, slab_before);
	slab->listed = true;
	bin->stats.nonfull++;
}

static void
unlist_locked(struct bin *bin, struct extent *slab)
{
	tree_remove(&bin->nonfull, &slab->node, slab_before);
	slab->listed = false;
	bin->stats.nonfull--;
}

static uint16_t
kind_of_slab(const struct bin *bin, unsigned size_class)
{
	if (unlikely(bin->samples))
		return KIND_SAMPLE;
	return opt.checked ? KIND_CHECKED : kind_of_bin(size_class);
}

/* A new slab, to which the page map leads; NULL: no memory. */
static struct extent *
slab_begin(const struct bin *bin, struct page_source *pages,
    unsigned size_class)
{
	struct extent *slab = page_source_take(pages,
	    size_class_tables.slab[size_class].slab_size,
	    system_info.page_size);

	if (slab == NULL)
		return NULL;
	if (!ledger_begin(slab, size_class)) {
		slab->is_slab = false;
		page_source_give(pages, slab);
		return NULL;
	}
	slab_init(slab, size_class);
	SET_RELAXED(slab->shard, bin->shard);
	pagemap_set_all(slab, kind_of_slab(bin, size_class));
	return slab;
}

static void
count_kept(struct page_source *pages, size_t more)
{
	atomic_fetch_add_explicit(&pages->kept, more, memory_order_relaxed);
}

/* May the bin keep one more slab of `size` bytes? */
static bool
may_keep(const struct bin *bin, const struct page_source *pages, size_t size)
{
	return (bin->nkept + 1) * size <= max_size(KEPT_IN_BIN, size) &&
	    atomic_load_explicit(&pages->kept, memory_order_relaxed) <
	    KEPT_IN_ARENA &&
	    !bin->samples && !opt.checked && pools_stay_ns(pages, 0) != 0 &&
	    !limit_is_exceeded();
}

/*
 * Keeps an empty slab that is not listed. False: there are enough, or unused
 * pages are to go at once, as they do above the hard limit.
 */
static bool
keep_locked(struct bin *bin, struct page_source *pages, struct extent *slab)
{
	if (!may_keep(bin, pages, slab->size))
		return false;
	slab->node.left = bin->kept;
	bin->kept = &slab->node;
	ADD_RELAXED(bin->nkept, 1);
	bin->stats.nonfull++;
	count_kept(pages, slab->size);
	return true;
}

static struct extent *
take_kept_locked(struct bin *bin, struct page_source *pages)
{
	struct extent *slab = container_of(bin->kept, struct extent, node);

	bin->kept = slab->node.left;
	ADD_RELAXED(bin->nkept, -1);
	if (bin->nidle > bin->nkept)
		bin->nidle = bin->nkept;
	bin->stats.nonfull--;
	count_kept(pages, -slab->size);
	return slab;
}

/* Makes a slab with a free region the current one; false: there is none. */
static bool
choose_current_locked(struct bin *bin, struct page_source *pages)
{
	struct tree_node *node = tree_first(bin->nonfull);

	if (node != NULL) {
		bin->current = container_of(node, struct extent, node);
		unlist_locked(bin, bin->current);
	} else if (bin->kept != NULL) {
		bin->current = take_kept_locked(bin, pages);
	} else {
		bin->current = NULL;
		return false;
	}
	bin->stats.nreslabs++;
	return true;
}

static unsigned
take_locked(struct bin *bin, struct page_source *pages, void **objects,
    unsigned count)
{
	unsigned got = 0;

	LOCK_ASSERT_HELD(&bin->lock);
	for (;;) {
		if (bin->current != NULL)
			got += slab_take(bin->current, objects + got,
			    count - got);
		if (got == count || !choose_current_locked(bin, pages))
			return got;
	}
}

static void
slab_end(struct extent *slab)
{
	/*
	 * This comes before the pages go back, or a double free could find the
	 * slab.
	 */
	slab->is_slab = false;
	pagemap_clear_all(slab);
}

/* Gives back the pages of a slab that nobody can find any more. */
static void
slab_release(struct extent *slab, struct page_source *pages)
{
	ledger_end(slab);
	page_source_give(pages, slab);
}

unsigned
bin_take(struct bin *bin, struct page_source *pages, unsigned size_class,
    const struct bin_batch *batch)
{
	void **objects = batch->objects;
	unsigned count = batch->count, got;
	struct extent *slab = NULL;

	lock_acquire(&bin->lock);
	got = take_locked(bin, pages, objects, count);
	while (got < count) {
		lock_release(&bin->lock);
		slab = slab_begin(bin, pages, size_class);
		lock_acquire(&bin->lock);
		/* Other threads may have added slabs, so look again first. */
		got += take_locked(bin, pages, objects + got, count - got);
		if (slab == NULL || got == count)
			break;
		bin->stats.nslabs++;
		bin->stats.curslabs++;
		list_locked(bin, slab);
		slab = NULL;
		got += take_locked(bin, pages, objects + got, count - got);
	}
	ADD_RELAXED(bin->stats.nmalloc, got);
	bin->stats.nfills += batch->cache;
	if (unlikely(slab != NULL))
		slab_end(slab);
	lock_release(&bin->lock);
	if (unlikely(slab != NULL))
		slab_release(slab, pages);
	return got;
}

/* Takes an empty slab, which is neither listed nor kept, out of the bin. */
static struct extent *
detach_locked(struct bin *bin, struct extent *slab)
{
	bin->stats.curslabs--;
	slab_end(slab);
	return slab;
}

/* Keeps an empty slab, which is not listed, or takes it out of the bin. */
static struct extent *
retire_locked(struct bin *bin, struct page_source *pages, struct extent *slab)
{
	return keep_locked(bin, pages, slab) ? NULL : detach_locked(bin, slab);
}

/*
 * Makes `slab` the current one. It is at a lower address and has room now. Low
 * addresses are used first, so that slabs at high addresses become empty.
 * @return  the old current slab if it has left the bin, or NULL
 */
static struct extent *
make_current_locked(struct bin *bin, struct page_source *pages,
    struct extent *slab, unsigned nregions)
{
	struct extent *old = bin->current;

	bin->current = slab;
	bin->stats.nreslabs++;
	if (old->nfree == nregions)
		return retire_locked(bin, pages, old);
	if (old->nfree != 0)
		list_locked(bin, old);
	return NULL;
}

/*
 * Updates the lists after `slab`, which is not current, has got its first free
 * region, or its last one and is empty.
 * @return  a slab that has left the bin and has to be given back, or NULL
 */
static struct extent *
slab_gained_locked(struct bin *bin, struct page_source *pages,
    struct extent *slab, unsigned nregions)
{
	if (slab->nfree == nregions) {
		if (slab->listed)
			unlist_locked(bin, slab);
		return retire_locked(bin, pages, slab);
	}
	if (bin->current != NULL && slab->addr < bin->current->addr)
		return make_current_locked(bin, pages, slab, nregions);
	list_locked(bin, slab);
	return NULL;
}

static void
refuse(struct bin_batch *batch, const void *object, bool double_free)
{
	batch->faults[batch->nfaults++] = (struct bin_fault){ object,
		double_free };
}

static bool
belongs(const struct bin *bin, const struct extent *slab, unsigned arena_index)
{
	return extent_arena(slab) == arena_index && slab->shard == bin->shard;
}

/*
 * Gives back the objects from batch->objects[i] on, as far as they are in
 * `slab`: neighbours in a batch often are. Returns the index of the next one.
 */
static unsigned
give_run_locked(struct extent *slab, const struct slab_geometry *g,
    struct bin_batch *batch, unsigned i, unsigned count)
{
	/* Copies, so that the compiler need not read them again and again. */
	const struct slab_geometry geometry = *g;
	struct slab_run run = slab_run_begin(slab);
	void *const *objects = batch->objects;
	const char *base = slab->addr;
	size_t size = slab->size;

	for (; i < count; i++) {
		const char *object = objects[i];
		size_t offset = (size_t)(object - base);
		enum slab_give result;

		if (offset >= size)
			break;
		result = slab_run_give(&run, &geometry, offset);
		if (unlikely(result != SLAB_GIVEN))
			refuse(batch, object, result == SLAB_ALREADY_FREE);
	}
	slab_run_end(&run, slab);
	return i;
}

/*
 * Gives back the objects that belong to this bin, and leaves the others in the
 * batch.
 * @return  the slabs that have left the bin, linked by `next`
 *
 * The current slab stays even if it is empty: a program that takes and frees
 * one object in a loop should not take and give pages each time.
 */
static struct extent *
give_locked(struct bin *bin, struct page_source *pages, unsigned size_class,
    struct bin_batch *batch)
{
	const struct slab_geometry g = size_class_tables.slab[size_class];
	unsigned count = batch->count, given = 0, i = 0;
	struct extent *empty = NULL, *gone;

	LOCK_ASSERT_HELD(&bin->lock);
	batch->count = 0;
	while (i < count) {
		char *object = batch->objects[i];
		struct extent *slab = bin_slab_around(object, size_class);
		unsigned before;

		if (unlikely(slab == NULL)) {
			refuse(batch, object, true);
			i++;
			continue;
		}
		if (!belongs(bin, slab, pages->arena_index)) {
			batch->objects[batch->count++] = object;
			i++;
			continue;
		}
		before = slab->nfree;
		i = give_run_locked(slab, &g, batch, i, count);
		given += slab->nfree - before;
		if (slab == bin->current || slab->nfree == before ||
		    (before != 0 && slab->nfree != g.nregions))
			continue;
		gone = slab_gained_locked(bin, pages, slab, g.nregions);
		if (gone != NULL) {
			gone->next = empty;
			empty = gone;
		}
	}
	ADD_RELAXED(bin->stats.ndalloc, given);
	bin->stats.nflushes += batch->cache;
	return empty;
}

static void
release_chain(struct extent *empty, struct page_source *pages)
{
	while (empty != NULL) {
		struct extent *next = empty->next;

		slab_release(empty, pages);
		empty = next;
	}
}

void
bin_give(struct bin *bin, struct page_source *pages, unsigned size_class,
    struct bin_batch *batch)
{
	struct extent *empty;

	batch->nfaults = 0;
	lock_acquire(&bin->lock);
	empty = give_locked(bin, pages, size_class, batch);
	lock_release(&bin->lock);
	release_chain(empty, pages);
}

/* --- kept slabs ----------------------------------------------------------- */

/* Takes the `count` slabs out of the bin that have been kept for longest. */
static struct extent *
shed_locked(struct bin *bin, struct page_source *pages, unsigned count)
{
	struct tree_node **place = &bin->kept, *node, *next;
	struct extent *chain = NULL;

	for (unsigned i = bin->nkept; i > count; i--)
		place = &(*place)->left;
	node = *place;
	*place = NULL;
	for (; node != NULL; node = next) {
		struct extent *slab = container_of(node, struct extent, node);

		next = node->left;
		count_kept(pages, -slab->size);
		detach_locked(bin, slab);
		slab->next = chain;
		chain = slab;
	}
	SET_RELAXED(bin->nkept, (uint16_t)(bin->nkept - count));
	bin->stats.nonfull -= count;
	bin->nidle = bin->nkept;
	return chain;
}

void
bin_shed(struct bin *bin, struct page_source *pages, bool all)
{
	struct extent *empty;

	/* Without the lock this is a hint, which is enough for ageing. */
	if (!all && READ_RELAXED(bin->nkept) == 0)
		return;
	lock_acquire(&bin->lock);
	empty = shed_locked(bin, pages, all ? bin->nkept : bin->nidle);
	lock_release(&bin->lock);
	release_chain(empty, pages);
}

void
bin_forget(struct bin *bin, struct page_source *pages)
{
	lock_acquire(&bin->lock);
	while (bin->kept != NULL)
		take_kept_locked(bin, pages);
	bin->current = NULL;
	bin->nonfull = NULL;
	SET_RELAXED(bin->stats.ndalloc, bin->stats.nmalloc);
	bin->stats.curslabs = bin->stats.nonfull = 0;
	lock_release(&bin->lock);
}

struct bin_usage
bin_usage(struct bin *bin, unsigned size_class)
{
	struct bin_usage usage;

	lock_acquire(&bin->lock);
	usage.used = bin->stats.nmalloc - bin->stats.ndalloc;
	usage.free = bin->stats.curslabs *
		size_class_tables.slab[size_class].nregions -
	    usage.used;
	lock_release(&bin->lock);
	return usage;
}

static bool
is_still_there(const struct bin *bin, const struct bin_slab *s)
{
	return pagemap_kind(s->addr) != KIND_NONE &&
	    pagemap_find(s->addr) == s->slab &&
	    READ_RELAXED(s->slab->is_slab) &&
	    READ_RELAXED(s->slab->addr) == s->addr &&
	    extent_is_at(s->slab, EXTENT_ACTIVE, s->arena_index) &&
	    READ_RELAXED(s->slab->size_class) == s->size_class &&
	    READ_RELAXED(s->slab->shard) == bin->shard;
}

/*
 * A region with LEDGER_BUSY is being allocated, freed or resized. The program
 * may have it, so it counts as handed out.
 */
static void
copy_ledger(const struct bin_slab *s, unsigned nregions, struct bin_copy *copy)
{
	const struct ledger *ledger = *ledger_slot(s->slab);

	copy->ledger = ledger;
	for (unsigned i = 0; i < nregions; i++) {
		uint16_t entry = atomic_load_explicit(&ledger->entry[i],
		    memory_order_relaxed);

		if (entry != LEDGER_NEW && entry != LEDGER_FREED)
			copy->handed[i / 64] |= UINT64_C(1) << i % 64;
	}
}

bool
bin_copy(struct bin *bin, const struct bin_slab *s, struct bin_copy *copy)
{
	unsigned nregions = size_class_tables.slab[s->size_class].nregions;
	unsigned nwords = (nregions + 63) / 64;
	bool found;

	lock_acquire(&bin->lock);
	found = is_still_there(bin, s);
	if (found) {
		memcpy(copy->free, extent_words(s->slab), nwords * 8);
		copy->certain = bin->samples || opt.checked;
		memset(copy->handed, opt.checked ? 0 : 0xff, nwords * 8);
		if (opt.checked)
			copy_ledger(s, nregions, copy);
		/* Checks again, because a reset does not take the lock. */
		found = is_still_there(bin, s);
	}
	lock_release(&bin->lock);
	return found;
}

/* Checks the kept slabs; returns how many there are. */
static size_t
check_kept(const struct bin *bin)
{
	size_t n = 0;

	for (const struct tree_node *at = bin->kept; at; at = at->left) {
		const struct extent *slab = container_of(at, struct extent,
		    node);

		assert(!slab->listed && slab != bin->current);
		assert(slab->nfree ==
		    size_class_tables.slab[slab->size_class].nregions);
		slab_check(slab);
		n++;
	}
	assert(n == bin->nkept && bin->nidle <= bin->nkept);
	return n;
}

/* Checks the listed slabs under `node`; returns how many there are. */
static size_t
check_listed(const struct bin *bin, const struct tree_node *node)
{
	const struct extent *slab;

	if (node == NULL)
		return 0;
	slab = container_of(node, struct extent, node);
	assert(slab->listed && slab->nfree > 0 && slab != bin->current);
	slab_check(slab);
	return 1 + check_listed(bin, node->left) +
	    check_listed(bin, node->right);
}

void
bin_check(struct bin *bin)
{
	size_t nlisted;

	lock_acquire(&bin->lock);
	nlisted = check_listed(bin, bin->nonfull) + check_kept(bin);
	assert(nlisted == bin->stats.nonfull);
	(void)nlisted;
	if (bin->current != NULL) {
		assert(!bin->current->listed);
		slab_check(bin->current);
	}
	lock_release(&bin->lock);
}
