/*
 * A page source with huge pages: short extents lie in pageslabs, others in the
 * pools, and the figures say what is where.
 */
#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "huge/huge_cache.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "pages/inherit.h"
#include "pages/packed.h"
#include "pages/page_source.h"

#define HUGE      ((size_t)2 << 20)
#define SHORT_MAX ((size_t)65536)
#define LIVE_MAX  200
#define MS        UINT64_C(1000000)

struct live {
	struct extent *e;
	uint64_t tag;
};

static struct {
	struct page_source source, heir;
	struct live live[LIVE_MAX];
	unsigned n;
	uint64_t seed;
} test;

static char memory[16384] CACHE_ALIGNED;

static size_t
page(void)
{
	return system_info.page_size;
}

static void
start(bool retain)
{
	static unsigned index;
	struct page_source_config config = { .dirty_decay_ms = -1,
		.muzzy_decay_ms = -1,
		.retain = retain,
		.lg_max_active_fit = 6 };
	struct huge_config shard = { .huge_page = HUGE,
		.max_size = SHORT_MAX,
		.dense = HUGE,
		.purge_min = page(),
		.purge = true,
		.style = HUGIFY_NONE,
		.max_purges = -1 };
	struct huge_cache_config cache = { .nparts = 1,
		.max_size = 32768,
		.max_bytes = 1 << 18,
		.extra = 1,
		.idle_ns = 5000 * MS };

	memset(&test, 0, sizeof(test));
	assert_true(huge_cache_size(1) <= sizeof(memory));
	page_source_init(&test.heir, index++, &config);
	page_source_init(&test.source, index++, &config);
	page_source_pack(&test.source, (struct huge_cache *)(void *)memory,
	    &cache, &shard);
	test.seed = index;
}

static void
mark(const struct live *live, char *from)
{
	for (char *p = from; p < extent_end(live->e); p += page())
		*(uint64_t *)(void *)p = live->tag;
}

static void
check_marks(const struct live *live, const char *end)
{
	for (char *p = live->e->addr; p < end; p += page())
		if (*(uint64_t *)(void *)p != live->tag)
			fail_msg("%p belongs to two", (void *)p);
}

static void
check(void)
{
	size_t active = 0, packed = 0, pools = 0;
	struct huge_stats stats;

	huge_pages_stats(&test.source.huge->shard, &stats);
	for (unsigned i = 0; i < test.n; i++) {
		struct extent *e = test.live[i].e;

		active += e->size;
		if (e->pageslab != NULL)
			packed += e->size;
		assert_ptr_equal(pagemap_find(e->addr), e);
		assert_ptr_equal(pagemap_find(extent_end(e) - 1), e);
	}
	for (unsigned i = 0; i < EXTENT_POOLS; i++)
		pools += test.source.pool[i].size;
	assert_int_equal(test.source.active, active);
	assert_int_equal(test.source.active_npages, active / page());
	assert_int_equal(test.source.packed, stats.npageslabs * HUGE - packed);
	assert_int_equal(test.source.mapped,
	    active + test.source.packed + pools);
	page_source_check(&test.source);
}

static struct extent *
take(size_t size, size_t align)
{
	struct extent *e = page_source_take(&test.source, size, align);
	struct live *live = &test.live[test.n++];

	assert_non_null(e);
	assert_int_equal(e->size, size);
	assert_int_equal((uintptr_t)e->addr % align, 0);
	/* Short ones are packed, and only they. */
	assert_int_equal(e->pageslab != NULL,
	    size <= SHORT_MAX && align <= page());
	assert_int_equal(extent_arena(e), test.source.arena_index);
	if (e->zeroed)
		for (char *p = e->addr; p < extent_end(e); p += 512)
			assert_int_equal(*p, 0);
	e->kind = KIND_LARGE;
	e->is_slab = false;
	pagemap_set_ends(e, KIND_LARGE);
	*live = (struct live){ e, random_next(&test.seed) | 1 };
	mark(live, e->addr);
	return e;
}

static void
give(unsigned i)
{
	struct live live = test.live[i];
	char *first = live.e->addr, *last = extent_end(live.e) - 1;
	bool packed = live.e->pageslab != NULL;

	check_marks(&live, extent_end(live.e));
	test.live[i] = test.live[--test.n];
	page_source_give(&test.source, live.e);
	/* Nothing leads to the record, which may be another's now. */
	if (packed) {
		assert_null(pagemap_find(first));
		assert_null(pagemap_find(last));
	}
}

static void
resize(unsigned i, size_t size)
{
	struct live *live = &test.live[i];
	struct extent *e = live->e;
	size_t old = e->size;
	char *last = extent_end(e) - 1;
	bool zeroed = false, done;

	if (size == old)
		return;
	done = size < old ? page_source_trim(&test.source, e, size)
			  : page_source_extend(&test.source, e, size, &zeroed);
	assert_int_equal(e->size, done ? size : old);
	assert_int_equal(pagemap_kind(e->addr), KIND_LARGE);
	check_marks(live, e->addr + (size < old ? size : old));
	if (done && size > old) {
		if (zeroed)
			for (char *p = e->addr + old; p < extent_end(e);
			     p += 512)
				assert_int_equal(*p, 0);
		mark(live, e->addr + old);
	} else if (done && e->pageslab != NULL) {
		assert_true(pagemap_find(last) != e);
	}
}

static size_t
random_size(void)
{
	static const size_t most[] = { 1, 4, 8, 16, 16, 40 };

	return (1 +
		   random_below(&test.seed,
		       most[random_below(&test.seed, ARRAY_LEN(most))])) *
	    page();
}

static void
run(bool retain, unsigned steps)
{
	unsigned extended = 0;

	start(retain);
	for (unsigned step = 0; step < steps; step++) {
		size_t op = random_below(&test.seed, 100);
		unsigned i = test.n == 0
		    ? 0
		    : (unsigned)random_below(&test.seed, test.n);

		if (test.n == 0 || (op < 45 && test.n < LIVE_MAX)) {
			take(random_size(),
			    random_below(&test.seed, 8) != 0 ? page()
							     : 4 * page());
		} else if (op < 75) {
			give(i);
		} else if (op < 95) {
			size_t old = test.live[i].e->size;

			resize(i, random_size());
			extended += test.live[i].e->pageslab != NULL &&
			    test.live[i].e->size > old;
		} else if (op < 99) {
			ageing_tick(&test.source, step * 10 * MS);
		} else {
			ageing_purge(&test.source);
		}
		check();
	}
	assert_true(extended > 10);
	while (test.n > 0)
		give(test.n - 1);
	check();
	ageing_purge(&test.source);
	check();
	assert_int_equal(packed_unused(&test.source), 0);
	inherit_fini(&test.source, &test.heir);
	assert_int_equal(test.source.active, 0);
	assert_int_equal(test.source.packed, 0);
	assert_int_equal(test.source.mapped, 0);
	ageing_release(&test.heir);
}

static void
random_operations_keep_the_figures_right(void **state)
{
	(void)state;
	run(true, 3000);
	run(false, 3000);
}

/* A purged pageslab has no contents: with retain, it is not dirty again. */
static void
pageslabs_go_back_to_the_pools(void **state)
{
	(void)state;
	for (int retain = 0; retain < 2; retain++) {
		size_t dirty, retained;

		start(retain);
		take(page(), page());
		give(0);
		assert_int_equal(packed_unused(&test.source), 2 * page());
		assert_int_equal(ageing_unused(&test.source),
		    packed_unused(&test.source));
		huge_cache_purge(test.source.huge);
		dirty = test.source.pool[0].size;
		retained = test.source.pool[2].size;
		assert_int_equal(test.source.packed, 0);
		assert_true(dirty == 0 || !retain);
		assert_true((retain ? retained : dirty) >= HUGE);
		check();
		inherit_fini(&test.source, &test.heir);
		ageing_release(&test.heir);
	}
}

/* What waits in huge pages ages by the ticks of the source. */
static void
ticks_reach_the_huge_pages(void **state)
{
	(void)state;
	for (int silent = 0; silent < 2; silent++) {
		uint64_t now_ns = 0;

		start(true);
		if (silent)
			ageing_set_decay(&test.source, 0, 1000, 0);
		take(page(), page());
		give(0);
		assert_true(ageing_wait(&test.source, 0) != UINT64_MAX);
		for (unsigned i = 0; i < 30; i++) {
			now_ns += 1000 * MS;
			if (silent)
				ageing_tick_silent(&test.source, now_ns);
			else
				ageing_tick(&test.source, now_ns);
		}
		assert_int_equal(packed_unused(&test.source), 0);
		assert_true(ageing_wait(&test.source, now_ns) == UINT64_MAX);
		inherit_fini(&test.source, &test.heir);
		ageing_release(&test.heir);
	}
}

/*
 * The record of a pageslab's range may be that of the free memory from before.
 * No entry leads to it; else a walk over the page map takes it for an extent.
 */
static void
no_entry_leads_to_the_range_of_a_pageslab(void **state)
{
	struct extent *before, *e;
	char *first;

	(void)state;
	start(true);
	first = take(HUGE, HUGE)->addr;
	/* Take what is before it, so that free memory starts there. */
	before = pagemap_find(first - 1);
	if (before != NULL &&
	    extent_is_at(before, EXTENT_RETAINED, test.source.arena_index) &&
	    before->size > SHORT_MAX) {
		size_t size = before->size;

		assert_ptr_equal(extent_end(take(size, page())), first);
	}
	give(0);
	e = take(page(), page());
	if (e->pageslab->addr != first)
		print_message("the pageslab is at another place\n");
	/* The run before it waits in the cache, without an entry. */
	assert_ptr_equal(e->addr, e->pageslab->addr + page());
	assert_null(pagemap_find(e->pageslab->addr));
	assert_null(pagemap_find(e->pageslab->addr + HUGE - 1));
	while (test.n != 0)
		give(0);
	inherit_fini(&test.source, &test.heir);
	ageing_release(&test.heir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_keep_the_figures_right),
		cmocka_unit_test(pageslabs_go_back_to_the_pools),
		cmocka_unit_test(ticks_reach_the_huge_pages),
		cmocka_unit_test(no_entry_leads_to_the_range_of_a_pageslab),
	};

	system_init();
	metadata_init();
	extent_records_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
