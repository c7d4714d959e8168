#include "extent/regions.h"

#include <string.h>

#include "../unit.h"
#include "extent/extent.h"

#define UNITS	64
#define RECORDS	128

/* The model: one flag for each unit of a small address space. */
struct model {
	struct regions regions;
	bool mapped[UNITS];
	struct extent record[RECORDS];
	struct extent *spare;
	unsigned nspare;
};

static char space[UNITS];	/* only its addresses are used */

static struct extent *
record_take(struct model *model)
{
	struct extent *e = model->spare;

	assert_non_null(e);
	model->spare = e->next;
	model->nspare--;
	return e;
}

static void
records_give(struct model *model, struct extent *chain)
{
	while (chain != NULL) {
		struct extent *next = chain->next;

		chain->next = model->spare;
		model->spare = chain;
		model->nspare++;
		chain = next;
	}
}

static void
model_init(struct model *model)
{
	memset(model, 0, sizeof(*model));
	for (unsigned i = 0; i < RECORDS; i++) {
		model->record[i].next = NULL;
		records_give(model, &model->record[i]);
	}
}

/* Ranges come in order, cover just what is mapped, and never touch. */
static void
check(struct model *model)
{
	struct extent *e = regions_next(&model->regions, space);
	unsigned count = 0;
	bool seen[UNITS] = { false };
	char *last_end = NULL;

	for (; e != NULL; e = regions_next(&model->regions, extent_end(e))) {
		assert_true(last_end == NULL || e->addr > last_end);
		last_end = extent_end(e);
		for (char *p = e->addr; p < last_end; p++)
			seen[p - space] = true;
		count++;
	}
	assert_memory_equal(seen, model->mapped, sizeof(seen));
	assert_int_equal(model->nspare + count, RECORDS);
}

static bool
all_are(const struct model *model, size_t start, size_t size, bool mapped)
{
	for (size_t i = start; i < start + size; i++)
		if (model->mapped[i] != mapped)
			return false;
	return true;
}

static void
ranges_are_those_of_a_plain_map(void **state)
{
	static struct model model;
	uint64_t seed = 1;

	(void)state;
	model_init(&model);
	for (unsigned i = 0; i < 20000; i++) {
		size_t start = random_below(&seed, UNITS);
		size_t size = 1 + random_below(&seed, UNITS - start) / 4;

		if (all_are(&model, start, size, false)) {
			struct extent *e = record_take(&model);

			e->addr = space + start;
			e->size = size;
			records_give(&model, regions_add(&model.regions, e));
			memset(model.mapped + start, true, size);
		} else if (all_are(&model, start, size, true)) {
			records_give(&model, regions_cut(&model.regions,
			    space + start, size, record_take(&model)));
			memset(model.mapped + start, false, size);
		}
		check(&model);
	}
}

static void
a_range_is_found_from_inside(void **state)
{
	static struct model model;
	struct extent *e;

	(void)state;
	model_init(&model);
	e = record_take(&model);
	e->addr = space + 10;
	e->size = 10;
	records_give(&model, regions_add(&model.regions, e));
	assert_ptr_equal(regions_next(&model.regions, space), e);
	assert_ptr_equal(regions_next(&model.regions, space + 19), e);
	assert_null(regions_next(&model.regions, space + 20));
	records_give(&model, regions_clear(&model.regions));
	assert_int_equal(model.nspare, RECORDS);
	assert_null(regions_next(&model.regions, space));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_those_of_a_plain_map),
		cmocka_unit_test(a_range_is_found_from_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
