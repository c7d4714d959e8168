#include "arena/bin.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "arena/slab.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "pages/page_source.h"

#define OBJECTS_MAX 8192

static struct {
	struct fault take;
	void (*meanwhile)(void); /* called while pages are taken */
} fixture;

struct extent *__real_page_source_take(struct page_source *source, size_t size,
    size_t align);
struct extent *__wrap_page_source_take(struct page_source *source, size_t size,
    size_t align);

struct extent *
__wrap_page_source_take(struct page_source *source, size_t size, size_t align)
{
	void (*meanwhile)(void) = fixture.meanwhile;

	if (meanwhile != NULL) {
		fixture.meanwhile = NULL;
		meanwhile();
	}
	if (fixture.take.at != 0 && fault_hits(&fixture.take))
		return NULL;
	return __real_page_source_take(source, size, align);
}

struct side { /* an arena, as far as one bin sees it */
	struct page_source pages;
	struct bin bin;
	unsigned size_class;
};

static unsigned next_index;

static struct side *
side_with_decay(unsigned size_class, int64_t dirty_decay_ms)
{
	struct side *side = aligned_alloc(CACHELINE, sizeof(*side));

	assert_non_null(side);
	memset(side, 0, sizeof(*side));
	page_source_init(&side->pages, next_index++,
	    &(struct page_source_config){ .dirty_decay_ms = dirty_decay_ms,
		.muzzy_decay_ms = -1,
		.retain = true,
		.lg_max_active_fit = 6 });
	bin_init(&side->bin, 0, false);
	side->size_class = size_class;
	return side;
}

/* Empty slabs go at once. */
static struct side *
side_new(unsigned size_class)
{
	return side_with_decay(size_class, 0);
}

/* Some empty slabs are kept. */
static struct side *
side_keeping(unsigned size_class)
{
	return side_with_decay(size_class, -1);
}

static unsigned
take(struct side *side, void **objects, unsigned count)
{
	return bin_take(&side->bin, &side->pages, side->size_class,
	    &(struct bin_batch){ .objects = objects, .count = count });
}

static unsigned
give_batch(struct side *side, void **objects, unsigned count,
    struct bin_fault *faults, unsigned *nfaults)
{
	struct bin_batch batch = { .objects = objects,
		.count = count,
		.faults = faults,
		.nfaults = 1000 };

	bin_give(&side->bin, &side->pages, side->size_class, &batch);
	*nfaults = batch.nfaults;
	return batch.count;
}

/* Gives objects that all belong here. */
static void
give(struct side *side, void **objects, unsigned count)
{
	struct bin_fault faults[64];
	unsigned nfaults;

	while (count > 0) {
		unsigned n = count < 64 ? count : 64;

		assert_int_equal(give_batch(side, objects, n, faults, &nfaults),
		    0);
		assert_int_equal(nfaults, 0);
		objects += n;
		count -= n;
	}
}

static size_t
slab_size(const struct side *side)
{
	return size_class_tables.slab[side->size_class].slab_size;
}

static unsigned
regions(const struct side *side)
{
	return size_class_tables.slab[side->size_class].nregions;
}

static size_t
most_kept(const struct side *side)
{
	return max_size((size_t)64 << 10, slab_size(side));
}

/* What must hold between calls, whatever they were. */
static void
check(struct side *side, size_t nused)
{
	bin_check(&side->bin);
	page_source_check(&side->pages);
	assert_int_equal(side->pages.active,
	    side->bin.stats.curslabs * slab_size(side));
	assert_int_equal(bin_usage(&side->bin, side->size_class).used, nused);
	assert_int_equal(bin_usage(&side->bin, side->size_class).free,
	    side->bin.stats.curslabs * regions(side) - nused);
	assert_int_equal(side->pages.kept, side->bin.nkept * slab_size(side));
	assert_in_range(side->pages.kept, 0, most_kept(side));
}

static void
side_end(struct side *side)
{
	check(side, 0);
	bin_shed(&side->bin, &side->pages, true);
	check(side, 0);
	assert_int_equal(side->pages.kept, 0);
	/* At most the current slab is left without a used region. */
	assert_in_range(side->bin.stats.curslabs, 0, 1);
	assert_int_equal(side->bin.stats.nonfull, 0);
	assert_null(side->bin.nonfull);
	if (side->bin.current != NULL)
		page_source_give(&side->pages, side->bin.current);
	ageing_release(&side->pages);
	free(side);
}

static int
by_address(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;

	return x < y ? -1 : x > y;
}

static void
assert_distinct(void **objects, unsigned n, size_t size)
{
	void **sorted = malloc((n + 1) * sizeof(void *));

	memcpy(sorted, objects, n * sizeof(void *));
	qsort(sorted, n, sizeof(void *), by_address);
	for (unsigned i = 1; i < n; i++)
		assert_true((char *)sorted[i] - (char *)sorted[i - 1] >=
		    (ptrdiff_t)size);
	free(sorted);
}

/* Freeing them must not end in a cache. */
static void
slabs_of_samples_say_so(void **state)
{
	struct side *side = side_new(3);
	void *object;

	(void)state;
	bin_init(&side->bin, 1, true);
	assert_int_equal(take(side, &object, 1), 1);
	assert_int_equal(pagemap_kind(object), KIND_SAMPLE);
	assert_false(kind_is_bin(pagemap_kind(object)));
	assert_int_equal(pagemap_find(object)->shard, 1);
	give(side, &object, 1);
	side_end(side);
}

static void
regions_of_every_class_are_apart_usable_and_found(void **state)
{
	static void *objects[1000];

	(void)state;
	for (unsigned c = 0; c < SMALL_CLASSES; c++) {
		struct side *side = side_new(c);
		size_t size = small_class_size(c);
		unsigned n = c < 20 ? 1000 : 100;

		assert_int_equal(take(side, objects, n), n);
		assert_distinct(objects, n, size);
		for (unsigned i = 0; i < n; i++) {
			memset(objects[i], (int)i, size);
			assert_int_equal(pagemap_kind(objects[i]),
			    kind_of_bin(c));
			assert_int_equal(pagemap_kind((char *)objects[i] +
					     size - 1),
			    kind_of_bin(c));
		}
		check(side, n);
		give(side, objects, n);
		for (unsigned i = 0; i < n; i++)
			if (pagemap_kind(objects[i]) != KIND_NONE)
				assert_ptr_equal(pagemap_find(objects[i]),
				    side->bin.current);
		side_end(side);
	}
}

static void
regions_are_taken_lowest_address_first(void **state)
{
	static void *objects[4000];
	struct side *side = side_new(size_class_of(256));
	void *again[2];

	(void)state;
	take(side, objects, 1000);
	qsort(objects, 1000, sizeof(void *), by_address);
	/* One region each, in a low, a high and a middle slab. */
	give(side, &objects[900], 1);
	give(side, &objects[10], 1);
	give(side, &objects[500], 1);
	assert_int_equal(take(side, again, 2), 2);
	assert_ptr_equal(again[0], objects[10]);
	assert_ptr_equal(again[1], objects[500]);
	give(side, again, 2);
	objects[900] = objects[999];
	objects[10] = objects[998];
	objects[500] = objects[997];
	give(side, objects, 997);
	side_end(side);
}

/* Empties `count` objects in the order given, one or several a batch. */
static void
empties_in_order(unsigned size_class, bool upwards, unsigned batch)
{
	static void *objects[OBJECTS_MAX];
	struct side *side = side_new(size_class);
	unsigned n = 20 * regions(side) < OBJECTS_MAX ? 20 * regions(side)
						      : OBJECTS_MAX;

	assert_int_equal(take(side, objects, n), n);
	qsort(objects, n, sizeof(void *), by_address);
	for (unsigned i = 0; !upwards && i < n / 2; i++) {
		void *swap = objects[i];

		objects[i] = objects[n - 1 - i];
		objects[n - 1 - i] = swap;
	}
	for (unsigned i = 0; i < n; i += batch)
		give(side, &objects[i], n - i < batch ? n - i : batch);
	side_end(side);
}

static void
a_bin_whose_objects_are_all_freed_keeps_one_slab_at_most(void **state)
{
	(void)state;
	for (unsigned c = 0; c < SMALL_CLASSES; c += 5) {
		empties_in_order(c, true, 1);
		empties_in_order(c, false, 1);
		empties_in_order(c, true, 50);
		empties_in_order(c, false, 50);
	}
}

static void
a_class_that_comes_and_goes_does_not_touch_the_pages(void **state)
{
	struct side *side = side_new(3);
	void *object;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(take(side, &object, 1), 1);
		give(side, &object, 1);
	}
	assert_int_equal(side->bin.stats.nslabs, 1);
	assert_int_equal(side->bin.stats.nmalloc, 100);
	assert_int_equal(side->bin.stats.ndalloc, 100);
	side_end(side);
}

/* Single objects of the program are neither. */
static void
what_caches_take_and_give_counts_as_fill_and_flush(void **state)
{
	struct side *side = side_new(3);
	void *objects[2];
	struct bin_fault faults[2];
	struct bin_batch batch = {
		.objects = objects, .count = 2, .faults = faults
	};

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		batch.cache = i >= 7;
		batch.count = 2;
		assert_int_equal(bin_take(&side->bin, &side->pages,
				     side->size_class, &batch),
		    2);
		batch.cache = i >= 5;
		bin_give(&side->bin, &side->pages, side->size_class, &batch);
	}
	assert_int_equal(side->bin.stats.nmalloc, 20);
	assert_int_equal(side->bin.stats.ndalloc, 20);
	assert_int_equal(side->bin.stats.nfills, 3);
	assert_int_equal(side->bin.stats.nflushes, 5);
	side_end(side);
}

/* --- a model: the set of used regions ---------------------------------- */

static void
shuffle_step(struct side *side, void **objects, unsigned *n, uint64_t *seed)
{
	unsigned batch = 1 + (unsigned)random_below(seed, 60);
	unsigned got;

	if (random_below(seed, 2) == 0 && *n + batch <= OBJECTS_MAX) {
		got = take(side, objects + *n, batch);
		if (fixture.take.at == 0)
			assert_int_equal(got, batch);
		for (unsigned i = *n; i < *n + got; i++)
			*(void **)objects[i] = objects[i];
		*n += got;
		return;
	}
	if (batch > *n)
		batch = *n;
	for (unsigned i = 0; i < batch; i++) {
		unsigned j = (unsigned)random_below(seed, *n - i);
		void *swap = objects[j];

		objects[j] = objects[*n - 1 - i];
		objects[*n - 1 - i] = swap;
		assert_ptr_equal(*(void **)swap, swap);
	}
	*n -= batch;
	give(side, objects + *n, batch);
}

static void
random_batches_never_share_a_region(void **state)
{
	static void *objects[OBJECTS_MAX];
	static const unsigned classes[] = { 0, 1, 4, 9, 20, 28, 35 };

	(void)state;
	for (unsigned k = 0; k < 2 * ARRAY_LEN(classes); k++) {
		unsigned class = classes[k / 2];
		struct side *side = k % 2 == 0 ? side_new(class)
					       : side_keeping(class);
		uint64_t seed = k / 2;
		unsigned n = 0;

		for (unsigned step = 0; step < 1500; step++) {
			if (step % 16 == 0)
				fault_set(&fixture.take, step % 3, false);
			shuffle_step(side, objects, &n, &seed);
			check(side, n);
			if (step % 100 == 0)
				assert_distinct(objects, n,
				    small_class_size(class));
		}
		fault_set(&fixture.take, 0, false);
		give(side, objects, n);
		side_end(side);
	}
}

/* --- kept slabs ----------------------------------------------------------- */

#define KEPT_MAX 64

/* The kept slabs, the last one first; returns how many. */
static unsigned
kept_slabs(const struct side *side, char **addr)
{
	unsigned n = 0;

	for (struct tree_node *at = side->bin.kept; at; at = at->left) {
		assert_in_range(n, 0, KEPT_MAX - 1);
		addr[n++] = container_of(at, struct extent, node)->addr;
	}
	assert_int_equal(n, side->bin.nkept);
	return n;
}

/*
 * A naive model: `least` is how many slabs were kept all the time since the
 * last look. Those are the slabs at the bottom, and they go.
 */
static void
shed_and_compare(struct side *side, unsigned *least, bool all)
{
	char *before[KEPT_MAX], *after[KEPT_MAX];
	unsigned n = kept_slabs(side, before);
	unsigned goes = all ? n : *least, left;

	bin_shed(&side->bin, &side->pages, all);
	left = kept_slabs(side, after);
	assert_int_equal(left, n - goes);
	assert_memory_equal(before, after, left * sizeof(*before));
	for (unsigned i = left; i < n; i++)
		assert_int_equal(pagemap_kind(before[i]), KIND_NONE);
	*least = left;
}

static void
what_was_not_needed_between_two_looks_goes(void **state)
{
	static void *objects[OBJECTS_MAX];
	static const unsigned classes[] = { 7, 12, 16, 24, 31, 35 };

	(void)state;
	for (unsigned k = 0; k < ARRAY_LEN(classes); k++) {
		struct side *side = side_keeping(classes[k]);
		unsigned n = 0, least = 0;
		uint64_t seed = k + 1, nkept = 0;

		for (unsigned step = 0; step < 4000; step++) {
			unsigned most = step / 100 % 3 * 100 + 4;
			uint64_t nslabs = side->bin.stats.nslabs;

			if (random_below(&seed, 40) == 0)
				shed_and_compare(side, &least,
				    random_below(&seed, 4) == 0);
			if (n > most)
				give(side, objects + most, n - most);
			n = n > most ? most : n;
			shuffle_step(side, objects, &n, &seed);
			/* No pages are taken while a slab is kept. */
			if (side->bin.stats.nslabs != nslabs)
				assert_int_equal(side->bin.nkept, 0);
			if (side->bin.nkept < least)
				least = side->bin.nkept;
			nkept += side->bin.nkept;
			check(side, n);
		}
		assert_int_not_equal(nkept, 0);
		give(side, objects, n);
		side_end(side);
	}
}

static void
a_flow_of_objects_does_not_touch_the_pages(void **state)
{
	static const unsigned classes[] = { 0, 7, 16, 24, 31, 35 };

	(void)state;
	for (unsigned k = 0; k < ARRAY_LEN(classes); k++) {
		struct side *side = side_keeping(classes[k]);
		unsigned n = (unsigned)(most_kept(side) / slab_size(side)) *
		    regions(side);
		void **objects = malloc(n * sizeof(void *));
		uint64_t nslabs = 0;

		for (unsigned i = 0; i < 100; i++) {
			assert_int_equal(take(side, objects, n), n);
			give(side, objects, n);
			if (i == 0)
				nslabs = side->bin.stats.nslabs;
		}
		assert_int_equal(side->bin.stats.nslabs, nslabs);
		free(objects);
		side_end(side);
	}
}

/* A class whose objects are all freed at the end keeps few slabs. */
static void
kept_slabs_are_bounded_and_counted_like_others(void **state)
{
	static void *objects[OBJECTS_MAX];

	(void)state;
	for (unsigned c = 0; c < SMALL_CLASSES; c += 5) {
		struct side *side = side_keeping(c);
		size_t nkept;

		assert_int_equal(take(side, objects, OBJECTS_MAX), OBJECTS_MAX);
		give(side, objects, OBJECTS_MAX);
		check(side, 0);
		nkept = side->bin.nkept;
		assert_in_range(nkept, 1, most_kept(side) / slab_size(side));
		assert_int_equal(side->bin.stats.nonfull, nkept);
		assert_in_range(side->bin.stats.curslabs, nkept, nkept + 1);
		/* They were kept after the last look, so they stay once. */
		bin_shed(&side->bin, &side->pages, false);
		assert_int_equal(side->bin.nkept, nkept);
		bin_shed(&side->bin, &side->pages, false);
		assert_int_equal(side->bin.nkept, 0);
		side_end(side);
	}
}

static void
a_second_free_into_a_kept_slab_is_named(void **state)
{
	struct side *side = side_keeping(size_class_of(1024));
	unsigned n = 2 * regions(side), nfaults;
	void *objects[SLAB_REGIONS_MAX], *again;
	char *kept[KEPT_MAX];
	struct bin_fault fault;
	struct bin_slab s;
	struct bin_copy copy;

	(void)state;
	assert_int_equal(take(side, objects, n), n);
	give(side, objects, n);
	assert_int_equal(kept_slabs(side, kept), 1);
	again = kept[0];
	assert_int_equal(give_batch(side, &again, 1, &fault, &nfaults), 0);
	assert_int_equal(nfaults, 1);
	assert_true(fault.double_free);
	assert_ptr_equal(fault.object, kept[0]);
	check(side, 0);
	/* A tool sees a slab without objects. */
	s = (struct bin_slab){ .slab = pagemap_find(kept[0]),
		.addr = kept[0],
		.arena_index = side->pages.arena_index,
		.size_class = side->size_class };
	assert_true(bin_copy(&side->bin, &s, &copy));
	for (unsigned i = 0; i < regions(side); i++)
		assert_int_equal(copy.free[i / 64] >> i % 64 & 1, 1);
	side_end(side);
}

static void
no_slab_is_kept_where_that_is_not_wanted(void **state)
{
	static void *objects[OBJECTS_MAX];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct side *side = i == 0 ? side_new(9) : side_keeping(9);

		if (i == 1)
			bin_init(&side->bin, 0, true);
		assert_int_equal(take(side, objects, 3000), 3000);
		give(side, objects, 3000);
		assert_int_equal(side->bin.nkept, 0);
		side_end(side);
	}
}

static void
a_bin_that_forgets_its_slabs_keeps_none(void **state)
{
	static void *objects[OBJECTS_MAX];
	struct side *side = side_keeping(9);
	struct extent *slabs[64];
	size_t n = 0;

	(void)state;
	assert_int_equal(take(side, objects, 3000), 3000);
	for (unsigned i = 0; i < 3000; i++) {
		struct extent *slab = pagemap_find(objects[i]);

		if (n == 0 || slab != slabs[n - 1])
			slabs[n++] = slab;
	}
	give(side, objects, 2000);
	assert_int_not_equal(side->bin.nkept, 0);
	bin_forget(&side->bin, &side->pages);
	assert_int_equal(side->pages.kept, 0);
	assert_int_equal(side->bin.stats.curslabs, 0);
	bin_check(&side->bin);
	/* The reset of the arena finds them by the page map. */
	for (size_t i = 0; i < n; i++)
		if (pagemap_kind(slabs[i]->addr) != KIND_NONE) {
			pagemap_clear_all(slabs[i]);
			page_source_give(&side->pages, slabs[i]);
		}
	side_end(side);
}

/* --- refusals and faults ------------------------------------------------ */

static void
without_pages_a_bin_gives_what_it_has(void **state)
{
	struct side *side = side_new(size_class_of(1024));
	unsigned n = regions(side);
	void *objects[SLAB_REGIONS_MAX * 3];

	(void)state;
	fault_set(&fixture.take, 1, true);
	assert_int_equal(take(side, objects, 5), 0);
	check(side, 0);
	fault_set(&fixture.take, 0, false);
	assert_int_equal(take(side, objects, n - 1), n - 1);
	for (unsigned at = 1; at <= 2; at++) {
		unsigned got;

		fault_set(&fixture.take, at, false);
		got = take(side, objects + n - 1, 2 * n);
		assert_int_equal(got, at == 1 ? 1 : n + 1);
		check(side, n - 1 + got);
		give(side, objects + n - 1, got);
	}
	fault_set(&fixture.take, 0, false);
	assert_int_equal(take(side, objects + n - 1, 2 * n), 2 * n);
	give(side, objects, 3 * n - 1);
	side_end(side);
}

static void
double_and_misaligned_frees_are_named_and_change_nothing(void **state)
{
	struct side *side = side_new(size_class_of(64));
	struct bin_fault faults[8];
	void *objects[200], *batch[8];
	unsigned nfaults;

	(void)state;
	take(side, objects, 200);
	batch[0] = objects[5];
	batch[1] = objects[5];
	batch[2] = (char *)objects[6] + 8;
	batch[3] = objects[7];
	assert_int_equal(give_batch(side, batch, 4, faults, &nfaults), 0);
	assert_int_equal(nfaults, 2);
	assert_ptr_equal(faults[0].object, objects[5]);
	assert_true(faults[0].double_free);
	assert_ptr_equal(faults[1].object, (char *)objects[6] + 8);
	assert_false(faults[1].double_free);
	check(side, 198);
	assert_int_equal(take(side, batch, 2), 2);
	assert_ptr_equal(batch[0], objects[5]);
	assert_ptr_equal(batch[1], objects[7]);
	give(side, objects, 200);
	/* Their slabs, but for one, are gone by now. */
	batch[0] = objects[199];
	batch[1] = objects[150];
	batch[2] = objects[0];
	assert_int_equal(give_batch(side, batch, 3, faults, &nfaults), 0);
	assert_int_equal(nfaults, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_true(faults[i].double_free);
	side_end(side);
}

static void
a_slab_freed_twice_in_one_batch_is_found(void **state)
{
	struct side *side = side_new(size_class_of(256));
	struct bin_fault faults[8];
	unsigned nfaults, per_slab = regions(side), n = 3 * per_slab;
	void *objects[3 * SLAB_REGIONS_MAX], *batch[4];
	void **middle = objects + per_slab;

	(void)state;
	assert_true(per_slab >= 3);
	take(side, objects, n);
	qsort(objects, n, sizeof(void *), by_address);
	/* The lowest one is current; empties another, then frees into that. */
	give(side, &objects[0], 1);
	give(side, middle, per_slab - 1);
	batch[0] = middle[per_slab - 1];
	batch[1] = middle[per_slab - 1];
	batch[2] = middle[0];
	batch[3] = (char *)middle[1] + 8;
	give_batch(side, batch, 4, faults, &nfaults);
	assert_int_equal(side->bin.stats.curslabs, 2);
	assert_int_equal(nfaults, 3);
	/* What follows in the batch is still judged as part of the slab. */
	assert_true(faults[0].double_free);
	assert_true(faults[1].double_free);
	assert_false(faults[2].double_free);
	give(side, objects + 1, per_slab - 1);
	give(side, objects + 2 * per_slab, per_slab);
	side_end(side);
}

static void
objects_of_another_arena_are_left_in_the_batch(void **state)
{
	struct side *a = side_new(5), *b = side_new(5);
	struct bin_fault faults[200];
	void *mixed[200], *of_b[100];
	unsigned nfaults, left;

	(void)state;
	take(b, of_b, 100);
	take(a, mixed, 100);
	for (unsigned i = 100; i > 0; i--) {
		mixed[2 * i - 2] = mixed[i - 1];
		mixed[2 * i - 1] = of_b[i - 1];
	}
	left = give_batch(a, mixed, 200, faults, &nfaults);
	assert_int_equal(left, 100);
	assert_int_equal(nfaults, 0);
	assert_memory_equal(mixed, of_b, sizeof(of_b));
	check(a, 0);
	check(b, 100);
	assert_int_equal(give_batch(b, mixed, left, faults, &nfaults), 0);
	side_end(a);
	side_end(b);
}

/* Its pages belong to another class by now. */
static void
an_object_of_another_class_is_refused(void **state)
{
	struct side *small = side_new(size_class_of(64));
	struct side *other = side_new(size_class_of(1024));
	struct bin_fault faults[2];
	void *object, *batch[1];
	unsigned nfaults;

	(void)state;
	take(other, &object, 1);
	batch[0] = object;
	assert_int_equal(give_batch(small, batch, 1, faults, &nfaults), 0);
	assert_int_equal(nfaults, 1);
	assert_ptr_equal(faults[0].object, object);
	assert_true(faults[0].double_free);
	check(small, 0);
	check(other, 1);
	give(other, &object, 1);
	side_end(small);
	side_end(other);
}

static void
objects_of_another_shard_are_left_in_the_batch(void **state)
{
	struct side *side = side_new(5);
	struct bin *second = aligned_alloc(CACHELINE, sizeof(*second));
	struct bin_fault faults[2];
	void *objects[2];
	unsigned nfaults;

	(void)state;
	memset(second, 0, sizeof(*second));
	bin_init(second, 1, false);
	take(side, &objects[0], 1);
	assert_int_equal(bin_take(second, &side->pages, 5,
			     &(struct bin_batch){
				 .objects = &objects[1], .count = 1 }),
	    1);
	assert_ptr_not_equal(pagemap_find(objects[0]),
	    pagemap_find(objects[1]));
	assert_int_equal(give_batch(side, objects, 2, faults, &nfaults), 1);
	assert_int_equal(nfaults, 0);
	assert_int_equal(bin_usage(&side->bin, 5).used, 0);
	assert_int_equal(bin_usage(second, 5).used, 1);
	bin_give(second, &side->pages, 5,
	    &(struct bin_batch){
		.objects = objects, .count = 1, .faults = faults });
	assert_int_equal(bin_usage(second, 5).used, 0);
	page_source_give(&side->pages, second->current);
	free(second);
	side_end(side);
}

/* Who has found its record and then waits for the lock must see that. */
static void
what_was_a_slab_does_not_look_like_one(void **state)
{
	struct side *side = side_new(size_class_of(4096));
	unsigned n = 3 * regions(side);
	struct extent *slab[64];
	void *objects[64];

	(void)state;
	assert_true(n <= 64);
	take(side, objects, n);
	for (unsigned i = 0; i < n; i++) {
		slab[i] = pagemap_find(objects[i]);
		assert_true(slab[i]->is_slab);
	}
	give(side, objects, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(slab[i]->is_slab,
		    slab[i] == side->bin.current);
	side_end(side);
}

/* --- others, while pages are taken --------------------------------------- */

static struct {
	struct side *side;
	void *objects[SLAB_REGIONS_MAX];
	unsigned n;
} others;

static void
others_give(void)
{
	give(others.side, others.objects, others.n);
}

/* The new slab, if there is one, is not needed, and not kept. */
static void
objects_that_come_back_meanwhile_are_taken_first(void **state)
{
	struct side *side = side_new(size_class_of(256));
	unsigned n = regions(side);
	void *again[4], *rest[SLAB_REGIONS_MAX];

	(void)state;
	assert_true(n > 4);
	others.side = side;
	others.n = 4;
	for (unsigned refused = 0; refused < 2; refused++) {
		assert_int_equal(take(side, rest, n), n);
		memcpy(others.objects, rest, sizeof(again));
		fixture.meanwhile = others_give;
		fault_set(&fixture.take, refused, true);
		assert_int_equal(take(side, again, 4), 4);
		fault_set(&fixture.take, 0, false);
		assert_memory_equal(again, others.objects, sizeof(again));
		assert_int_equal(side->bin.stats.curslabs, 1);
		check(side, n);
		give(side, rest, n);
	}
	side_end(side);
}

static void
slabs_that_are_used_again_are_counted(void **state)
{
	struct side *side = side_new(size_class_of(1024));
	unsigned n = regions(side);
	void *objects[3 * SLAB_REGIONS_MAX], *again;

	(void)state;
	assert_int_equal(take(side, objects, 3 * n), 3 * n);
	qsort(objects, 3 * n, sizeof(void *), by_address);
	/* New ones went through the list, too. */
	assert_int_equal(side->bin.stats.nreslabs, side->bin.stats.nslabs);
	assert_int_equal(side->bin.stats.nslabs, 3);
	/* The lowest becomes current when it has room. */
	give(side, &objects[0], 1);
	assert_int_equal(side->bin.stats.nreslabs, 4);
	/* The next one waits until it is needed. */
	give(side, &objects[n], 1);
	assert_int_equal(side->bin.stats.nreslabs, 4);
	assert_int_equal(side->bin.stats.nonfull, 1);
	take(side, &again, 1);
	assert_ptr_equal(again, objects[0]);
	take(side, &again, 1);
	assert_ptr_equal(again, objects[n]);
	assert_int_equal(side->bin.stats.nreslabs, 5);
	assert_int_equal(side->bin.stats.nonfull, 0);
	give(side, objects, 3 * n);
	side_end(side);
}

/* --- threads ------------------------------------------------------------ */

#define THREADS 4
#define SHARED  512

static struct {
	struct side *side[2];
	_Atomic(void *) mail[SHARED]; /* objects on their way */
	_Atomic unsigned wrong;
} town;

static void
post(void **objects, unsigned count, uint64_t *seed)
{
	struct bin_fault faults[32];
	unsigned nfaults;
	void *back[32];
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		*(void **)objects[i] = objects[i];
		objects[i] = atomic_exchange(
		    &town.mail[random_below(seed, SHARED)], objects[i]);
		if (objects[i] == NULL)
			continue;
		if (*(void **)objects[i] != objects[i])
			town.wrong++;
		back[n++] = objects[i];
	}
	/* Whose it is shows by asking both. */
	n = give_batch(town.side[0], back, n, faults, &nfaults);
	town.wrong += nfaults;
	n = give_batch(town.side[1], back, n, faults, &nfaults);
	town.wrong += nfaults + n;
}

static void *
live_in_town(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	for (unsigned i = 0; i < 8000; i++) {
		void *objects[32];
		unsigned want = 1 + (unsigned)random_below(&seed, 32);
		unsigned got = take(town.side[(i + seed) % 2], objects, want);

		if (got != want)
			town.wrong++;
		post(objects, got, &seed);
	}
	return NULL;
}

static void *
shed_in_town(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 4000; i++)
		bin_shed(&town.side[i % 2]->bin, &town.side[i % 2]->pages,
		    i % 8 == 0);
	return NULL;
}

static void
threads_share_bins_of_two_arenas(void **state)
{
	pthread_t thread[THREADS], shedder;
	struct bin_fault fault;

	(void)state;
	town.side[0] = side_new(size_class_of(512));
	town.side[1] = side_keeping(size_class_of(512));
	assert_int_equal(pthread_create(&shedder, NULL, shed_in_town, NULL), 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, live_in_town,
				     (void *)i),
		    0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	pthread_join(shedder, NULL);
	assert_int_equal(town.wrong, 0);
	for (unsigned i = 0; i < SHARED; i++) {
		void *object = town.mail[i];
		unsigned nfaults, which = 0;

		if (object == NULL)
			continue;
		if (give_batch(town.side[0], &object, 1, &fault, &nfaults) != 0)
			which = 1;
		if (which == 1)
			assert_int_equal(give_batch(town.side[1], &object, 1,
					     &fault, &nfaults),
			    0);
		assert_int_equal(nfaults, 0);
	}
	side_end(town.side[0]);
	side_end(town.side[1]);
}

/* --- a copy of a slab ----------------------------------------------------- */

static bool
is_in_use(const struct bin_copy *copy, unsigned i)
{
	return (copy->free[i / 64] >> i % 64 & 1) == 0;
}

static void
a_copy_has_the_regions_that_are_in_use(void **state)
{
	struct side *side = side_new(2);
	unsigned n = regions(side) / 2, used = 0;
	void **objects = malloc(n * sizeof(void *));
	struct bin_slab s;
	struct bin_copy copy;

	(void)state;
	assert_int_equal(take(side, objects, n), n);
	/* Every third one is free again. */
	for (unsigned i = 0; i < n; i += 3)
		give(side, &objects[i], 1);
	s = (struct bin_slab){ .slab = pagemap_find(objects[1]),
		.arena_index = side->pages.arena_index,
		.size_class = 2 };
	s.addr = s.slab->addr;
	assert_true(bin_copy(&side->bin, &s, &copy));
	assert_false(copy.certain);
	for (unsigned i = 0; i < regions(side); i++)
		used += is_in_use(&copy, i);
	assert_int_equal(used, n - (n + 2) / 3);
	for (unsigned i = 0; i < n; i++)
		if (i % 3 != 0)
			assert_true(is_in_use(&copy,
			    (unsigned)(((char *)objects[i] - s.addr) /
				(ptrdiff_t)small_class_size(2))));
	for (unsigned i = 0; i < n; i++)
		if (i % 3 != 0)
			give(side, &objects[i], 1);
	free(objects);
	side_end(side);
}

/* Who walks has read all this without a lock: it may be out of date. */
static void
what_is_no_slab_of_the_bin_is_not_copied(void **state)
{
	struct side *side = side_new(5), *other = side_new(5);
	void *object;
	struct bin_slab s, wrong;
	struct bin_copy copy;

	(void)state;
	assert_int_equal(take(side, &object, 1), 1);
	s = (struct bin_slab){ .slab = pagemap_find(object),
		.arena_index = side->pages.arena_index,
		.size_class = 5 };
	s.addr = s.slab->addr;
	assert_true(bin_copy(&side->bin, &s, &copy));
	wrong = s;
	wrong.size_class = 6;
	assert_false(bin_copy(&side->bin, &wrong, &copy));
	wrong = s;
	wrong.addr += UNIT;
	assert_false(bin_copy(&side->bin, &wrong, &copy));
	wrong = s;
	wrong.arena_index = other->pages.arena_index;
	assert_false(bin_copy(&side->bin, &wrong, &copy));
	s.slab->shard = 1;
	assert_false(bin_copy(&side->bin, &s, &copy));
	s.slab->shard = 0;
	/* A slab in the making, at the place of one that is gone. */
	pagemap_set_ends(s.slab, KIND_NONE);
	assert_false(bin_copy(&side->bin, &s, &copy));
	pagemap_set_all(s.slab, kind_of_bin(5));
	assert_true(bin_copy(&side->bin, &s, &copy));
	give(side, &object, 1);
	pagemap_clear_all(s.slab);
	assert_false(bin_copy(&side->bin, &s, &copy));
	side_end(side);
	side_end(other);
}

static int
init(void **state)
{
	(void)state;
	system_init();
	metadata_init();
	extent_records_init();
	size_class_init(system_info.page_size, NULL);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slabs_of_samples_say_so),
		cmocka_unit_test(
		    regions_of_every_class_are_apart_usable_and_found),
		cmocka_unit_test(regions_are_taken_lowest_address_first),
		cmocka_unit_test(
		    a_bin_whose_objects_are_all_freed_keeps_one_slab_at_most),
		cmocka_unit_test(
		    a_class_that_comes_and_goes_does_not_touch_the_pages),
		cmocka_unit_test(
		    what_caches_take_and_give_counts_as_fill_and_flush),
		cmocka_unit_test(random_batches_never_share_a_region),
		cmocka_unit_test(what_was_not_needed_between_two_looks_goes),
		cmocka_unit_test(a_flow_of_objects_does_not_touch_the_pages),
		cmocka_unit_test(
		    kept_slabs_are_bounded_and_counted_like_others),
		cmocka_unit_test(a_second_free_into_a_kept_slab_is_named),
		cmocka_unit_test(no_slab_is_kept_where_that_is_not_wanted),
		cmocka_unit_test(a_bin_that_forgets_its_slabs_keeps_none),
		cmocka_unit_test(without_pages_a_bin_gives_what_it_has),
		cmocka_unit_test(
		    double_and_misaligned_frees_are_named_and_change_nothing),
		cmocka_unit_test(a_slab_freed_twice_in_one_batch_is_found),
		cmocka_unit_test(
		    objects_of_another_arena_are_left_in_the_batch),
		cmocka_unit_test(
		    objects_of_another_shard_are_left_in_the_batch),
		cmocka_unit_test(an_object_of_another_class_is_refused),
		cmocka_unit_test(what_was_a_slab_does_not_look_like_one),
		cmocka_unit_test(
		    objects_that_come_back_meanwhile_are_taken_first),
		cmocka_unit_test(slabs_that_are_used_again_are_counted),
		cmocka_unit_test(threads_share_bins_of_two_arenas),
		cmocka_unit_test(a_copy_has_the_regions_that_are_in_use),
		cmocka_unit_test(what_is_no_slab_of_the_bin_is_not_copied),
	};

	return cmocka_run_group_tests(tests, init, NULL);
}
