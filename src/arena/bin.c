#include "arena/bin.h"

#include "arena/slab.h"
#include "extent/page_source.h"
#include "extent/pagemap.h"
#include "os/system.h"

static bool
slab_before(const struct tree_node *a, const struct tree_node *b)
{
	return container_of(a, struct extent, node)->addr <
	    container_of(b, struct extent, node)->addr;
}

void
bin_init(struct bin *bin)
{
	*bin = (struct bin){ .current = NULL };
	lock_init(&bin->lock, LOCK_BIN);
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

static struct extent *
slab_create(struct page_source *pages, unsigned size_class)
{
	size_t size = size_class_tables.slab[size_class].slab_size;
	struct extent *slab = page_source_take(pages, size,
	    system_info.page_size);

	if (slab == NULL)
		return NULL;
	slab_init(slab, size_class);
	pagemap_set_all(slab, kind_of_bin(size_class));
	return slab;
}

/* The next slab to hand out from becomes current; false: there is none. */
static bool
choose_current_locked(struct bin *bin)
{
	struct tree_node *node = tree_first(bin->nonfull);

	if (node == NULL) {
		bin->current = NULL;
		return false;
	}
	bin->current = container_of(node, struct extent, node);
	unlist_locked(bin, bin->current);
	bin->stats.nreslabs++;
	return true;
}

static unsigned
take_locked(struct bin *bin, void **objects, unsigned count)
{
	unsigned got = 0;

	LOCK_ASSERT_HELD(&bin->lock);
	for (;;) {
		if (bin->current != NULL)
			got += slab_take(bin->current, objects + got,
			    count - got);
		if (got == count || !choose_current_locked(bin))
			return got;
	}
}

unsigned
bin_take(struct bin *bin, struct page_source *pages, unsigned size_class,
    void **objects, unsigned count)
{
	unsigned got;

	lock_acquire(&bin->lock);
	got = take_locked(bin, objects, count);
	while (got < count) {
		struct extent *slab;

		lock_release(&bin->lock);
		slab = slab_create(pages, size_class);
		lock_acquire(&bin->lock);
		if (slab == NULL)
			break;
		bin->stats.nslabs++;
		bin->stats.curslabs++;
		list_locked(bin, slab);
		got += take_locked(bin, objects + got, count - got);
	}
	bin->stats.nmalloc += got;
	bin->stats.nfills++;
	lock_release(&bin->lock);
	return got;
}

/*
 * After a region of `slab` became free: keeps the lists true.
 * @return  true if the slab is empty, unlisted, and to be destroyed
 */
static bool
slab_gained_locked(struct bin *bin, struct extent *slab)
{
	if (slab == bin->current)
		return false;
	if (slab->nfree == size_class_tables.slab[slab->size_class].nregions) {
		if (slab->listed)
			unlist_locked(bin, slab);
		bin->stats.curslabs--;
		return true;
	}
	if (!slab->listed) {
		list_locked(bin, slab);
		/* Lowest address first, for the current slab too. */
		if (bin->current != NULL &&
		    slab->addr < bin->current->addr) {
			struct extent *old = bin->current;

			unlist_locked(bin, slab);
			bin->current = slab;
			if (old->nfree != 0)
				list_locked(bin, old);
			bin->stats.nreslabs++;
		}
	}
	return false;
}

/*
 * The old current slab may have become empty unnoticed. One such slab per bin
 * is kept on purpose: a class that comes and goes does not touch the pages.
 */
unsigned
bin_give(struct bin *bin, struct page_source *pages, unsigned size_class,
    void **objects, unsigned count, struct bin_fault *faults,
    unsigned *nfaults)
{
	uint16_t kind = kind_of_bin(size_class);
	struct extent *empty = NULL;
	unsigned left = 0, given = 0;

	*nfaults = 0;
	lock_acquire(&bin->lock);
	for (unsigned i = 0; i < count; i++) {
		struct extent *slab = pagemap_find(objects[i]);
		enum slab_give result;

		/* The kind was right when it was cached; the slab may be gone. */
		if (unlikely(pagemap_kind(objects[i]) != kind || slab == NULL)) {
			faults[(*nfaults)++] = (struct bin_fault){
				objects[i], true };
			continue;
		}
		if (extent_arena(slab) != pages->arena_index) {
			objects[left++] = objects[i];
			continue;
		}
		result = slab_give(slab, objects[i]);
		if (unlikely(result != SLAB_GIVEN)) {
			faults[(*nfaults)++] = (struct bin_fault){
				objects[i], result == SLAB_ALREADY_FREE };
			continue;
		}
		given++;
		if (slab_gained_locked(bin, slab)) {
			/* Out of reach at once, or a double free finds it. */
			slab->is_slab = false;
			pagemap_clear_all(slab);
			slab->next = empty;
			empty = slab;
		}
	}
	bin->stats.ndalloc += given;
	bin->stats.nflushes++;
	lock_release(&bin->lock);
	while (empty != NULL) {
		struct extent *next = empty->next;

		page_source_give(pages, empty);
		empty = next;
	}
	return left;
}

struct bin_usage
bin_usage(struct bin *bin, unsigned size_class)
{
	struct bin_usage usage;

	lock_acquire(&bin->lock);
	usage.used = bin->stats.nmalloc - bin->stats.ndalloc;
	usage.free = bin->stats.curslabs *
	    size_class_tables.slab[size_class].nregions - usage.used;
	lock_release(&bin->lock);
	return usage;
}

void
bin_check(struct bin *bin)
{
	lock_acquire(&bin->lock);
	if (bin->current != NULL) {
		assert(!bin->current->listed);
		slab_check(bin->current);
	}
	lock_release(&bin->lock);
}
