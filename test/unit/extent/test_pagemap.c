#include "extent/pagemap.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "extent/extent.h"
#include "os/pages.h"
#include "os/system.h"

/* Where one leaf has all addresses, a part of it has this length. */
#define LEAF  ((uintptr_t)1 << (PAGEMAP_HAS_MORE ? PAGEMAP_LG_LEAF : 24))
#define UNITS 512 /* in the middle of which a leaf ends */

/* The page map looks at no memory, so any address will do. */
static struct {
	struct fault map;
	_Atomic unsigned nmapped;
	_Atomic(char *) meanwhile; /* another reserves it in between */
	uintptr_t next;
} fixture = { .next = 5 * LEAF };

void *__real_pages_map(size_t size, size_t align);
bool __real_pages_unmap(void *addr, size_t size);
void *__wrap_pages_map(size_t size, size_t align);
bool __wrap_pages_unmap(void *addr, size_t size);

void *
__wrap_pages_map(size_t size, size_t align)
{
	char *addr;

	if (fault_hits(&fixture.map))
		return NULL;
	addr = atomic_exchange(&fixture.meanwhile, NULL);
	if (addr != NULL)
		assert_true(pagemap_reserve(addr, UNIT));
	fixture.nmapped++;
	return __real_pages_map(size, align);
}

bool
__wrap_pages_unmap(void *addr, size_t size)
{
	fixture.nmapped--;
	return __real_pages_unmap(addr, size);
}

/* How many leaves there are, after `n` have been added to `before`. */
static size_t
leaves(size_t before, size_t n)
{
	return PAGEMAP_HAS_MORE ? before + n : 1;
}

/* The start of `n` leaves that no test has used. */
static char *
fresh_leaves(unsigned n)
{
	uintptr_t addr = fixture.next;

	fixture.next += n * LEAF;
	return (char *)addr;
}

static int
no_faults(void **state)
{
	(void)state;
	memset(&fixture.map, 0, sizeof(fixture.map));
	return 0;
}

static void
assert_nothing_at(uintptr_t addr)
{
	assert_int_equal(pagemap_kind((void *)addr), KIND_NONE);
	assert_int_equal(pagemap_kind_of_start((void *)addr), KIND_NONE);
	assert_null(pagemap_find((void *)addr));
	assert_null(pagemap_find_around((void *)addr));
}

static void
nothing_is_at_any_address_before_it_is_entered(void **state)
{
	uint64_t seed = 1;

	(void)state;
	assert_nothing_at(0);
	assert_nothing_at(1);
	assert_nothing_at(UINTPTR_MAX);
	for (unsigned lg = 0; lg < WORD_BITS; lg++) {
		assert_nothing_at((uintptr_t)1 << lg);
		assert_nothing_at(((uintptr_t)1 << lg) - 1);
		assert_nothing_at(-((uintptr_t)1 << lg));
		assert_nothing_at(((uintptr_t)0x5555 << lg));
	}
	for (unsigned i = 0; i < 10000; i++)
		assert_nothing_at((uintptr_t)random_next(&seed));
}

static void
only_user_addresses_are_covered(void **state)
{
	char *end = (char *)(uintptr_t)(UINT64_C(1) << PAGEMAP_LG_SPACE);

	(void)state;
	assert_true(pagemap_covers((char *)UNIT, UNIT));
	assert_false(pagemap_covers((char *)-UNIT, 2 * UNIT));
	assert_false(pagemap_covers((char *)UNIT, SIZE_MAX));
	if (end == NULL)
		return; /* all addresses are */
	assert_true(pagemap_covers(end - UNIT, UNIT));
	assert_false(pagemap_covers(end - UNIT, UNIT + 1));
	assert_false(pagemap_covers(end, UNIT));
	assert_false(pagemap_covers((char *)-UNIT, UNIT));
	assert_false(pagemap_reserve(end - UNIT, 2 * UNIT));
	assert_false(pagemap_reserve((char *)-UNIT, UNIT));
}

static void
assert_starts(char *addr, uint16_t kind)
{
	for (size_t i = 0; i < 2 * QUANTUM; i++) {
		bool aligned = i % QUANTUM == 0 ||
		    (i % 8 == 0 && kind == kind_of_bin(0));

		assert_int_equal(pagemap_kind(addr + i), kind);
		assert_int_equal(pagemap_kind_of_start(addr + i),
		    aligned ? kind : KIND_NONE);
	}
}

/* While there is no leaf, one, and more. To be run before other tests. */
static void
at_unaligned_addresses_nothing_starts(void **state)
{
	char *addr = fresh_leaves(3);
	struct extent e = { .addr = addr + 5 * UNIT, .size = UNIT };
	static const uint16_t kinds[] = { KIND_LARGE, KIND_SAMPLE,
		KIND_CHECKED };

	(void)state;
	assert_int_equal(pagemap_leaves(), 0);
	assert_starts(e.addr, KIND_NONE);
	for (unsigned n = 1; n <= 3; n++) {
		assert_true(pagemap_reserve(addr + (n - 1) * LEAF, LEAF));
		assert_int_equal(pagemap_leaves(), leaves(0, n));
		for (unsigned bin = 0; bin < CACHE_BINS; bin++) {
			pagemap_set_all(&e, kind_of_bin(bin));
			assert_starts(e.addr, kind_of_bin(bin));
		}
		for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
			pagemap_set_all(&e, kinds[i]);
			assert_starts(e.addr, kinds[i]);
		}
		/* Behind the leaf, in it, and before it. */
		for (unsigned i = 0; i < 200; i++)
			assert_starts(e.addr + (i + 1) * (LEAF / 64 + UNIT),
			    KIND_NONE);
		assert_starts(e.addr - LEAF, KIND_NONE);
		pagemap_clear_all(&e);
	}
}

static void
a_leaf_is_made_once_and_spans_are_covered_whole(void **state)
{
	char *addr = fresh_leaves(3);
	size_t before = pagemap_leaves();

	(void)state;
	assert_true(pagemap_reserve(addr + LEAF - UNIT, UNIT));
	assert_int_equal(pagemap_leaves(), leaves(before, 1));
	assert_true(pagemap_reserve(addr, LEAF));
	assert_int_equal(pagemap_leaves(), leaves(before, 1));
	assert_true(pagemap_reserve(addr + LEAF - UNIT, LEAF + 2 * UNIT));
	assert_int_equal(pagemap_leaves(), leaves(before, 3));
}

static void
of_two_leaves_made_at_once_one_goes_back(void **state)
{
	char *addr = fresh_leaves(1);
	size_t before = pagemap_leaves();
	unsigned nmapped = fixture.nmapped;

	(void)state;
	if (!PAGEMAP_HAS_MORE)
		SKIP_TEST("one leaf has all addresses");
	fixture.meanwhile = addr;
	assert_true(pagemap_reserve(addr, UNIT));
	assert_int_equal(pagemap_leaves(), before + 1);
	assert_int_equal(fixture.nmapped, nmapped + 1);
}

static void
a_reservation_that_fails_succeeds_later(void **state)
{
	char *addr = fresh_leaves(4);
	struct extent e = { .addr = addr, .size = 4 * LEAF };
	unsigned at = 1;

	(void)state;
	if (!PAGEMAP_HAS_MORE)
		SKIP_TEST("one leaf has all addresses");
	/* Each try makes the leaves before the one that fails. */
	for (;; at++) {
		fault_set(&fixture.map, 2, true);
		if (pagemap_reserve(addr, 4 * LEAF))
			break;
		assert_nothing_at((uintptr_t)addr);
		assert_true(at < 5);
	}
	assert_int_equal(at, 4);
	pagemap_set_ends(&e, KIND_LARGE);
	assert_ptr_equal(pagemap_find(addr + 4 * LEAF - 1), &e);
	pagemap_forget_ends(&e);
}

/* --- a model: what each unit should say -------------------------------- */

struct model {
	char *base;
	struct extent *extent[UNITS];
	uint16_t kind[UNITS];
	struct extent *owner[UNITS]; /* whom the unit belongs to, or NULL */
};

static void
model_set(struct model *model, const char *addr, struct extent *e,
    uint16_t kind)
{
	size_t i = (size_t)(addr - model->base) / UNIT;

	model->extent[i] = e;
	model->kind[i] = kind;
}

static void
model_check(struct model *model, uint64_t *seed)
{
	for (size_t i = 0; i < UNITS; i++) {
		char *addr = model->base + i * UNIT + random_below(seed, UNIT);

		assert_int_equal(pagemap_kind(addr), model->kind[i]);
		addr -= (uintptr_t)addr % QUANTUM;
		assert_int_equal(pagemap_kind_of_start(addr), model->kind[i]);
		assert_ptr_equal(pagemap_find(addr), model->extent[i]);
		/* Where nobody is, this goes far back: so not each time. */
		if (model->owner[i] != NULL || random_below(seed, 4000) == 0)
			assert_ptr_equal(pagemap_find_around(addr),
			    model->owner[i]);
	}
	assert_null(pagemap_find(model->base - 1));
	assert_null(pagemap_find(model->base + UNITS * UNIT));
}

/* Claims a random free run of units for `e`; false: all taken there. */
static bool
claim(struct model *model, struct extent *e, uint64_t *seed)
{
	size_t n = 1 + random_below(seed, random_below(seed, 2) ? 4 : 60);
	size_t at = random_below(seed, UNITS - n + 1);

	for (size_t i = at; i < at + n; i++)
		if (model->owner[i] != NULL)
			return false;
	for (size_t i = at; i < at + n; i++)
		model->owner[i] = e;
	e->addr = model->base + at * UNIT;
	e->size = n * UNIT;
	extent_set_place(e, EXTENT_ACTIVE, 0);
	return true;
}

static void
enter(struct model *model, struct extent *e, uint64_t *seed)
{
	uint16_t kind = kind_of_bin((unsigned)random_below(seed, CACHE_BINS));

	e->is_slab = random_below(seed, 2) != 0;
	if (e->is_slab) {
		pagemap_set_all(e, kind);
		for (char *p = e->addr; p < extent_end(e); p += UNIT)
			model_set(model, p, e, kind);
		return;
	}
	pagemap_set_ends(e, kind);
	model_set(model, extent_end(e) - UNIT, e, KIND_NONE);
	model_set(model, e->addr, e, kind);
	if (random_below(seed, 2) != 0) {
		pagemap_set_unit(e->addr, e, KIND_LARGE);
		model_set(model, e->addr, e, KIND_LARGE);
	}
}

static void
leave(struct model *model, struct extent *e)
{
	if (e->is_slab)
		pagemap_clear_all(e);
	else
		pagemap_forget_ends(e);
	for (char *p = e->addr; p < extent_end(e); p += UNIT) {
		model_set(model, p, NULL, KIND_NONE);
		model->owner[(size_t)(p - model->base) / UNIT] = NULL;
	}
	e->size = 0;
}

static void
every_unit_says_what_was_entered_last(void **state)
{
	static struct extent extents[24];
	struct model *model = calloc(1, sizeof(*model));
	uint64_t seed = 2;

	(void)state;
	model->base = fresh_leaves(3) + 2 * LEAF - UNITS / 2 * UNIT;
	assert_true(pagemap_reserve(model->base, UNITS * UNIT));
	for (unsigned step = 0; step < 3000; step++) {
		struct extent *e =
		    &extents[random_below(&seed, ARRAY_LEN(extents))];

		if (e->size != 0)
			leave(model, e);
		else if (claim(model, e, &seed))
			enter(model, e, &seed);
		model_check(model, &seed);
	}
	for (unsigned i = 0; i < ARRAY_LEN(extents); i++)
		if (extents[i].size != 0)
			leave(model, &extents[i]);
	model_check(model, &seed);
	free(model);
}

static void
only_active_extents_are_found_around_an_address(void **state)
{
	char *addr = fresh_leaves(1) + 64 * UNIT;
	struct extent e = { .addr = addr, .size = 10 * UNIT };

	(void)state;
	assert_true(pagemap_reserve(addr, e.size));
	extent_set_place(&e, EXTENT_ACTIVE, 0);
	pagemap_set_ends(&e, KIND_LARGE);
	assert_ptr_equal(pagemap_find_around(addr + 5 * UNIT + 7), &e);
	assert_null(pagemap_find_around(addr - 1));
	assert_null(pagemap_find_around(addr + 10 * UNIT));
	for (enum extent_state s = EXTENT_DIRTY; s <= EXTENT_BUSY; s++) {
		extent_set_place(&e, s, 0);
		assert_null(pagemap_find_around(addr + 5 * UNIT));
		assert_ptr_equal(pagemap_find_any(addr + 5 * UNIT), &e);
	}
	pagemap_forget_ends(&e);
}

static void
kinds_and_bins_are_two_names_of_one_thing(void **state)
{
	(void)state;
	assert_false(kind_is_bin(KIND_NONE));
	assert_false(kind_is_bin(KIND_LARGE));
	assert_false(kind_is_bin(KIND_SAMPLE));
	assert_false(kind_is_bin(KIND_CHECKED));
	for (unsigned bin = 0; bin < CACHE_BINS_MAX; bin++) {
		assert_true(kind_is_bin(kind_of_bin(bin)));
		assert_int_equal(bin_of_kind(kind_of_bin(bin)), bin);
	}
}

static void *
reserve_all(void *addr)
{
	for (unsigned i = 0; i < 64; i++)
		if (!pagemap_reserve((char *)addr + i * LEAF, UNIT))
			return addr;
	return NULL;
}

static void
threads_that_need_a_leaf_at_once_get_the_same(void **state)
{
	pthread_t thread[4];
	char *addr = fresh_leaves(64);
	size_t before = pagemap_leaves();
	unsigned nmapped = fixture.nmapped;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL, reserve_all,
				     addr),
		    0);
	for (unsigned i = 0; i < ARRAY_LEN(thread); i++) {
		void *failed;

		pthread_join(thread[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(pagemap_leaves(), leaves(before, 64));
	assert_int_equal(fixture.nmapped - nmapped,
	    leaves(before, 64) - before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    nothing_is_at_any_address_before_it_is_entered),
		cmocka_unit_test(only_user_addresses_are_covered),
		cmocka_unit_test(at_unaligned_addresses_nothing_starts),
		cmocka_unit_test(
		    a_leaf_is_made_once_and_spans_are_covered_whole),
		cmocka_unit_test(of_two_leaves_made_at_once_one_goes_back),
		cmocka_unit_test_teardown(
		    a_reservation_that_fails_succeeds_later, no_faults),
		cmocka_unit_test(every_unit_says_what_was_entered_last),
		cmocka_unit_test(
		    only_active_extents_are_found_around_an_address),
		cmocka_unit_test(kinds_and_bins_are_two_names_of_one_thing),
		cmocka_unit_test(threads_that_need_a_leaf_at_once_get_the_same),
	};

	system_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
