#include "util/size_class.h"

#include "../unit.h"

/* Section 2.2 of the contract: the 36 small classes for a quantum of 16. */
/* clang-format off */
static const struct {
	size_t size;
	unsigned pages;
	unsigned regions;
} contract[] = {
	{ 8, 1, 512 }, { 16, 1, 256 }, { 32, 1, 128 }, { 48, 3, 256 },
	{ 64, 1, 64 }, { 80, 5, 256 }, { 96, 3, 128 }, { 112, 7, 256 },
	{ 128, 1, 32 }, { 160, 5, 128 }, { 192, 3, 64 }, { 224, 7, 128 },
	{ 256, 1, 16 }, { 320, 5, 64 }, { 384, 3, 32 }, { 448, 7, 64 },
	{ 512, 1, 8 }, { 640, 5, 32 }, { 768, 3, 16 }, { 896, 7, 32 },
	{ 1024, 1, 4 }, { 1280, 5, 16 }, { 1536, 3, 8 }, { 1792, 7, 16 },
	{ 2048, 1, 2 }, { 2560, 5, 8 }, { 3072, 3, 4 }, { 3584, 7, 8 },
	{ 4096, 1, 1 }, { 5120, 5, 4 }, { 6144, 3, 2 }, { 7168, 7, 4 },
	{ 8192, 2, 1 }, { 10240, 5, 2 }, { 12288, 3, 1 }, { 14336, 7, 2 },
};
/* clang-format on */

static void
small_classes_are_those_of_the_contract(void **state)
{
	(void)state;
	if (LG_QUANTUM != 4)
		SKIP_TEST("quanta are not of 16 bytes here");
	assert_int_equal(SMALL_CLASSES, ARRAY_LEN(contract));
	for (unsigned i = 0; i < ARRAY_LEN(contract); i++) {
		const struct slab_geometry *g = &size_class_tables.slab[i];

		assert_int_equal(size_class_size(i), contract[i].size);
		assert_int_equal(small_class_size(i), contract[i].size);
		assert_int_equal(g->slab_size, contract[i].pages * 4096);
		assert_int_equal(g->nregions, contract[i].regions);
	}
	assert_int_equal(size_class_size(SMALL_CLASSES - 1), SMALL_MAX);
	assert_int_equal(size_class_size(SMALL_CLASSES), LARGE_MIN);
}

/* The rule, written down once more: base + i * base / 4. */
static void
classes_follow_the_rule_up_to_the_largest(void **state)
{
	unsigned i = 0;

	(void)state;
	for (size_t size = 8; size < QUANTUM; size *= 2)
		assert_int_equal(size_class_size(i++), size);
	for (unsigned n = 1; n <= 4; n++)
		assert_int_equal(size_class_size(i++), n * QUANTUM);
	for (size_t base = 4 * QUANTUM; i < SIZE_CLASSES; base *= 2)
		for (unsigned n = 1; n <= 4 && i < SIZE_CLASSES; n++)
			assert_int_equal(size_class_size(i++),
			    base + n * (base / 4));
	assert_int_equal(i, SIZE_CLASSES);
	assert_int_equal(size_class_size(SIZE_CLASSES - 1), LARGE_MAXCLASS);
	assert_true(LARGE_MAXCLASS < PTRDIFF_MAX);
}

static void
check_request(size_t size)
{
	unsigned up = size_class_of(size), down;

	assert_true(up < SIZE_CLASSES);
	assert_true(size_class_size(up) >= size);
	assert_true(up == 0 || size_class_size(up - 1) < size);
	if (size <= SMALL_MAX)
		assert_int_equal(small_class_of(size), up);
	if (size < 8)
		return;
	down = size_class_floor(size);
	assert_true(size_class_size(down) <= size);
	assert_true(down == SIZE_CLASSES - 1 ||
	    size_class_size(down + 1) > size);
}

static void
a_request_gets_the_smallest_class_that_holds_it(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (size_t size = 0; size <= 70000; size++)
		check_request(size);
	for (unsigned i = 0; i < SIZE_CLASSES; i++) {
		size_t size = size_class_size(i);

		check_request(size - 1);
		check_request(size);
		if (size < LARGE_MAXCLASS)
			check_request(size + 1);
	}
	for (unsigned i = 0; i < 100000; i++) {
		size_t size = random_next(&seed) >> random_below(&seed, 64);

		if (size <= LARGE_MAXCLASS)
			check_request(size);
	}
	assert_int_equal(size_class_floor(SIZE_MAX), SIZE_CLASSES - 1);
}

static void
slabs_hold_whole_regions_and_waste_little_of_a_page(void **state)
{
	static const size_t pages[] = { 4096, 16384, 65536 };

	(void)state;
	for (unsigned p = 0; p < ARRAY_LEN(pages); p++) {
		size_class_init(pages[p], NULL);
		for (unsigned i = 0; i < SMALL_CLASSES; i++) {
			const struct slab_geometry *g =
			    &size_class_tables.slab[i];

			assert_int_equal(g->region_size, size_class_size(i));
			assert_int_equal(g->slab_size % pages[p], 0);
			assert_in_range(g->nregions, 1,
			    slab_regions_max(pages[p]));
			assert_true((size_t)g->nregions * g->region_size <=
			    g->slab_size);
			/* Nothing is left over that would hold a region. */
			if (g->region_size > 8 || pages[p] == 4096)
				assert_true(g->slab_size -
					(size_t)g->nregions * g->region_size <
				    g->region_size);
		}
	}
	size_class_init(4096, NULL);
}

static void
a_wanted_slab_size_is_kept_but_holds_one_region_at_least(void **state)
{
	uint16_t units[SMALL_CLASSES_MAX] = { 0 };
	size_t usual;

	(void)state;
	usual = size_class_tables.slab[5].slab_size;
	units[0] = 2;
	units[4] = 3;
	units[SMALL_CLASSES - 1] = 1;
	size_class_init(4096, units);
	assert_int_equal(size_class_tables.slab[0].slab_size, 2 * UNIT);
	assert_int_equal(size_class_tables.slab[0].nregions, SLAB_REGIONS_MAX);
	assert_int_equal(size_class_tables.slab[4].slab_size, 3 * UNIT);
	assert_int_equal(size_class_tables.slab[5].slab_size, usual);
	assert_int_equal(size_class_tables.slab[SMALL_CLASSES - 1].slab_size,
	    4 * UNIT);
	assert_int_equal(size_class_tables.slab[SMALL_CLASSES - 1].nregions, 1);
	size_class_init(4096, NULL);
}

static void
check_division(const struct slab_geometry *g, size_t step)
{
	size_t end = (size_t)g->nregions * g->region_size;

	for (size_t offset = 0; offset < end; offset += step)
		if (slab_region_index(g, offset) != offset / g->region_size)
			fail_msg("size %u offset %zu", g->region_size, offset);
}

static void
every_offset_of_a_slab_is_divided_exactly(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		check_division(&size_class_tables.slab[i], 1);
}

static void
every_start_of_a_region_is_found_in_the_largest_slabs(void **state)
{
	uint16_t units[SMALL_CLASSES_MAX];

	(void)state;
	for (unsigned i = 0; i < SMALL_CLASSES_MAX; i++)
		units[i] = (uint16_t)(SLAB_REGIONS_MAX * SMALL_MAX / UNIT);
	size_class_init(4096, units);
	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		assert_int_equal(size_class_tables.slab[i].nregions,
		    SLAB_REGIONS_MAX);
		check_division(&size_class_tables.slab[i], size_class_size(i));
	}
	size_class_init(4096, NULL);
}

static void
cache_bins_are_small_classes_and_then_page_counts(void **state)
{
	(void)state;
	for (unsigned bin = 0; bin < SMALL_CLASSES; bin++)
		assert_int_equal(cache_bin_usable(bin), size_class_size(bin));
	for (unsigned bin = SMALL_CLASSES; bin < CACHE_BINS; bin++) {
		size_t usable = cache_bin_usable(bin);

		assert_int_equal(usable,
		    cache_bin_usable(SMALL_CLASSES) +
			(bin - SMALL_CLASSES) * UNIT);
		assert_int_equal(cache_bin_of_large(usable), bin);
	}
	assert_int_equal(cache_bin_usable(SMALL_CLASSES), LARGE_MIN);
	assert_int_equal(cache_bin_usable(CACHE_BINS - 1), CACHED_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_classes_are_those_of_the_contract),
		cmocka_unit_test(classes_follow_the_rule_up_to_the_largest),
		cmocka_unit_test(
		    a_request_gets_the_smallest_class_that_holds_it),
		cmocka_unit_test(
		    slabs_hold_whole_regions_and_waste_little_of_a_page),
		cmocka_unit_test(
		    a_wanted_slab_size_is_kept_but_holds_one_region_at_least),
		cmocka_unit_test(every_offset_of_a_slab_is_divided_exactly),
		cmocka_unit_test(
		    every_start_of_a_region_is_found_in_the_largest_slabs),
		cmocka_unit_test(
		    cache_bins_are_small_classes_and_then_page_counts),
	};

	size_class_init(4096, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
