#include "extent/extent.h"

#include <string.h>

#include "../unit.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "huge/huge_pages.h"
#include "huge/huge_tick.h"
#include "os/pages.h"
#include "os/system.h"

#define HUGE     ((size_t)2 << 20)
#define LIVE_MAX 4096
#define MS       UINT64_C(1000000)
#define S        (1000 * MS)

/* --- the kernel and the page source, which can be made to refuse ---------- */

static struct {
	struct fault want, refuse, collapse, purge, piece, records, take;
	unsigned nwant, nrefuse, ncollapse, npurge;
	size_t purged;    /* bytes */
	unsigned nranges; /* with the shard */
	unsigned nreturned;
	bool returned_zero;
	void (*during)(void); /* each call */
} kernel;

bool __real_pages_want_huge(void *addr, size_t size);
bool __real_pages_refuse_huge(void *addr, size_t size);
bool __real_pages_purge_forced(void *addr, size_t size);
void *__real_metadata_take_piece(size_t size);
unsigned __real_extent_records_take(struct extent **chain, unsigned count);

bool __wrap_pages_want_huge(void *addr, size_t size);
bool __wrap_pages_refuse_huge(void *addr, size_t size);
bool __wrap_pages_collapse(void *addr, size_t size);
bool __wrap_pages_purge_forced(void *addr, size_t size);
void *__wrap_metadata_take_piece(size_t size);
unsigned __wrap_extent_records_take(struct extent **chain, unsigned count);

static bool
call(struct fault *fault, unsigned *count)
{
	LOCK_ASSERT_NONE();
	++*count;
	if (kernel.during != NULL)
		kernel.during();
	return !fault_hits(fault);
}

static void
assert_is_pageslab(void *addr, size_t size)
{
	assert_int_equal((uintptr_t)addr % HUGE, 0);
	assert_int_equal(size, HUGE);
}

bool
__wrap_pages_want_huge(void *addr, size_t size)
{
	assert_is_pageslab(addr, size);
	return call(&kernel.want, &kernel.nwant);
}

bool
__wrap_pages_refuse_huge(void *addr, size_t size)
{
	assert_is_pageslab(addr, size);
	return call(&kernel.refuse, &kernel.nrefuse);
}

bool
__wrap_pages_collapse(void *addr, size_t size)
{
	assert_is_pageslab(addr, size);
	return call(&kernel.collapse, &kernel.ncollapse);
}

bool
__wrap_pages_purge_forced(void *addr, size_t size)
{
	if (!call(&kernel.purge, &kernel.npurge))
		return false;
	kernel.purged += size;
	return __real_pages_purge_forced(addr, size);
}

void *
__wrap_metadata_take_piece(size_t size)
{
	LOCK_ASSERT_NONE();
	return fault_hits(&kernel.piece) ? NULL
					 : __real_metadata_take_piece(size);
}

unsigned
__wrap_extent_records_take(struct extent **chain, unsigned count)
{
	LOCK_ASSERT_NONE();
	return fault_hits(&kernel.records)
	    ? 0
	    : __real_extent_records_take(chain, count);
}

static struct extent *
backing_take(void *context, size_t size)
{
	struct extent *e = NULL;

	assert_ptr_equal(context, &kernel);
	assert_int_equal(size, HUGE);
	LOCK_ASSERT_NONE();
	if (fault_hits(&kernel.take) || __real_extent_records_take(&e, 1) != 1)
		return NULL;
	e->addr = pages_map(size, size);
	assert_non_null(e->addr);
	e->size = size;
	e->zeroed = true;
	kernel.nranges++;
	return e;
}

static void
backing_give(void *context, struct extent *e)
{
	assert_ptr_equal(context, &kernel);
	LOCK_ASSERT_NONE();
	kernel.nranges--;
	kernel.nreturned++;
	kernel.returned_zero = e->zeroed;
	if (e->zeroed)
		for (size_t i = 0; i < HUGE; i += 512)
			assert_int_equal(e->addr[i], 0);
	pages_unmap(e->addr, e->size);
	e->next = NULL;
	extent_records_give(e);
}

/* --- a shard, and what is taken from it ----------------------------------- */

static struct {
	struct huge_shard shard;
	struct extent *live[LIVE_MAX];
	uint64_t tag[LIVE_MAX]; /* in the first word of each page */
	unsigned nlive;
	uint64_t seed;
	uint64_t now_ns;
} test;

static const struct huge_config presets = {
	.backing = { backing_take, backing_give, &kernel },
	.arena_index = 3,
	.huge_page = HUGE,
	.max_size = HUGE,
	.dense = 1992294,
	.purge_min = 4096,
	.dirty_ratio = 1 << 14,
	.purge = true,
	.style = HUGIFY_LAZY,
	.max_purges = -1,
	.hugify_delay_ns = 10 * S,
	.purge_interval_ns = 5 * S,
};

static size_t
page(void)
{
	return system_info.page_size;
}

static void
start(const struct huge_config *config)
{
	memset(&kernel, 0, sizeof(kernel));
	memset(&test, 0, sizeof(test));
	huge_pages_init(&test.shard, config);
	test.now_ns = 1000 * S;
}

static void
mark(unsigned i)
{
	struct extent *e = test.live[i];

	test.tag[i] = random_next(&test.seed);
	for (size_t at = 0; at < e->size; at += page())
		memcpy(e->addr + at, &test.tag[i], sizeof(test.tag[i]));
}

static void
assert_marked(unsigned i)
{
	struct extent *e = test.live[i];

	for (size_t at = 0; at < e->size; at += page())
		assert_memory_equal(e->addr + at, &test.tag[i],
		    sizeof(test.tag[i]));
}

static void
assert_zero(const char *p, size_t size)
{
	for (size_t i = 0; i < size; i += 64)
		assert_int_equal(p[i], 0);
}

/* One run of so many pages; NULL where there is no memory. */
static struct extent *
take(unsigned npages)
{
	struct extent *e;

	if (huge_pages_take(&test.shard, npages * page(), 1, &e) == 0)
		return NULL;
	assert_null(e->next);
	assert_int_equal(e->size, npages * page());
	assert_int_equal(extent_arena(e), 3);
	assert_int_equal(extent_state(e), EXTENT_ACTIVE);
	assert_int_equal((uintptr_t)e->addr / HUGE,
	    (uintptr_t)(extent_end(e) - 1) / HUGE);
	if (e->zeroed)
		assert_zero(e->addr, e->size);
	test.live[test.nlive] = e;
	mark(test.nlive++);
	return e;
}

static void
give_number(unsigned i)
{
	struct extent *e = test.live[i];

	assert_marked(i);
	test.nlive--;
	test.live[i] = test.live[test.nlive];
	test.tag[i] = test.tag[test.nlive];
	e->next = NULL;
	huge_pages_give(&test.shard, e);
}

static void
give(struct extent *e)
{
	for (unsigned i = 0; i < test.nlive; i++)
		if (test.live[i] == e) {
			give_number(i);
			return;
		}
	fail();
}

static void
tick_after(uint64_t ns)
{
	test.now_ns += ns;
	huge_tick_run(&test.shard, test.now_ns);
}

static struct huge_stats
stats(void)
{
	struct huge_stats stats;

	huge_pages_stats(&test.shard, &stats);
	return stats;
}

static size_t
nactive(void)
{
	return stats().all.nactive[0] + stats().all.nactive[1];
}

static size_t
ndirty(void)
{
	return stats().all.ndirty[0] + stats().all.ndirty[1];
}

static unsigned
nhuge(void)
{
	return (unsigned)stats().all.npageslabs[1];
}

static void
verify(void)
{
	size_t npages = 0;

	huge_pages_check(&test.shard);
	for (unsigned i = 0; i < test.nlive; i++)
		npages += test.live[i]->size / page();
	assert_int_equal(nactive(), npages);
	assert_int_equal(stats().all.npageslabs[0] + stats().all.npageslabs[1],
	    kernel.nranges);
	assert_int_equal(huge_pages_dirty(&test.shard), ndirty() * page());
}

/* All goes back, even if calls fail. */
static void
finish(void)
{
	while (test.nlive > 0)
		give_number(test.nlive - 1);
	verify();
	huge_tick_purge(&test.shard);
	assert_int_equal(kernel.nranges, 0);
	assert_int_equal(nactive() + ndirty(), 0);
	spare_records_fini(&test.shard.spares);
}

/* A pageslab of which `npages` are active, in runs of one page. */
static void
fill(unsigned npages)
{
	/* Exactly one pageslab is filled up, wherever the others stand. */
	for (unsigned i = 0; i < npages; i++)
		assert_non_null(take(1));
}

/* --- placing -------------------------------------------------------------- */

static void
runs_lie_apart_and_fill_a_huge_page(void **state)
{
	(void)state;
	start(&presets);
	fill(512);
	assert_int_equal(kernel.nranges, 1);
	assert_int_equal(stats().full.npageslabs[0], 1);
	for (unsigned i = 0; i < test.nlive; i++)
		assert_marked(i);
	take(1);
	assert_int_equal(kernel.nranges, 2);
	verify();
	finish();
}

static void
the_densest_pageslab_with_room_is_taken(void **state)
{
	struct extent *a, *b, *c, *e;

	(void)state;
	start(&presets);
	a = take(500);
	b = take(400);
	c = take(300);
	assert_int_equal(kernel.nranges, 3);
	e = take(12);
	assert_ptr_equal(e->pageslab, a->pageslab);
	assert_ptr_equal(take(1)->pageslab, b->pageslab);
	assert_ptr_equal(take(112)->pageslab, c->pageslab);
	give(e);
	assert_ptr_equal(take(13)->pageslab, c->pageslab);
	assert_ptr_equal(take(12)->pageslab, a->pageslab);
	/* An empty one comes last. */
	give(a);
	assert_ptr_equal(take(50)->pageslab, c->pageslab);
	verify();
	finish();
}

static void
several_come_at_once_from_what_is_there(void **state)
{
	struct extent *chain, *e;
	unsigned n;

	(void)state;
	start(&presets);
	take(500);
	n = huge_pages_take(&test.shard, 4 * page(), 8, &chain);
	assert_int_equal(n, 3);
	assert_int_equal(kernel.nranges, 1);
	for (e = chain; e != NULL; e = e->next)
		n--;
	assert_int_equal(n, 0);
	huge_pages_give(&test.shard, chain);
	verify();
	finish();
}

static void
runs_grow_into_free_pages_and_shrink(void **state)
{
	struct extent *a, *b;
	bool zeroed;

	(void)state;
	start(&presets);
	a = take(4);
	b = take(4);
	assert_false(huge_pages_extend(&test.shard, a, 5 * page(), &zeroed));
	assert_true(huge_pages_extend(&test.shard, b, 6 * page(), &zeroed));
	assert_true(zeroed);
	assert_zero(b->addr + 4 * page(), 2 * page());
	mark(1);
	verify();
	huge_pages_trim(&test.shard, b, page());
	verify();
	assert_true(huge_pages_extend(&test.shard, b, 2 * page(), &zeroed));
	assert_false(zeroed);
	mark(1);
	assert_false(huge_pages_extend(&test.shard, b, HUGE, &zeroed));
	finish();
}

/* --- making huge ---------------------------------------------------------- */

static void
a_dense_pageslab_becomes_huge_after_a_while(void **state)
{
	(void)state;
	start(&presets);
	fill(486);
	tick_after(0);
	tick_after(60 * S);
	assert_int_equal(kernel.nwant, 0);
	take(1);
	tick_after(0);
	tick_after(10 * S - 1);
	assert_int_equal(nhuge(), 0);
	tick_after(1);
	assert_int_equal(kernel.nwant, 1);
	assert_int_equal(kernel.ncollapse, 0);
	assert_int_equal(nhuge(), 1);
	assert_int_equal(stats().nhugifies, 1);
	/* Its free pages are in memory now. */
	assert_int_equal(ndirty(), 512 - 487);
	tick_after(60 * S);
	assert_int_equal(kernel.nwant, 1);
	verify();
	finish();
}

static void
one_that_was_sparse_in_between_waits_anew(void **state)
{
	struct extent *e;

	(void)state;
	start(&presets);
	fill(486);
	e = take(1);
	tick_after(0);
	tick_after(9 * S);
	give(e);
	take(1);
	tick_after(9 * S);
	assert_int_equal(kernel.nwant, 0);
	tick_after(9 * S);
	assert_int_equal(kernel.nwant, 0);
	tick_after(1 * S);
	assert_int_equal(kernel.nwant, 1);
	finish();
}

static void
styles_differ_in_when_they_ask(void **state)
{
	struct huge_config config = presets;

	(void)state;
	config.style = HUGIFY_NONE;
	start(&config);
	fill(512);
	tick_after(0);
	tick_after(60 * S);
	assert_int_equal(kernel.nwant + nhuge(), 0);
	finish();

	config.style = HUGIFY_EAGER;
	start(&config);
	take(1);
	assert_int_equal(kernel.nwant, 1);
	assert_int_equal(nhuge(), 1);
	finish();

	config.style = HUGIFY_LAZY;
	config.sync = true;
	config.hugify_delay_ns = 0;
	start(&config);
	fill(512);
	tick_after(0);
	assert_int_equal(kernel.nwant, 1);
	assert_int_equal(kernel.ncollapse, 1);
	assert_int_equal(nhuge(), 1);
	finish();
}

static void
where_the_kernel_makes_all_huge_it_is_not_asked(void **state)
{
	struct huge_config config = presets;

	(void)state;
	config.always = config.born_huge = true;
	start(&config);
	take(1);
	assert_int_equal(nhuge(), 1);
	/* One page in use, one huge page of memory. */
	assert_int_equal(ndirty(), 511);
	fill(511);
	tick_after(0);
	tick_after(60 * S);
	assert_int_equal(kernel.nwant, 0);
	finish();
	assert_int_equal(kernel.nwant + kernel.nrefuse, 0);

	config.born_huge = false;
	start(&config);
	fill(512);
	assert_int_equal(nhuge(), 0);
	tick_after(0);
	tick_after(10 * S);
	assert_int_equal(nhuge(), 1);
	assert_int_equal(kernel.nwant, 0);
	finish();

	config.ask_always = true;
	start(&config);
	fill(512);
	tick_after(0);
	tick_after(10 * S);
	assert_int_equal(kernel.nwant, 1);
	finish();
}

static void
a_refusal_is_counted_and_tried_again(void **state)
{
	(void)state;
	start(&presets);
	fault_set(&kernel.want, 1, false);
	fill(512);
	tick_after(0);
	tick_after(10 * S);
	assert_int_equal(stats().nhugify_failures, 1);
	assert_int_equal(nhuge(), 0);
	tick_after(0);
	tick_after(9 * S);
	assert_int_equal(kernel.nwant, 1);
	tick_after(1 * S);
	assert_int_equal(kernel.nwant, 2);
	assert_int_equal(nhuge(), 1);
	verify();
	finish();
}

/* --- purging -------------------------------------------------------------- */

static void
dirty_pages_stay_in_proportion_to_active_ones(void **state)
{
	struct extent *e;

	(void)state;
	start(&presets);
	take(400);
	e = take(100);
	give(e);
	tick_after(0);
	assert_int_equal(ndirty(), 100);
	assert_int_equal(stats().npurge_passes, 0);
	give(take(101));
	tick_after(0);
	assert_int_equal(ndirty(), 0);
	assert_int_equal(kernel.purged, 101 * page());
	assert_int_equal(stats().npurge_passes, 1);
	assert_int_equal(stats().npurges, 1);
	verify();
	finish();
}

static void
purges_keep_their_distance(void **state)
{
	struct huge_config config = presets;

	(void)state;
	config.dirty_ratio = 0;
	start(&config);
	take(1);
	for (unsigned i = 1; i <= 3; i++) {
		give(take(10));
		tick_after(0);
		assert_int_equal(stats().npurge_passes, i);
		give(take(10));
		tick_after(5 * S - 1);
		assert_int_equal(stats().npurge_passes, i);
		assert_int_equal(ndirty(), 10);
		test.now_ns++;
	}
	/* A clock that goes back does not stop it. */
	test.now_ns = 1 * S;
	tick_after(0);
	assert_int_equal(ndirty(), 0);
	finish();
}

static void
a_delay_is_waited_for_before_a_purge(void **state)
{
	struct huge_config config = presets;

	(void)state;
	config.dirty_ratio = 0;
	config.purge_interval_ns = 0;
	config.purge_delay_ns = 2 * S;
	start(&config);
	take(1);
	give(take(10));
	tick_after(0);
	tick_after(2 * S - 1);
	assert_int_equal(ndirty(), 10);
	tick_after(1);
	assert_int_equal(ndirty(), 0);
	verify();
	finish();
}

static void
never_means_until_it_is_asked_for(void **state)
{
	struct huge_config config = presets;

	(void)state;
	config.purge = false;
	start(&config);
	take(1);
	give(take(300));
	give(take(512));
	tick_after(0);
	tick_after(100 * S);
	assert_int_equal(kernel.npurge, 0);
	assert_int_equal(kernel.nranges, 2);
	huge_tick_purge(&test.shard);
	assert_int_equal(ndirty(), 0);
	assert_int_equal(kernel.nranges, 1);
	finish();
}

static void
little_dirt_is_not_worth_a_purge(void **state)
{
	struct huge_config config = presets;

	(void)state;
	config.dirty_ratio = 0;
	config.purge_min = 20 * page();
	config.purge_interval_ns = 0;
	start(&config);
	take(1);
	give(take(19));
	tick_after(0);
	assert_int_equal(ndirty(), 19);
	assert_int_equal(stats().npurge_passes, 0);
	give(take(20));
	tick_after(0);
	assert_int_equal(ndirty(), 0);
	finish();
}

/*
 * Four pageslabs: huge and dense, huge and sparse, sparse, empty. Purged one
 * at a time, in which order?
 */
static void
empty_ones_go_first_and_dense_huge_ones_never(void **state)
{
	struct huge_config config = presets;
	struct extent *sparse, *empty, *huge_sparse, *e;

	(void)state;
	config.dirty_ratio = 0;
	config.max_purges = 1;
	config.purge_interval_ns = 0;
	config.hugify_delay_ns = 0;
	config.purge_delay_ns = 10 * S; /* not yet */
	start(&config);
	take(500);
	take(100);
	huge_sparse = take(412);
	tick_after(0);
	assert_int_equal(nhuge(), 2);
	e = take(300);
	sparse = take(212);
	empty = take(512);
	(void)e;
	give(huge_sparse);
	give(sparse);
	give(empty);
	tick_after(0);
	assert_int_equal(ndirty(), 12 + 412 + 212 + 512);
	tick_after(20 * S);
	assert_int_equal(kernel.nreturned, 1);
	assert_int_equal(ndirty(), 12 + 412 + 212);
	tick_after(0);
	assert_int_equal(ndirty(), 12 + 412);
	assert_int_equal(kernel.nrefuse, 0);
	tick_after(0);
	assert_int_equal(ndirty(), 12);
	assert_int_equal(kernel.nrefuse, 1);
	assert_int_equal(stats().ndehugifies, 1);
	tick_after(60 * S);
	assert_int_equal(ndirty(), 12);
	assert_int_equal(nhuge(), 1);
	huge_tick_purge(&test.shard);
	assert_int_equal(nhuge(), 1);
	verify();
	finish();
}

static void
an_empty_one_returns_as_the_kernel_would_have_it(void **state)
{
	struct huge_config config = presets;

	(void)state;
	config.style = HUGIFY_EAGER;
	start(&config);
	give(take(512));
	tick_after(0);
	assert_int_equal(kernel.nreturned, 1);
	assert_true(kernel.returned_zero);
	/* Where it does nothing unasked, the advice is taken back. */
	assert_int_equal(kernel.nwant, 1);
	assert_int_equal(kernel.nrefuse, 1);
	finish();

	config.always = config.born_huge = true;
	config.style = HUGIFY_NONE;
	config.dirty_ratio = 0;
	config.purge_interval_ns = 0;
	start(&config);
	take(1);
	tick_after(0);
	assert_int_equal(kernel.nrefuse, 1);
	assert_int_equal(ndirty(), 0);
	give_number(0);
	tick_after(0);
	assert_int_equal(kernel.nreturned, 1);
	assert_int_equal(kernel.nwant, 1);
	finish();
}

static void
the_first_ones_are_small_until_they_are_dense(void **state)
{
	struct huge_config config = presets;

	(void)state;
	config.always = config.born_huge = true;
	config.small_at_first = 2;
	config.purge = false;
	start(&config);
	take(1);
	assert_int_equal(kernel.nrefuse, 1);
	assert_int_equal(nhuge(), 0);
	assert_int_equal(ndirty(), 0);
	fill(512 + 511);
	assert_int_equal(kernel.nrefuse, 2);
	fill(1);
	assert_int_equal(kernel.nrefuse, 2);
	assert_int_equal(nhuge(), 1);
	tick_after(0);
	tick_after(10 * S);
	assert_int_equal(kernel.nwant, 2);
	assert_int_equal(nhuge(), 3);
	finish();
}

/* --- others come in between ----------------------------------------------- */

static void
take_and_give_meanwhile(void)
{
	static bool inside;
	struct extent *e;

	if (inside)
		return;
	inside = true;
	/* It is not taken from what is being purged. */
	e = take(3);
	memset(e->addr, 1, e->size);
	mark(test.nlive - 1);
	if (test.nlive > 1)
		give_number((unsigned)random_below(&test.seed, test.nlive));
	huge_tick_run(&test.shard, test.now_ns);
	inside = false;
}

static void
what_others_take_meanwhile_keeps_its_contents(void **state)
{
	struct huge_config config = presets;

	(void)state;
	config.dirty_ratio = 0;
	config.purge_interval_ns = 0;
	config.hugify_delay_ns = 0;
	start(&config);
	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < 30; i++)
			take(1 + (unsigned)random_below(&test.seed, 60));
		for (unsigned i = 0; i < 25; i++)
			give_number((unsigned)random_below(&test.seed,
			    test.nlive));
		kernel.during = take_and_give_meanwhile;
		tick_after(1 * S);
		kernel.during = NULL;
		verify();
	}
	finish();
}

static void
tick_meanwhile(void)
{
	static bool inside;

	/* The tick that was interrupted does it all. */
	assert_false(inside);
	inside = true;
	huge_tick_run(&test.shard, test.now_ns);
	inside = false;
}

static void
a_tick_while_another_works_does_nothing(void **state)
{
	struct huge_config config = presets;

	(void)state;
	config.dirty_ratio = 0;
	config.purge_interval_ns = 0;
	config.hugify_delay_ns = 0;
	start(&config);
	for (unsigned i = 0; i < 20; i++)
		take(60);
	for (unsigned i = 0; i < 15; i++)
		give_number((unsigned)random_below(&test.seed, test.nlive));
	kernel.during = tick_meanwhile;
	tick_after(1 * S);
	tick_after(1 * S);
	kernel.during = NULL;
	assert_true(kernel.npurge >= 2);
	finish();
}

static void
a_new_process_gets_back_what_others_worked_on(void **state)
{
	struct extent *e;

	(void)state;
	start(&presets);
	e = take(100);
	lock_acquire(&test.shard.lock);
	huge_slab_leave_locked(&test.shard, e->pageslab);
	e->pageslab->busy = true;
	huge_slab_enter_locked(&test.shard, e->pageslab);
	test.shard.ticking = true;
	lock_release(&test.shard.lock);
	assert_ptr_not_equal(take(1)->pageslab, e->pageslab);
	huge_pages_fork_child(&test.shard);
	assert_ptr_equal(take(1)->pageslab, e->pageslab);
	give(e);
	tick_after(0);
	assert_int_equal(stats().npurge_passes, 1);
	verify();
	finish();
}

/* --- everything at random, with calls that fail --------------------------- */

static void
random_step(void)
{
	size_t what = random_below(&test.seed, 100);
	bool zeroed;
	unsigned i;

	if (what < 50 && test.nlive < 300) {
		take(1 +
		    (unsigned)random_below(&test.seed,
			1 + random_below(&test.seed, what == 0 ? 512 : 40)));
	} else if (what < 85 && test.nlive > 0) {
		give_number((unsigned)random_below(&test.seed, test.nlive));
	} else if (what < 90 && test.nlive > 0) {
		i = (unsigned)random_below(&test.seed, test.nlive);
		assert_marked(i);
		if (test.live[i]->size > page()) {
			huge_pages_trim(&test.shard, test.live[i],
			    test.live[i]->size - page());
		} else if (huge_pages_extend(&test.shard, test.live[i],
			       3 * page(), &zeroed)) {
			if (zeroed)
				assert_zero(test.live[i]->addr + page(),
				    2 * page());
			mark(i);
		}
	} else if (what < 99) {
		tick_after(random_below(&test.seed, 3 * S));
	} else if (random_below(&test.seed, 10) == 0) {
		huge_tick_purge(&test.shard);
	}
}

static void
random_run(const struct huge_config *config, unsigned seed, unsigned steps)
{
	test.seed = seed;
	for (unsigned step = 0; step < steps; step++) {
		random_step();
		if (step % 16 == 0)
			verify();
	}
	(void)config;
}

static void
nothing_is_lost_or_overwritten_at_random(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 24; seed++) {
		struct huge_config config = presets;

		config.style = (enum hugify_style)(HUGIFY_NONE + seed % 3);
		config.sync = seed % 5 == 0;
		config.always = config.born_huge = seed % 7 == 0;
		config.dense = HUGE / 3;
		config.hugify_delay_ns = seed % 4 * S;
		config.purge_delay_ns = seed % 2 * S;
		config.purge_interval_ns = seed % 4 == 0 ? 0 : 2 * S;
		config.max_purges = seed % 3 == 0 ? 1 : -1;
		start(&config);
		random_run(&config, seed, 1500);
		finish();
	}
}

static void
no_refusal_of_the_kernel_does_harm(void **state)
{
	(void)state;
	for (unsigned at = 1; at < 40; at++) {
		struct huge_config config = presets;
		bool later = at % 2 != 0;

		config.style = at % 3 == 0 ? HUGIFY_EAGER : HUGIFY_LAZY;
		config.sync = at % 4 == 0;
		config.dense = HUGE / 3;
		config.dirty_ratio = 0;
		config.hugify_delay_ns = config.purge_interval_ns = 0;
		start(&config);
		fault_set(&kernel.want, at, later);
		fault_set(&kernel.refuse, at, later);
		fault_set(&kernel.collapse, at, later);
		fault_set(&kernel.purge, at, later);
		fault_set(&kernel.piece, at, later);
		fault_set(&kernel.records, at, later);
		fault_set(&kernel.take, at, later);
		random_run(&config, at, 300);
		finish();
	}
}

static void
without_memory_nothing_is_taken_and_nothing_lost(void **state)
{
	(void)state;
	start(&presets);
	fault_set(&kernel.take, 1, true);
	assert_null(take(1));
	fault_set(&kernel.take, 0, false);
	fault_set(&kernel.piece, 1, false);
	assert_null(take(1));
	fault_set(&kernel.records, 1, true);
	test.shard.spares.first = NULL;
	test.shard.spares.count = 0;
	assert_null(take(1));
	fault_set(&kernel.records, 0, false);
	assert_non_null(take(1));
	verify();
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_lie_apart_and_fill_a_huge_page),
		cmocka_unit_test(the_densest_pageslab_with_room_is_taken),
		cmocka_unit_test(several_come_at_once_from_what_is_there),
		cmocka_unit_test(runs_grow_into_free_pages_and_shrink),
		cmocka_unit_test(a_dense_pageslab_becomes_huge_after_a_while),
		cmocka_unit_test(one_that_was_sparse_in_between_waits_anew),
		cmocka_unit_test(styles_differ_in_when_they_ask),
		cmocka_unit_test(
		    where_the_kernel_makes_all_huge_it_is_not_asked),
		cmocka_unit_test(the_first_ones_are_small_until_they_are_dense),
		cmocka_unit_test(a_refusal_is_counted_and_tried_again),
		cmocka_unit_test(dirty_pages_stay_in_proportion_to_active_ones),
		cmocka_unit_test(purges_keep_their_distance),
		cmocka_unit_test(a_delay_is_waited_for_before_a_purge),
		cmocka_unit_test(never_means_until_it_is_asked_for),
		cmocka_unit_test(little_dirt_is_not_worth_a_purge),
		cmocka_unit_test(empty_ones_go_first_and_dense_huge_ones_never),
		cmocka_unit_test(
		    an_empty_one_returns_as_the_kernel_would_have_it),
		cmocka_unit_test(a_tick_while_another_works_does_nothing),
		cmocka_unit_test(what_others_take_meanwhile_keeps_its_contents),
		cmocka_unit_test(a_new_process_gets_back_what_others_worked_on),
		cmocka_unit_test(nothing_is_lost_or_overwritten_at_random),
		cmocka_unit_test(no_refusal_of_the_kernel_does_harm),
		cmocka_unit_test(
		    without_memory_nothing_is_taken_and_nothing_lost),
	};

	system_init();
	/* The tests say what the kernel does. */
	system_info.thp = SYSTEM_THP_MADVISE;
	metadata_init();
	extent_records_init();
	/* What is in this file is for huge pages of 512 pages. */
	if (system_info.page_size * 512 != HUGE)
		SKIP_BECAUSE("it is about huge pages of 512 pages");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
