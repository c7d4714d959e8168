#include "pages/ageing.h"
#include "pages/page_source.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../larger_pages.h"
#include "../unit.h"
#include "extent/extent_records.h"
#include "extent/limit.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/clock.h"
#include "os/pages.h"
#include "os/system.h"

#define ACTIVE_MAX 64
#define PIECES_MAX 4096
#define MS         UINT64_C(1000000)
#define NEVER      (-1)

/* --- the kernel, which can be made to refuse ------------------------- */

static struct {
	struct fault map, unmap, anew, forced, lazy, metadata, reserve;
	size_t map_limit;      /* larger maps fail; 0 = none does */
	_Atomic size_t mapped; /* bytes mapped by anybody */
} kernel;

bool __real_pages_unmap(void *addr, size_t size);
bool __real_pages_map_at(void *addr, size_t size);
bool __real_pages_purge_forced(void *addr, size_t size);
bool __real_pages_purge_lazy(void *addr, size_t size);
void *__real_metadata_take(size_t size, size_t align);
bool __real_pagemap_reserve(const void *addr, size_t size);

void *__wrap_pages_map(size_t size, size_t align);
bool __wrap_pages_unmap(void *addr, size_t size);
bool __wrap_pages_map_at(void *addr, size_t size);
bool __wrap_pages_purge_forced(void *addr, size_t size);
bool __wrap_pages_purge_lazy(void *addr, size_t size);
void *__wrap_metadata_take(size_t size, size_t align);
bool __wrap_pagemap_reserve(const void *addr, size_t size);

void *
__wrap_pages_map(size_t size, size_t align)
{
	void *addr;

	if (fault_hits(&kernel.map) ||
	    (kernel.map_limit != 0 && size > kernel.map_limit))
		return NULL;
	addr = map_larger_pages(size, align);
	if (addr != NULL)
		kernel.mapped += size;
	return addr;
}

bool
__wrap_pages_unmap(void *addr, size_t size)
{
	if (fault_hits(&kernel.unmap) || !__real_pages_unmap(addr, size))
		return false;
	kernel.mapped -= size;
	return true;
}

bool
__wrap_pages_map_at(void *addr, size_t size)
{
	if (fault_hits(&kernel.anew) || !__real_pages_map_at(addr, size))
		return false;
	kernel.mapped += size;
	return true;
}

bool
__wrap_pages_purge_forced(void *addr, size_t size)
{
	return !fault_hits(&kernel.forced) &&
	    __real_pages_purge_forced(addr, size);
}

bool
__wrap_pages_purge_lazy(void *addr, size_t size)
{
	return !fault_hits(&kernel.lazy) && __real_pages_purge_lazy(addr, size);
}

void *
__wrap_metadata_take(size_t size, size_t align)
{
	return fault_hits(&kernel.metadata) ? NULL
					    : __real_metadata_take(size, align);
}

bool
__wrap_pagemap_reserve(const void *addr, size_t size)
{
	return !fault_hits(&kernel.reserve) &&
	    __real_pagemap_reserve(addr, size);
}

static void
kernel_works(void)
{
	size_t mapped = kernel.mapped;

	memset(&kernel, 0, sizeof(kernel));
	kernel.mapped = mapped;
}

/* --- a source and a model of it -------------------------------------- */

struct live {
	struct extent *e;
	uint64_t tag; /* in the first word of each page */
};

struct model {
	struct page_source *source;
	struct live live[ACTIVE_MAX];
	unsigned nlive;
	uint64_t seed;
	uint64_t now_ns;
};

static const struct page_source_config quiet = {
	.dirty_decay_ms = NEVER,
	.muzzy_decay_ms = NEVER,
	.retain = true,
	.lg_max_active_fit = 6,
	.now_ns = 0,
};

static unsigned next_index;
static struct page_source *every_source[512];

static struct page_source *
source_new(const struct page_source_config *config)
{
	struct page_source *source = calloc(1, sizeof(*source));

	assert_non_null(source);
	assert_true(next_index < sizeof(every_source) / sizeof(source));
	every_source[next_index] = source;
	page_source_init(source, next_index++, config);
	return source;
}

static size_t
page(void)
{
	return system_info.page_size;
}

static size_t
pool_size(struct page_source *source, enum extent_state state)
{
	return pools_of(source, state)->size;
}

static size_t
in_memory(struct page_source *source)
{
	return source->active + pool_size(source, EXTENT_DIRTY) +
	    pool_size(source, EXTENT_MUZZY);
}

/* The limits know of all that may be in memory; every source is at rest. */
static void
check_limit(void)
{
	size_t sum = 0;

	for (unsigned i = 0; i < next_index; i++)
		if (every_source[i] != NULL)
			sum += in_memory(every_source[i]);
	assert_int_equal(sum, limit.in_memory);
}

/* What it holds is left to the end of the process. */
static void
source_forget(struct page_source *source)
{
	limit_give(in_memory(source));
	for (unsigned i = 0; i < next_index; i++)
		if (every_source[i] == source)
			every_source[i] = NULL;
	free(source);
}

/* Bytes that the library has mapped for its own records. */
static size_t
overhead(void)
{
	return metadata_stats().mapped +
	    pagemap_leaves() * round_up(sizeof(struct pagemap_leaf), page());
}

static int
piece_order(const void *a, const void *b)
{
	const struct extent *x = *(struct extent *const *)a;
	const struct extent *y = *(struct extent *const *)b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* The page map knows the ends of a free extent, and nothing inside of it. */
static void
check_free_in_pagemap(struct extent *e)
{
	size_t units = e->size / UNIT;

	assert_ptr_equal(pagemap_find(e->addr), e);
	assert_ptr_equal(pagemap_find(extent_end(e) - 1), e);
	assert_int_equal(pagemap_kind(e->addr), KIND_NONE);
	for (size_t i = 1; i + 1 < units && i < 600; i++)
		assert_null(pagemap_find(e->addr + i * UNIT));
}

static size_t
collect(struct page_source *source, struct extent **pieces)
{
	size_t n = 0;

	for (unsigned i = 0; i < EXTENT_POOLS; i++) {
		struct list *age = &source->pool[i].age;

		for (struct list *l = age->next; l != age; l = l->next) {
			struct extent *e = container_of(l, struct extent, age);

			assert_int_equal(extent_state(e), EXTENT_DIRTY + i);
			assert_int_equal(extent_arena(e), source->arena_index);
			check_free_in_pagemap(e);
			assert_true(n < PIECES_MAX);
			pieces[n++] = e;
		}
	}
	return n;
}

/*
 * What is taken and what is free together is what was mapped: nothing twice,
 * nothing lost; and free neighbours of one state are one.
 */
static void
check_space(struct model *model)
{
	static struct extent *pieces[PIECES_MAX];
	struct page_source *source = model->source;
	size_t n = collect(source, pieces), active = 0, sum = 0;

	for (unsigned i = 0; i < model->nlive; i++) {
		struct extent *e = model->live[i].e;

		assert_int_equal(extent_state(e), EXTENT_ACTIVE);
		assert_ptr_equal(pagemap_find(e->addr), e);
		assert_ptr_equal(pagemap_find(extent_end(e) - 1), e);
		active += e->size;
		pieces[n++] = e;
	}
	qsort(pieces, n, sizeof(pieces[0]), piece_order);
	for (size_t i = 0; i < n; i++) {
		struct extent *e = pieces[i], *next = pieces[i + 1];

		sum += e->size;
		assert_int_equal(e->size % page(), 0);
		if (i + 1 == n)
			break;
		assert_true(extent_end(e) <= next->addr);
		assert_true(extent_end(e) < next->addr ||
		    extent_state(e) == EXTENT_ACTIVE ||
		    extent_state(e) != extent_state(next));
	}
	assert_int_equal(active, source->active);
	assert_int_equal(sum, source->mapped);
	page_source_check(source);
	check_limit();
}

static void
mark(struct live *live, char *from)
{
	for (char *p = from; p < extent_end(live->e); p += page())
		*(uint64_t *)(void *)p = live->tag;
}

static void
check_marks(const struct live *live, const char *end)
{
	for (char *p = live->e->addr; p < end; p += page())
		assert_int_equal(*(uint64_t *)(void *)p, live->tag);
}

static void
assert_zero(const char *from, const char *to)
{
	for (const char *p = from; p < to; p += 8)
		if (*(const uint64_t *)(const void *)p != 0)
			fail_msg("%p is not zero", (const void *)p);
}

static struct extent *
model_take(struct model *model, size_t size, size_t align)
{
	struct extent *e = page_source_take(model->source, size, align);
	struct live *live = &model->live[model->nlive];

	if (e == NULL)
		return NULL;
	assert_int_equal(e->size, size);
	assert_int_equal((uintptr_t)e->addr % align, 0);
	if (e->zeroed)
		assert_zero(e->addr, extent_end(e));
	e->kind = KIND_LARGE;
	e->is_slab = false;
	pagemap_set_ends(e, KIND_LARGE);
	*live = (struct live){ e, random_next(&model->seed) | 1 };
	model->nlive++;
	mark(live, e->addr);
	return e;
}

static struct extent *
model_forget(struct model *model, unsigned i)
{
	struct extent *e = model->live[i].e;

	check_marks(&model->live[i], extent_end(e));
	model->live[i] = model->live[--model->nlive];
	return e;
}

static void
model_give_all(struct model *model)
{
	while (model->nlive > 0)
		page_source_give(model->source,
		    model_forget(model, model->nlive - 1));
}

/* Is there a free extent right behind `e` that has `more` bytes? */
static bool
can_extend(struct page_source *source, struct extent *e, size_t more)
{
	static struct extent *pieces[PIECES_MAX];
	size_t n = collect(source, pieces);

	for (size_t i = 0; i < n; i++)
		if (pieces[i]->addr == extent_end(e))
			return pieces[i]->size >= more;
	return false;
}

static void
model_extend(struct model *model, unsigned i, size_t more, bool faulty)
{
	struct live *live = &model->live[i];
	struct extent *e = live->e;
	char *addr = e->addr, *old_end = extent_end(e);
	size_t size = e->size;
	bool expected = can_extend(model->source, e, more);
	bool zeroed = false;

	if (page_source_extend(model->source, e, size + more, &zeroed)) {
		assert_true(expected);
		size += more;
	} else {
		assert_true(faulty || !expected);
	}
	assert_ptr_equal(e->addr, addr);
	assert_int_equal(e->size, size);
	assert_int_equal(pagemap_kind(addr), KIND_LARGE);
	check_marks(live, old_end);
	if (zeroed)
		assert_zero(old_end, extent_end(e));
	mark(live, old_end);
}

static void
model_trim(struct model *model, unsigned i, size_t size, bool faulty)
{
	struct extent *e = model->live[i].e;
	size_t old = e->size;

	if (page_source_trim(model->source, e, size)) {
		assert_int_equal(e->size, size);
	} else {
		assert_true(faulty);
		assert_int_equal(e->size, old);
	}
	check_marks(&model->live[i], extent_end(e));
}

static size_t
random_size(uint64_t *seed)
{
	static const size_t most[] = { 4, 4, 16, 16, 16, 64, 256, 1024 };

	return (1 + random_below(seed, most[random_below(seed, 8)])) * page();
}

static void
random_fault(uint64_t *seed)
{
	/* Of the first four several at once: each stands in for another. */
	struct fault *all[] = { &kernel.unmap, &kernel.anew, &kernel.forced,
		&kernel.lazy, &kernel.map, &kernel.metadata, &kernel.reserve };
	unsigned n = (unsigned)random_below(seed, 4);

	do {
		fault_set(all[random_below(seed, n > 1 ? 4 : ARRAY_LEN(all))],
		    1 + (unsigned)random_below(seed, 3),
		    random_below(seed, 2) != 0);
	} while (n-- > 1);
}

static void
random_step(struct model *model, bool faulty)
{
	uint64_t *seed = &model->seed;
	unsigned op = (unsigned)random_below(seed, 100);
	unsigned i = model->nlive == 0
	    ? 0
	    : (unsigned)random_below(seed, model->nlive);
	struct extent *e;

	if (model->nlive == 0 || (op < 40 && model->nlive < ACTIVE_MAX)) {
		size_t align = random_below(seed, 4) != 0
		    ? page()
		    : page() << random_below(seed, 10);

		e = model_take(model, random_size(seed), align);
		assert_true(e != NULL || faulty);
	} else if (op < 70) {
		page_source_give(model->source, model_forget(model, i));
	} else if (op < 74) {
		e = model_forget(model, i);
		if (__real_pages_purge_forced(e->addr, e->size))
			page_source_give_retained(model->source, e);
		else
			page_source_give(model->source, e);
	} else if (op < 82) {
		model_extend(model, i, random_size(seed), faulty);
	} else if (op < 90) {
		size_t npages = model->live[i].e->size / page();

		if (npages > 1)
			model_trim(model, i,
			    (1 + random_below(seed, npages - 1)) * page(),
			    faulty);
	} else if (op < 97) {
		model->now_ns += random_below(seed, 100) * MS;
		ageing_tick(model->source, model->now_ns);
	} else if (op < 98) {
		ageing_purge(model->source);
	} else if (op < 99) {
		ageing_release(model->source);
	} else {
		ageing_set_decay(model->source, (unsigned)random_below(seed, 2),
		    (int64_t)random_below(seed, 500) - 1, model->now_ns);
	}
}

static void
run_random(const struct page_source_config *config, uint64_t seed,
    unsigned nsteps, bool faults)
{
	size_t others = kernel.mapped - overhead();
	struct model *model = calloc(1, sizeof(*model));

	model->seed = seed;
	model->source = source_new(config);
	for (unsigned step = 0; step < nsteps; step++) {
		bool faulty = faults && random_below(&model->seed, 3) == 0;

		if (faulty)
			random_fault(&model->seed);
		random_step(model, faulty);
		kernel_works();
		check_space(model);
		assert_int_equal(model->source->mapped,
		    kernel.mapped - overhead() - others);
	}
	model_give_all(model);
	check_space(model);
	ageing_release(model->source);
	assert_int_equal(model->source->mapped, 0);
	check_space(model);
	source_forget(model->source);
	free(model);
}

/* --- the model under random operations ------------------------------- */

static const struct page_source_config configs[] = {
	{ 100, 100, true, 6, .now_ns = 0 },
	{ 100, 0, true, 6, .now_ns = 0 },
	{ 0, 0, true, 63, .now_ns = 0 },
	{ NEVER, NEVER, true, 0, .now_ns = 0 },
	{ 100, 200, false, 6, .now_ns = 0 },
	{ 0, 0, false, 6, .now_ns = 0 },
};

/* Of one thread: a race detector is ten times as slow, and finds nothing. */
/* With larger pages each step takes more memory, and so more time. */
static unsigned
steps_for_pages(void)
{
	size_t times = page() / 4096;

	if (RACE_DETECTOR)
		return 300;
	if (test_is_long())
		return 1200;
	return times <= 1 ? 500 : times <= 4 ? 250 : 150;
}

static void
random_operations_keep_the_space_whole(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(configs); i++)
		run_random(&configs[i], 1 + i, steps_for_pages(), false);
}

static void
random_refusals_of_the_kernel_lose_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(configs); i++)
		run_random(&configs[i], 100 + i, steps_for_pages(), true);
}

/* Half of what the other tests take; purging makes room again. */
static void
a_hard_limit_is_never_exceeded(void **state)
{
	size_t most = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(configs); i++) {
		struct model *model = calloc(1, sizeof(*model));
		size_t hard = limit.in_memory + 1024 * page();

		model->seed = 300 + i;
		model->source = source_new(&configs[i]);
		limit_set_hard(hard);
		for (unsigned step = 0; step < steps_for_pages(); step++) {
			random_step(model, true);
			assert_true(limit.in_memory <= hard);
			most = max_size(most, limit.in_memory);
			check_space(model);
		}
		ageing_purge(model->source);
		model_give_all(model);
		ageing_purge(model->source);
		assert_non_null(model_take(model, 1024 * page(), page()));
		assert_null(model_take(model, page(), page()));
		limit_set_hard(0);
		assert_non_null(model_take(model, page(), page()));
		model_give_all(model);
		ageing_release(model->source);
		check_space(model);
		source_forget(model->source);
		free(model);
	}
	assert_true(most > 1000 * page());
}

/* Takes runs of eight pages, and gives every second one back. */
static void
leave_holes(struct model *model)
{
	for (unsigned i = 0; i < 40; i++)
		assert_non_null(model_take(model, 8 * page(), page()));
	for (unsigned i = 0; i < 20; i++)
		page_source_give(model->source, model_forget(model, i));
}

/* As long as all that is in use is above the limit. */
static void
nothing_is_had_and_nothing_stays(struct model *model, size_t hard)
{
	struct page_source *source = model->source;
	bool zeroed;

	while (limit.in_memory > hard) {
		assert_null(page_source_take(source, 8 * page(), page()));
		for (unsigned i = 0; i < model->nlive; i++)
			assert_false(page_source_extend(source,
			    model->live[i].e, 16 * page(), &zeroed));
		page_source_give(source, model_forget(model, 0));
		assert_int_equal(in_memory(source), source->active);
		check_space(model);
	}
}

/* Free pages that are in memory already do not get around it. */
static void
a_hard_limit_below_what_there_is_is_kept(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(configs); i++) {
		struct model *model = calloc(1, sizeof(*model));
		size_t before = limit.in_memory;
		size_t hard = before + 64 * page();

		model->source = source_new(&configs[i]);
		leave_holes(model);
		limit_set_hard(hard);
		nothing_is_had_and_nothing_stays(model, hard);
		assert_int_equal(model->nlive, 8);
		assert_null(model_take(model, page(), page()));
		page_source_give(model->source, model_forget(model, 0));
		assert_non_null(model_take(model, 8 * page(), page()));
		/* The end of an extent that becomes shorter goes as well. */
		limit_set_hard(hard - page());
		model_trim(model, 0, 4 * page(), false);
		assert_int_equal(in_memory(model->source),
		    model->source->active);
		limit_set_hard(0);
		model_give_all(model);
		ageing_release(model->source);
		check_space(model);
		source_forget(model->source);
		free(model);
	}
}

/* --- taking ----------------------------------------------------------- */

static void
what_is_given_is_taken_again_without_the_kernel(void **state)
{
	struct page_source *source = source_new(&quiet);
	struct extent *e = page_source_take(source, 4 * page(), page());
	char *addr = e->addr;
	unsigned long calls;

	(void)state;
	calls = pages_calls();
	page_source_give(source, e);
	e = page_source_take(source, 4 * page(), page());
	assert_ptr_equal(e->addr, addr);
	assert_false(e->zeroed);
	page_source_give(source, e);
	assert_int_equal(pages_calls(), calls);
	ageing_release(source);
	source_forget(source);
}

static void
fresh_pages_are_known_to_be_zero_and_used_ones_are_not(void **state)
{
	struct page_source *source = source_new(&quiet);
	struct extent *e = page_source_take(source, page(), page());

	(void)state;
	assert_true(e->zeroed);
	e->addr[17] = 1;
	page_source_give(source, e);
	e = page_source_take(source, page(), page());
	assert_int_equal(e->addr[17], 1);
	assert_false(e->zeroed);
	page_source_give(source, e);
	ageing_release(source);
	source_forget(source);
}

/* Leaves holes of the given page counts, with taken pages between them. */
static void
make_holes(struct model *model, const size_t *npages, unsigned n)
{
	struct extent *hole[16];

	for (unsigned i = 0; i < n; i++) {
		hole[i] = page_source_take(model->source, npages[i] * page(),
		    page());
		assert_non_null(model_take(model, page(), page()));
	}
	for (unsigned i = 0; i < n; i++)
		page_source_give(model->source, hole[i]);
}

static void
the_smallest_fit_is_taken_and_of_equals_the_lowest(void **state)
{
	static const size_t holes[] = { 9, 4, 6, 3, 4, 8 };
	struct model model = { .source = source_new(&quiet), .seed = 1 };
	struct extent *a, *b, *c;

	(void)state;
	make_holes(&model, holes, ARRAY_LEN(holes));
	a = model_take(&model, 4 * page(), page());
	b = model_take(&model, 4 * page(), page());
	c = model_take(&model, 4 * page(), page());
	check_space(&model);
	assert_true(a->addr < b->addr);
	/* Both fours are gone; of the six, two pages are left. */
	assert_true(a->addr < c->addr && c->addr < b->addr);
	assert_int_equal(pool_size(model.source, EXTENT_DIRTY),
	    (9 + 2 + 3 + 8) * page());
	model_give_all(&model);
	ageing_release(model.source);
	source_forget(model.source);
}

static void
dirty_pages_are_taken_before_muzzy_before_retained(void **state)
{
	struct model model = { .source = source_new(&quiet), .seed = 1 };
	struct page_source *source = model.source;
	size_t dirty, muzzy, retained;
	struct extent *e;

	(void)state;
	make_holes(&model, (size_t[]){ 8, 7, 2 }, 3);
	lock_acquire(&source->lock);
	e = extent_pool_oldest(pools_of(source, EXTENT_DIRTY));
	pools_remove_locked(source, e);
	pools_insert_locked(source, e, EXTENT_MUZZY);
	lock_release(&source->lock);
	dirty = pool_size(source, EXTENT_DIRTY);
	muzzy = pool_size(source, EXTENT_MUZZY);
	retained = pool_size(source, EXTENT_RETAINED);
	assert_int_equal(dirty, 9 * page());
	assert_int_equal(muzzy, 8 * page());

	model_take(&model, 2 * page(), page());
	assert_int_equal(pool_size(source, EXTENT_DIRTY), dirty - 2 * page());
	model_take(&model, muzzy, page());
	assert_int_equal(pool_size(source, EXTENT_MUZZY), 0);
	assert_int_equal(pool_size(source, EXTENT_RETAINED), retained);
	model_take(&model, 10 * page(), page());
	assert_int_equal(pool_size(source, EXTENT_RETAINED),
	    retained - 10 * page());
	check_space(&model);
	model_give_all(&model);
	ageing_release(source);
	source_forget(source);
}

static void
every_alignment_is_served_and_wastes_nothing(void **state)
{
	struct model model = { .source = source_new(&quiet), .seed = 3 };

	(void)state;
	for (size_t align = page(); align <= (size_t)128 << 20; align *= 2) {
		assert_non_null(model_take(&model, page(), page()));
		assert_non_null(model_take(&model, 3 * page(), align));
		check_space(&model);
	}
	model_give_all(&model);
	check_space(&model);
	ageing_release(model.source);
	source_forget(model.source);
}

static void
requests_that_no_machine_can_serve_fail_and_change_nothing(void **state)
{
	struct model model = { .source = source_new(&quiet), .seed = 4 };

	(void)state;
	model_take(&model, page(), page());
	/* Where an address has 32 bits, there may be one for the half. */
	for (unsigned lg = 47; lg < WORD_BITS - 1; lg++) {
		size_t size = (size_t)1 << lg;

		assert_null(page_source_take(model.source, size, page()));
		assert_null(page_source_take(model.source, 2 * size - page(),
		    page()));
		assert_null(page_source_take(model.source, page(), size));
		assert_null(page_source_take(model.source, size, size));
		check_space(&model);
	}
	assert_null(page_source_take(model.source, SIZE_MAX - page() + 1,
	    2 * page()));
	assert_non_null(model_take(&model, page(), page()));
	model_give_all(&model);
	ageing_release(model.source);
	source_forget(model.source);
}

static void
steps_of_growth_rise_so_mappings_are_few(void **state)
{
	struct page_source *source = source_new(&quiet);
	struct extent *e[64];

	(void)state;
	kernel.map.calls = 0;
	for (unsigned i = 0; i < 64; i++) {
		e[i] = page_source_take(source, (size_t)8 << 20, page());
		assert_non_null(e[i]);
		pagemap_set_ends(e[i], KIND_LARGE);
	}
	assert_in_range(kernel.map.calls, 1, 30);
	assert_true(source->mapped < (size_t)(512 + 64) << 20);
	for (unsigned i = 0; i < 64; i++)
		page_source_give(source, e[i]);
	ageing_release(source);
	assert_int_equal(source->mapped, 0);
	source_forget(source);
}

static void
without_retain_exactly_the_request_is_mapped(void **state)
{
	struct page_source_config config = quiet;
	struct page_source *source;
	struct extent *e;

	(void)state;
	config.retain = false;
	source = source_new(&config);
	e = page_source_take(source, 5 * page(), page());
	assert_int_equal(source->mapped, 5 * page());
	page_source_give(source, e);
	ageing_purge(source);
	assert_int_equal(source->mapped, 0);
	page_source_check(source);
	source_forget(source);
}

static void
short_of_address_space_the_source_grows_by_less(void **state)
{
	struct page_source *source = source_new(&quiet);
	struct extent *e;

	(void)state;
	kernel.map_limit = 40 * page();
	/* Its first records would want a block of metadata. */
	while (source->spares.count < 2) {
		struct extent *chain = NULL;

		kernel.map_limit = 0;
		extent_records_take(&chain, 1);
		kernel.map_limit = 40 * page();
		lock_acquire(&source->lock);
		while (chain != NULL) {
			struct extent *next = chain->next;

			spare_records_give(&source->spares, chain);
			chain = next;
		}
		lock_release(&source->lock);
	}
	e = page_source_take(source, 40 * page(), page());
	assert_non_null(e);
	assert_int_equal(source->mapped, 40 * page());
	assert_null(page_source_take(source, 41 * page(), page()));
	kernel_works();
	page_source_give(source, e);
	page_source_check(source);
	ageing_release(source);
	source_forget(source);
}

/* --- refusals, one by one --------------------------------------------- */

struct snapshot {
	size_t size[EXTENT_POOLS], count[EXTENT_POOLS], active, mapped, kernel;
};

static struct snapshot
snapshot_of(struct page_source *source)
{
	struct snapshot s;

	memset(&s, 0, sizeof(s));
	for (unsigned i = 0; i < EXTENT_POOLS; i++) {
		s.size[i] = source->pool[i].size;
		s.count[i] = source->pool[i].count;
	}
	s.active = source->active;
	s.mapped = source->mapped;
	s.kernel = kernel.mapped - overhead();
	return s;
}

/*
 * Lets call number 1, 2, ... of `fault` fail until a request succeeds. Each
 * failure must leave all as it was.
 * @return  how many requests failed
 */
static unsigned
take_past_faults(struct fault *fault, bool and_later)
{
	struct model model = { .source = source_new(&quiet), .seed = 6 };
	unsigned failures = 0;
	struct extent *e = NULL;

	for (unsigned at = 1; e == NULL; at++) {
		struct snapshot before = snapshot_of(model.source), after;

		fault_set(fault, at, and_later);
		e = model_take(&model, 700 * page(), 4 * page());
		kernel_works();
		check_space(&model);
		if (e != NULL)
			break;
		failures++;
		after = snapshot_of(model.source);
		assert_memory_equal(&before, &after, sizeof(before));
		assert_true(failures < 20);
	}
	model_give_all(&model);
	check_space(&model);
	ageing_release(model.source);
	source_forget(model.source);
	return failures;
}

/* Takes all spare records, so that the next one needs metadata. */
static struct extent *
hold_records(void)
{
	struct extent *chain = NULL;

	fault_set(&kernel.metadata, 1, true);
	while (extent_records_take(&chain, 1) == 1)
		;
	kernel_works();
	return chain;
}

static void
failed_growth_leaves_the_pools_unchanged(void **state)
{
	struct extent *held;

	(void)state;
	assert_in_range(take_past_faults(&kernel.map, true), 1, 10);
	take_past_faults(&kernel.map, false);
	held = hold_records();
	assert_in_range(take_past_faults(&kernel.metadata, true), 1, 10);
	take_past_faults(&kernel.metadata, false);
	assert_int_equal(take_past_faults(&kernel.reserve, false), 1);
	extent_records_give(held);
}

static void
no_refusal_to_unmap_loses_what_was_mapped_without_records(void **state)
{
	struct extent *held = hold_records();
	struct model model = { .source = source_new(&quiet), .seed = 6 };
	size_t before = kernel.mapped - overhead();

	(void)state;
	fault_set(&kernel.metadata, 1, true);
	fault_set(&kernel.unmap, 1, true);
	assert_null(model_take(&model, page(), page()));
	kernel_works();
	assert_int_equal(kernel.mapped - overhead(), before);
	source_forget(model.source);
	extent_records_give(held);
}

/* A source that has one extent, has space behind it, and has no record left. */
static struct extent *
without_records(struct model *model)
{
	struct extent *e = model_take(model, 8 * page(), page());

	model->source->spares.first = NULL;
	model->source->spares.count = 0;
	/* They stay out of reach. */
	hold_records();
	fault_set(&kernel.metadata, 1, true);
	return e;
}

static void
trim_and_extend_need_a_record_or_do_nothing(void **state)
{
	struct model model = { .source = source_new(&quiet), .seed = 7 };
	struct extent *e = without_records(&model);
	bool zeroed;

	(void)state;
	assert_false(page_source_trim(model.source, e, page()));
	assert_false(page_source_extend(model.source, e, 9 * page(), &zeroed));
	assert_null(page_source_take(model.source, page(), page()));
	assert_int_equal(e->size, 8 * page());
	kernel_works();
	check_space(&model);
	model_extend(&model, 0, page(), false);
	model_trim(&model, 0, page(), false);
	assert_int_equal(e->size, page());
	check_space(&model);
	model_give_all(&model);
	ageing_release(model.source);
	source_forget(model.source);
}

static void
giving_works_without_records(void **state)
{
	struct model model = { .source = source_new(&quiet), .seed = 8 };

	(void)state;
	without_records(&model);
	model_give_all(&model);
	check_space(&model);
	ageing_purge(model.source);
	check_space(&model);
	ageing_release(model.source);
	assert_int_equal(model.source->mapped, 0);
	kernel_works();
	source_forget(model.source);
}

/* --- growing and cutting in place ------------------------------------- */

static void
extending_takes_dirty_and_fresh_neighbours_and_tells_which(void **state)
{
	struct model model = { .source = source_new(&quiet), .seed = 9 };
	struct extent *e = model_take(&model, page(), page());
	struct extent *next = model_take(&model, page(), page());
	bool zeroed = true;

	(void)state;
	page_source_give(model.source, model_forget(&model, 1));
	(void)next;
	assert_true(page_source_extend(model.source, e, 2 * page(), &zeroed));
	assert_false(zeroed);
	mark(&model.live[0], e->addr);
	check_space(&model);
	assert_true(page_source_extend(model.source, e, 3 * page(), &zeroed));
	assert_true(zeroed);
	mark(&model.live[0], e->addr);
	check_space(&model);
	model_give_all(&model);
	ageing_release(model.source);
	source_forget(model.source);
}

static void
extending_into_a_taken_neighbour_fails(void **state)
{
	struct model model = { .source = source_new(&quiet), .seed = 10 };
	struct extent *e = model_take(&model, page(), page());
	bool zeroed;

	(void)state;
	model_take(&model, page(), page());
	assert_false(page_source_extend(model.source, e, 2 * page(), &zeroed));
	assert_false(page_source_extend(model.source, e,
	    (size_t)1 << (WORD_BITS - 2), &zeroed));
	check_space(&model);
	model_give_all(&model);
	ageing_release(model.source);
	source_forget(model.source);
}

static void
neighbours_of_two_arenas_are_never_merged(void **state)
{
	struct page_source *a = source_new(&quiet), *b = source_new(&quiet);
	char *addr = __real_pages_map(8 * page(), page());
	struct extent *left, *right, *far;
	struct page_source *owner[] = { a, b, a };
	static const size_t npages[] = { 4, 2, 2 };
	struct extent *e[3];
	bool zeroed;

	(void)state;
	assert_true(__real_pagemap_reserve(addr, 8 * page()));
	for (unsigned i = 0; i < 3; i++) {
		struct extent *chain = NULL;

		extent_records_take(&chain, 1);
		e[i] = chain;
		e[i]->addr = addr;
		e[i]->size = npages[i] * page();
		addr += e[i]->size;
		owner[i]->mapped += e[i]->size;
		assert_true(limit_take(e[i]->size));
		lock_acquire(&owner[i]->lock);
		pools_insert_locked(owner[i], e[i], EXTENT_DIRTY);
		lock_release(&owner[i]->lock);
		page_source_check(owner[i]);
	}
	assert_int_equal(pools_of(a, EXTENT_DIRTY)->count, 2);
	assert_int_equal(pools_of(b, EXTENT_DIRTY)->count, 1);
	far = page_source_take(a, 2 * page(), page());
	right = page_source_take(b, 2 * page(), page());
	left = page_source_take(a, 4 * page(), page());
	pagemap_set_ends(far, KIND_LARGE);
	pagemap_set_ends(right, KIND_LARGE);
	pagemap_set_ends(left, KIND_LARGE);
	page_source_give(b, right);
	assert_false(page_source_extend(a, left, 5 * page(), &zeroed));
	page_source_give(a, left);
	page_source_give(a, far);
	assert_int_equal(pools_of(a, EXTENT_DIRTY)->count, 2);
	page_source_check(a);
	page_source_check(b);
	ageing_release(a);
	ageing_release(b);
	assert_int_equal(a->mapped + b->mapped, 0);
	kernel.mapped += 8 * page();
	source_forget(a);
	source_forget(b);
}

/* --- ageing ------------------------------------------------------------ */

/* A source whose pages: `npages` dirty ones, in extents of one page each. */
static struct model *
with_dirty(int64_t dirty_ms, int64_t muzzy_ms, bool retain, unsigned npages)
{
	struct model *model = calloc(1, sizeof(*model));
	struct page_source_config config = quiet;
	struct extent *dirty[ACTIVE_MAX];

	config.dirty_decay_ms = dirty_ms;
	config.muzzy_decay_ms = muzzy_ms;
	config.retain = retain;
	model->source = source_new(&config);
	model->seed = 11;
	for (unsigned i = 0; i < npages; i++) {
		dirty[i] = page_source_take(model->source, page(), page());
		memset(dirty[i]->addr, 0x5a, page());
		assert_non_null(model_take(model, page(), page()));
	}
	for (unsigned i = 0; i < npages; i++)
		page_source_give(model->source, dirty[i]);
	return model;
}

static void
end(struct model *model)
{
	kernel_works();
	check_space(model);
	model_give_all(model);
	ageing_release(model->source);
	check_space(model);
	assert_int_equal(model->source->mapped, 0);
	source_forget(model->source);
	free(model);
}

static void
dirty_pages_are_gone_after_their_time(void **state)
{
	struct model *model = with_dirty(1000, 0, true, 40);
	struct page_source *source = model->source;
	size_t last = pool_size(source, EXTENT_DIRTY);

	(void)state;
	assert_int_equal(last, 40 * page());
	for (uint64_t ms = 0; ms <= 1020; ms += 10) {
		size_t size;

		ageing_tick(source, ms * MS);
		size = pool_size(source, EXTENT_DIRTY);
		assert_true(size <= last);
		/* No step takes more than a few per cent of all. */
		assert_true(last - size <= 3 * page());
		last = size;
	}
	assert_int_equal(last, 0);
	assert_int_equal(pool_size(source, EXTENT_MUZZY), 0);
	assert_int_equal(source->aged[0].purged, 40 * page());
	end(model);
}

static void
muzzy_pages_follow_after_theirs(void **state)
{
	struct model *model = with_dirty(1000, 1000, true, 40);
	struct page_source *source = model->source;

	(void)state;
	ageing_tick(source, 0);
	for (uint64_t ms = 10; ms <= 1020; ms += 10)
		ageing_tick(source, ms * MS);
	assert_int_equal(pool_size(source, EXTENT_DIRTY), 0);
	assert_true(pool_size(source, EXTENT_MUZZY) > 10 * page());
	for (uint64_t ms = 1030; ms <= 2050; ms += 10)
		ageing_tick(source, ms * MS);
	assert_int_equal(pool_size(source, EXTENT_MUZZY), 0);
	assert_int_equal(source->aged[1].purged, 40 * page());
	end(model);
}

static void
pages_without_decay_stay(void **state)
{
	struct model *model = with_dirty(NEVER, NEVER, true, 10);

	(void)state;
	for (uint64_t s = 0; s < 100; s++)
		ageing_tick(model->source, s * 1000 * MS);
	assert_int_equal(pool_size(model->source, EXTENT_DIRTY), 10 * page());
	end(model);
}

static void
a_decay_time_of_zero_purges_at_once(void **state)
{
	struct model *model = with_dirty(0, 0, true, 10);

	(void)state;
	assert_int_equal(pool_size(model->source, EXTENT_DIRTY), 0);
	assert_int_equal(pool_size(model->source, EXTENT_MUZZY), 0);
	end(model);
}

static void
with_no_dirty_time_pages_become_muzzy_and_stay_for_theirs(void **state)
{
	struct model *model = with_dirty(0, 1000, true, 10);

	(void)state;
	assert_int_equal(pool_size(model->source, EXTENT_DIRTY), 0);
	assert_int_equal(pool_size(model->source, EXTENT_MUZZY), 10 * page());
	end(model);
}

static void
a_shorter_time_applies_at_once(void **state)
{
	struct model *model = with_dirty(NEVER, 0, true, 10);

	(void)state;
	ageing_set_decay(model->source, 0, NEVER, 0);
	assert_int_equal(pool_size(model->source, EXTENT_DIRTY), 10 * page());
	ageing_set_decay(model->source, 0, 50, 0);
	assert_int_equal(pool_size(model->source, EXTENT_DIRTY), 0);
	end(model);
}

/* However a clock runs, pages are gone when it has counted off the time. */
static void
a_clock_that_jumps_stops_no_ageing(void **state)
{
	static const uint64_t jumps[] = { 0, 1, UINT64_C(1) << 40,
		UINT64_C(1) << 62, UINT64_MAX - 3 * MS };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(jumps); i++) {
		struct model *model = with_dirty(1000, 0, true, 20);

		ageing_tick(model->source, jumps[i]);
		ageing_tick(model->source, 5000 * MS);
		/* Fresh dirty pages, and the clock runs from here. */
		page_source_give(model->source, model_forget(model, 0));
		for (uint64_t ms = 5000; ms <= 6030; ms += 10)
			ageing_tick(model->source, ms * MS);
		assert_int_equal(pool_size(model->source, EXTENT_DIRTY), 0);
		end(model);
	}
}

/* Who frees ticks, even when nothing is due: then its pages are that old. */
static void
silence_counts_as_age(void **state)
{
	struct model *model = with_dirty(1000, 0, true, 0);
	struct extent *first, *later, *last;

	(void)state;
	/* Apart from each other. */
	for (unsigned i = 0; i < 6; i++)
		model_take(model, page(), page());
	first = model_forget(model, 0);
	last = model_forget(model, 4);
	later = model_forget(model, 2);
	page_source_give(model->source, first);
	ageing_tick(model->source, 500 * MS);
	page_source_give(model->source, later);
	ageing_tick(model->source, 501 * MS);
	page_source_give(model->source, last);
	ageing_tick(model->source, 3000 * MS);
	assert_int_equal(pool_size(model->source, EXTENT_DIRTY), page());
	for (unsigned ms = 3000; ms <= 4100; ms += 10)
		ageing_tick(model->source, ms * MS);
	assert_int_equal(pool_size(model->source, EXTENT_DIRTY), 0);
	end(model);
}

static void
a_tick_before_anything_is_due_makes_no_system_call(void **state)
{
	struct model *model = with_dirty(1000, 1000, true, 20);
	unsigned long calls = pages_calls();

	(void)state;
	for (unsigned us = 0; us < 9000; us += 100)
		ageing_tick(model->source, us * UINT64_C(1000));
	assert_int_equal(pages_calls(), calls);
	end(model);
}

static void
a_tick_while_another_ages_does_nothing(void **state)
{
	struct model *model = with_dirty(100, 0, true, 20);

	(void)state;
	ageing_tick(model->source, 10 * MS);
	lock_acquire(&model->source->decay_lock);
	ageing_tick(model->source, 10000 * MS);
	assert_int_equal(pool_size(model->source, EXTENT_DIRTY), 20 * page());
	lock_release(&model->source->decay_lock);
	ageing_tick(model->source, 10000 * MS);
	assert_int_equal(pool_size(model->source, EXTENT_DIRTY), 0);
	end(model);
}

static void
what_the_kernel_refuses_stays_ours(void **state)
{
	struct model *model;
	size_t mapped, in_memory;

	(void)state;
	/* Lazy purging fails: the pages are purged for good instead. */
	model = with_dirty(NEVER, 1000, true, 10);
	fault_set(&kernel.lazy, 1, true);
	ageing_purge(model->source);
	assert_int_equal(pool_size(model->source, EXTENT_MUZZY), 0);
	end(model);

	/* Purging fails: unmapped and mapped anew. */
	model = with_dirty(NEVER, 0, true, 10);
	fault_set(&kernel.forced, 1, true);
	ageing_purge(model->source);
	assert_int_equal(pool_size(model->source, EXTENT_DIRTY), 0);
	assert_true(pool_size(model->source, EXTENT_RETAINED) >= 10 * page());
	kernel_works();
	check_space(model);
	assert_true(model_take(model, page(), page())->zeroed);
	end(model);

	/* Somebody else was faster: it is not ours any more. */
	model = with_dirty(NEVER, 0, true, 10);
	mapped = model->source->mapped;
	fault_set(&kernel.forced, 1, true);
	fault_set(&kernel.anew, 1, true);
	ageing_purge(model->source);
	assert_int_equal(pool_size(model->source, EXTENT_DIRTY), 0);
	assert_int_equal(model->source->mapped, mapped - 10 * page());
	check_space(model);
	end(model);

	/* All fails: it is in memory, and counted so. */
	model = with_dirty(NEVER, 0, true, 10);
	in_memory = limit.in_memory;
	fault_set(&kernel.forced, 1, true);
	fault_set(&kernel.unmap, 1, true);
	ageing_purge(model->source);
	assert_int_equal(pool_size(model->source, EXTENT_DIRTY), 10 * page());
	assert_int_equal(limit.in_memory, in_memory);
	assert_int_equal(model->source->aged[0].purged, 0);
	check_space(model);
	assert_false(model_take(model, page(), page())->zeroed);
	end(model);

	/* Unmapping fails: retained. */
	model = with_dirty(NEVER, 0, false, 10);
	fault_set(&kernel.unmap, 1, true);
	ageing_purge(model->source);
	assert_true(pool_size(model->source, EXTENT_RETAINED) >= 10 * page());
	ageing_release(model->source);
	assert_true(pool_size(model->source, EXTENT_RETAINED) >= 10 * page());
	end(model);
}

/*
 * Asked, it tries each extent about once; by itself, a batch, and no more for a
 * while. When the kernel is willing again all goes, at the latest then.
 */
static void
no_refusal_is_tried_for_ever(void **state)
{
	enum { COUNT = 1000, SECOND = 1000 };
	struct page_source_config config = quiet;
	struct extent *e[2 * COUNT];
	struct page_source *source;
	uint64_t now_ns;

	(void)state;
	config.dirty_decay_ms = 100;
	config.muzzy_decay_ms = 0;
	config.now_ns = clock_now_ns();
	source = source_new(&config);
	/* Every other one, so that they stay apart. */
	for (unsigned i = 0; i < 2 * COUNT; i++) {
		e[i] = page_source_take(source, page(), page());
		pagemap_set_ends(e[i], KIND_LARGE);
	}
	for (unsigned i = 0; i < COUNT; i++)
		page_source_give(source, e[2 * i]);
	ageing_tick(source, config.now_ns + 1);
	fault_set(&kernel.unmap, 1, true);
	fault_set(&kernel.forced, 1, true);
	now_ns = clock_now_ns();
	for (unsigned i = 0; i < 50; i++)
		ageing_tick(source, now_ns + (200 + i * 15) * MS);
	assert_in_range(kernel.forced.calls, 1, 100);
	/* Whoever sleeps until there is something to do sleeps. */
	assert_true(ageing_wait(source, now_ns + 300 * MS) > 100 * MS);
	fault_set(&kernel.forced, 1, true);
	ageing_purge(source);
	assert_in_range(kernel.forced.calls, COUNT, 2 * COUNT);
	assert_int_equal(pools_of(source, EXTENT_DIRTY)->size, COUNT * page());
	kernel_works();
	now_ns = clock_now_ns() + 2 * SECOND * MS;
	ageing_tick(source, now_ns);
	ageing_tick(source, now_ns + SECOND * MS);
	assert_int_equal(pools_of(source, EXTENT_DIRTY)->size, 0);
	for (unsigned i = 0; i < COUNT; i++)
		page_source_give(source, e[2 * i + 1]);
	ageing_release(source);
	source_forget(source);
}

/* Of two neighbours, one could not be purged. */
static void
pages_are_known_to_be_zero_only_if_all_are(void **state)
{
	struct page_source_config config = quiet;

	(void)state;
	config.dirty_decay_ms = 0;
	config.muzzy_decay_ms = 0;
	for (unsigned refused = 0; refused < 2; refused++) {
		struct page_source *source = source_new(&config);
		struct extent *e[3];

		/* The third one keeps fresh pages away. */
		for (unsigned i = 0; i < 3; i++) {
			e[i] = page_source_take(source, page(), page());
			pagemap_set_ends(e[i], KIND_LARGE);
			memset(e[i]->addr, 1, page());
		}
		assert_ptr_equal(extent_end(e[0]), e[1]->addr);
		fault_set(&kernel.forced, 1, true);
		fault_set(&kernel.unmap, 1, true);
		page_source_give(source, e[refused]);
		assert_true(__real_pages_purge_forced(e[!refused]->addr,
		    page()));
		page_source_give_retained(source, e[!refused]);
		/* Apart: one is dirty, of the other nothing is there. */
		assert_int_equal(pools_of(source, EXTENT_DIRTY)->count, 1);
		e[0] = page_source_take(source, page(), page());
		assert_false(e[0]->zeroed);
		page_source_give(source, e[0]);
		kernel_works();
		ageing_purge(source);
		e[0] = page_source_take(source, 2 * page(), page());
		assert_ptr_equal(extent_end(e[0]), e[2]->addr);
		if (e[0]->zeroed)
			assert_zero(e[0]->addr, extent_end(e[0]));
		page_source_give(source, e[0]);
		page_source_give(source, e[2]);
		ageing_release(source);
		source_forget(source);
	}
}

static void
purged_pages_read_zero_and_are_known_to(void **state)
{
	struct model *model = with_dirty(NEVER, 0, true, 10);
	unsigned zeroed = 0;

	(void)state;
	ageing_purge(model->source);
	assert_int_equal(model->source->aged[0].npurge, 1);
	assert_int_equal(model->source->aged[0].nmadvise, 10);
	for (unsigned i = 0; i < 10; i++)
		zeroed += model_take(model, page(), page())->zeroed;
	assert_int_equal(zeroed, 10);
	end(model);
}

/* --- threads ------------------------------------------------------------ */

#define THREADS 4

struct worker {
	pthread_t thread;
	struct page_source *own, *shared;
	uint64_t seed;
	const char *wrong;
};

static void
work(struct worker *worker, struct page_source *source, struct live *live)
{
	struct extent *e;
	bool zeroed;

	if (live->e == NULL) {
		e = page_source_take(source,
		    (1 + random_below(&worker->seed, 20)) * page(), page());
		if (e == NULL) {
			worker->wrong = "no memory";
			return;
		}
		e->kind = KIND_LARGE;
		pagemap_set_ends(e, KIND_LARGE);
		*live = (struct live){ e, random_next(&worker->seed) };
		mark(live, e->addr);
		return;
	}
	e = live->e;
	for (char *p = e->addr; p < extent_end(e); p += page())
		if (*(uint64_t *)(void *)p != live->tag)
			worker->wrong = "overwritten";
	if (pagemap_find(e->addr) != e || pagemap_find(extent_end(e) - 1) != e)
		worker->wrong = "page map";
	switch (random_below(&worker->seed, 8)) {
	case 0:
		page_source_extend(source, e, e->size + page(), &zeroed);
		mark(live, e->addr);
		break;
	case 1:
		if (e->size > page())
			page_source_trim(source, e, page());
		break;
	default:
		page_source_give(source, e);
		live->e = NULL;
	}
}

static void *
worker_run(void *arg)
{
	struct worker *worker = arg;
	struct live live[2][16];

	memset(live, 0, sizeof(live));
	for (unsigned i = 0; i < 6000 && worker->wrong == NULL; i++) {
		unsigned which = i % 2;
		struct page_source *source = which != 0 ? worker->shared
							: worker->own;

		work(worker, source,
		    &live[which][random_below(&worker->seed, 16)]);
		if (i % 64 == 0)
			ageing_tick(source, i * MS);
		if (i % 1024 == 0)
			ageing_purge(source);
		if (i % 2048 == 0)
			ageing_release(source);
		if (i % 512 == 0)
			ageing_set_decay(source, i / 512 % 2, 100, i * MS);
	}
	for (unsigned i = 0; i < 16; i++) {
		if (live[0][i].e != NULL)
			page_source_give(worker->own, live[0][i].e);
		if (live[1][i].e != NULL)
			page_source_give(worker->shared, live[1][i].e);
	}
	return NULL;
}

static void
threads_share_a_source_and_the_address_space(void **state)
{
	struct page_source_config config = { 100, 100, true, 6, .now_ns = 0 };
	struct worker worker[THREADS];
	struct page_source *shared = source_new(&config);

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		config.retain = i % 2 == 0;
		worker[i] = (struct worker){
			.own = source_new(&config), .shared = shared, .seed = i
		};
		assert_int_equal(pthread_create(&worker[i].thread, NULL,
				     worker_run, &worker[i]),
		    0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(worker[i].thread, NULL);
		if (worker[i].wrong != NULL)
			fail_msg("%s", worker[i].wrong);
	}
	for (unsigned i = 0; i < THREADS; i++)
		check_space(&(struct model){ .source = worker[i].own });
	check_space(&(struct model){ .source = shared });
	for (unsigned i = 0; i < THREADS; i++) {
		ageing_release(worker[i].own);
		source_forget(worker[i].own);
	}
	ageing_release(shared);
	source_forget(shared);
}

static void
init(void)
{
	metadata_init();
	extent_records_init();
}

/* Also run with larger pages: what follows from their size. */
#define FOR_ALL_SIZES_OF_PAGES \
	cmocka_unit_test(random_operations_keep_the_space_whole), \
	    cmocka_unit_test(random_refusals_of_the_kernel_lose_nothing), \
	    cmocka_unit_test(a_hard_limit_is_never_exceeded), \
	    cmocka_unit_test(every_alignment_is_served_and_wastes_nothing), \
	    cmocka_unit_test(trim_and_extend_need_a_record_or_do_nothing), \
	    cmocka_unit_test(purged_pages_read_zero_and_are_known_to)

/* Has the kernel been told not to make huge pages here? */
static bool
is_kept_small(const char *addr)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	unsigned long from, to;
	char line[512];
	bool here = false, small = false;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = (uintptr_t)addr >= from && (uintptr_t)addr < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			small = strstr(line, " nh") != NULL;
	}
	fclose(maps);
	return small;
}

static void
only_a_small_heap_is_kept_from_huge_pages(void **state)
{
	struct page_source_config config = {
		.dirty_decay_ms = -1, .retain = true, .small_at_first = true
	};
	struct extent *small, *large;

	(void)state;
	for (unsigned large_first = 0; large_first < 2; large_first++) {
		struct page_source *source = source_new(&config);

		small = large_first
		    ? NULL
		    : page_source_take(source, 2 * page(), page());
		large = page_source_take(source, (size_t)64 << 20, page());
		assert_non_null(large);
		assert_false(is_kept_small(large->addr));
		assert_false(is_kept_small(extent_end(large) - 1));
		if (small != NULL)
			assert_true(is_kept_small(small->addr));
	}
}

static int
larger_pages_do_as_well(void)
{
	const struct CMUnitTest tests[] = { FOR_ALL_SIZES_OF_PAGES };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FOR_ALL_SIZES_OF_PAGES,
		cmocka_unit_test(
		    what_is_given_is_taken_again_without_the_kernel),
		cmocka_unit_test(
		    fresh_pages_are_known_to_be_zero_and_used_ones_are_not),
		cmocka_unit_test(
		    the_smallest_fit_is_taken_and_of_equals_the_lowest),
		cmocka_unit_test(
		    dirty_pages_are_taken_before_muzzy_before_retained),
		cmocka_unit_test(
		    requests_that_no_machine_can_serve_fail_and_change_nothing),
		cmocka_unit_test(steps_of_growth_rise_so_mappings_are_few),
		cmocka_unit_test(only_a_small_heap_is_kept_from_huge_pages),
		cmocka_unit_test(without_retain_exactly_the_request_is_mapped),
		cmocka_unit_test(
		    short_of_address_space_the_source_grows_by_less),
		cmocka_unit_test(failed_growth_leaves_the_pools_unchanged),
		cmocka_unit_test(
		    no_refusal_to_unmap_loses_what_was_mapped_without_records),
		cmocka_unit_test(giving_works_without_records),
		cmocka_unit_test(
		    extending_takes_dirty_and_fresh_neighbours_and_tells_which),
		cmocka_unit_test(extending_into_a_taken_neighbour_fails),
		cmocka_unit_test(neighbours_of_two_arenas_are_never_merged),
		cmocka_unit_test(dirty_pages_are_gone_after_their_time),
		cmocka_unit_test(muzzy_pages_follow_after_theirs),
		cmocka_unit_test(pages_without_decay_stay),
		cmocka_unit_test(a_decay_time_of_zero_purges_at_once),
		cmocka_unit_test(
		    with_no_dirty_time_pages_become_muzzy_and_stay_for_theirs),
		cmocka_unit_test(a_shorter_time_applies_at_once),
		cmocka_unit_test(a_clock_that_jumps_stops_no_ageing),
		cmocka_unit_test(silence_counts_as_age),
		cmocka_unit_test(
		    a_tick_before_anything_is_due_makes_no_system_call),
		cmocka_unit_test(a_tick_while_another_ages_does_nothing),
		cmocka_unit_test(what_the_kernel_refuses_stays_ours),
		cmocka_unit_test(no_refusal_is_tried_for_ever),
		cmocka_unit_test(pages_are_known_to_be_zero_only_if_all_are),
		cmocka_unit_test(threads_share_a_source_and_the_address_space),
		cmocka_unit_test(a_hard_limit_below_what_there_is_is_kept),
	};
	int failed = run_with_larger_pages(16384, init,
			 larger_pages_do_as_well) +
	    run_with_larger_pages(65536, init, larger_pages_do_as_well);

	system_init();
	init();
	return cmocka_run_group_tests(tests, NULL, NULL) + failed;
}
