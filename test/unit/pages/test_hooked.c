/*
 * A page source on the program's functions, compared with a model: the
 * functions keep their own account of every range, check each call against
 * it, and refuse at random.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../unit.h"
#include "extent/extent_hooks.h"
#include "extent/extent_records.h"
#include "extent/limit.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "pages/inherit.h"
#include "pages/mapped.h"
#include "pages/page_source.h"
#include "pages/pools.h"

#define SPACE_PAGES 16384 /* 64 MiB, where they are 4 KiB */
#define PAGE        (system_info.page_size)
#define ACTIVE_MAX  200
#define ARENA       7

/* What the functions know of each page, all by themselves. */
struct page {
	bool mapped;
	bool committed;
	bool first; /* of a range */
};

static struct {
	struct extent_hooks hooks;
	struct page_source source;
	char *space;
	struct page page[SPACE_PAGES];
	unsigned refuse; /* of 16 calls, 0 = none */
	bool decommits;
	bool never_splits;
	uint64_t seed;
	unsigned calls[9];
} model;

enum { ALLOC, DALLOC, DESTROY, COMMIT, DECOMMIT, LAZY, FORCED, SPLIT, MERGE };

static bool
refuses(unsigned call)
{
	model.calls[call]++;
	return random_below(&model.seed, 16) < model.refuse;
}

static size_t
page_of(const void *addr)
{
	return (size_t)((const char *)addr - model.space) / PAGE;
}

/* Is [addr, addr + size) one range in the state that is claimed? */
static void
check_range(const void *addr, size_t size, bool committed)
{
	size_t first = page_of(addr), n = size / PAGE;

	assert_true(n > 0 && size % PAGE == 0 && first + n <= SPACE_PAGES);
	assert_true(model.page[first].first);
	for (size_t i = first; i < first + n; i++) {
		assert_true(model.page[i].mapped);
		assert_int_equal(model.page[i].committed, committed);
		assert_true(i == first || !model.page[i].first);
	}
	assert_true(first + n == SPACE_PAGES || !model.page[first + n].mapped ||
	    model.page[first + n].first);
}

static void
set_protection(void *addr, size_t size, bool usable)
{
	if (!usable)
		assert_int_equal(madvise(addr, size, MADV_DONTNEED), 0);
	assert_int_equal(mprotect(addr, size,
			     usable ? PROT_READ | PROT_WRITE : PROT_NONE),
	    0);
	for (size_t i = 0; i < size / PAGE; i++)
		model.page[page_of(addr) + i].committed = usable;
}

/* First fit from a random place, so that there are gaps. */
static void *
model_alloc(struct extent_hooks *hooks, void *wanted, size_t size, size_t align,
    bool *zero, bool *commit, unsigned arena)
{
	size_t n = size / PAGE, run = 0;
	size_t i = random_below(&model.seed, SPACE_PAGES);

	assert_ptr_equal(hooks, &model.hooks);
	assert_int_equal(arena, ARENA);
	assert_null(wanted);
	assert_true(size % PAGE == 0 && align >= PAGE);
	if (refuses(ALLOC))
		return NULL;
	for (size_t tries = 0; tries < 2 * SPACE_PAGES; tries++, i++) {
		char *addr;

		if (i >= SPACE_PAGES) {
			i = run = 0;
		}
		run = model.page[i].mapped ? 0 : run + 1;
		addr = model.space + (i + 1 - run) * PAGE;
		if (run > 0 && (uintptr_t)addr % align != 0)
			run--;
		if (run < n || (uintptr_t)addr % align != 0)
			continue;
		for (size_t k = page_of(addr); k < page_of(addr) + n; k++)
			model.page[k] = (struct page){ true, false, false };
		model.page[page_of(addr)].first = true;
		if (*commit || random_below(&model.seed, 2) == 0)
			*commit = true;
		set_protection(addr, size, *commit);
		/* Not all of what is new is zero. */
		if (*commit && random_below(&model.seed, 2) == 0)
			memset(addr, 0xee, PAGE);
		else
			*zero = *commit;
		return addr;
	}
	return NULL;
}

static void
forget(void *addr, size_t size)
{
	set_protection(addr, size, false);
	for (size_t i = 0; i < size / PAGE; i++)
		model.page[page_of(addr) + i] = (struct page){ false, false,
			false };
}

static bool
model_dalloc(struct extent_hooks *hooks, void *addr, size_t size,
    bool committed, unsigned arena)
{
	(void)hooks;
	assert_int_equal(arena, ARENA);
	check_range(addr, size, committed);
	/* Often, or there is nothing left to age. */
	if (refuses(DALLOC) || random_below(&model.seed, 2) == 0)
		return true;
	forget(addr, size);
	return false;
}

static void
model_destroy(struct extent_hooks *hooks, void *addr, size_t size,
    bool committed, unsigned arena)
{
	(void)hooks;
	(void)arena;
	model.calls[DESTROY]++;
	check_range(addr, size, committed);
	forget(addr, size);
}

static bool
model_commit(struct extent_hooks *hooks, void *addr, size_t size, size_t offset,
    size_t length, unsigned arena)
{
	(void)hooks;
	(void)arena;
	check_range(addr, size, false);
	assert_true(offset + length <= size);
	if (refuses(COMMIT))
		return true;
	set_protection((char *)addr + offset, length, true);
	return false;
}

static bool
model_decommit(struct extent_hooks *hooks, void *addr, size_t size,
    size_t offset, size_t length, unsigned arena)
{
	(void)hooks;
	(void)arena;
	check_range(addr, size, true);
	assert_true(offset + length <= size);
	if (!model.decommits || refuses(DECOMMIT))
		return true;
	set_protection((char *)addr + offset, length, false);
	return false;
}

static bool
model_lazy(struct extent_hooks *hooks, void *addr, size_t size, size_t offset,
    size_t length, unsigned arena)
{
	(void)hooks;
	(void)arena;
	check_range(addr, size, true);
	if (refuses(LAZY))
		return true;
	if (random_below(&model.seed, 2) == 0)
		memset((char *)addr + offset, 0xdd, length);
	return false;
}

static bool
model_forced(struct extent_hooks *hooks, void *addr, size_t size, size_t offset,
    size_t length, unsigned arena)
{
	(void)hooks;
	(void)arena;
	check_range(addr, size, true);
	if (refuses(FORCED))
		return true;
	madvise((char *)addr + offset, length, MADV_DONTNEED);
	/* Shared memory, for one, is not zero then, whatever it promised. */
	memset((char *)addr + offset, 0xcc, PAGE);
	return false;
}

static bool
model_split(struct extent_hooks *hooks, void *addr, size_t size, size_t a,
    size_t b, bool committed, unsigned arena)
{
	(void)hooks;
	(void)arena;
	check_range(addr, size, committed);
	assert_true(a > 0 && b > 0 && a + b == size);
	if (model.never_splits || refuses(SPLIT))
		return true;
	model.page[page_of(addr) + a / PAGE].first = true;
	return false;
}

static bool
model_merge(struct extent_hooks *hooks, void *addr_a, size_t a, void *addr_b,
    size_t b, bool committed, unsigned arena)
{
	(void)hooks;
	(void)arena;
	check_range(addr_a, a, committed);
	check_range(addr_b, b, committed);
	assert_ptr_equal((char *)addr_a + a, addr_b);
	if (refuses(MERGE))
		return true;
	model.page[page_of(addr_b)].first = false;
	return false;
}

/* --- the user of the source -------------------------------------------- */

static struct {
	struct extent *e[ACTIVE_MAX];
	unsigned n;
} active;

static void
fill(struct extent *e)
{
	for (size_t i = 0; i < e->size; i += PAGE)
		memcpy(e->addr + i, &e->addr, sizeof(e->addr));
}

static void
check_contents(const struct extent *e, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		assert_memory_equal(e->addr + i, &e->addr, sizeof(e->addr));
}

static void
check_zero(const char *addr, size_t size)
{
	for (size_t i = 0; i < size; i += 8)
		assert_int_equal(*(const uint64_t *)(const void *)(addr + i),
		    0);
}

static void
take(size_t size, size_t align)
{
	struct extent *e = page_source_take(&model.source, size, align);

	if (e == NULL)
		return;
	assert_int_equal(e->size, size);
	assert_int_equal((uintptr_t)e->addr % align, 0);
	check_range(e->addr, size, true);
	if (e->zeroed)
		check_zero(e->addr, size);
	e->is_slab = false;
	e->kind = KIND_LARGE;
	e->object = e->addr;
	pagemap_set_ends(e, KIND_LARGE);
	fill(e);
	active.e[active.n++] = e;
}

static void
give(unsigned i)
{
	struct extent *e = active.e[i];

	check_contents(e, e->size);
	check_range(e->addr, e->size, true);
	active.e[i] = active.e[--active.n];
	page_source_give(&model.source, e);
}

static void
resize(struct extent *e, size_t size)
{
	size_t old = e->size;
	bool zeroed = false;

	if (size > old) {
		if (!page_source_extend(&model.source, e, size, &zeroed))
			return;
		if (zeroed)
			check_zero(e->addr + old, size - old);
	} else if (size < old) {
		if (!page_source_trim(&model.source, e, size))
			return;
	}
	assert_int_equal(e->size, size);
	check_range(e->addr, size, true);
	check_contents(e, size < old ? size : old);
	fill(e);
}

static void
step(uint64_t *now_ns)
{
	size_t size = (1 + random_below(&model.seed, 40)) * PAGE;
	size_t align = PAGE
	    << (random_below(&model.seed, 8) == 0 ? random_below(&model.seed, 8)
						  : 0);

	*now_ns += 1000000;
	switch (random_below(&model.seed, 40)) {
	case 0:
		ageing_purge(&model.source);
		break;
	case 1:
		ageing_set_decay(&model.source, 1,
		    random_below(&model.seed, 2) == 0 ? 0 : 20, *now_ns);
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		if (active.n > 0)
			resize(active.e[random_below(&model.seed, active.n)],
			    size);
		break;
	default:
		ageing_tick(&model.source, *now_ns);
		if (active.n < ACTIVE_MAX &&
		    (active.n == 0 || random_below(&model.seed, 2) == 0))
			take(size, align);
		else
			give((unsigned)random_below(&model.seed, active.n));
	}
}

/* Each byte that the functions gave is in one pool, or in use. */
static void
check_account(void)
{
	size_t mapped = 0, found = 0;

	page_source_check(&model.source);
	for (size_t i = 0; i < SPACE_PAGES; i++)
		mapped += model.page[i].mapped ? PAGE : 0;
	assert_int_equal(mapped,
	    model.source.mapped + model.source.regions.given);
	for (unsigned i = 0; i < active.n; i++)
		found += active.e[i]->size;
	assert_int_equal(found, model.source.active);
	for (unsigned i = 0; i < EXTENT_RETAINED - EXTENT_DIRTY; i++)
		found += model.source.pool[i].size;
	assert_int_equal(found, limit.in_memory);
}

static void
start(uint64_t seed)
{
	size_t size = SPACE_PAGES * PAGE;

	if (model.space == NULL) {
		model.space = mmap(NULL, size, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		assert_ptr_not_equal(model.space, MAP_FAILED);
	}
	memset(model.calls, 0, sizeof(model.calls));
	model.hooks = (struct extent_hooks){ model_alloc, model_dalloc,
		model_destroy, model_commit, model_decommit, model_lazy,
		model_forced, model_split, model_merge };
	model.seed = seed;
	model.decommits = model.never_splits = false;
	model.refuse = 0;
	active.n = 0;
	memset(&model.source, 0, sizeof(model.source));
	page_source_init(&model.source, ARENA,
	    &(struct page_source_config){ .dirty_decay_ms = 50,
		.muzzy_decay_ms = 20,
		.retain = true,
		.lg_max_active_fit = 6 });
	model.source.track_regions = true;
	page_source_set_hooks(&model.source, &model.hooks);
	regions_add_block(&model.source.regions,
	    mapped_ask_block(&model.hooks, ARENA, MAPPED_FIRST_BLOCK));
}

/* All goes back to the functions, nothing is left with anybody. */
static void
finish(void)
{
	struct page_source heir = { .takes = 0 };

	model.refuse = 0;
	while (active.n > 0)
		give(0);
	page_source_init(&heir, 0,
	    &(struct page_source_config){ .dirty_decay_ms = -1 });
	inherit_fini(&model.source, &heir);
	assert_int_equal(heir.mapped, 0);
	assert_int_equal(model.source.mapped, 0);
	assert_int_equal(limit.in_memory, 0);
	for (size_t i = 0; i < SPACE_PAGES; i++)
		assert_false(model.page[i].mapped);
}

static unsigned
operations(void)
{
	return test_is_long() ? 1000000 : 6000;
}

static void
run(void)
{
	uint64_t now_ns = 0;
	unsigned n = operations();

	for (unsigned i = 0; i < n; i++) {
		step(&now_ns);
		if (i % 64 == 0)
			check_account();
	}
	check_account();
	finish();
}

static void
every_call_fits_the_model(void **state)
{
	(void)state;
	start(1);
	run();
	assert_true(model.calls[ALLOC] > 0 && model.calls[SPLIT] > 0 &&
	    model.calls[MERGE] > 0 && model.calls[DALLOC] > 0 &&
	    model.calls[LAZY] > 0 && model.calls[FORCED] > 0 &&
	    model.calls[DESTROY] > 0 && model.calls[COMMIT] > 0);
}

static void
so_it_does_with_decommitted_pages(void **state)
{
	(void)state;
	start(2);
	model.decommits = true;
	run();
	assert_true(model.calls[DECOMMIT] > 0 && model.calls[COMMIT] > 0);
}

static void
functions_may_fail_at_any_call(void **state)
{
	(void)state;
	for (unsigned refuse = 1; refuse <= 15; refuse += 7) {
		start(10 + refuse);
		model.refuse = refuse;
		model.decommits = true;
		run();
	}
}

static void
memory_that_must_not_be_cut_serves_all_the_same(void **state)
{
	(void)state;
	start(3);
	model.never_splits = true;
	take(PAGE, PAGE);
	take(10 * PAGE, 16 * PAGE);
	assert_int_equal(active.n, 2);
	run();
}

static void
fields_may_be_null_but_alloc(void **state)
{
	uint64_t now_ns = 0;

	(void)state;
	start(4);
	model.hooks = (struct extent_hooks){ .alloc = model_alloc,
		.commit = model_commit };
	for (unsigned i = 0; i < 500; i++)
		step(&now_ns);
	check_account();
	/* Without destroy the ranges stay with the program. */
	model.hooks.destroy = model_destroy;
	finish();
}

static void *
misaligned_alloc(struct extent_hooks *hooks, void *wanted, size_t size,
    size_t align, bool *zero, bool *commit, unsigned arena)
{
	char *addr = model_alloc(hooks, wanted, size, align, zero, commit,
	    arena);

	return addr == NULL ? NULL : addr + 16;
}

static bool
misaligned_dalloc(struct extent_hooks *hooks, void *addr, size_t size,
    bool committed, unsigned arena)
{
	return model_dalloc(hooks, (char *)addr - 16, size, committed, arena);
}

static void
what_is_of_no_use_goes_back(void **state)
{
	(void)state;
	start(5);
	mapped_give_blocks(&model.source);
	model.hooks.alloc = misaligned_alloc;
	model.hooks.dalloc = misaligned_dalloc;
	take(PAGE, PAGE);
	assert_int_equal(active.n, 0);
	assert_true(model.calls[DALLOC] > 0);
	model.calls[DALLOC] = 0;
	assert_null(mapped_ask_block(&model.hooks, ARENA, MAPPED_FIRST_BLOCK));
	assert_int_equal(model.calls[DALLOC], 1);
	assert_int_equal(model.source.mapped, 0);
	memset(model.page, 0, sizeof(model.page));
}

static bool
willing_dalloc(struct extent_hooks *hooks, void *addr, size_t size,
    bool committed, unsigned arena)
{
	model_destroy(hooks, addr, size, committed, arena);
	return false;
}

static void
a_block_goes_back_by_dalloc_where_there_is_no_destroy(void **state)
{
	(void)state;
	start(7);
	model.hooks.destroy = NULL;
	model.hooks.dalloc = willing_dalloc;
	mapped_give_blocks(&model.source);
	for (size_t i = 0; i < SPACE_PAGES; i++)
		assert_false(model.page[i].mapped);
	/* Declined, it leaves memory at least. */
	start(8);
	model.hooks.destroy = NULL;
	model.decommits = true;
	model.refuse = 16;
	mapped_give_blocks(&model.source);
	assert_int_equal(model.calls[DALLOC], 1);
	assert_int_equal(model.calls[DECOMMIT], 1);
	assert_int_equal(model.calls[FORCED], 1);
	memset(model.page, 0, sizeof(model.page));
}

/* Functions that allow a split have extents shortened, others do not. */
static void
an_extent_is_cut_where_that_is_allowed(void **state)
{
	(void)state;
	for (unsigned never = 0; never < 2; never++) {
		struct extent *e;

		start(8 + never);
		take(8 * PAGE, PAGE);
		assert_int_equal(active.n, 1);
		e = pagemap_find(active.e[0]->addr);
		model.never_splits = never;
		assert_int_equal(page_source_trim(&model.source, e, 3 * PAGE),
		    !never);
		assert_int_equal(e->size, (never ? 8 : 3) * PAGE);
		/* The program has used what is left over. */
		assert_int_equal(pools_of(&model.source, EXTENT_DIRTY)->size,
		    (never ? 0 : 5) * PAGE);
		finish();
	}
}

static void
hooks_may_come_later(void **state)
{
	struct page_source heir = { .takes = 0 };
	struct extent *e;

	(void)state;
	start(6);
	mapped_give_blocks(&model.source);
	memset(&model.source, 0, sizeof(model.source));
	page_source_init(&model.source, ARENA,
	    &(struct page_source_config){
		.dirty_decay_ms = 50, .retain = true });
	e = page_source_take(&model.source, 2 * PAGE, PAGE);
	assert_non_null(e);
	assert_true(page_source_is_plain(&model.source));
	assert_ptr_equal(page_source_set_hooks(&model.source, &model.hooks),
	    &extent_hooks_default);
	assert_ptr_equal(page_source_set_hooks(&model.source,
			     &extent_hooks_default),
	    &model.hooks);
	page_source_give(&model.source, e);
	page_source_init(&heir, 0,
	    &(struct page_source_config){ .dirty_decay_ms = -1 });
	inherit_fini(&model.source, &heir);
	assert_int_equal(model.source.mapped + heir.mapped, 0);
}

static int
setup(void **state)
{
	(void)state;
	system_init();
	metadata_init();
	extent_records_init();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_fits_the_model),
		cmocka_unit_test(so_it_does_with_decommitted_pages),
		cmocka_unit_test(functions_may_fail_at_any_call),
		cmocka_unit_test(
		    memory_that_must_not_be_cut_serves_all_the_same),
		cmocka_unit_test(fields_may_be_null_but_alloc),
		cmocka_unit_test(what_is_of_no_use_goes_back),
		cmocka_unit_test(
		    a_block_goes_back_by_dalloc_where_there_is_no_destroy),
		cmocka_unit_test(an_extent_is_cut_where_that_is_allowed),
		cmocka_unit_test(hooks_may_come_later),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
