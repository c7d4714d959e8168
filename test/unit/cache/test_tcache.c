#include "arena/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../allocated.h"
#include "../unit.h"
#include "arena/arena_table.h"
#include "cache/tcache.h"
#include "cache/tcache_counts.h"
#include "cache/tcache_look.h"
#include "conf/options.h"
#include "conf/safety.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/message.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "pages/pools.h"

#define KEY      ((uintptr_t)UINT64_C(0x1234567887654321))
#define LIVE_MAX 20000

static struct {
	struct fault piece, pages;
	uint64_t now_ns; /* 0: the true time */
	unsigned reports;
	char report[300];
	/* While pages are taken, or a line is written: what is in flight. */
	const struct tcache *watched;
	struct flight flight;
} world;

static void
look_at_flight(void)
{
	if (world.watched != NULL)
		world.flight = world.watched->flight;
}

void *__real_metadata_take_piece(size_t size);
struct extent *__real_page_source_take(struct page_source *source, size_t size,
    size_t align);
uint64_t __real_clock_coarse_ns(void);
void *__wrap_metadata_take_piece(size_t size);
struct extent *__wrap_page_source_take(struct page_source *source, size_t size,
    size_t align);
uint64_t __wrap_clock_coarse_ns(void);

void *
__wrap_metadata_take_piece(size_t size)
{
	return fault_hits(&world.piece) ? NULL
					: __real_metadata_take_piece(size);
}

struct extent *
__wrap_page_source_take(struct page_source *source, size_t size, size_t align)
{
	look_at_flight();
	return fault_hits(&world.pages)
	    ? NULL
	    : __real_page_source_take(source, size, align);
}

uint64_t
__wrap_clock_coarse_ns(void)
{
	return world.now_ns != 0 ? world.now_ns : __real_clock_coarse_ns();
}

static void
note_report(void *opaque, const char *s)
{
	(void)opaque;
	look_at_flight();
	world.reports++;
	strncpy(world.report, s, sizeof(world.report) - 1);
}

/* --- a cache, and what its user holds ------------------------------------- */

struct model {
	struct tcache tcache;
	void *live[LIVE_MAX];
	uint8_t bin[LIVE_MAX];
	unsigned n;
	uint64_t taken, given; /* bytes */
	uint64_t seed;
	int64_t room[2]; /* without any stack */
};

static struct model *
model_new(unsigned arena)
{
	struct model *model = aligned_alloc(CACHELINE,
	    round_up(sizeof(*model), CACHELINE));

	assert_non_null(model);
	memset(model, 0, sizeof(*model));
	tcache_init(&model->tcache, arena_table_need(arena), KEY);
	model->seed = 1;
	memcpy(model->room, model->tcache.room, sizeof(model->room));
	return model;
}

/* As malloc and free do, fast path first. */
static void *
raw_take(struct tcache *tcache, unsigned bin)
{
	void *object = cache_bin_take(&tcache->bins[bin + 1]);

	return object != NULL ? object : tcache_take_slow(tcache, bin);
}

static void
raw_give(struct tcache *tcache, unsigned i, void *object)
{
	struct cache_bin *bin = &tcache->bins[i + 1];

	assert_int_equal(pagemap_kind(object), kind_of_bin(i));
	if (bin->head == bin->full) {
		tcache_give_slow(tcache, i, object);
		return;
	}
	cache_set_mark(object, tcache->mark);
	cache_bin_give(bin, bin->head, object);
}

/* Each object holds its own address, so that no two can be in one place. */
static void
sign(void *object, size_t usable)
{
	uintptr_t *word = object;

	word[0] = (uintptr_t)object;
	word[usable / sizeof(*word) - 1] = (uintptr_t)object;
}

static void
check_signed(void *object, size_t usable)
{
	uintptr_t *word = object;

	assert_int_equal(word[0], (uintptr_t)object);
	assert_int_equal(word[usable / sizeof(*word) - 1], (uintptr_t)object);
}

static bool
take(struct model *model, unsigned bin)
{
	size_t usable = cache_bin_usable(bin);
	void *object = raw_take(&model->tcache, bin);

	if (object == NULL)
		return false;
	assert_true(model->n < LIVE_MAX);
	sign(object, usable);
	model->live[model->n] = object;
	model->bin[model->n++] = (uint8_t)bin;
	model->taken += usable;
	return true;
}

static void
give_to(struct model *model, unsigned i, struct tcache *tcache)
{
	void *object = model->live[i];
	unsigned bin = model->bin[i];

	check_signed(object, cache_bin_usable(bin));
	model->live[i] = model->live[--model->n];
	model->bin[i] = model->bin[model->n];
	raw_give(tcache, bin, object);
}

static void
give(struct model *model, unsigned i)
{
	model->given += cache_bin_usable(model->bin[i]);
	give_to(model, i, &model->tcache);
}

static uint64_t
total(struct tcache *tcache, bool taken)
{
	uint64_t sum = taken ? tcache->uncached_taken : tcache->uncached_given;

	for (unsigned i = 0; i < CACHE_BINS; i++) {
		tcache_settle(tcache, i);
		sum += (taken ? tcache->cold[i].taken : tcache->cold[i].given) *
		    cache_bin_usable(i);
	}
	return sum;
}

static size_t
cached_bytes(struct tcache *tcache, unsigned first, unsigned end)
{
	size_t sum = 0;

	for (unsigned i = first; i < end; i++)
		sum += tcache_count(tcache, i) * cache_bin_usable(i);
	return sum;
}

static size_t
arenas_allocated(void)
{
	size_t sum = 0;

	for (unsigned i = 0; i < arena_table_count(); i++)
		if (arena_table_owner(i) != NULL) {
			arena_check(arena_table_owner(i));
			sum += arena_allocated(arena_table_owner(i));
		}
	return sum;
}

static size_t
live_bytes(struct model *model)
{
	size_t sum = 0;

	for (unsigned i = 0; i < model->n; i++)
		sum += cache_bin_usable(model->bin[i]);
	return sum;
}

/* Stacks take their bytes from the room of their kind: all of a large bin. */
static void
check_room(const struct model *model)
{
	const struct tcache *tcache = &model->tcache;
	int64_t small = 0, large = 0;

	for (unsigned i = 0; i < CACHE_BINS; i++)
		*(i < SMALL_CLASSES ? &small : &large) +=
		    (int64_t)(tcache->cold[i].limit * cache_bin_usable(i));
	assert_int_equal(model->room[1] - tcache->room[1], large);
	assert_true(model->room[0] - tcache->room[0] <= small);
	assert_true(model->room[0] - tcache->room[0] >= 0);
	assert_true(tcache->room[0] >= 0 && tcache->room[1] >= 0);
}

/* Whatever is not with the user is in a stack, or back in its arena. */
static void
check(struct model *model, size_t others)
{
	struct tcache *tcache = &model->tcache;

	for (unsigned i = 0; i < CACHE_BINS; i++) {
		struct cache_bin *bin = &tcache->bins[i + 1];
		uint32_t count = tcache_count(tcache, i);

		assert_true(count <= tcache->cold[i].limit);
		assert_true(tcache->cold[i].limit <= tcache->cold[i].max);
		assert_true(tcache->cold[i].limit <= tcache->cold[i].capacity);
		assert_true(bin->full <= bin->head);
		assert_true(tcache->hidden ||
		    bin->empty <= tcache->cold[i].bottom);
	}
	check_room(model);
	assert_int_equal(arenas_allocated(),
	    live_bytes(model) + others + cached_bytes(tcache, 0, CACHE_BINS));
	assert_int_equal(total(tcache, true), model->taken);
	assert_int_equal(total(tcache, false), model->given);
}

static void
end(struct model *model)
{
	while (model->n > 0)
		give(model, model->n - 1);
	check(model, 0);
	tcache_fini(&model->tcache);
	assert_int_equal(total(&model->tcache, true), model->taken);
	assert_int_equal(total(&model->tcache, false), model->given);
	assert_int_equal(arenas_allocated(), 0);
	free(model);
}

static int
usual_options(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	options_init(&opt_at_start);
	opt_at_start.junk_alloc = opt_at_start.junk_free = false;
	opt_at_start.zero = false;
	opt_at_start.dirty_decay_ms = 10000;
	opt_at_start.safety_action = SAFETY_ACTION_REPORT;
	return 0;
}

/* --- tests ---------------------------------------------------------------- */

static void
random_use(struct model *model, unsigned nsteps)
{
	for (unsigned step = 0; step < nsteps; step++) {
		/* Bursts of few kinds, so that stacks grow and shrink. */
		unsigned base = (unsigned)(step / 2000 * 7 % CACHE_BINS);
		unsigned bin = (base +
				   (unsigned)random_below(&model->seed, 4)) %
		    CACHE_BINS;
		bool more = step / 500 % 2 == 0;

		if (model->n < LIVE_MAX &&
		    random_below(&model->seed, 10) < (more ? 7 : 3))
			assert_true(take(model, bin));
		else if (model->n > 0)
			give(model,
			    (unsigned)random_below(&model->seed, model->n));
		if (step % 977 == 0)
			check(model, 0);
	}
}

static void
random_use_loses_no_object_and_counts_each_byte(void **state)
{
	struct model *model = model_new(0);

	(void)state;
	random_use(model, 60000);
	end(model);
}

static void
a_hidden_cache_does_the_same(void **state)
{
	struct model *model = model_new(0);

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		tcache_hide(&model->tcache, i % 2 == 0);
		tcache_hide(&model->tcache, i % 2 == 0);
		for (unsigned k = 0; k < CACHE_BINS && i % 2 == 0; k++)
			assert_null(model->tcache.bins[k + 1].head);
		random_use(model, 4000);
		check(model, 0);
	}
	tcache_hide(&model->tcache, true);
	end(model);
}

/* A sample brings the next event, which ages some bins: also that of it. */
static void
samples_age_a_hidden_cache_as_well(void **state)
{
	struct model *model = model_new(0);
	struct tcache *tcache = &model->tcache;

	(void)state;
	tcache_sample(tcache,
	    &(struct sampler){ .state = 1, .period = 1 << 20 });
	for (unsigned i = 0; i < 4 * CACHE_BINS; i++)
		assert_true(take(model, i / 4));
	while (model->n > 0)
		give(model, 0);
	for (unsigned i = 0; i < 2 * CACHE_BINS; i++) {
		tcache_hide(tcache, i >= CACHE_BINS);
		tcache_sampled(tcache, tcache->age_cursor);
		check(model, 0);
	}
	end(model);
}

static void
every_bin_serves_and_takes_back(void **state)
{
	struct model *model = model_new(0);

	(void)state;
	/* All large kinds together are more than a thread may hold. */
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned bin = 0; bin < CACHE_BINS; bin++)
			for (unsigned i = 0; i < 5; i++)
				assert_true(take(model, bin));
		check(model, 0);
		while (model->n > 0)
			give(model,
			    (unsigned)random_below(&model->seed, model->n));
		check(model, 0);
	}
	end(model);
}

static void
a_cache_holds_no_more_than_its_bounds(void **state)
{
	struct model *model = model_new(0);

	(void)state;
	for (unsigned bin = 0; bin < CACHE_BINS; bin++) {
		unsigned n = cache_bin_usable(bin) <= 1024 ? 5000 : 200;

		for (unsigned round = 0; round < 6; round++) {
			for (unsigned i = 0; i < n; i++)
				assert_true(take(model, bin));
			while (model->n > 0)
				give(model, model->n - 1);
		}
		assert_true(cached_bytes(&model->tcache, 0, SMALL_CLASSES) <=
		    (size_t)6 << 20);
		assert_true(cached_bytes(&model->tcache, SMALL_CLASSES,
				CACHE_BINS) <= (size_t)2 << 20);
	}
	end(model);
}

static void
repeated_misses_deepen_a_stack(void **state)
{
	struct model *model = model_new(0);
	unsigned bin = 4;
	uint32_t first;

	(void)state;
	assert_true(take(model, bin));
	first = model->tcache.cold[bin].limit;
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 1000; i++)
			assert_true(take(model, bin));
		while (model->n > 0)
			give(model, model->n - 1);
	}
	assert_true(model->tcache.cold[bin].limit >= 8 * first);
	check(model, 0);
	end(model);
}

static void
objects_that_are_not_used_leave_bit_by_bit(void **state)
{
	struct model *model = model_new(0);
	uint32_t full;

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 500; i++)
			assert_true(take(model, 6));
		while (model->n > 0)
			give(model, model->n - 1);
	}
	full = tcache_count(&model->tcache, 6);
	assert_true(full >= 64);
	/* From here on another kind is used alone. */
	world.now_ns = UINT64_C(1000000000000);
	for (unsigned i = 0; i < 200000; i++) {
		assert_true(take(model, 9));
		give(model, model->n - 1);
		world.now_ns += 20000;
	}
	world.now_ns = 0;
	assert_int_equal(tcache_count(&model->tcache, 6), 1);
	check(model, 0);
	end(model);
}

static void
flushing_returns_all_that_is_cached(void **state)
{
	struct model *model = model_new(0);

	(void)state;
	random_use(model, 5000);
	tcache_flush(&model->tcache);
	assert_int_equal(tcache_count(&model->tcache, 7), 0);
	tcache_flush(&model->tcache);
	assert_int_equal(cached_bytes(&model->tcache, 0, CACHE_BINS), 0);
	assert_int_equal(arenas_allocated(), live_bytes(model));
	check(model, 0);
	random_use(model, 5000);
	end(model);
}

/* Sizes and their bins, as the fast paths look them up. */
static void
each_small_size_leads_to_its_bin(void **state)
{
	struct model *model = model_new(0);
	const struct tcache *tcache = &model->tcache;

	(void)state;
	for (size_t size = 0; size <= SMALL_MAX; size++)
		assert_int_equal(size <= CLASS_FINE_MAX
			? tcache->fine[(size + 7) / 8]
			: tcache->coarse[(size + 255) / 256],
		    kind_of_bin(size_class_of(size)));
	end(model);
}

/* What was freed last is in the processor's cache. */
static void
a_bin_for_one_object_has_the_one_that_was_freed_last(void **state)
{
	struct model *model = model_new(0);
	struct tcache *tcache = &model->tcache;
	void *last;

	(void)state;
	tcache_bin_set_max(tcache, 3, 1);
	for (unsigned i = 0; i < 10; i++) {
		assert_true(take(model, 3) && take(model, 3));
		give(model, 0);
		last = model->live[0];
		give(model, 0);
		assert_int_equal(tcache_count(tcache, 3), 1);
		assert_true(tcache_contains(tcache, 3, last));
	}
	end(model);
}

static void
bounds_can_be_changed_at_any_time(void **state)
{
	struct model *model = model_new(0);
	struct tcache *tcache = &model->tcache;

	(void)state;
	random_use(model, 5000);
	tcache_configure(tcache, false, 0);
	assert_int_equal(cached_bytes(tcache, 0, CACHE_BINS), 0);
	for (unsigned bin = 0; bin < CACHE_BINS; bin++)
		assert_int_equal(tcache_bin_max(tcache, bin), 0);
	random_use(model, 5000);
	assert_int_equal(cached_bytes(tcache, 0, CACHE_BINS), 0);
	assert_int_equal(tcache->fine[5], KIND_NONE);
	/* Off is off, whatever size it would be for. */
	tcache_configure(tcache, false, CACHED_MAX);
	for (unsigned bin = 0; bin < CACHE_BINS; bin++)
		assert_int_equal(tcache_bin_max(tcache, bin), 0);
	tcache_configure(tcache, true, 1024);
	random_use(model, 5000);
	for (unsigned bin = 0; bin < CACHE_BINS; bin++)
		assert_int_equal(tcache_bin_max(tcache, bin) != 0,
		    cache_bin_usable(bin) <= 1024);
	tcache_configure(tcache, true, CACHED_MAX);
	tcache_bin_set_max(tcache, 3, 5);
	assert_int_equal(tcache_bin_max(tcache, 3), 5);
	tcache_bin_set_max(tcache, 4, 0);
	for (unsigned i = 0; i < 200; i++) {
		assert_true(take(model, 3));
		assert_true(take(model, 4));
	}
	while (model->n > 0)
		give(model, model->n - 1);
	assert_in_range(tcache_count(tcache, 3), 1, 5);
	assert_int_equal(tcache_count(tcache, 4), 0);
	check(model, 0);
	end(model);
}

/* Only slow paths can fill objects. */
static void
no_bounds_let_it_cache_what_has_to_be_filled(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct model *model;

		opt_at_start.junk_alloc = i == 0;
		opt_at_start.junk_free = i == 1;
		opt_at_start.zero = i == 2;
		model = model_new(0);
		tcache_configure(&model->tcache, true, CACHED_MAX);
		assert_false(model->tcache.enabled);
		for (unsigned bin = 0; bin < CACHE_BINS; bin++)
			tcache_bin_set_max(&model->tcache, bin, 10);
		random_use(model, 500);
		for (unsigned bin = 0; bin < CACHE_BINS; bin++)
			assert_int_equal(tcache_count(&model->tcache, bin), 0);
		end(model);
	}
}

/* Those have an arena of their own. */
static void
oversized_objects_are_not_cached(void **state)
{
	struct arena *arena = arena_table_need(0);
	size_t before = arena->oversize_threshold;
	static const size_t thresholds[] = { 0, 20480, 20481, 24576, 32768,
		(size_t)1 << 30 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(thresholds); i++) {
		size_t threshold = thresholds[i];
		struct model *model;

		arena->oversize_threshold = threshold;
		model = model_new(0);
		for (unsigned bin = 0; bin < CACHE_BINS; bin++)
			assert_int_equal(tcache_bin_max(&model->tcache, bin) !=
				0,
			    cache_bin_usable(bin) <= opt.tcache_max &&
				(threshold == 0 ||
				    cache_bin_usable(bin) < threshold));
		end(model);
	}
	arena->oversize_threshold = before;
}

static void
objects_return_to_the_arena_they_came_from(void **state)
{
	struct model *a = model_new(0), *b = model_new(1);

	(void)state;
	random_use(a, 20000);
	/* Who frees them is another thread, of another arena. */
	while (a->n > 0) {
		b->given += cache_bin_usable(a->bin[a->n - 1]);
		give_to(a, a->n - 1, &b->tcache);
	}
	tcache_fini(&b->tcache);
	tcache_fini(&a->tcache);
	assert_int_equal(arenas_allocated(), 0);
	assert_int_equal(total(&a->tcache, true), a->taken);
	assert_int_equal(total(&a->tcache, false), a->given);
	assert_int_equal(total(&b->tcache, false), b->given);
	free(a);
	free(b);
}

static void
without_memory_for_stacks_objects_pass_by(void **state)
{
	(void)state;
	for (unsigned at = 1; at < 6; at++) {
		struct model *model = model_new(0);

		fault_set(&world.piece, at, true);
		random_use(model, 5000);
		fault_set(&world.piece, 0, false);
		random_use(model, 5000);
		end(model);
	}
}

static void
without_pages_the_answer_is_null_and_later_an_object(void **state)
{
	struct model *model = model_new(0);

	(void)state;
	for (unsigned i = 0; i < arena_table_count(); i++)
		if (arena_table_owner(i) != NULL)
			ageing_release(&arena_table_owner(i)->pages);
	for (unsigned bin = 0; bin < CACHE_BINS; bin++) {
		unsigned n = model->n;

		fault_set(&world.pages, 1, true);
		/* What the bins have still may be had. */
		for (unsigned i = 0;
		     i < SLAB_REGIONS_LIMIT + 1 && take(model, bin); i++)
			;
		assert_false(take(model, bin));
		check(model, 0);
		fault_set(&world.pages, 0, false);
		assert_true(take(model, bin));
		while (model->n > n)
			give(model, model->n - 1);
		tcache_flush(&model->tcache);
	}
	end(model);
}

static void
a_double_free_is_reported_when_flushed_and_does_no_harm(void **state)
{
	struct model *model = model_new(0);
	unsigned bins[] = { 2, 20, SMALL_CLASSES, SMALL_CLASSES + 10 };

	(void)state;
	malloc_message = note_report;
	for (unsigned k = 0; k < ARRAY_LEN(bins); k++) {
		unsigned bin = bins[k];
		void *object;
		char text[40];

		for (unsigned i = 0; i < 10; i++)
			assert_true(take(model, bin));
		object = model->live[3];
		give(model, 3);
		tcache_flush(&model->tcache);
		world.reports = 0;
		tcache_give_slow(&model->tcache, bin, object);
		tcache_flush(&model->tcache);
		assert_int_equal(world.reports, 1);
		snprintf(text, sizeof(text), "double-free: 0x%lx",
		    (unsigned long)(uintptr_t)object);
		assert_non_null(strstr(world.report, text));
		model->given += cache_bin_usable(bin);
		check(model, 0);
		while (model->n > 0)
			give(model, model->n - 1);
	}
	malloc_message = NULL;
	end(model);
}

static void
a_pointer_into_an_object_is_reported_when_it_is_flushed(void **state)
{
	struct model *model = model_new(0);
	char *object;

	(void)state;
	malloc_message = note_report;
	assert_true(take(model, 10));
	object = model->live[0];
	tcache_give_slow(&model->tcache, 10, object + 16);
	sign(object, cache_bin_usable(10));
	tcache_flush(&model->tcache);
	assert_int_equal(world.reports, 1);
	assert_non_null(strstr(world.report, "invalid-free"));
	malloc_message = NULL;
	model->given += cache_bin_usable(10);
	end(model);
}

static struct tcache *flushed;

/* An event inside of the flush, which would age the bin that is flushed. */
static void
allocate_at_a_report(void *opaque, const char *s)
{
	note_report(opaque, s);
	flushed->age_cursor = 10;
	tcache_sampled(flushed, 10);
}

static void
nothing_is_aged_while_it_is_flushed(void **state)
{
	struct model *model = model_new(0);

	(void)state;
	malloc_message = allocate_at_a_report;
	flushed = &model->tcache;
	for (unsigned i = 0; i < 8; i++)
		assert_true(take(model, 10));
	tcache_give_slow(&model->tcache, 10, (char *)model->live[7] + 16);
	model->given += cache_bin_usable(10);
	sign(model->live[7], cache_bin_usable(10));
	while (model->n > 1)
		give(model, 0);
	tcache_flush(&model->tcache);
	assert_int_equal(world.reports, 1);
	malloc_message = NULL;
	end(model);
}

/* The program empties its cache inside of a flush. */
static void
flush_at_a_report(void *opaque, const char *s)
{
	note_report(opaque, s);
	if (world.reports == 1)
		tcache_flush(flushed);
}

static void
nothing_is_given_back_twice_by_a_flush_in_a_flush(void **state)
{
	(void)state;
	for (unsigned hidden = 0; hidden < 2; hidden++) {
		struct model *model = model_new(0);

		world.reports = 0;
		malloc_message = flush_at_a_report;
		flushed = &model->tcache;
		for (unsigned i = 0; i < 8; i++)
			assert_true(take(model, 10));
		tcache_give_slow(&model->tcache, 10,
		    (char *)model->live[7] + 16);
		model->given += cache_bin_usable(10);
		sign(model->live[7], cache_bin_usable(10));
		while (model->n > 1)
			give(model, 0);
		tcache_hide(&model->tcache, hidden != 0);
		tcache_flush(&model->tcache);
		assert_int_equal(world.reports, 1);
		tcache_hide(&model->tcache, false);
		malloc_message = NULL;
		end(model);
	}
}

static struct model *asking;

/* The program uses objects of the size that is just given back. */
static void
use_at_a_report(void *opaque, const char *s)
{
	struct tcache *tcache = &asking->tcache;
	void *many[4], *aside;

	note_report(opaque, s);
	for (unsigned i = 0; i < 200; i++)
		assert_true(take(asking, 10));
	assert_int_equal(tcache_take_many(tcache, 10, many, 4), 0);
	aside = tcache_take_aside(tcache, 10);
	sign(aside, cache_bin_usable(10));
	for (unsigned i = 0; i < 180; i++)
		give(asking, asking->n - 1);
	check_signed(aside, cache_bin_usable(10));
	tcache_give_aside(tcache, 10, aside);
}

static void
what_is_given_back_is_not_handed_out_meanwhile(void **state)
{
	struct model *model = model_new(0);

	(void)state;
	asking = model;
	for (unsigned i = 0; i < 8; i++)
		assert_true(take(model, 10));
	tcache_give_slow(&model->tcache, 10, (char *)model->live[7] + 16);
	model->given += cache_bin_usable(10);
	sign(model->live[7], cache_bin_usable(10));
	while (model->n > 1)
		give(model, 0);
	malloc_message = use_at_a_report;
	tcache_flush(&model->tcache);
	malloc_message = NULL;
	assert_int_equal(world.reports, 1);
	for (unsigned i = 0; i < 100; i++)
		assert_true(take(model, 10));
	for (unsigned i = 0; i < model->n; i++)
		check_signed(model->live[i], cache_bin_usable(10));
	check(model, 0);
	while (model->n > 0)
		give(model, 0);
	end(model);
}

static void
a_cached_object_is_found_and_no_other(void **state)
{
	struct model *model = model_new(0);
	void *object;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_true(take(model, 8));
	object = model->live[4];
	assert_false(tcache_contains(&model->tcache, 8, object));
	give(model, 4);
	assert_true(tcache_contains(&model->tcache, 8, object));
	assert_false(tcache_contains(&model->tcache, 9, object));
	tcache_hide(&model->tcache, true);
	assert_true(tcache_contains(&model->tcache, 8, object));
	assert_false(tcache_contains(&model->tcache, 8, model->live[0]));
	tcache_hide(&model->tcache, false);
	end(model);
}

/* Tools look for the objects of a batch in there, see util/heap_layout.h. */
static void
a_batch_is_noted_while_it_is_in_flight(void **state)
{
	struct model *model = model_new(0);
	const struct flight *flight = &world.flight;
	uint32_t room = 0;
	void *object;

	(void)state;
	world.watched = &model->tcache;
	/* A new slab needs pages: that is in the middle of a refill. */
	while (flight->what == 0) {
		assert_true(model->n < 1000 && take(model, 9));
		room = model->tcache.cold[9].limit;
	}
	assert_int_equal(flight->what >> FLIGHT_DIRECTION_SHIFT, FLIGHT_FILL);
	assert_int_equal(flight->what >> FLIGHT_BIN_SHIFT & 0xffff, 9);
	assert_in_range((uint32_t)flight->what, room / 2, room);
	/* The last one that it brought is the one that was taken. */
	assert_ptr_equal(flight->objects[0], model->live[model->n - 1]);
	assert_int_equal(model->tcache.flight.what, 0);
	/* A report comes in the middle of a flush. */
	object = model->live[0];
	while (model->n > 0)
		give(model, model->n - 1);
	tcache_flush(&model->tcache);
	assert_int_equal(model->tcache.flight.what, 0);
	malloc_message = note_report;
	tcache_give_slow(&model->tcache, 9, object);
	tcache_flush(&model->tcache);
	malloc_message = NULL;
	assert_int_equal(world.reports, 1);
	assert_int_equal(flight->what >> FLIGHT_DIRECTION_SHIFT, FLIGHT_FLUSH);
	assert_int_equal((uint32_t)flight->what, 1);
	assert_int_equal(model->tcache.flight.what, 0);
	world.watched = NULL;
	model->given += cache_bin_usable(9);
	end(model);
}

static void
a_copy_of_a_stack_has_what_is_cached(void **state)
{
	struct model *model = model_new(0);
	void *copy[2048];

	(void)state;
	random_use(model, 3000);
	for (unsigned hidden = 0; hidden < 2; hidden++) {
		tcache_hide(&model->tcache, hidden != 0);
		for (unsigned bin = 0; bin < CACHE_BINS; bin++) {
			uint32_t n = tcache_copy(&model->tcache, bin, false,
			    copy, ARRAY_LEN(copy));

			assert_int_equal(n, tcache_count(&model->tcache, bin));
			for (uint32_t i = 0; i < n; i++)
				assert_true(tcache_contains(&model->tcache, bin,
				    copy[i]));
			/* Not half of it, if there is no room. */
			if (n > 0)
				assert_int_equal(tcache_copy(&model->tcache,
						     bin, true, copy, n - 1),
				    0);
		}
	}
	tcache_hide(&model->tcache, false);
	end(model);
}

/* The owner is in a slow path, where its stacks may get other memory. */
static void
a_stack_that_may_be_moving_is_not_copied(void **state)
{
	struct model *model = model_new(0);
	_Atomic uint32_t *entries = &model->tcache.guard.entries;
	void *copy[2048];

	(void)state;
	assert_true(take(model, 4));
	give(model, 0);
	assert_true(tcache_copy(&model->tcache, 4, false, copy, 2048) > 0);
	atomic_fetch_add(entries, 1);
	copy[0] = NULL;
	assert_int_equal(tcache_copy(&model->tcache, 4, false, copy, 2048), 0);
	/* Nor is it read: nobody knows where it is. */
	assert_null(copy[0]);
	assert_true(tcache_copy(&model->tcache, 4, true, copy, 2048) > 0);
	atomic_fetch_add(entries, 1);
	end(model);
}

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  (1000 * NS_PER_MS)

/* Dirty pages of a burst must go, whatever little is done afterwards. */
static void
burst_ages(struct model *model, uint64_t interval_ns, unsigned nbins)
{
	struct page_source *pages = &model->tcache.arena->pages;
	size_t dirty;

	world.now_ns = UINT64_C(1000000000000);
	for (unsigned i = 0; i < 10000; i++)
		assert_true(take(model, 20));
	while (model->n > 0)
		give(model, model->n - 1);
	tcache_flush(&model->tcache);
	dirty = pools_of(pages, EXTENT_DIRTY)->size;
	assert_true(dirty > 1 << 20);
	for (uint64_t ns = 0; ns < 40 * NS_PER_S; ns += interval_ns) {
		world.now_ns += interval_ns;
		assert_true(take(model,
		    3 + (unsigned)(ns / interval_ns % nbins)));
		give(model, model->n - 1);
	}
	assert_true(pools_of(pages, EXTENT_DIRTY)->size < dirty / 8);
	world.now_ns = 0;
}

/* Threads of an arena are spread over its shards. */
static void
caches_have_shards_in_turn(void **state)
{
	struct model *one = model_new(0), *other = model_new(0);

	(void)state;
	assert_int_equal(other->tcache.shard, one->tcache.shard + 1);
	end(one);
	end(other);
}

/*
 * Pages of an arena that nobody uses any more, again and again; sooner than by
 * the sweep of arenas that are silent.
 */
static void
use_ages_other_arenas_in_turn(void **state)
{
	struct page_source *pages = &arena_table_need(1)->pages;
	size_t size = 64 * system_info.page_size;
	struct model *model;

	(void)state;
	opt_at_start.tcache = false; /* each call is an event */
	/* Else the pages may be those that another arena had. */
	arena_table_purge();
	model = model_new(0);
	world.now_ns = UINT64_C(2000000000000);
	assert_true(take(model, 3));
	give(model, 0);
	ageing_set_decay(pages, 0, 5, world.now_ns);
	for (unsigned round = 0; round < 4; round++) {
		struct extent *e = page_source_take(pages, size,
		    system_info.page_size);

		memset(e->addr, 1, size);
		page_source_give(pages, e);
		assert_true(pools_of(pages, EXTENT_DIRTY)->size >= size);
		for (unsigned i = 0; i < 20; i++) {
			world.now_ns += 1000000;
			assert_true(take(model, 3));
			give(model, 0);
		}
		assert_int_equal(pools_of(pages, EXTENT_DIRTY)->size, 0);
	}
	ageing_set_decay(pages, 0, 10000, world.now_ns);
	world.now_ns = 0;
	end(model);
}

static unsigned nevents;
static bool more_to_purge;

static bool
count_event(uint64_t now_ns)
{
	(void)now_ns;
	nevents++;
	return more_to_purge;
}

/* The end of a test that counts events: they have lost no object. */
static void
end_events(struct model *model)
{
	assert_int_equal(total(&model->tcache, true), model->taken);
	assert_int_equal(total(&model->tcache, false), model->given);
	arena_upkeep.sweep = NULL;
	more_to_purge = false;
	world.now_ns = 0;
	end(model);
}

/* Takes and gives `n` objects, one each `pause_ns`; returns the events. */
static unsigned
events_of(struct model *model, unsigned n, uint64_t pause_ns)
{
	arena_upkeep.sweep = count_event;
	nevents = 0;
	for (unsigned i = 0; i < n; i++) {
		assert_true(take(model, 3));
		give(model, 0);
		world.now_ns += pause_ns;
	}
	return nevents;
}

/* If it seldom calls, it would take too long until all is purged. */
static void
a_slow_thread_has_more_events_while_there_is_more_to_purge(void **state)
{
	struct model *model = model_new(0);
	unsigned stride = model->tcache.cold[3].stride;

	(void)state;
	world.now_ns = UINT64_C(3000000000000);
	assert_in_range(events_of(model, 4 * stride, 20000000), 3, 4);
	more_to_purge = true;
	assert_in_range(events_of(model, 2 * stride, 20000000), stride,
	    2 * stride);
	/* Not if there is one each 10 ms anyway. */
	assert_true(events_of(model, 4 * stride, 1000) <= 5);
	end_events(model);
}

/*
 * One event came early, because there was more to purge. That does not make the
 * thread a busy one, whose next event is far away.
 */
static void
while_there_is_more_to_purge_events_come_at_any_pace(void **state)
{
	struct model *model = model_new(0);

	(void)state;
	more_to_purge = true;
	world.now_ns = UINT64_C(5000000000000);
	for (uint64_t pause_ns = 20000; pause_ns <= 50000000; pause_ns *= 3) {
		unsigned n = (unsigned)(UINT64_C(4000000000) / pause_ns);

		events_of(model, n, pause_ns); /* it gets used to the pace */
		/* Each purges 1 MiB, so this is 30 MiB a second or more. */
		assert_in_range(events_of(model, n, pause_ns),
		    pause_ns > 30000000 ? n - 1 : 120, 1000);
	}
	end_events(model);
}

/* Ageing is a matter of time; a busy thread need not look at it so often. */
static void
events_come_less_often_while_the_clock_stands(void **state)
{
	struct model *model = model_new(0);
	unsigned stride = model->tcache.cold[3].stride, often;

	(void)state;
	more_to_purge = true; /* else not each event is counted */
	world.now_ns = UINT64_C(4000000000000);
	events_of(model, stride, 1000);
	often = events_of(model, 32 * stride, 1000);
	assert_in_range(often, 28, 34);
	assert_in_range(events_of(model, 32 * stride, 0), 8, often / 2);
	assert_in_range(events_of(model, 32 * stride, 1000), 24, 34);
	end_events(model);
}

static void
use_of_a_cache_ages_its_arena(void **state)
{
	struct model *model = model_new(2);

	(void)state;
	burst_ages(model, 2 * NS_PER_MS, 1);
	end(model);
}

/* Fifty calls a second, of several sizes. */
static void
rare_use_of_a_cache_ages_its_arena_too(void **state)
{
	struct model *model = model_new(2);

	(void)state;
	burst_ages(model, 20 * NS_PER_MS, 4);
	/* In the next burst events are as rare as before. */
	for (unsigned i = 0; i < 1000; i++) {
		assert_true(take(model, 3));
		give(model, model->n - 1);
	}
	assert_true(model->tcache.cold[3].stride >= 128);
	end(model);
}

static void
use_without_a_cache_ages_its_arena_too(void **state)
{
	struct model *model;

	(void)state;
	opt_at_start.tcache = false;
	model = model_new(2);
	burst_ages(model, 2 * NS_PER_MS, 1);
	end(model);
}

/* If the program stores the mark again and again, there is another one. */
static void
a_mark_that_the_program_stores_is_changed_wherever_it_is(void **state)
{
	enum { FREED = 20, MARKS = 20 };
	struct model *model = model_new(0);
	struct tcache *tcache = &model->tcache;
	void *object[CACHE_BINS][FREED];
	bool known[1 << 16] = { false };
	unsigned different = 0;

	(void)state;
	for (unsigned bin = 0; bin < SMALL_CLASSES; bin += 3) {
		for (unsigned i = 0; i < FREED; i++) {
			assert_true(take(model, bin));
			object[bin][i] = model->live[i];
		}
		while (model->n > 0)
			give(model, model->n - 1);
	}
	for (unsigned round = 0; round < MARKS; round++) {
		cache_mark mark = tcache->mark;
		unsigned met = 0;

		different += !known[mark];
		known[mark] = true;
		/* Hidden stacks are found as well. */
		tcache_hide(tcache, round % 2 == 0);
		while (tcache->mark == mark && met < 1000) {
			tcache_met_mark(tcache);
			met++;
		}
		/* By chance it may be the same one again. */
		assert_in_range(met, 10, 1000);
		tcache_hide(tcache, false);
		for (unsigned bin = 0; bin < SMALL_CLASSES; bin += 3)
			for (unsigned i = 0; i < FREED; i++)
				if (tcache_contains(tcache, bin,
					object[bin][i]))
					assert_true(cache_is_marked(
					    object[bin][i], tcache->mark));
	}
	assert_true(different > MARKS / 4);
	end(model);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    random_use_loses_no_object_and_counts_each_byte,
		    usual_options),
		cmocka_unit_test_setup(a_hidden_cache_does_the_same,
		    usual_options),
		cmocka_unit_test_setup(samples_age_a_hidden_cache_as_well,
		    usual_options),
		cmocka_unit_test_setup(every_bin_serves_and_takes_back,
		    usual_options),
		cmocka_unit_test_setup(a_cache_holds_no_more_than_its_bounds,
		    usual_options),
		cmocka_unit_test_setup(repeated_misses_deepen_a_stack,
		    usual_options),
		cmocka_unit_test_setup(
		    objects_that_are_not_used_leave_bit_by_bit, usual_options),
		cmocka_unit_test_setup(flushing_returns_all_that_is_cached,
		    usual_options),
		cmocka_unit_test_setup(each_small_size_leads_to_its_bin,
		    usual_options),
		cmocka_unit_test_setup(
		    a_bin_for_one_object_has_the_one_that_was_freed_last,
		    usual_options),
		cmocka_unit_test_setup(bounds_can_be_changed_at_any_time,
		    usual_options),
		cmocka_unit_test_setup(
		    no_bounds_let_it_cache_what_has_to_be_filled,
		    usual_options),
		cmocka_unit_test_setup(oversized_objects_are_not_cached,
		    usual_options),
		cmocka_unit_test_setup(
		    objects_return_to_the_arena_they_came_from, usual_options),
		cmocka_unit_test_setup(
		    without_memory_for_stacks_objects_pass_by, usual_options),
		cmocka_unit_test_setup(
		    without_pages_the_answer_is_null_and_later_an_object,
		    usual_options),
		cmocka_unit_test_setup(
		    a_double_free_is_reported_when_flushed_and_does_no_harm,
		    usual_options),
		cmocka_unit_test_setup(
		    a_pointer_into_an_object_is_reported_when_it_is_flushed,
		    usual_options),
		cmocka_unit_test_setup(nothing_is_aged_while_it_is_flushed,
		    usual_options),
		cmocka_unit_test_setup(
		    nothing_is_given_back_twice_by_a_flush_in_a_flush,
		    usual_options),
		cmocka_unit_test_setup(
		    what_is_given_back_is_not_handed_out_meanwhile,
		    usual_options),
		cmocka_unit_test_setup(a_cached_object_is_found_and_no_other,
		    usual_options),
		cmocka_unit_test_setup(
		    a_mark_that_the_program_stores_is_changed_wherever_it_is,
		    usual_options),
		cmocka_unit_test_setup(a_batch_is_noted_while_it_is_in_flight,
		    usual_options),
		cmocka_unit_test_setup(a_copy_of_a_stack_has_what_is_cached,
		    usual_options),
		cmocka_unit_test_setup(a_stack_that_may_be_moving_is_not_copied,
		    usual_options),
		cmocka_unit_test_setup(caches_have_shards_in_turn,
		    usual_options),
		cmocka_unit_test_setup(use_ages_other_arenas_in_turn,
		    usual_options),
		cmocka_unit_test_setup(
		    a_slow_thread_has_more_events_while_there_is_more_to_purge,
		    usual_options),
		cmocka_unit_test_setup(
		    while_there_is_more_to_purge_events_come_at_any_pace,
		    usual_options),
		cmocka_unit_test_setup(
		    events_come_less_often_while_the_clock_stands,
		    usual_options),
		cmocka_unit_test_setup(use_of_a_cache_ages_its_arena,
		    usual_options),
		cmocka_unit_test_setup(rare_use_of_a_cache_ages_its_arena_too,
		    usual_options),
		cmocka_unit_test_setup(use_without_a_cache_ages_its_arena_too,
		    usual_options),
	};

	system_init();
	metadata_init();
	extent_records_init();
	usual_options(NULL);
	size_class_init(system_info.page_size, NULL);
	if (!arena_table_init(3, 0))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
