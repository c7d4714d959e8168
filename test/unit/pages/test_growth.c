#include "pages/growth.h"

#include <pthread.h>

#include "../unit.h"
#include "os/system.h"
#include "pages/pools.h"

/* --- steps that are left -------------------------------------------------- */

/* Nobody looks into steps here, so that they may be anywhere. */
enum { NSTEPS = 40, PLACES_MAX = 64 };

static char steps[NSTEPS];
static _Atomic bool left[NSTEPS]; /* in a place, or in nobody's hands */

static unsigned
number_of(const char *step)
{
	assert_true(step >= steps && step < steps + NSTEPS);
	return (unsigned)(step - steps);
}

static void
leave(_Atomic(char *) *place, unsigned n)
{
	assert_false(left[n]);
	left[n] = true;
	growth_leave_step(place, &steps[n]);
}

/* A step that was left; -1: there is none. Nobody else can have it. */
static int
take(void)
{
	char *step = growth_left_step();

	if (step == NULL)
		return -1;
	assert_true(atomic_exchange(&left[number_of(step)], false));
	return (int)number_of(step);
}

/* All that there are, then. */
static unsigned
take_all(void)
{
	unsigned n = 0;

	while (take() >= 0)
		n++;
	return n;
}

static void
places_are_few_and_each_has_one_step(void **state)
{
	_Atomic(char *) *places[PLACES_MAX];
	unsigned nplaces = 0;

	(void)state;
	assert_null(growth_left_step());
	while ((places[nplaces] = growth_reserve_place()) != NULL) {
		for (unsigned i = 0; i < nplaces; i++)
			assert_ptr_not_equal(places[i], places[nplaces]);
		nplaces++;
		assert_true(nplaces < PLACES_MAX);
		/* Nothing is in it yet. */
		assert_int_equal(take(), -1);
	}
	assert_true(nplaces >= 2);
	/* Half of them get a step; the others are given back. */
	for (unsigned i = 0; i < nplaces; i++)
		if (i % 2 == 0)
			leave(places[i], i);
		else
			growth_leave_step(places[i], NULL);
	assert_int_equal(take_all(), (nplaces + 1) / 2);
	/* And all can be had again. */
	for (unsigned i = 0; i < nplaces; i++) {
		places[i] = growth_reserve_place();
		assert_non_null(places[i]);
	}
	assert_null(growth_reserve_place());
	for (unsigned i = 0; i < nplaces; i++)
		growth_leave_step(places[i], NULL);
}

static _Atomic unsigned failures;

/* Leaves steps of its own and takes those of all. */
static void *
come_and_go(void *arg)
{
	unsigned mine[NSTEPS], n = 0;
	uint64_t seed = (uintptr_t)arg;

	for (unsigned i = 0; i < NSTEPS; i++)
		if (i % 4 == (uintptr_t)arg)
			mine[n++] = i;
	for (unsigned i = 0; i < 20000; i++) {
		_Atomic(char *) *place;
		char *step;

		if (n > 0 && random_below(&seed, 2) == 0) {
			place = growth_reserve_place();
			if (place == NULL)
				continue;
			if (random_below(&seed, 4) == 0) {
				growth_leave_step(place, NULL);
				continue;
			}
			n--;
			failures += atomic_exchange(&left[mine[n]], true);
			growth_leave_step(place, &steps[mine[n]]);
		} else if ((step = growth_left_step()) != NULL) {
			mine[n] = (unsigned)(step - steps);
			failures += mine[n] >= NSTEPS ||
			    !atomic_exchange(&left[mine[n]], false);
			n++;
		}
	}
	/* What it holds at its end. */
	return (void *)(uintptr_t)n;
}

static void
a_step_is_never_in_two_hands(void **state)
{
	pthread_t threads[4];
	unsigned held = 0;

	(void)state;
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go,
				     (void *)i),
		    0);
	for (unsigned i = 0; i < 4; i++) {
		void *n;

		assert_int_equal(pthread_join(threads[i], &n), 0);
		held += (unsigned)(uintptr_t)n;
	}
	assert_int_equal(failures, 0);
	assert_int_equal(held + take_all(), NSTEPS);
}

/* --- how much is mapped at a time ----------------------------------------- */

/*
 * However much a source grows to by pieces of a page: the steps get longer, so
 * that they are few, and hardly more is mapped than is needed.
 */
static void
steps_are_few_and_no_longer_than_is_worth_it(void **state)
{
	static struct page_source source;
	size_t page = system_info.page_size, n = 0;
	uint64_t mapped = 0;

	(void)state;
	source.retain = true;
	source.grow_step = GROW_STEP_MIN;
	source.grow_limit = SIZE_MAX;
	while (mapped < UINT64_C(64) << 30) {
		size_t step = growth_step_locked(&source, page);

		assert_int_equal(step % page, 0);
		assert_true(step <= (size_t)64 << 20);
		assert_true(step <= GROW_STEP_MIN + mapped / 2);
		mapped += step;
		n++;
		growth_stepped_locked(&source, step);
	}
	assert_true(n < (UINT64_C(64) << 30) / ((size_t)60 << 20) + 30);
}

static void
a_step_has_what_is_needed_whatever_its_limit(void **state)
{
	static struct page_source source;
	size_t page = system_info.page_size;
	uint64_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		size_t need = (1 + random_below(&seed, (size_t)1 << (i % 20))) *
		    page,
		       step;

		source.retain = i % 3 != 0;
		source.grow_step = (1 + random_below(&seed, 10000)) * page;
		/* By a mallctl it may be anything, but 0. */
		source.grow_limit = 1 +
		    (size_t)(random_next(&seed) >> random_below(&seed, 64));
		step = growth_step_locked(&source, need);
		assert_true(step >= need);
		assert_int_equal(step % page, 0);
		if (!source.retain)
			assert_int_equal(step, need);
		/* Beyond what is needed, no more than the limit. */
		assert_true(step == need || step < source.grow_limit + page);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_few_and_each_has_one_step),
		cmocka_unit_test(a_step_is_never_in_two_hands),
		cmocka_unit_test(steps_are_few_and_no_longer_than_is_worth_it),
		cmocka_unit_test(a_step_has_what_is_needed_whatever_its_limit),
	};

	system_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
