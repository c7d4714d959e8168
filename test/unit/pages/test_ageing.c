/*
 * How a page source ages, releases and ends, with a kernel that does as the
 * test wants.
 */
#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "extent/extent_records.h"
#include "extent/limit.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/pages.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "pages/growth.h"
#include "pages/inherit.h"
#include "pages/page_source.h"
#include "pages/pools.h"

#define MS    UINT64_C(1000000)
#define S     (1000 * MS)
#define NEVER (-1)
#define STEP  ((size_t)2 << 20) /* that a source maps at first */

static struct {
	bool refuse_lazy, refuse_forced, refuse_anew, come_locked, are_locked;
	bool from_break, refuse_map;
	unsigned refuse_unmap_from; /* this call and later ones; 0: none */
	unsigned nlazy, nforced, nunmap, nanew, nmessages;
	uint64_t now_ns;
} kernel;

void *__real_pages_map(size_t size, size_t align);
void *__wrap_pages_map(size_t size, size_t align);
bool __real_pages_unmap(void *addr, size_t size);
bool __real_pages_map_at(void *addr, size_t size);
bool __real_pages_purge_forced(void *addr, size_t size);
bool __wrap_pages_unmap(void *addr, size_t size);
bool __wrap_pages_map_at(void *addr, size_t size);
bool __wrap_pages_purge_forced(void *addr, size_t size);
bool __wrap_pages_purge_lazy(void *addr, size_t size);
bool __wrap_pages_come_locked(void);
bool __wrap_pages_are_locked(void *addr);
bool __wrap_dss_contains(const void *addr);
uint64_t __wrap_clock_now_ns(void);
void __wrap_message(const char *template, ...);

void *
__wrap_pages_map(size_t size, size_t align)
{
	return kernel.refuse_map ? NULL : __real_pages_map(size, align);
}

bool
__wrap_pages_unmap(void *addr, size_t size)
{
	kernel.nunmap++;
	return (kernel.refuse_unmap_from == 0 ||
		   kernel.nunmap < kernel.refuse_unmap_from) &&
	    __real_pages_unmap(addr, size);
}

bool
__wrap_pages_map_at(void *addr, size_t size)
{
	kernel.nanew++;
	return !kernel.refuse_anew && __real_pages_map_at(addr, size);
}

bool
__wrap_pages_purge_forced(void *addr, size_t size)
{
	kernel.nforced++;
	return !kernel.refuse_forced && __real_pages_purge_forced(addr, size);
}

bool
__wrap_pages_purge_lazy(void *addr, size_t size)
{
	(void)addr, (void)size;
	kernel.nlazy++;
	return !kernel.refuse_lazy;
}

bool
__wrap_pages_come_locked(void)
{
	return kernel.come_locked;
}

bool
__wrap_pages_are_locked(void *addr)
{
	(void)addr;
	return kernel.are_locked;
}

bool
__wrap_dss_contains(const void *addr)
{
	(void)addr;
	return kernel.from_break;
}

uint64_t
__wrap_clock_now_ns(void)
{
	return kernel.now_ns;
}

void
__wrap_message(const char *template, ...)
{
	(void)template;
	kernel.nmessages++;
}

/* --- a source with holes ------------------------------------------------ */

enum { HOLES = 8, HOLE_PAGES = 10 };

static struct {
	struct page_source *source, *heir;
	struct extent *hole[HOLES], *between[HOLES];
	size_t hole_size;
	size_t mapped, in_memory; /* with the holes dirty */
} test;

static struct page_source *
source_new(int64_t dirty_ms, int64_t muzzy_ms, bool retain)
{
	static unsigned index;
	struct page_source_config config = { .dirty_decay_ms = dirty_ms,
		.muzzy_decay_ms = muzzy_ms,
		.retain = retain,
		.lg_max_active_fit = 6 };
	struct page_source *source = calloc(1, sizeof(*source));

	assert_non_null(source);
	page_source_init(source, index++, &config);
	return source;
}

/* Holes that taken pages keep apart. */
static void
begin(int64_t dirty_ms, int64_t muzzy_ms, bool retain)
{
	memset(&kernel, 0, sizeof(kernel));
	test.source = source_new(dirty_ms, muzzy_ms, retain);
	test.source->track_regions = true;
	test.heir = source_new(NEVER, NEVER, true);
	test.hole_size = HOLE_PAGES * system_info.page_size;
	for (unsigned i = 0; i < HOLES; i++) {
		test.hole[i] = page_source_take(test.source, test.hole_size,
		    system_info.page_size);
		pagemap_set_ends(test.hole[i], KIND_LARGE);
		memset(test.hole[i]->addr, 1, test.hole_size);
		test.between[i] = page_source_take(test.source,
		    system_info.page_size, system_info.page_size);
		pagemap_set_ends(test.between[i], KIND_LARGE);
	}
	test.mapped = test.source->mapped;
	test.in_memory = limit.in_memory;
}

static void
give_hole(unsigned i)
{
	page_source_give(test.source, test.hole[i]);
	test.hole[i] = NULL;
}

static void
give_holes(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		give_hole(i);
}

static size_t
size_of(enum extent_state state)
{
	return pools_of(test.source, state)->size;
}

static size_t
count_of(enum extent_state state)
{
	return pools_of(test.source, state)->count;
}

static void
check_regions(void)
{
	struct region *region;
	const char *from = NULL;
	size_t sum = 0;

	while ((region = regions_next(&test.source->regions, from)) != NULL) {
		sum += region->size;
		from = region_end(region);
	}
	assert_int_equal(sum, test.source->mapped);
}

static void
end(void)
{
	char *step;

	memset(&kernel, 0, sizeof(kernel));
	page_source_check(test.source);
	/* Of what is mapped it knows all, and waits for nothing. */
	assert_int_equal(test.source->regions.nexpected, 0);
	check_regions();
	for (unsigned i = 0; i < HOLES; i++) {
		if (test.hole[i] != NULL)
			give_hole(i);
		page_source_give(test.source, test.between[i]);
	}
	inherit_fini(test.source, test.heir);
	assert_int_equal(test.source->mapped, 0);
	ageing_release(test.heir);
	free(test.source);
	free(test.heir);
	while ((step = growth_left_step()) != NULL)
		assert_true(__real_pages_unmap(step, STEP));
}

/* --- where advice is refused -------------------------------------------- */

static const struct {
	const char *what;
	bool come_locked, are_locked, from_break, refuse_anew;
	unsigned refuse_unmap_from;
	unsigned nunmap, nanew;
	enum extent_state state; /* BUSY: it is gone */
} replacements[] = {
	{ "mapped anew", false, false, false, false, 0, 1, 1, EXTENT_RETAINED },
	{ "somebody was faster", false, false, false, true, 0, 1, 1,
	    EXTENT_BUSY },
	{ "would be locked", true, false, false, false, 0, 1, 0, EXTENT_BUSY },
	{ "is locked", false, true, false, false, 0, 2, 1, EXTENT_BUSY },
	{ "is locked and stays", false, true, false, false, 2, 2, 1,
	    EXTENT_DIRTY },
	{ "can't be unmapped", false, false, false, false, 1, 1, 0,
	    EXTENT_DIRTY },
	{ "is of the break", false, false, true, false, 0, 0, 0, EXTENT_DIRTY },
};

static void
pages_are_replaced_where_advice_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replacements); i++) {
		enum extent_state to = replacements[i].state;
		size_t retained, size;

		begin(NEVER, 0, true);
		give_holes(1);
		size = test.hole_size;
		retained = size_of(EXTENT_RETAINED);
		kernel.refuse_forced = true;
		kernel.come_locked = replacements[i].come_locked;
		kernel.are_locked = replacements[i].are_locked;
		kernel.from_break = replacements[i].from_break;
		kernel.refuse_anew = replacements[i].refuse_anew;
		kernel.refuse_unmap_from = replacements[i].refuse_unmap_from;
		ageing_purge(test.source);
		if (kernel.nunmap != replacements[i].nunmap ||
		    kernel.nanew != replacements[i].nanew)
			fail_msg("%s: %u, %u", replacements[i].what,
			    kernel.nunmap, kernel.nanew);
		assert_int_equal(size_of(EXTENT_DIRTY),
		    to == EXTENT_DIRTY ? size : 0);
		assert_int_equal(size_of(EXTENT_RETAINED) - retained,
		    to == EXTENT_RETAINED ? size : 0);
		assert_int_equal(test.mapped - test.source->mapped,
		    to == EXTENT_BUSY ? size : 0);
		assert_int_equal(test.in_memory - limit.in_memory,
		    to == EXTENT_DIRTY ? 0 : size);
		end();
	}
}

/* Without retain, they are unmapped; else purged; and never mapped anew. */
static void
without_retain_pages_are_unmapped_or_purged(void **state)
{
	(void)state;
	for (unsigned refuse = 0; refuse < 4; refuse++) {
		begin(NEVER, 0, false);
		give_holes(1);
		/* What is of the break can't be unmapped. */
		kernel.from_break = refuse == 3;
		kernel.refuse_unmap_from = refuse == 1 || refuse == 2;
		kernel.refuse_forced = refuse == 2;
		ageing_purge(test.source);
		assert_int_equal(kernel.nanew, 0);
		assert_int_equal(test.mapped - test.source->mapped,
		    refuse == 0 ? test.hole_size : 0);
		assert_int_equal(kernel.nunmap, refuse != 3);
		assert_int_equal(size_of(EXTENT_RETAINED),
		    refuse % 2 == 1 ? test.hole_size : 0);
		assert_int_equal(size_of(EXTENT_DIRTY),
		    refuse == 2 ? test.hole_size : 0);
		assert_int_equal(kernel.nforced, refuse != 0);
		end();
	}
}

/* Muzzy pages exist for their time alone. */
static void
lazy_advice_is_for_dirty_pages_with_a_muzzy_time(void **state)
{
	(void)state;
	begin(NEVER, 1000, true);
	give_holes(2);
	ageing_purge_dirty(test.source);
	assert_int_equal(kernel.nlazy, 2);
	assert_int_equal(kernel.nforced, 0);
	assert_int_equal(size_of(EXTENT_MUZZY), 2 * test.hole_size);
	/* They may be in memory still. */
	assert_int_equal(limit.in_memory, test.in_memory);
	assert_int_equal(test.source->aged[0].npurge, 1);
	assert_int_equal(test.source->aged[0].nmadvise, 2);
	assert_int_equal(test.source->aged[0].purged, 2 * test.hole_size);
	ageing_purge(test.source);
	assert_int_equal(kernel.nlazy, 2);
	assert_int_equal(kernel.nforced, 2);
	assert_int_equal(size_of(EXTENT_MUZZY), 0);
	assert_int_equal(test.in_memory - limit.in_memory, 2 * test.hole_size);
	assert_int_equal(test.source->aged[1].npurge, 1);
	assert_int_equal(test.source->aged[1].nmadvise, 2);
	end();
	begin(NEVER, 0, true);
	give_holes(2);
	ageing_purge_dirty(test.source);
	assert_int_equal(kernel.nlazy, 0);
	assert_int_equal(kernel.nforced, 2);
	end();
}

/* --- pauses ------------------------------------------------------------- */

static void
refuse_all(void)
{
	kernel.refuse_forced = kernel.refuse_lazy = true;
	kernel.refuse_unmap_from = 1;
}

static void
what_is_refused_is_tried_again_after_a_second(void **state)
{
	(void)state;
	begin(100, 0, true);
	ageing_tick(test.source, 0);
	give_holes(HOLES);
	ageing_tick(test.source, 20 * MS);
	refuse_all();
	kernel.now_ns = 200 * MS;
	ageing_tick(test.source, kernel.now_ns);
	assert_int_equal(kernel.nforced, HOLES);
	assert_true(test.source->refused_until_ns == 200 * MS + S);
	/* By itself, it waits; who asks is obeyed. */
	ageing_tick(test.source, 200 * MS + S / 2);
	ageing_tick(test.source, 200 * MS + S - 1);
	assert_int_equal(kernel.nforced, HOLES);
	assert_true(ageing_wait(test.source, 200 * MS + S / 2) == S / 2);
	assert_true(ageing_wait(test.source, 200 * MS + S) <= S / 100);
	kernel.now_ns = 200 * MS + S / 2;
	ageing_purge_dirty(test.source);
	assert_int_equal(kernel.nforced, HOLES);
	kernel.now_ns = 500 * MS;
	ageing_purge(test.source);
	assert_int_equal(kernel.nforced, 2 * HOLES);
	assert_true(test.source->refused_until_ns == 500 * MS + S);
	/* A clock that went far back stops nothing. */
	kernel.now_ns = 100 * MS;
	ageing_purge_dirty(test.source);
	assert_int_equal(kernel.nforced, 3 * HOLES);
	assert_true(test.source->refused_until_ns == 100 * MS + S);
	/* One message for all of it. */
	assert_int_equal(kernel.nmessages, 1);
	kernel.refuse_forced = false;
	kernel.refuse_unmap_from = 0;
	ageing_tick(test.source, 100 * MS + S - 1);
	assert_int_equal(size_of(EXTENT_DIRTY), HOLES * test.hole_size);
	ageing_tick(test.source, 100 * MS + S + 20 * MS);
	assert_int_equal(size_of(EXTENT_DIRTY), 0);
	assert_true(test.source->refused_until_ns == 0);
	end();
}

/* --- waiting ------------------------------------------------------------ */

static void
a_wait_lasts_until_the_next_step(void **state)
{
	uint64_t wait_ns;

	(void)state;
	begin(1000, 100, true);
	assert_true(ageing_wait(test.source, 0) == UINT64_MAX);
	give_holes(1);
	ageing_tick(test.source, 0);
	wait_ns = ageing_wait(test.source, 0);
	assert_true(wait_ns >= 10 * MS && wait_ns < 11 * MS);
	assert_true(ageing_wait(test.source, 3 * MS) == wait_ns - 3 * MS);
	assert_true(ageing_wait(test.source, wait_ns) == 0);
	/* Muzzy pages have shorter steps. */
	ageing_purge_dirty(test.source);
	wait_ns = ageing_wait(test.source, 0);
	assert_true(wait_ns >= MS && wait_ns < 2 * MS);
	give_hole(1);
	assert_true(ageing_wait(test.source, 0) == wait_ns);
	/* Who ages right now will be done then. */
	lock_acquire(&test.source->decay_lock);
	assert_true(ageing_wait(test.source, 0) == 10 * MS);
	lock_release(&test.source->decay_lock);
	end();
	begin(NEVER, NEVER, true);
	give_holes(1);
	assert_true(ageing_wait(test.source, 0) == UINT64_MAX);
	end();
}

static void
silence_for_the_longest_time_ages_all_of_it(void **state)
{
	uint64_t period_ns;

	(void)state;
	begin(1000, NEVER, true);
	period_ns = ageing_period(test.source);
	assert_true(period_ns >= S && period_ns < S + S / 50);
	ageing_tick(test.source, 5 * S);
	give_holes(2);
	assert_int_equal(ageing_unused(test.source), 2 * test.hole_size);
	assert_false(ageing_tick_silent(test.source, 0));
	assert_false(ageing_tick_silent(test.source, 5 * S));
	assert_false(ageing_tick_silent(test.source,
	    5 * S + 10 * MS + period_ns - 1));
	assert_int_equal(size_of(EXTENT_DIRTY), 2 * test.hole_size);
	assert_true(ageing_tick_silent(test.source,
	    5 * S + 10 * MS + period_ns));
	assert_int_equal(size_of(EXTENT_DIRTY), 0);
	assert_false(ageing_tick_silent(test.source,
	    5 * S + 10 * MS + period_ns));
	/* What is muzzy has no time, so it stays. */
	assert_int_equal(size_of(EXTENT_MUZZY), 2 * test.hole_size);
	assert_int_equal(ageing_unused(test.source), 0);
	give_hole(2);
	ageing_tick_silent(test.source, 5 * S + 10 * MS + 2 * period_ns);
	assert_int_equal(count_of(EXTENT_DIRTY), 1);
	ageing_tick_silent(test.source, 5 * S + 20 * MS + 2 * period_ns);
	assert_int_equal(count_of(EXTENT_DIRTY), 0);
	end();
}

/* --- pieces --------------------------------------------------------------- */

enum { BIG_PIECES = 64 };

/* A large free extent that became dirty at once, and may not stay any more. */
static void
begin_big(int64_t dirty_ms)
{
	size_t size = BIG_PIECES * AGEING_PIECE;
	struct extent *e;

	begin(dirty_ms, 0, true);
	e = page_source_take(test.source, size, system_info.page_size);
	pagemap_set_ends(e, KIND_LARGE);
	memset(e->addr, 1, size);
	ageing_tick(test.source, 0);
	page_source_give(test.source, e);
	give_hole(1);
	ageing_tick(test.source, 10 * MS);
	kernel.nforced = 0;
}

/* A tick of a program; returns how many bytes it has purged. */
static size_t
short_tick(uint64_t now_ns)
{
	size_t before = size_of(EXTENT_DIRTY);
	size_t all = test.source->aged[0].purged;
	bool purged = ageing_tick_short(test.source, now_ns);
	size_t gone = before - size_of(EXTENT_DIRTY);

	assert_int_equal(purged, gone != 0);
	assert_int_equal(test.source->aged[0].purged - all, gone);
	page_source_check(test.source);
	return gone;
}

static void
a_program_purges_a_piece_in_one_call(void **state)
{
	size_t gone, sum;
	unsigned n = 0;

	(void)state;
	begin_big(100);
	/* After a long pause, several. */
	sum = short_tick(S);
	assert_in_range(sum, (AGEING_PIECES - 1) * AGEING_PIECE,
	    AGEING_PIECES * AGEING_PIECE);
	assert_int_equal(kernel.nforced, AGEING_PIECES);
	for (; (gone = short_tick(S)) != 0; sum += gone, n++) {
		/* The oldest is cut, and its rest is the oldest still. */
		assert_in_range(gone, 1, AGEING_PIECE);
		if (sum >= (BIG_PIECES - 1) * AGEING_PIECE)
			continue; /* two ends may go at once */
		assert_int_equal(count_of(EXTENT_DIRTY), 2);
		assert_int_equal(kernel.nforced, AGEING_PIECES + n + 1);
	}
	assert_int_equal(sum, BIG_PIECES * AGEING_PIECE + test.hole_size);
	assert_int_equal(size_of(EXTENT_DIRTY), 0);
	assert_in_range(n, BIG_PIECES - AGEING_PIECES, BIG_PIECES + 2);
	end();
}

static void
pieces_follow_the_curve(void **state)
{
	size_t size = BIG_PIECES * AGEING_PIECE;

	(void)state;
	begin_big(1000);
	for (uint64_t ns = 10 * MS; ns < 510 * MS; ns += MS)
		short_tick(ns);
	/* Half of the time is over, so half of it is left. */
	assert_in_range(size_of(EXTENT_DIRTY), size / 2 - size / 16,
	    size / 2 + size / 16);
	for (uint64_t ns = 510 * MS; ns < 1050 * MS; ns += MS)
		short_tick(ns);
	assert_int_equal(size_of(EXTENT_DIRTY), 0);
	end();
}

static void
a_thread_of_the_library_purges_all_at_once(void **state)
{
	(void)state;
	begin_big(100);
	assert_true(short_tick(S) != 0);
	assert_true(ageing_wait(test.source, S) == 0);
	ageing_tick(test.source, S);
	assert_int_equal(size_of(EXTENT_DIRTY), 0);
	assert_true(ageing_wait(test.source, S) != 0);
	end();
}

static void
silent_pages_go_in_pieces_too(void **state)
{
	size_t before;

	(void)state;
	begin_big(100);
	do {
		before = size_of(EXTENT_DIRTY);
		assert_true(ageing_tick_silent(test.source, 100 * S));
		assert_in_range(before - size_of(EXTENT_DIRTY), 1,
		    AGEING_PIECES * AGEING_PIECE);
	} while (size_of(EXTENT_DIRTY) != 0);
	assert_false(ageing_tick_silent(test.source, 100 * S));
	assert_in_range(kernel.nforced, BIG_PIECES, BIG_PIECES + 3);
	end();
}

static void
a_piece_that_is_refused_ends_the_call(void **state)
{
	size_t size;

	(void)state;
	begin_big(100);
	size = size_of(EXTENT_DIRTY);
	refuse_all();
	kernel.now_ns = S;
	assert_int_equal(short_tick(S), 0);
	assert_int_equal(kernel.nforced, 1);
	assert_int_equal(size_of(EXTENT_DIRTY), size);
	assert_true(test.source->refused_until_ns == 2 * S);
	end();
}

static void
a_new_time_applies_at_once_but_never(void **state)
{
	(void)state;
	for (int64_t ms = -1; ms < 2; ms++) {
		begin(1000, 1000, true);
		give_holes(2);
		ageing_set_decay(test.source, 0, ms, 0);
		assert_int_equal(count_of(EXTENT_DIRTY), ms < 0 ? 2 : 0);
		give_hole(2);
		assert_int_equal(count_of(EXTENT_DIRTY),
		    ms < 0        ? 3
			: ms == 0 ? 0
				  : 1);
		ageing_set_decay(test.source, 1, ms, 0);
		/* What is muzzy goes, but for the times without an end. */
		assert_int_equal(count_of(EXTENT_MUZZY), 0);
		end();
	}
}

static void
what_can_not_be_mapped_changes_nothing(void **state)
{
	(void)state;
	begin(NEVER, NEVER, true);
	kernel.refuse_map = true;
	assert_null(page_source_take(test.source, 16 * STEP,
	    system_info.page_size));
	assert_int_equal(test.source->mapped, test.mapped);
	assert_int_equal(limit.in_memory, test.in_memory);
	end();
}

/* --- the end ------------------------------------------------------------ */

static void
all_is_released_but_what_the_kernel_keeps(void **state)
{
	(void)state;
	for (unsigned refuse = 0; refuse < 2; refuse++) {
		size_t retained, muzzy, dirty, size;

		begin(NEVER, NEVER, true);
		give_holes(2);
		ageing_purge_dirty(test.source);
		give_hole(2);
		retained = size_of(EXTENT_RETAINED);
		muzzy = size_of(EXTENT_MUZZY);
		dirty = size_of(EXTENT_DIRTY);
		size = test.hole_size;
		assert_int_equal(muzzy, 2 * size);
		assert_int_equal(dirty, size);
		assert_true(retained != 0);
		kernel.refuse_unmap_from = refuse;
		ageing_release(test.source);
		assert_int_equal(size_of(EXTENT_RETAINED),
		    refuse ? retained : 0);
		assert_int_equal(size_of(EXTENT_MUZZY), refuse ? muzzy : 0);
		assert_int_equal(size_of(EXTENT_DIRTY), refuse ? dirty : 0);
		/* Retained pages were in nobody's memory. */
		assert_int_equal(test.in_memory - limit.in_memory,
		    refuse ? 0 : muzzy + dirty);
		assert_int_equal(test.mapped - test.source->mapped,
		    refuse ? 0 : retained + muzzy + dirty);
		end();
	}
}

static void
the_heir_gets_what_the_kernel_keeps(void **state)
{
	size_t in_memory, mapped;

	(void)state;
	begin(NEVER, NEVER, true);
	/* Else its one step would be left to others. */
	test.source->track_regions = false;
	give_holes(HOLES);
	for (unsigned i = 0; i < HOLES; i++)
		page_source_give(test.source, test.between[i]);
	mapped = test.source->mapped;
	in_memory = limit.in_memory;
	kernel.refuse_unmap_from = 1;
	inherit_fini(test.source, test.heir);
	assert_int_equal(test.source->mapped, 0);
	assert_int_equal(test.heir->mapped, mapped);
	assert_int_equal(limit.in_memory, in_memory);
	assert_int_equal(test.source->spares.count, 0);
	page_source_check(test.heir);
	for (unsigned i = 0; i < EXTENT_POOLS; i++)
		assert_int_equal(test.source->pool[i].size, 0);
	kernel.refuse_unmap_from = 0;
	ageing_release(test.heir);
	assert_int_equal(test.heir->mapped, 0);
	free(test.source);
	free(test.heir);
}

/* A source that has touched `npages` of its one step ends. */
static char *
step_left(size_t npages, bool track, bool retain, bool refuse)
{
	size_t size = npages * system_info.page_size;
	struct page_source *source = source_new(NEVER, NEVER, retain);
	struct page_source *heir = source_new(NEVER, NEVER, true);
	struct extent *e;
	char *step;

	memset(&kernel, 0, sizeof(kernel));
	source->track_regions = track;
	e = page_source_take(source, size, system_info.page_size);
	pagemap_set_ends(e, KIND_LARGE);
	memset(e->addr, 1, size);
	page_source_give(source, e);
	kernel.refuse_forced = kernel.refuse_lazy = refuse;
	kernel.come_locked = refuse;
	inherit_fini(source, heir);
	assert_int_equal(source->mapped, 0);
	step = growth_left_step();
	kernel.refuse_forced = false;
	ageing_release(heir);
	free(source);
	free(heir);
	if (step == NULL)
		return NULL;
	assert_null(pagemap_find(step));
	return step;
}

static void
the_one_step_of_a_source_is_left_to_the_next(void **state)
{
	size_t in_memory = limit.in_memory;
	char *step;

	(void)state;
	assert_null(growth_left_step());
	/* Little of it was touched. */
	step = step_left(16, true, true, false);
	assert_non_null(step);
	assert_int_equal(step[0], 1);
	assert_int_equal(step[STEP - 1], 0);
	assert_true(__real_pages_unmap(step, STEP));
	/* More, which is purged first. */
	step = step_left(17, true, true, false);
	assert_non_null(step);
	assert_int_equal(step[0], 0);
	assert_true(__real_pages_unmap(step, STEP));
	/* None: several steps, no list of them, no retaining, a refusal. */
	assert_null(step_left(STEP / system_info.page_size + 1, true, true,
	    false));
	assert_null(step_left(16, false, true, false));
	assert_null(step_left(16, true, false, false));
	assert_null(step_left(17, true, true, true));
	assert_int_equal(limit.in_memory, in_memory);
}

static void
eight_steps_are_left_at_most(void **state)
{
	struct page_source *source[10], *heir = source_new(NEVER, NEVER, true);
	unsigned left = 0;
	char *step;

	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	for (unsigned i = 0; i < 10; i++) {
		struct extent *e;

		source[i] = source_new(NEVER, NEVER, true);
		source[i]->track_regions = true;
		e = page_source_take(source[i], system_info.page_size,
		    system_info.page_size);
		pagemap_set_ends(e, KIND_LARGE);
		page_source_give(source[i], e);
	}
	for (unsigned i = 0; i < 10; i++) {
		kernel.nunmap = 0;
		inherit_fini(source[i], heir);
		assert_int_equal(source[i]->mapped, 0);
		assert_int_equal(kernel.nunmap != 0, i >= 8);
		free(source[i]);
	}
	while ((step = growth_left_step()) != NULL) {
		left++;
		assert_true(__real_pages_unmap(step, STEP));
	}
	assert_int_equal(left, 8);
	assert_int_equal(heir->mapped, 0);
	free(heir);
}

/* Bins have just begun to keep them. */
static void
empty_slabs_of_a_new_arena_stay_for_a_moment(void **state)
{
	struct page_source_config config = { .dirty_decay_ms = 1000,
		.now_ns = 5 * S };
	struct page_source *source = calloc(1, sizeof(*source));

	(void)state;
	assert_non_null(source);
	page_source_init(source, 0, &config);
	source->kept = system_info.page_size;
	assert_true(ageing_wait(source, 5 * S) == 100 * MS);
	source->kept = 0;
	free(source);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: the message comes once in a process. */
		cmocka_unit_test(what_is_refused_is_tried_again_after_a_second),
		cmocka_unit_test(pages_are_replaced_where_advice_is_refused),
		cmocka_unit_test(without_retain_pages_are_unmapped_or_purged),
		cmocka_unit_test(
		    lazy_advice_is_for_dirty_pages_with_a_muzzy_time),
		cmocka_unit_test(a_wait_lasts_until_the_next_step),
		cmocka_unit_test(empty_slabs_of_a_new_arena_stay_for_a_moment),
		cmocka_unit_test(silence_for_the_longest_time_ages_all_of_it),
		cmocka_unit_test(a_program_purges_a_piece_in_one_call),
		cmocka_unit_test(pieces_follow_the_curve),
		cmocka_unit_test(a_thread_of_the_library_purges_all_at_once),
		cmocka_unit_test(silent_pages_go_in_pieces_too),
		cmocka_unit_test(a_piece_that_is_refused_ends_the_call),
		cmocka_unit_test(a_new_time_applies_at_once_but_never),
		cmocka_unit_test(what_can_not_be_mapped_changes_nothing),
		cmocka_unit_test(all_is_released_but_what_the_kernel_keeps),
		cmocka_unit_test(the_heir_gets_what_the_kernel_keeps),
		cmocka_unit_test(the_one_step_of_a_source_is_left_to_the_next),
		cmocka_unit_test(eight_steps_are_left_at_most),
	};

	system_init();
	metadata_init();
	extent_records_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
