#include "huge/pageslab.h"

#include <string.h>

#include "../before_guard.h"
#include "../unit.h"

#define NPAGES_MAX 700

/* A byte a page, and no cleverness. */
static struct {
	struct pageslab *slab;
	unsigned npages;
	bool active[NPAGES_MAX];
	bool touched[NPAGES_MAX];
	uint64_t seed;
} model;

/* Memory for a slab, behind which nothing can be read. */
static struct pageslab *
memory_for(size_t size)
{
	return memset(before_guard(size), 0x5a, size);
}

static void
model_start(unsigned npages, bool touched)
{
	memset(&model, 0, sizeof(model));
	model.seed = npages;
	model.npages = npages;
	model.slab = memory_for(pageslab_size(npages));
	pageslab_init(model.slab, npages, touched);
	for (unsigned i = 0; i < npages; i++)
		model.touched[i] = touched;
}

static unsigned
naive_find(unsigned count)
{
	unsigned run = 0;

	for (unsigned i = 0; i < model.npages; i++) {
		run = model.active[i] ? 0 : run + 1;
		if (run == count)
			return i + 1 - count;
	}
	return PAGESLAB_NONE;
}

static bool
is_dirty(unsigned i)
{
	return !model.active[i] &&
	    (model.touched[i] ||
		(model.slab->huge && model.slab->ntouched != 0));
}

static void
verify_counts(void)
{
	const struct pageslab *slab = model.slab;
	unsigned nactive = 0, ndirty = 0, longest = 0, run = 0;

	for (unsigned i = 0; i < model.npages; i++) {
		nactive += model.active[i];
		ndirty += is_dirty(i);
		run = model.active[i] ? 0 : run + 1;
		longest = run > longest ? run : longest;
	}
	assert_int_equal(slab->nactive, nactive);
	assert_int_equal(slab->longest, longest);
	assert_int_equal(pageslab_ndirty(slab), ndirty);
	for (unsigned count = 1; count <= longest + 1; count += 1 + count / 8)
		assert_int_equal(pageslab_find(slab, count), naive_find(count));
	pageslab_check(slab);
}

/* Runs to purge are free, end where there is memory, and leave nothing out. */
static void
verify_dirty_runs(void)
{
	bool seen[NPAGES_MAX] = { false };
	struct pageslab_run run = { 0, 0 };
	unsigned from = 0;

	while (pageslab_next_dirty(model.slab, from, &run)) {
		assert_true(run.count > 0 && run.at >= from);
		assert_true(run.at + run.count <= model.npages);
		assert_true(is_dirty(run.at));
		assert_true(is_dirty(run.at + run.count - 1));
		for (unsigned i = run.at; i < run.at + run.count; i++) {
			assert_false(model.active[i]);
			seen[i] = true;
		}
		from = run.at + run.count;
	}
	for (unsigned i = 0; i < model.npages; i++)
		assert_true(!is_dirty(i) || seen[i]);
}

static void
use_some(void)
{
	struct pageslab_run run;
	bool zero = true;

	run.count = 1 +
	    (unsigned)random_below(&model.seed,
		1 + random_below(&model.seed, model.npages));
	run.at = pageslab_find(model.slab, run.count);
	if (run.at == PAGESLAB_NONE)
		return;
	for (unsigned i = run.at; i < run.at + run.count; i++) {
		zero &= !model.touched[i];
		model.active[i] = model.touched[i] = true;
	}
	assert_int_equal(pageslab_use(model.slab, run), zero);
}

static void
free_some(void)
{
	struct pageslab_run run;

	run.at = (unsigned)random_below(&model.seed, model.npages);
	for (run.count = 0; run.at + run.count < model.npages &&
	     model.active[run.at + run.count] &&
	     random_below(&model.seed, 16) != 0;
	     run.count++)
		model.active[run.at + run.count] = false;
	if (run.count != 0)
		pageslab_free(model.slab, run);
}

static void
clean_some(void)
{
	struct pageslab_run run;

	if (!pageslab_next_dirty(model.slab,
		(unsigned)random_below(&model.seed, model.npages), &run))
		return;
	pageslab_clean(model.slab, run);
	for (unsigned i = run.at; i < run.at + run.count; i++)
		model.touched[i] = false;
}

static void
change_size(void)
{
	bool had = model.slab->ntouched != 0;

	if (!model.slab->huge) {
		model.slab->huge = true;
		return;
	}
	pageslab_break(model.slab);
	for (unsigned i = 0; i < model.npages; i++)
		model.touched[i] |= had;
}

static void
it_agrees_with_a_byte_a_page(void **state)
{
	static const unsigned sizes[] = { 1, 2, 63, 64, 65, 128, 512, 700 };

	(void)state;
	for (unsigned k = 0; k < 2 * ARRAY_LEN(sizes); k++) {
		model_start(sizes[k / 2], k % 2 != 0);
		verify_counts();
		for (unsigned step = 0; step < 3000; step++) {
			size_t what = random_below(&model.seed, 41);

			if (what < 17)
				use_some();
			else if (what < 36)
				free_some();
			else if (what < 40)
				clean_some();
			else if (random_below(&model.seed, 4) == 0)
				change_size();
			verify_counts();
			verify_dirty_runs();
		}
	}
}

static void
free_runs_are_told_from_others(void **state)
{
	struct pageslab_run run = { 60, 10 };

	(void)state;
	model_start(128, false);
	assert_true(pageslab_use(model.slab, run));
	for (unsigned at = 0; at < 128; at++)
		for (unsigned count = 1; count < 80; count++)
			assert_int_equal(pageslab_is_free(model.slab,
					     (struct pageslab_run){
						 at, count }),
			    at + count <= 128 &&
				(at + count <= 60 || at >= 70));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_agrees_with_a_byte_a_page),
		cmocka_unit_test(free_runs_are_told_from_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
