#include "arena/arena.h"

#include <stdlib.h>
#include <string.h>

#include "../allocated.h"
#include "../unit.h"
#include "arena/arena_table.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "pages/pools.h"

static struct fault unmap, metadata;

bool __real_pages_unmap(void *addr, size_t size);
void *__real_metadata_take(size_t size, size_t align);
bool __wrap_pages_unmap(void *addr, size_t size);
void *__wrap_metadata_take(size_t size, size_t align);

bool
__wrap_pages_unmap(void *addr, size_t size)
{
	return !fault_hits(&unmap) && __real_pages_unmap(addr, size);
}

void *
__wrap_metadata_take(size_t size, size_t align)
{
	return fault_hits(&metadata) ? NULL : __real_metadata_take(size, align);
}

/* --- an arena with objects in it ------------------------------------------ */

#define OBJECTS_MAX 3000

struct model {
	struct arena *arena;
	void *object[OBJECTS_MAX];
	size_t size[OBJECTS_MAX];
	unsigned n;
	size_t small_size, large_size, nsmall, nlarge;
	uint64_t seed;
};

static unsigned next_index;

static struct model *
model_new(void)
{
	struct model *model = calloc(1, sizeof(*model));

	model->arena = arena_create();
	assert_non_null(model->arena);
	arena_init(model->arena, next_index++);
	model->seed = next_index;
	return model;
}

static void
take_small(struct model *model)
{
	unsigned c = (unsigned)random_below(&model->seed, SMALL_CLASSES);
	unsigned shard = (unsigned)random_below(&model->seed, arena_nshards(c));
	unsigned want = 1 + (unsigned)random_below(&model->seed, 20);
	unsigned n = bin_take(arena_bin(model->arena, c, shard),
	    &model->arena->pages, c,
	    &(struct bin_batch){
		.objects = model->object + model->n, .count = want });

	assert_int_equal(n, want);
	for (unsigned i = 0; i < n; i++) {
		model->size[model->n] = small_class_size(c);
		memset(model->object[model->n], 0x11, small_class_size(c));
		model->n++;
	}
	model->nsmall += n;
	model->small_size += n * small_class_size(c);
}

static void
take_large(struct model *model)
{
	size_t usable = (4 + random_below(&model->seed, 100)) * UNIT;
	struct extent *e = large_take(&model->arena->large,
	    &model->arena->pages,
	    &(struct large_request){ .usable = usable,
		.align = (size_t)1 << random_below(&model->seed, 16),
		.cached = true });

	assert_non_null(e);
	model->object[model->n] = e->object;
	model->size[model->n++] = usable;
	model->nlarge++;
	model->large_size += usable;
}

static void
give(struct model *model, unsigned i)
{
	void *object = model->object[i];
	struct extent *e = pagemap_find(object);
	struct bin_fault fault;
	struct bin_batch batch = {
		.objects = &object, .count = 1, .faults = &fault
	};

	if (e->is_slab) {
		bin_give(arena_bin(model->arena, e->size_class, e->shard),
		    &model->arena->pages, e->size_class, &batch);
		assert_int_equal(batch.count + batch.nfaults, 0);
		model->nsmall--;
		model->small_size -= model->size[i];
	} else {
		large_give(&model->arena->large, &model->arena->pages, e);
		model->nlarge--;
		model->large_size -= model->size[i];
	}
	model->object[i] = model->object[--model->n];
	model->size[i] = model->size[model->n];
}

static void
fill(struct model *model, unsigned nsteps)
{
	for (unsigned i = 0; i < nsteps; i++) {
		unsigned op = (unsigned)random_below(&model->seed, 10);

		if (op < 5 && model->n + 20 < OBJECTS_MAX)
			take_small(model);
		else if (op < 7 && model->n < OBJECTS_MAX)
			take_large(model);
		else if (model->n > 0)
			give(model,
			    (unsigned)random_below(&model->seed, model->n));
		if (i % 50 == 0)
			ageing_purge(&model->arena->pages);
	}
}

static void
check(struct model *model)
{
	struct arena_summary sum;

	arena_check(model->arena);
	assert_int_equal(arena_allocated(model->arena),
	    model->small_size + model->large_size);
	memset(&sum, 0, sizeof(sum));
	arena_summary_add(model->arena, &sum);
	assert_int_equal(sum.nsmall, model->nsmall);
	assert_int_equal(sum.small_size, model->small_size);
	assert_int_equal(sum.nlarge, model->nlarge);
	assert_int_equal(sum.large_size, model->large_size);
	assert_int_equal(sum.mapped,
	    sum.active + sum.dirty + sum.muzzy + sum.retained);
	assert_int_equal(sum.purged,
	    model->arena->pages.aged[0].purged +
		model->arena->pages.aged[1].purged);
	assert_int_equal(sum.nextents_free,
	    model->arena->pages.pool[0].count +
		model->arena->pages.pool[1].count);
	assert_true(sum.active >= model->small_size + model->large_size);
	assert_true(sum.active <= sum.mapped);
}

static void
end(struct model *model)
{
	while (model->n > 0)
		give(model, model->n - 1);
	check(model);
	ageing_release(&model->arena->pages);
	free(model);
}

/* --- tests ---------------------------------------------------------------- */

static void
a_new_arena_is_empty_and_has_the_options(void **state)
{
	struct model *model = model_new();
	struct arena *arena = model->arena;

	(void)state;
	check(model);
	assert_int_equal(arena->pages.mapped, 0);
	assert_int_equal(arena->nthreads, 0);
	assert_int_equal(arena->index, next_index - 1);
	assert_int_equal(arena->pages.decay[0].time_ms,
	    arena_defaults.dirty_decay_ms);
	assert_int_equal(arena->pages.decay[1].time_ms,
	    arena_defaults.muzzy_decay_ms);
	assert_false(arena->manual);
	end(model);
}

static void
figures_follow_what_is_taken_and_given(void **state)
{
	struct model *model = model_new();

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		fill(model, 50);
		check(model);
	}
	end(model);
}

static void
shards_of_a_class_are_apart(void **state)
{
	struct model *model;

	(void)state;
	opt_at_start.bin_shards[3] = 4;
	opt_at_start.bin_shards[7] = 64;
	opt_at_start.bin_shards[SMALL_CLASSES - 1] = 2;
	model = model_new();
	assert_int_equal(arena_nshards(3), 4);
	assert_int_equal(arena_nshards(4), 1);
	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		for (unsigned a = 0; a < arena_nshards(i); a++) {
			struct bin *bin = arena_bin(model->arena, i, a);

			assert_int_equal((uintptr_t)bin % CACHELINE, 0);
			assert_int_equal(bin->shard, a);
			/* A mark that a bin in the same place would spoil. */
			assert_int_equal(bin->stats.nslabs, 0);
			bin->stats.nslabs = i * 100 + a + 1;
		}
	fill(model, 500);
	check(model);
	end(model);
	memset(opt_at_start.bin_shards, 0, sizeof(opt.bin_shards));
}

static unsigned nsteps;
static uint32_t last_rank;

static void
hold_step(struct lock *lock)
{
	nsteps++;
	assert_true(lock->rank >= last_rank);
	last_rank = lock->rank;
	/* The second time, it would be held already. */
	assert_int_equal(lock->word, LOCK_FREE);
	lock_fork_hold(lock);
}

static void
a_fork_takes_every_lock_once_and_in_order(void **state)
{
	struct model *model;
	unsigned nlocks = 3 + SMALL_CLASSES + 4;

	(void)state;
	opt_at_start.bin_shards[6] = 5;
	model = model_new();
	for (unsigned side = 0; side < 2; side++) {
		nsteps = last_rank = 0;
		arena_fork(model->arena, hold_step);
		assert_int_equal(nsteps, nlocks);
		arena_fork(model->arena,
		    side == 0 ? lock_fork_parent : lock_fork_child);
		fill(model, 200);
		check(model);
	}
	end(model);
	memset(opt_at_start.bin_shards, 0, sizeof(opt.bin_shards));
}

static unsigned nended;

static void
note_ended(void *sample, const void *object)
{
	(void)sample;
	(void)object;
	nended++;
}

static void
reset_frees_every_object_and_the_arena_goes_on(void **state)
{
	static const int64_t decay[] = { -1, 0, 1000 };

	(void)state;
	nended = 0;
	arena_sample_ended = note_ended;
	for (unsigned k = 0; k < 2 * ARRAY_LEN(decay); k++) {
		struct model *model;

		arena_defaults.dirty_decay_ms = decay[k / 2];
		opt_at_start.retain = k % 2 == 0;
		model = model_new();
		arena_make_manual(model->arena);
		for (unsigned round = 0; round < 3; round++) {
			fill(model, 400);
			check(model);
			arena_reset(model->arena);
			for (unsigned i = 0; i < model->n; i++)
				assert_int_equal(pagemap_kind(model->object[i]),
				    KIND_NONE);
			model->n = 0;
			model->nsmall = model->small_size = 0;
			model->nlarge = model->large_size = 0;
			check(model);
			assert_int_equal(model->arena->pages.active, 0);
		}
		end(model);
	}
	arena_defaults.dirty_decay_ms = -1;
	opt_at_start.retain = true;
	/* None of them was a sample. */
	assert_int_equal(nended, 0);
	arena_sample_ended = NULL;
}

static void
a_destroyed_arena_leaves_only_what_the_kernel_refuses(void **state)
{
	(void)state;
	for (unsigned refuse = 0; refuse < 2; refuse++) {
		struct model *model = model_new(), *heir = model_new();
		size_t mapped;

		arena_make_manual(model->arena);
		fill(model, 400);
		fill(heir, 100);
		mapped = heir->arena->pages.mapped;
		if (refuse != 0)
			mapped += model->arena->pages.mapped;
		fault_set(&unmap, refuse, true);
		arena_destroy(model->arena, heir->arena);
		fault_set(&unmap, 0, false);
		assert_int_equal(model->arena->pages.mapped, 0);
		assert_int_equal(heir->arena->pages.mapped, mapped);
		check(heir);
		fill(heir, 400);
		check(heir);
		end(heir);
		free(model);
	}
}

static void
without_metadata_there_is_no_arena(void **state)
{
	(void)state;
	fault_set(&metadata, 1, true);
	assert_null(arena_create());
	fault_set(&metadata, 0, false);
	assert_non_null(arena_create());
}

static void
a_tick_ages_the_pages(void **state)
{
	struct model *model;
	struct page_source *pages;

	(void)state;
	arena_defaults.dirty_decay_ms = 1000;
	model = model_new();
	pages = &model->arena->pages;
	take_large(model);
	give(model, 0);
	assert_true(pools_of(pages, EXTENT_DIRTY)->size > 0);
	for (unsigned i = 0; i < 3; i++)
		arena_tick(model->arena,
		    model->arena->created_ns + (i + 1) * UINT64_C(2000000000));
	assert_int_equal(pools_of(pages, EXTENT_DIRTY)->size, 0);
	end(model);
	arena_defaults.dirty_decay_ms = -1;
}

/* --- empty slabs that bins keep ------------------------------------------- */

#define MS UINT64_C(1000000)

/* Fills and empties some slabs of a few classes. */
static void
empty_slabs(struct model *model)
{
	static void *objects[4 * SLAB_REGIONS_MAX];

	for (unsigned c = 2; c < SMALL_CLASSES; c += 9) {
		unsigned shard = c % arena_nshards(c);
		struct bin *bin = arena_bin(model->arena, c, shard);
		unsigned n = 4 * size_class_tables.slab[c].nregions;

		assert_int_equal(bin_take(bin, &model->arena->pages, c,
				     &(struct bin_batch){
					 .objects = objects, .count = n }),
		    n);
		for (unsigned i = 0; i < n; i++) {
			struct bin_fault fault;
			struct bin_batch batch = {
				.objects = &objects[i],
				.count = 1,
				.faults = &fault,
			};

			bin_give(bin, &model->arena->pages, c, &batch);
		}
	}
}

static void
shed_by_purge(struct model *model)
{
	ageing_purge(&model->arena->pages);
}

static void
shed_by_release(struct model *model)
{
	ageing_release(&model->arena->pages);
}

static void
shed_by_setting(struct model *model)
{
	ageing_set_decay(&model->arena->pages, 0, 1000, 0);
}

static void
shed_by_no_time(struct model *model)
{
	ageing_set_decay(&model->arena->pages, 0, 0, 0);
	empty_slabs(model);
}

static void
shed_by_silence(struct model *model)
{
	uint64_t now_ns = model->arena->created_ns + 2000 * MS;

	while (ageing_tick_silent(&model->arena->pages, now_ns))
		;
	assert_int_equal(ageing_unused(&model->arena->pages), 0);
}

/* As background threads do it: whenever something is due. */
static void
shed_by_threads(struct model *model)
{
	struct page_source *pages = &model->arena->pages;
	uint64_t now_ns = model->arena->created_ns;
	unsigned nticks = 0;

	while (pages->kept != 0) {
		uint64_t wait_ns = ageing_wait(pages, now_ns);

		assert_in_range(wait_ns, 0, 100 * MS);
		assert_in_range(nticks++, 0, 60);
		now_ns += wait_ns;
		ageing_tick(pages, now_ns);
	}
	assert_in_range(now_ns - model->arena->created_ns, 100 * MS, 250 * MS);
}

static void
shed_by_calls(struct model *model)
{
	uint64_t start_ns = model->arena->created_ns;
	size_t kept = model->arena->pages.kept;

	for (unsigned i = 1; i < 20; i++) {
		arena_tick(model->arena, start_ns + i * 10 * MS);
		/* The first look is after 100 ms, and they were new then. */
		assert_int_equal(model->arena->pages.kept, kept);
	}
	arena_tick(model->arena, start_ns + 200 * MS);
}

static void
shed_by_reset(struct model *model)
{
	arena_make_manual(model->arena);
	arena_reset(model->arena);
	assert_int_equal(model->arena->pages.active, 0);
}

static void
empty_slabs_stay_for_a_moment_and_count_as_unused(void **state)
{
	static void (*const ways[])(struct model *) = {
		shed_by_purge,
		shed_by_release,
		shed_by_setting,
		shed_by_no_time,
		shed_by_silence,
		shed_by_threads,
		shed_by_calls,
		shed_by_reset,
	};

	(void)state;
	arena_defaults.dirty_decay_ms = 1000;
	opt_at_start.bin_shards[11] = 3;
	for (unsigned k = 0; k < ARRAY_LEN(ways); k++) {
		struct model *model = model_new();
		struct page_source *pages = &model->arena->pages;
		size_t active = 0;

		model->arena->pages.track_regions = ways[k] == shed_by_reset;
		empty_slabs(model);
		assert_true(pages->kept > 0);
		assert_int_equal(ageing_unused(pages),
		    pages->kept + pools_of(pages, EXTENT_DIRTY)->size);
		check(model);
		ways[k](model);
		assert_int_equal(pages->kept, 0);
		for (unsigned c = 0; c < SMALL_CLASSES; c++)
			for (unsigned i = 0; i < arena_nshards(c); i++) {
				struct bin *bin = arena_bin(model->arena, c, i);

				assert_int_equal(bin->nkept, 0);
				if (bin->current != NULL)
					active += bin->current->size;
			}
		assert_int_equal(pages->active, active);
		check(model);
		end(model);
	}
	opt_at_start.bin_shards[11] = 0;
	arena_defaults.dirty_decay_ms = -1;
}

/* If unused pages are never purged, nobody has to look at kept slabs. */
static void
nothing_is_due_for_kept_slabs_without_decay(void **state)
{
	struct model *model = model_new();
	struct page_source *pages = &model->arena->pages;

	(void)state;
	empty_slabs(model);
	assert_true(pages->kept > 0);
	assert_int_equal(ageing_unused(pages), 0);
	assert_true(ageing_wait(pages, model->arena->created_ns) == UINT64_MAX);
	end(model);
}

/* A short time is short for kept slabs, too. */
static void
kept_slabs_stay_for_a_part_of_the_decay_time(void **state)
{
	struct model *model;
	uint64_t start_ns;

	(void)state;
	arena_defaults.dirty_decay_ms = 80;
	model = model_new();
	start_ns = model->arena->created_ns;
	empty_slabs(model);
	arena_tick(model->arena, start_ns + 20 * MS);
	assert_true(model->arena->pages.kept > 0);
	arena_tick(model->arena, start_ns + 40 * MS);
	assert_int_equal(model->arena->pages.kept, 0);
	end(model);
	arena_defaults.dirty_decay_ms = -1;
}

/* --- sweeps --------------------------------------------------------------- */

static unsigned nsweeps;
static uint64_t swept_ns;

static bool sweep_purges;

static bool
note_sweep(uint64_t now_ns)
{
	nsweeps++;
	swept_ns = now_ns;
	return sweep_purges;
}

static void
sweep_at(struct model *model, uint64_t now_ns, unsigned expected)
{
	nsweeps = 0;
	arena_tick_and_sweep(model->arena, now_ns);
	assert_int_equal(nsweeps, expected);
	if (expected != 0)
		assert_int_equal(swept_ns, now_ns);
}

static void
some_ticks_sweep_unless_threads_do(void **state)
{
	const uint64_t second_ns = 1000000000;
	struct model *model = model_new();
	uint64_t now_ns = model->arena->created_ns + second_ns;

	(void)state;
	arena_upkeep.sweep = note_sweep;
	sweep_at(model, now_ns, 1);
	sweep_at(model, now_ns, 0);
	sweep_at(model, now_ns + second_ns / 10 - 1, 0);
	sweep_at(model, now_ns + second_ns / 10, 1);
	/* The clock went back. */
	sweep_at(model, now_ns, 1);
	arena_upkeep.by_threads = true;
	sweep_at(model, now_ns + second_ns, 0);
	arena_upkeep.by_threads = false;
	sweep_at(model, now_ns + second_ns, 1);
	/* While one purges, there is more to purge. */
	sweep_purges = true;
	sweep_at(model, now_ns + 2 * second_ns, 1);
	sweep_at(model, now_ns + 2 * second_ns, 1);
	sweep_purges = false;
	sweep_at(model, now_ns + 2 * second_ns + 1, 1);
	sweep_at(model, now_ns + 2 * second_ns + 1, 0);
	arena_upkeep.sweep = NULL;
	end(model);
}

static unsigned nwakes;

static void
note_wake(void)
{
	nwakes++;
}

/* A tick, while upkeep wants to know of so much more; does it hear of it? */
static bool
wakes_at(struct model *model, size_t growth)
{
	nwakes = 0;
	arena_upkeep.wants_growth = growth;
	arena_tick(model->arena, model->arena->created_ns);
	arena_upkeep.wants_growth = SIZE_MAX;
	return nwakes == 1;
}

static void
upkeep_hears_of_growth(void **state)
{
	struct model *model;
	size_t unused;

	(void)state;
	arena_upkeep.wake = note_wake;
	arena_defaults.dirty_decay_ms = 1000;
	model = model_new();
	take_large(model);
	give(model, 0);
	unused = ageing_unused(&model->arena->pages);
	assert_true(unused > 0);
	/* Since the last look, when there was nothing. */
	assert_true(wakes_at(model, unused));
	assert_false(wakes_at(model, unused + 1));
	/* Also if the call spends its time on other arenas. */
	nwakes = nsweeps = 0;
	sweep_purges = true;
	arena_upkeep.sweep = note_sweep;
	arena_upkeep.wants_pages = true;
	arena_tick_and_sweep(model->arena, UINT64_MAX / 2);
	assert_int_equal(nsweeps, 1);
	assert_int_equal(nwakes, 1);
	arena_upkeep.wants_pages = false;
	arena_upkeep.sweep = NULL;
	sweep_purges = false;
	model->arena->unused_seen = unused - 1;
	assert_true(wakes_at(model, 1));
	assert_false(wakes_at(model, 2));
	/* It has fallen by as much: then it may have grown again by that. */
	model->arena->unused_seen = 2 * unused;
	assert_true(wakes_at(model, unused));
	/* It has fallen by less, which is the new measure. */
	model->arena->unused_seen = 2 * unused - 1;
	assert_false(wakes_at(model, unused));
	assert_int_equal(model->arena->unused_seen, unused);
	/* What is left is less than was asked for. */
	model->arena->unused_seen = 4 * unused;
	assert_false(wakes_at(model, unused + 1));
	arena_upkeep.wake = NULL;
	arena_defaults.dirty_decay_ms = -1;
	end(model);
}

/* The arena that lent them may have no thread that ticks. */
static void
upkeep_hears_of_pages_that_went_back_to_their_lender(void **state)
{
	struct model *model, *lender;
	size_t unused;

	(void)state;
	arena_upkeep.wake = note_wake;
	arena_defaults.dirty_decay_ms = 1000;
	model = model_new();
	lender = model_new();
	take_large(lender);
	give(lender, 0);
	unused = ageing_unused(&lender->arena->pages);
	assert_false(wakes_at(model, unused));
	lender->arena->unused_seen = 0;
	atomic_store(&model->arena->pages.lender, &lender->arena->pages);
	assert_true(wakes_at(model, unused));
	/* Once is enough. */
	assert_false(wakes_at(model, unused));
	arena_upkeep.wake = NULL;
	arena_defaults.dirty_decay_ms = -1;
	end(model);
	end(lender);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_arena_is_empty_and_has_the_options),
		cmocka_unit_test(figures_follow_what_is_taken_and_given),
		cmocka_unit_test(shards_of_a_class_are_apart),
		cmocka_unit_test(a_fork_takes_every_lock_once_and_in_order),
		cmocka_unit_test(
		    reset_frees_every_object_and_the_arena_goes_on),
		cmocka_unit_test(
		    a_destroyed_arena_leaves_only_what_the_kernel_refuses),
		cmocka_unit_test(without_metadata_there_is_no_arena),
		cmocka_unit_test(a_tick_ages_the_pages),
		cmocka_unit_test(
		    empty_slabs_stay_for_a_moment_and_count_as_unused),
		cmocka_unit_test(nothing_is_due_for_kept_slabs_without_decay),
		cmocka_unit_test(kept_slabs_stay_for_a_part_of_the_decay_time),
		cmocka_unit_test(some_ticks_sweep_unless_threads_do),
		cmocka_unit_test(upkeep_hears_of_growth),
		cmocka_unit_test(
		    upkeep_hears_of_pages_that_went_back_to_their_lender),
	};

	system_init();
	metadata_init();
	extent_records_init();
	options_init(&opt_at_start);
	arena_defaults_init();
	arena_defaults.dirty_decay_ms = -1;
	memset(opt_at_start.bin_shards, 0, sizeof(opt.bin_shards));
	size_class_init(system_info.page_size, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
