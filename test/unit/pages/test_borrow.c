#include "pages/ageing.h"
#include "pages/borrow.h"
#include "pages/page_source.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "extent/extent_hooks.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/system.h"

#define SOURCES   3
#define TAKEN_MAX 256
#define NEVER     (-1)
#define BIG       256 /* pages */

/* --- sources that share, and what was taken from each ------------------- */

struct taken {
	struct extent *e;
	unsigned by;
	uint64_t tag; /* in the first word of each page */
};

static struct page_source *source[SOURCES];
static struct taken taken[TAKEN_MAX];
static unsigned ntaken;
static uint64_t seed;

static size_t
page(void)
{
	return system_info.page_size;
}

static int
fresh_sources(void **state)
{
	static unsigned next_index;

	(void)state;
	/* Those of the test before have nothing dirty left to lend. */
	for (unsigned i = 0; i < SOURCES; i++) {
		if (source[i] != NULL)
			ageing_purge(source[i]);
		source[i] = calloc(1, sizeof(*source[i]));
		assert_non_null(source[i]);
		page_source_init(source[i], next_index++,
		    &(struct page_source_config){ .dirty_decay_ms = NEVER,
			.muzzy_decay_ms = NEVER,
			.retain = true,
			.lg_max_active_fit = 6 });
		borrow_share(source[i]);
		/* Not at the many of the tests before, which have nothing. */
		source[i]->look_from = source[0]->arena_index;
	}
	ntaken = 0;
	seed = 1;
	return 0;
}

static void
mark(const struct taken *t, char *from)
{
	for (char *p = from; p < extent_end(t->e); p += page())
		*(uint64_t *)(void *)p = t->tag;
}

static void
check_marks(const struct taken *t, const char *end)
{
	for (char *p = t->e->addr; p < end; p += page())
		if (*(uint64_t *)(void *)p != t->tag)
			fail_msg("%p belongs to two", (void *)p);
}

static struct extent *
take(unsigned by, size_t npages)
{
	struct extent *e = page_source_take(source[by], npages * page(),
	    page());
	struct taken *t = &taken[ntaken++];

	assert_non_null(e);
	assert_int_equal(extent_arena(e), source[by]->arena_index);
	e->kind = KIND_LARGE;
	e->is_slab = false;
	pagemap_set_ends(e, KIND_LARGE);
	*t = (struct taken){ e, by, random_next(&seed) };
	mark(t, e->addr);
	return e;
}

static void
give(unsigned i)
{
	struct taken t = taken[i];

	check_marks(&t, extent_end(t.e));
	taken[i] = taken[--ntaken];
	page_source_give(source[t.by], t.e);
}

static void
give_all(void)
{
	while (ntaken > 0)
		give(ntaken - 1);
}

static size_t
dirty(unsigned i)
{
	return pools_of(source[i], EXTENT_DIRTY)->size;
}

static void
check_figures(void)
{
	for (unsigned i = 0; i < SOURCES; i++) {
		size_t active = 0;

		for (unsigned k = 0; k < ntaken; k++)
			if (taken[k].by == i)
				active += taken[k].e->size;
		assert_int_equal(source[i]->active, active);
		assert_int_equal(source[i]->active_npages, active / page());
		page_source_check(source[i]);
	}
}

/* --- tests ---------------------------------------------------------------- */

static void
dirty_pages_of_another_are_taken_before_untouched_ones(void **state)
{
	struct extent *e = NULL;
	size_t mapped;

	(void)state;
	take(1, 1);
	mapped = source[1]->mapped;
	assert_true(pools_of(source[1], EXTENT_RETAINED)->size >= 8 * page());
	take(0, BIG);
	give(1);
	/* It has just looked in vain, and will look again, but not at once. */
	for (unsigned i = 0; i < 8; i++)
		e = take(1, 8);
	assert_false(e->zeroed);
	assert_true(dirty(0) < BIG * page());
	assert_int_equal(source[1]->mapped, mapped + BIG * page() - dirty(0));
	check_figures();
}

static void
it_returns_to_where_its_neighbours_are(void **state)
{
	(void)state;
	take(0, BIG);
	give_all();
	for (unsigned i = 0; i < 8; i++)
		take(1 + i % 2, 8);
	check_figures();
	give_all();
	check_figures();
	assert_int_equal(dirty(0), BIG * page());
	assert_int_equal(pools_of(source[0], EXTENT_DIRTY)->count, 1);
	assert_int_equal(source[1]->mapped + source[2]->mapped, 0);
}

static void
the_source_that_came_last_lends_too(void **state)
{
	(void)state;
	take(SOURCES - 1, BIG);
	give_all();
	for (unsigned i = 0; i < 20; i++)
		take(0, 8);
	assert_true(dirty(SOURCES - 1) < BIG * page());
	give_all();
	check_figures();
}

/* Sixteen at a time; who has found nothing goes on behind them next time. */
static void
not_all_are_looked_at_at_once(void **state)
{
	enum { LOOK = 16 };

	(void)state;
	/* More before it, which have nothing. */
	while (source[0]->arena_index < 2 * LOOK)
		fresh_sources(state);
	take(0, BIG);
	give_all();
	for (unsigned i = 0; i < 100 && ntaken == 0; i++) {
		unsigned lender = source[0]->arena_index;
		struct extent *e;

		source[1]->look_from = lender - LOOK;
		assert_null(borrow_take(source[1], page(), page()));
		assert_int_equal(source[1]->look_from, lender);
		source[1]->look_from = lender - LOOK + 1;
		e = borrow_take(source[1], page(), page());
		if (e == NULL)
			continue; /* too fresh yet */
		assert_int_equal(source[1]->look_from, lender);
		pagemap_set_ends(e, KIND_LARGE);
		taken[ntaken++] = (struct taken){ e, 1, 1 };
		mark(&taken[0], e->addr);
	}
	assert_int_equal(ntaken, 1);
	give_all();
	check_figures();
}

static void
pages_of_another_node_are_left_alone(void **state)
{
	(void)state;
	take(0, BIG);
	give_all();
	source[0]->node = 1;
	source[1]->node = 2;
	source[2]->node = 1;
	for (unsigned i = 0; i < 20; i++)
		take(1, 8);
	assert_int_equal(dirty(0), BIG * page());
	for (unsigned i = 0; i < 20; i++)
		take(2, 8);
	assert_true(dirty(0) < BIG * page());
	/* Where it is not known who is near, all are. */
	give_all();
	source[1]->node = 0;
	assert_int_equal(dirty(0), BIG * page());
	for (unsigned i = 0; i < 20; i++)
		take(1, 64);
	assert_true(dirty(0) < BIG * page());
	give_all();
	check_figures();
}

static void
own_pages_come_first(void **state)
{
	(void)state;
	take(0, BIG);
	take(1, BIG);
	give_all();
	take(1, 8);
	assert_int_equal(dirty(0), BIG * page());
	assert_int_equal(dirty(1), (BIG - 8) * page());
	check_figures();
}

static void
who_has_little_keeps_it(void **state)
{
	size_t few = 65536 / page() - 1;

	(void)state;
	if (few == 0)
		SKIP_TEST("pages are too large for it");
	take(0, few);
	give_all();
	take(1, 1);
	assert_int_equal(dirty(0), few * page());
}

static void
large_blocks_are_borrowed_as_well(void **state)
{
	(void)state;
	take(0, 64 * BIG);
	give_all();
	assert_false(take(1, 32 * BIG)->zeroed);
	assert_int_equal(dirty(0), 32 * BIG * page());
	check_figures();
	give_all();
	assert_int_equal(pools_of(source[0], EXTENT_DIRTY)->count, 1);
}

/* So that somebody looks at the lender, whose own threads may sleep. */
static void
it_is_noted_who_got_pages_back(void **state)
{
	(void)state;
	take(0, BIG);
	give_all();
	assert_null(borrow_lender(source[0]));
	take(1, 8);
	assert_null(borrow_lender(source[1]));
	give_all();
	assert_ptr_equal(borrow_lender(source[1]), source[0]);
	assert_null(borrow_lender(source[1]));
	assert_null(borrow_lender(source[0]));
}

static void
who_found_nothing_large_asks_for_less_at_once(void **state)
{
	(void)state;
	take(0, BIG);
	give_all();
	take(1, 2 * BIG);
	assert_int_equal(dirty(0), BIG * page());
	source[1]->look_from = source[0]->arena_index;
	take(1, 8);
	assert_int_equal(dirty(0), (BIG - 8) * page());
	check_figures();
}

static void
a_block_just_freed_is_not_cut_for_another(void **state)
{
	unsigned tries = 0;

	(void)state;
	take(0, 8 * BIG);
	give_all();
	/* Whoever is still after it in the end gets it. */
	while (dirty(0) == 8 * BIG * page() && tries++ < 200)
		take(1, 1);
	assert_in_range(tries, 8, 100);
}

static void
what_grows_and_shrinks_does_so_with_its_lender(void **state)
{
	struct extent *e;
	bool zeroed = true;

	(void)state;
	take(0, BIG);
	give_all();
	e = take(1, 8);
	assert_true(page_source_extend(source[1], e, 32 * page(), &zeroed));
	assert_false(zeroed);
	mark(&taken[0], e->addr);
	assert_int_equal(extent_arena(e), source[1]->arena_index);
	assert_int_equal(dirty(0), (BIG - 32) * page());
	check_figures();
	assert_true(page_source_trim(source[1], e, 4 * page()));
	assert_int_equal(dirty(0), (BIG - 4) * page());
	check_figures();
	/* The rest of its lender's step has not been touched. */
	assert_false(page_source_extend(source[1], e, 4096 * BIG * page(),
	    &zeroed));
	check_figures();
	give_all();
	assert_int_equal(pools_of(source[0], EXTENT_DIRTY)->count, 1);
}

static void
what_was_purged_meanwhile_returns_as_retained(void **state)
{
	struct extent *e;

	(void)state;
	take(0, BIG);
	give_all();
	e = take(1, 8);
	memset(e->addr, 0, e->size);
	ntaken = 0;
	page_source_give_retained(source[1], e);
	assert_int_equal(dirty(0), (BIG - 8) * page());
	assert_int_equal(source[1]->mapped, 0);
	check_figures();
}

static void
memory_of_the_programs_functions_is_not_lent(void **state)
{
	static struct extent_hooks hooks;

	(void)state;
	hooks = extent_hooks_default;
	take(0, BIG);
	give_all();
	page_source_set_hooks(source[0], &hooks);
	take(1, 8);
	assert_int_equal(dirty(0), BIG * page());
	check_figures();
}

static void
who_gets_functions_of_the_program_returns_what_it_borrowed(void **state)
{
	static struct extent_hooks hooks;

	(void)state;
	hooks = extent_hooks_default;
	take(0, BIG);
	give_all();
	take(1, 8);
	page_source_set_hooks(source[1], &hooks);
	give_all();
	assert_int_equal(dirty(0), BIG * page());
	assert_int_equal(source[1]->mapped, 0);
	check_figures();
}

static void
resize(unsigned i)
{
	struct taken *t = &taken[i];
	size_t size = t->e->size, more = (1 + random_below(&seed, 16)) * page();
	char *end = extent_end(t->e);
	bool zeroed;

	if (random_below(&seed, 2) == 0) {
		if (page_source_extend(source[t->by], t->e, size + more,
			&zeroed))
			assert_int_equal(t->e->size, size + more);
		check_marks(t, end);
		mark(t, end);
	} else if (size > more) {
		assert_true(page_source_trim(source[t->by], t->e, more));
		check_marks(t, extent_end(t->e));
	}
}

static void
random_operations_of_all_keep_pages_whole_and_counted(void **state)
{
	size_t mapped = 0, borrowed = 0;

	(void)state;
	for (unsigned i = 0; i < 40000; i++) {
		unsigned op = (unsigned)random_below(&seed, 100);
		/* In turns, one takes and the others give. */
		unsigned by = i / 500 % SOURCES;

		if (op < 50 && ntaken < TAKEN_MAX)
			take(by, 1 + random_below(&seed, 48));
		else if (op < 90 && ntaken > 0)
			give((unsigned)random_below(&seed, ntaken));
		else if (op < 99 && ntaken > 0)
			resize((unsigned)random_below(&seed, ntaken));
		else if (op == 99 && random_below(&seed, 16) == 0)
			ageing_purge(source[by]);
		for (unsigned k = 0; i % 64 == 0 && k < ntaken; k++)
			borrowed += taken[k].e->lender != 0;
		if (i % 64 == 0)
			check_figures();
	}
	assert_true(borrowed > 100);
	give_all();
	check_figures();
	for (unsigned i = 0; i < SOURCES; i++) {
		ageing_purge(source[i]);
		mapped += source[i]->mapped;
		/* All steps lie whole again; at most one piece for each. */
		assert_in_range(pools_of(source[i], EXTENT_RETAINED)->count, 0,
		    8);
	}
	assert_true(mapped > 0);
}

#define THREADS 4

static void *
worker(void *arg)
{
	unsigned self = (unsigned)(uintptr_t)arg;
	uint64_t own_seed = self;
	struct extent *mine[32] = { NULL };

	for (unsigned i = 0; i < 20000; i++) {
		struct extent **e = &mine[random_below(&own_seed, 32)];
		size_t size = (1 + random_below(&own_seed, 32)) * page();

		if (*e != NULL) {
			uint64_t *word = (uint64_t *)(void *)(*e)->addr;

			if (*word != self)
				return (void *)"a page belongs to two";
			page_source_give(source[self % SOURCES], *e);
			*e = NULL;
		} else if (i / 1000 % 2 == self % 2) {
			*e = page_source_take(source[self % SOURCES], size,
			    page());
			if (*e == NULL)
				return (void *)"nothing to be had";
			(*e)->kind = KIND_LARGE;
			(*e)->is_slab = false;
			pagemap_set_ends(*e, KIND_LARGE);
			*(uint64_t *)(void *)(*e)->addr = self;
		}
	}
	for (unsigned i = 0; i < 32; i++)
		if (mine[i] != NULL)
			page_source_give(source[self % SOURCES], mine[i]);
	return NULL;
}

static void
threads_borrow_of_each_other(void **state)
{
	pthread_t thread[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, worker,
				     (void *)(uintptr_t)i),
		    0);
	for (unsigned i = 0; i < THREADS; i++) {
		void *wrong;

		pthread_join(thread[i], &wrong);
		if (wrong != NULL)
			fail_msg("%s", (char *)wrong);
	}
	check_figures();
}

static int
init(void **state)
{
	(void)state;
	system_init();
	metadata_init();
	extent_records_init();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, fresh_sources)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(dirty_pages_of_another_are_taken_before_untouched_ones),
		TEST(it_returns_to_where_its_neighbours_are),
		TEST(not_all_are_looked_at_at_once),
		TEST(own_pages_come_first),
		TEST(who_has_little_keeps_it),
		TEST(large_blocks_are_borrowed_as_well),
		TEST(who_found_nothing_large_asks_for_less_at_once),
		TEST(a_block_just_freed_is_not_cut_for_another),
		TEST(it_is_noted_who_got_pages_back),
		TEST(what_grows_and_shrinks_does_so_with_its_lender),
		TEST(what_was_purged_meanwhile_returns_as_retained),
		TEST(memory_of_the_programs_functions_is_not_lent),
		TEST(
		    who_gets_functions_of_the_program_returns_what_it_borrowed),
		TEST(the_source_that_came_last_lends_too),
		TEST(pages_of_another_node_are_left_alone),
		TEST(random_operations_of_all_keep_pages_whole_and_counted),
		TEST(threads_borrow_of_each_other),
	};

	return cmocka_run_group_tests(tests, init, NULL);
}
