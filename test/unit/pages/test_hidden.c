/*
 * Free pages that core dumps leave out: what the kernel has noted for each
 * mapping is compared with what the source has in use, and with its pools.
 */
#include "pages/hidden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../unit.h"
#include "conf/options.h"
#include "extent/extent_hooks.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/pages.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "pages/growth.h"
#include "pages/inherit.h"
#include "pages/page_source.h"
#include "pages/pools.h"

#define TAKEN_MAX 200
#define NEVER     (-1)
#define KB        ((size_t)1 << 10)
#define MB        ((size_t)1 << 20)

static unsigned refuse; /* of 8 wishes to hide, 0 = none */
static uint64_t seed = 1;

bool __real_pages_leave_out_of_core(void *addr, size_t size);
bool __wrap_pages_leave_out_of_core(void *addr, size_t size);

bool
__wrap_pages_leave_out_of_core(void *addr, size_t size)
{
	if (random_below(&seed, 8) < refuse)
		return false;
	return __real_pages_leave_out_of_core(addr, size);
}

static size_t
page(void)
{
	return system_info.page_size;
}

/* Ranges that the kernel leaves out, when it was asked last. */
static struct {
	uintptr_t from, to;
} notes[4096];
static unsigned nnotes;

static void
read_notes(void)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	unsigned long from, to;
	char line[4096];

	assert_non_null(file);
	nnotes = 0;
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
			assert_true(nnotes < ARRAY_LEN(notes));
			notes[nnotes].from = from;
			notes[nnotes].to = to;
		} else if (strncmp(line, "VmFlags:", 8) == 0 &&
		    strstr(line, " dd") != NULL)
			nnotes++;
	fclose(file);
}

/* Bytes of a range that were left out then. */
static size_t
left_out(const char *addr, size_t size)
{
	uintptr_t from = (uintptr_t)addr, to = from + size;
	size_t sum = 0;

	for (unsigned i = 0; i < nnotes; i++)
		if (notes[i].from < to && notes[i].to > from)
			sum += min_size(to, notes[i].to) -
			    max_size(from, notes[i].from);
	return sum;
}

static size_t
left_out_now(const char *addr, size_t size)
{
	read_notes();
	return left_out(addr, size);
}

/* An emulator of processes may say nothing of it. */
static void
begin(void)
{
	char *p = pages_map(MB, page());
	bool noted;

	assert_non_null(p);
	assert_int_equal(hidden_count(), 0);
	refuse = 0;
	noted = __real_pages_leave_out_of_core(p, MB) &&
	    left_out_now(p, MB) == MB;
	pages_keep_in_core(p, MB);
	noted &= left_out_now(p, MB) == 0;
	assert_true(pages_unmap(p, MB));
	opt_at_start.core_dump_free = false;
	if (!noted)
		SKIP_TEST("the kernel does not note what it leaves out");
}

/* --- a source, and what was taken from it --------------------------------- */

static struct extent *taken[TAKEN_MAX];
static unsigned ntaken;

static struct page_source *
source_new(bool retain)
{
	static unsigned next_index;
	struct page_source *source = calloc(1, sizeof(*source));

	assert_non_null(source);
	page_source_init(source, next_index++,
	    &(struct page_source_config){ .dirty_decay_ms = NEVER,
		.muzzy_decay_ms = NEVER,
		.retain = retain,
		.lg_max_active_fit = 6 });
	return source;
}

static void
check_extent(const struct extent *e, enum extent_state state)
{
	if (e->hidden)
		assert_int_equal(state, EXTENT_RETAINED);
	else
		assert_int_equal(left_out(e->addr, e->size), 0);
	/* Small pieces that are retained one by one become large runs, too. */
	if (state == EXTENT_RETAINED && e->size >= HIDDEN_LEAST &&
	    refuse == 0 && !opt.core_dump_free)
		assert_int_equal(left_out(e->addr, e->size), e->size);
}

/* Hidden are what the kernel says, and what the pools say; nothing in use. */
static size_t
check_hidden(struct page_source *source)
{
	unsigned count = 0;
	size_t sum = 0;

	read_notes();
	for (enum extent_state state = EXTENT_DIRTY; state <= EXTENT_RETAINED;
	     state++) {
		const struct list *age = &pools_of(source, state)->age;

		for (struct list *at = age->next; at != age; at = at->next) {
			struct extent *e = container_of(at, struct extent, age);

			check_extent(e, state);
			count += e->hidden;
			sum += left_out(e->addr, e->size);
		}
	}
	assert_int_equal(count, hidden_count());
	for (unsigned i = 0; i < ntaken; i++) {
		assert_false(taken[i]->hidden);
		check_extent(taken[i], EXTENT_ACTIVE);
	}
	return sum;
}

static struct extent *
take(struct page_source *source, size_t size, size_t align)
{
	struct extent *e = page_source_take(source, size, align);

	assert_non_null(e);
	pagemap_set_ends(e, KIND_NONE);
	return e;
}

static void
give(struct page_source *source, unsigned i)
{
	page_source_give(source, taken[i]);
	taken[i] = taken[--ntaken];
}

static void
give_all(struct page_source *source)
{
	while (ntaken != 0)
		give(source, ntaken - 1);
}

static void
change(struct page_source *source, struct extent *e)
{
	size_t size = (1 + random_below(&seed, 100)) * page();
	bool zeroed;

	if (size < e->size)
		page_source_trim(source, e, size);
	else if (size > e->size)
		page_source_extend(source, e, size, &zeroed);
}

static void
random_step(struct page_source *source)
{
	static const unsigned most[] = { 4, 40, 400 };
	unsigned op = (unsigned)random_below(&seed, 100);
	unsigned i = ntaken == 0 ? 0 : (unsigned)random_below(&seed, ntaken);

	if (op < 40 && ntaken < TAKEN_MAX)
		taken[ntaken++] = take(source,
		    (1 + random_below(&seed, most[op % 3])) * page(),
		    page() << (op % 4 == 0 ? random_below(&seed, 8) : 0));
	else if (op < 75 && ntaken != 0)
		give(source, i);
	else if (op < 95 && ntaken != 0)
		change(source, taken[i]);
	else if (op % 2 == 0)
		ageing_purge(source);
	else
		ageing_purge_dirty(source);
}

static void
end(struct page_source *source)
{
	give_all(source);
	ageing_release(source);
	assert_int_equal(source->mapped, 0);
	assert_int_equal(hidden_count(), 0);
	free(source);
}

/* --- tests ---------------------------------------------------------------- */

static void
nothing_in_use_is_left_out(void **state)
{
	(void)state;
	begin();
	for (unsigned round = 0; round < 6; round++) {
		struct page_source *source = source_new(round != 1);

		refuse = round < 3 ? 0 : round;
		for (unsigned i = 0; i < 600; i++) {
			random_step(source);
			if (i % 4 == 0)
				check_hidden(source);
		}
		check_hidden(source);
		end(source);
	}
	refuse = 0;
}

static void
what_is_free_is_left_out(void **state)
{
	struct page_source *source = source_new(true);

	(void)state;
	begin();
	for (unsigned i = 0; i < 16; i++)
		taken[ntaken++] = take(source, 4 * MB, page());
	/* So is what was mapped in advance. */
	assert_int_equal(check_hidden(source), source->mapped - 64 * MB);
	give_all(source);
	assert_int_equal(check_hidden(source), source->mapped - 64 * MB);
	ageing_purge(source);
	assert_int_equal(check_hidden(source), source->mapped);
	/* It is one run, and so one mapping. */
	assert_int_equal(hidden_count(),
	    pools_of(source, EXTENT_RETAINED)->count);
	taken[ntaken++] = take(source, 4 * MB, page());
	assert_int_equal(check_hidden(source), source->mapped - 4 * MB);
	/* Nobody has touched it, so it need not be purged. */
	page_source_give_retained(source, taken[--ntaken]);
	assert_int_equal(check_hidden(source), source->mapped);
	end(source);
}

static void
in_place_growth_is_not_left_out(void **state)
{
	struct page_source *source = source_new(true);
	bool zeroed;

	(void)state;
	begin();
	taken[ntaken++] = take(source, 4 * page(), page());
	for (size_t size = 5; size <= 300; size += 59) {
		assert_true(page_source_extend(source, taken[0], size * page(),
		    &zeroed));
		check_hidden(source);
	}
	end(source);
}

/* What is free when the program sets its hooks can be hidden already. */
static void
hooks_take_what_was_hidden(void **state)
{
	struct page_source *source = source_new(true);
	struct page_source *heir = source_new(true);
	struct extent_hooks hooks = extent_hooks_default;
	bool zeroed;

	(void)state;
	begin();
	taken[ntaken++] = take(source, 512 * KB, page());
	assert_true(check_hidden(source) > 512 * KB);
	page_source_set_hooks(source, &hooks);
	for (unsigned i = 0; i < 4; i++)
		taken[ntaken++] = take(source, 16 * KB, page());
	check_hidden(source);
	assert_true(page_source_extend(source, taken[4], 128 * KB, &zeroed));
	assert_true(check_hidden(source) > 0);
	give_all(source);
	inherit_fini(source, heir);
	free(source);
	end(heir);
}

/* The first step of a source that ends becomes that of another one. */
static void
what_is_left_to_others_is_not_left_out(void **state)
{
	struct page_source *heir = source_new(true);

	(void)state;
	begin();
	for (unsigned i = 0; i < 4; i++) {
		struct page_source *source = source_new(true);

		opt_at_start.core_dump_free = i % 2 != 0;
		source->track_regions = true;
		taken[ntaken++] = take(source, 16 * page(), page());
		assert_int_equal(source->mapped, GROW_STEP_MIN);
		assert_true((check_hidden(source) > 0) == (i % 2 == 0));
		give(source, 0);
		inherit_fini(source, heir);
		assert_int_equal(hidden_count(), 0);
		free(source);
	}
	end(heir);
}

static void
by_default_nothing_is_left_out(void **state)
{
	struct page_source *source = source_new(true);

	(void)state;
	begin();
	opt_at_start.core_dump_free = true;
	taken[ntaken++] = take(source, 4 * MB, page());
	give(source, 0);
	ageing_purge(source);
	assert_int_equal(check_hidden(source), 0);
	assert_int_equal(hidden_count(), 0);
	opt_at_start.core_dump_free = false;
	end(source);
}

/* Each splits a mapping, and the program needs mappings, too. */
static void
small_runs_and_too_many_runs_are_not_left_out(void **state)
{
	struct page_source *source = source_new(true);
	size_t least = round_up(HIDDEN_LEAST, page());
	static struct extent *hole[HIDDEN_MOST + 100];

	(void)state;
	begin();
	for (unsigned i = 0; i < ARRAY_LEN(hole); i++) {
		hole[i] = take(source, least, page());
		take(source, page(), page());
	}
	for (unsigned i = 0; i < ARRAY_LEN(hole); i++)
		page_source_give(source, hole[i]);
	ageing_purge(source);
	assert_true(hidden_count() > HIDDEN_MOST / 2);
	assert_true(hidden_count() <= HIDDEN_MOST);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(nothing_in_use_is_left_out),
	cmocka_unit_test(what_is_free_is_left_out),
	cmocka_unit_test(in_place_growth_is_not_left_out),
	cmocka_unit_test(hooks_take_what_was_hidden),
	cmocka_unit_test(what_is_left_to_others_is_not_left_out),
	cmocka_unit_test(by_default_nothing_is_left_out),
	cmocka_unit_test(small_runs_and_too_many_runs_are_not_left_out),
};

int
main(void)
{
	system_init();
	metadata_init();
	extent_records_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
