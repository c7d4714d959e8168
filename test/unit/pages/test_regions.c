#include "pages/regions.h"

#include <stdlib.h>
#include <string.h>

#include "../unit.h"

#define UNITS 64
#define BLOCK ((size_t)256)

/* The model: one flag for each unit of a small address space. */
struct model {
	struct regions regions;
	bool mapped[UNITS];
	unsigned nblocks;
};

static char space[UNITS]; /* only its addresses are used */
static struct extent_hooks *const some_hooks = (void *)space;

static void
add_block(struct model *model, size_t size, struct extent_hooks *hooks)
{
	struct region_block *block = malloc(size);

	assert_non_null(block);
	memset(block, 0xee, size);
	block->hooks = hooks;
	block->size = size;
	regions_add_block(&model->regions, block);
	model->nblocks++;
}

static void
need_room(struct model *model)
{
	if (!regions_have_room(&model->regions))
		add_block(model, BLOCK, NULL);
	assert_true(regions_have_room(&model->regions));
}

static void
model_init(struct model *model)
{
	memset(model, 0, sizeof(*model));
}

static void
model_fini(struct model *model)
{
	struct region_block *block = regions_clear(&model->regions), *next;

	for (; block != NULL; block = next) {
		next = block->next;
		free(block);
		model->nblocks--;
	}
	assert_int_equal(model->nblocks, 0);
	assert_null(regions_next(&model->regions, space));
	assert_int_equal(model->regions.given, 0);
}

static void
add(struct model *model, size_t start, size_t size)
{
	need_room(model);
	regions_expect(&model->regions);
	regions_settle(&model->regions, space + start, size, true);
	memset(model->mapped + start, true, size);
}

static void
lift(struct model *model, size_t start, size_t size)
{
	need_room(model);
	regions_lift(&model->regions, space + start, size);
	memset(model->mapped + start, false, size);
}

static void
settle(struct model *model, size_t start, size_t size, bool comes)
{
	regions_settle(&model->regions, space + start, size, comes);
	memset(model->mapped + start, comes, size);
}

/* Ranges come in order, cover just what is mapped, and never touch. */
static void
check(struct model *model)
{
	struct region *r = regions_next(&model->regions, space);
	bool seen[UNITS] = { false };
	char *last_end = NULL;

	for (; r != NULL; r = regions_next(&model->regions, region_end(r))) {
		assert_true(last_end == NULL || r->addr > last_end);
		last_end = region_end(r);
		for (char *p = r->addr; p < last_end; p++)
			seen[p - space] = true;
	}
	assert_memory_equal(seen, model->mapped, sizeof(seen));
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
			add(&model, start, size);
		} else if (all_are(&model, start, size, true)) {
			lift(&model, start, size);
			settle(&model, start, size,
			    random_below(&seed, 4) == 0);
		}
		check(&model);
	}
	/* At most half of the units are ranges of their own. */
	assert_in_range(model.nblocks, 1,
	    (UNITS / 2 + 2) * sizeof(struct region) /
		    (BLOCK - sizeof(struct region_block)) +
		1);
	model_fini(&model);
}

/* Others may use all the room there is meanwhile. */
static void
what_was_lifted_can_always_come_back(void **state)
{
	static struct model model;

	(void)state;
	model_init(&model);
	add(&model, 0, UNITS);
	for (size_t i = 0; i < UNITS / 8; i++)
		lift(&model, 8 * i + 1, 3);
	for (size_t i = 0; regions_have_room(&model.regions); i++) {
		assert_in_range(i, 0, UNITS / 8 - 1);
		lift(&model, 8 * i + 6, 1);
		settle(&model, 8 * i + 6, 1, false);
	}
	/* Alone, so that each is a range of its own. */
	for (size_t i = 0; i < UNITS / 8; i++)
		settle(&model, 8 * i + 2, 1, true);
	check(&model);
	model_fini(&model);
}

static void
a_range_is_found_from_inside(void **state)
{
	static struct model model;
	struct region *r;

	(void)state;
	model_init(&model);
	add(&model, 10, 10);
	r = regions_next(&model.regions, space);
	assert_ptr_equal(r->addr, space + 10);
	assert_int_equal(r->size, 10);
	assert_ptr_equal(regions_next(&model.regions, space + 19), r);
	assert_null(regions_next(&model.regions, space + 20));
	model_fini(&model);
}

static void
memory_of_hooks_is_counted_and_no_other(void **state)
{
	static struct model model;
	size_t record = sizeof(struct region);

	(void)state;
	model_init(&model);
	add_block(&model, BLOCK, NULL);
	add(&model, 0, 1);
	assert_int_equal(model.regions.given + model.regions.used, 0);
	add_block(&model, BLOCK, some_hooks);
	assert_int_equal(model.regions.given, BLOCK);
	assert_int_equal(model.regions.used, sizeof(struct region_block));
	/* The rest of the first block is used first. */
	for (size_t i = 1; model.regions.used == sizeof(struct region_block);
	     i++)
		add(&model, 2 * i, 1);
	assert_int_equal(model.regions.used,
	    sizeof(struct region_block) + record);
	model_fini(&model);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_those_of_a_plain_map),
		cmocka_unit_test(what_was_lifted_can_always_come_back),
		cmocka_unit_test(a_range_is_found_from_inside),
		cmocka_unit_test(memory_of_hooks_is_counted_and_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
