#include "arena/slab.h"

#include <stdlib.h>
#include <string.h>

#include "arena/ledger.h"
#include "conf/options.h"
#include "os/system.h"

#include "../unit.h"

/* No region is touched, so a slab's address may be any. */
#define BASE ((char *)((uintptr_t)1 << (WORD_BITS - 4)))

/* On large pages, a record is longer than its type. */
static union {
	struct extent slab;
	char bytes[sizeof(struct extent) + 2 * SLAB_REGIONS_LIMIT / 8];
} room;

static union {
	struct ledger ledger;
	char bytes[sizeof(struct ledger) + 2 * SLAB_REGIONS_LIMIT];
} book;

/* A run of one region. */
static enum slab_give
slab_give(struct extent *slab, const void *object)
{
	struct slab_run run = slab_run_begin(slab);
	enum slab_give result = slab_run_give(&run,
	    &size_class_tables.slab[slab->size_class],
	    (size_t)((const char *)object - slab->addr));

	slab_run_end(&run, slab);
	return result;
}

static void
slab_new(unsigned size_class)
{
	memset(&room, 0xa5, sizeof(room));
	memset(&book, 0, sizeof(book));
	*ledger_slot(&room.slab) = &book.ledger;
	room.slab.addr = BASE;
	room.slab.size = size_class_tables.slab[size_class].slab_size;
	extent_set_place(&room.slab, EXTENT_ACTIVE, 0);
	slab_init(&room.slab, size_class);
	slab_check(&room.slab);
}

static unsigned
regions_of(unsigned size_class)
{
	return size_class_tables.slab[size_class].nregions;
}

static char *
region(unsigned size_class, unsigned i)
{
	return BASE + i * small_class_size(size_class);
}

static void
a_fresh_slab_hands_out_each_region_once_in_order(void **state)
{
	void *objects[SLAB_REGIONS_LIMIT + 1];

	(void)state;
	for (unsigned c = 0; c < SMALL_CLASSES; c++) {
		unsigned n = regions_of(c);

		slab_new(c);
		assert_int_equal(room.slab.nfree, n);
		assert_int_equal(slab_take(&room.slab, objects, n + 1), n);
		for (unsigned i = 0; i < n; i++)
			assert_ptr_equal(objects[i], region(c, i));
		assert_int_equal(room.slab.nfree, 0);
		assert_int_equal(slab_take(&room.slab, objects, 1), 0);
		slab_check(&room.slab);
	}
}

static void
regions_lie_inside_of_the_slab_and_are_aligned(void **state)
{
	(void)state;
	for (unsigned c = 0; c < SMALL_CLASSES; c++) {
		size_t size = small_class_size(c), n = regions_of(c);

		assert_true(n * size <= size_class_tables.slab[c].slab_size);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal((uintptr_t)region(c, i) %
				(size & -size),
			    0);
	}
}

static void
random_taking_and_giving_follows_a_set(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned c = 0; c < SMALL_CLASSES; c++) {
		bool used[SLAB_REGIONS_LIMIT] = { false };
		unsigned n = regions_of(c), nused = 0;

		slab_new(c);
		for (unsigned step = 0; step < 800; step++) {
			void *objects[SLAB_REGIONS_LIMIT];
			unsigned want, got, next = 0;

			if (random_below(&seed, 2) == 0) {
				unsigned i = (unsigned)random_below(&seed, n);

				assert_int_equal(slab_probe(&room.slab,
						     region(c, i)),
				    used[i] ? SLAB_GIVEN : SLAB_ALREADY_FREE);
				assert_int_equal(slab_give(&room.slab,
						     region(c, i)),
				    used[i] ? SLAB_GIVEN : SLAB_ALREADY_FREE);
				nused -= used[i];
				used[i] = false;
			} else {
				want = (unsigned)random_below(&seed, 6);
				got = slab_take(&room.slab, objects, want);
				assert_int_equal(got,
				    want < n - nused ? want : n - nused);
				for (unsigned k = 0; k < got; k++) {
					while (used[next])
						next++;
					assert_ptr_equal(objects[k],
					    region(c, next));
					used[next] = true;
				}
				nused += got;
			}
			assert_int_equal(room.slab.nfree, n - nused);
			slab_check(&room.slab);
		}
	}
}

static void
pointers_that_start_no_region_are_refused(void **state)
{
	void *objects[SLAB_REGIONS_LIMIT];

	(void)state;
	for (unsigned c = 0; c < SMALL_CLASSES; c++) {
		size_t size = small_class_size(c);
		unsigned n = regions_of(c);

		slab_new(c);
		slab_take(&room.slab, objects, n);
		for (size_t offset = 0; offset < room.slab.size;
		     offset += offset < 300000 ? 1 : 61) {
			enum slab_give expected = offset % size != 0 ||
				offset / size >= n
			    ? SLAB_MISALIGNED
			    : SLAB_GIVEN;

			assert_int_equal(slab_probe(&room.slab, BASE + offset),
			    expected);
			assert_int_equal(slab_starts_region(&room.slab,
					     BASE + offset),
			    expected == SLAB_GIVEN);
			if (expected == SLAB_MISALIGNED)
				assert_int_equal(slab_give(&room.slab,
						     BASE + offset),
				    SLAB_MISALIGNED);
		}
		assert_int_equal(slab_give(&room.slab, BASE - size),
		    SLAB_MISALIGNED);
		assert_int_equal(slab_give(&room.slab, BASE - 1),
		    SLAB_MISALIGNED);
		assert_int_equal(slab_give(&room.slab, BASE + room.slab.size),
		    SLAB_MISALIGNED);
		assert_int_equal(room.slab.nfree, 0);
		slab_check(&room.slab);
	}
}

static void
the_largest_slabs_that_options_allow_work_too(void **state)
{
	uint16_t units[SMALL_CLASSES_MAX];

	(void)state;
	for (unsigned i = 0; i < SMALL_CLASSES_MAX; i++)
		units[i] = (uint16_t)(SLAB_REGIONS_MAX * SMALL_MAX / UNIT);
	size_class_init(4096, units);
	a_fresh_slab_hands_out_each_region_once_in_order(NULL);
	pointers_that_start_no_region_are_refused(NULL);
	random_taking_and_giving_follows_a_set(NULL);
	size_class_init(4096, NULL);
}

/* With opt.checked. A region in a cache is neither free nor handed out. */
static void
a_slab_knows_what_the_program_has(void **state)
{
	void *objects[SLAB_REGIONS_LIMIT];
	size_t size;

	(void)state;
	opt_at_start.checked = true;
	for (unsigned c = 0; c < SMALL_CLASSES; c++) {
		unsigned n = regions_of(c);

		slab_new(c);
		assert_int_equal(slab_take(&room.slab, objects, n), n);
		for (unsigned i = 0; i < n; i += 2)
			*slab_entry(&room.slab,
			    objects[i]) = (uint16_t)(small_class_size(c) -
			    i % 8 + 1);
		slab_check(&room.slab);
		for (unsigned i = 0; i < n; i++) {
			char *at = objects[i];
			bool has = i % 2 == 0;
			enum slab_give had = has ? SLAB_GIVEN
						 : SLAB_ALREADY_FREE;

			assert_int_equal(slab_probe(&room.slab, at),
			    SLAB_GIVEN);
			size = 0;
			assert_int_equal(slab_probe_handed(&room.slab, at,
					     &size),
			    had);
			assert_int_equal(size,
			    has ? small_class_size(c) - i % 8 : 0);
			assert_int_equal(slab_hand_in(&room.slab, at + 1,
					     &size),
			    SLAB_MISALIGNED);
			assert_null(slab_entry(&room.slab, at + 1));
			size = 0;
			assert_int_equal(slab_hand_in(&room.slab, at, &size),
			    had);
			assert_int_equal(size,
			    has ? small_class_size(c) - i % 8 : 0);
			assert_int_equal(*slab_entry(&room.slab, at),
			    has ? LEDGER_BUSY : LEDGER_NEW);
			assert_int_equal(slab_hand_in(&room.slab, at, &size),
			    SLAB_ALREADY_FREE);
			assert_int_equal(slab_probe_handed(&room.slab, at,
					     &size),
			    SLAB_ALREADY_FREE);
			assert_int_equal(slab_give(&room.slab, at), SLAB_GIVEN);
		}
		slab_check(&room.slab);
	}
	opt_at_start.checked = false;
}

static int
by_address(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t) * (void *const *)a;
	uintptr_t y = (uintptr_t) * (void *const *)b;

	return x < y ? -1 : x > y;
}

/* The seed is fixed, so the orders are the same in each run. */
static void
random_slots_come_each_once_in_no_order(void **state)
{
	void *objects[SLAB_REGIONS_LIMIT], *again[SLAB_REGIONS_LIMIT];
	unsigned in_order;

	(void)state;
	opt_at_start.random_slots = true;
	for (unsigned c = 0; c < SMALL_CLASSES; c++) {
		unsigned n = regions_of(c), half = n / 2;

		slab_new(c);
		book.ledger.random = 88172645463325252u + c;
		assert_int_equal(slab_take(&room.slab, objects, half), half);
		assert_int_equal(slab_take(&room.slab, objects + half, n),
		    n - half);
		assert_int_equal(slab_take(&room.slab, objects, 1), 0);
		slab_check(&room.slab);
		in_order = 0;
		for (unsigned i = 1; i < n; i++)
			in_order += objects[i] > objects[i - 1];
		if (n >= 16)
			assert_in_range(in_order, n / 4, n - n / 4);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(slab_give(&room.slab, objects[i]),
			    SLAB_GIVEN);
		slab_check(&room.slab);
		assert_int_equal(slab_take(&room.slab, again, n), n);
		if (n >= 16)
			assert_memory_not_equal(objects, again,
			    n * sizeof(void *));
		qsort(again, n, sizeof(void *), by_address);
		for (unsigned i = 0; i < n; i++)
			assert_ptr_equal(again[i], region(c, i));
	}
	opt_at_start.random_slots = false;
}

/* Each region may come first. */
static void
random_slots_prefer_no_region(void **state)
{
	(void)state;
	opt_at_start.random_slots = true;
	for (unsigned c = 0; c < SMALL_CLASSES; c++) {
		unsigned n = regions_of(c), count[64] = { 0 };

		if (n > 64)
			continue;
		for (unsigned i = 0; i < 50 * n; i++) {
			void *object;

			slab_new(c);
			book.ledger.random = (i + 1) *
			    UINT64_C(0x9e3779b97f4a7c15);
			assert_int_equal(slab_take(&room.slab, &object, 1), 1);
			count[(size_t)((char *)object - BASE) /
			    small_class_size(c)]++;
		}
		for (unsigned i = 0; i < n; i++)
			assert_in_range(count[i], 15, 100);
	}
	opt_at_start.random_slots = false;
}

static void
slabs_of_large_pages_work_too(void **state)
{
	(void)state;
	for (size_t page = 16384; page <= 65536; page *= 4) {
		size_class_init(page, NULL);
		assert_in_range(size_class_tables.slab[0].nregions, 513,
		    (extent_record_size(page) - offsetof(struct extent, free)) *
			8);
		a_fresh_slab_hands_out_each_region_once_in_order(NULL);
		regions_lie_inside_of_the_slab_and_are_aligned(NULL);
		pointers_that_start_no_region_are_refused(NULL);
		random_taking_and_giving_follows_a_set(NULL);
	}
	size_class_init(4096, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_fresh_slab_hands_out_each_region_once_in_order),
		cmocka_unit_test(
		    regions_lie_inside_of_the_slab_and_are_aligned),
		cmocka_unit_test(random_taking_and_giving_follows_a_set),
		cmocka_unit_test(pointers_that_start_no_region_are_refused),
		cmocka_unit_test(the_largest_slabs_that_options_allow_work_too),
		cmocka_unit_test(slabs_of_large_pages_work_too),
		cmocka_unit_test(a_slab_knows_what_the_program_has),
		cmocka_unit_test(random_slots_come_each_once_in_no_order),
		cmocka_unit_test(random_slots_prefer_no_region),
	};

	system_init();
	size_class_init(4096, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
