#include "arena/arena.h"
#include "arena/arena_table.h"

#include <pthread.h>
#include <string.h>

#include "../unit.h"
#include "../waits.h"
#include "cache/tcache_table.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "guard/guard_pool.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "pages/page_source.h"
#include "stats/snapshot.h"

static struct fault metadata;

void *__real_metadata_take(size_t size, size_t align);
void *__wrap_metadata_take(size_t size, size_t align);

void *
__wrap_metadata_take(size_t size, size_t align)
{
	return fault_hits(&metadata) ? NULL : __real_metadata_take(size, align);
}

#define AUTOMATIC 2

static int
start(void **state)
{
	(void)state;
	system_init();
	metadata_init();
	extent_records_init();
	guard_pool_init();
	snapshot_init();
	options_init(&opt_at_start);
	opt_at_start.dirty_decay_ms = -1;
	/* It would take the place of caches. */
	opt_at_start.junk_alloc = opt_at_start.junk_free = false;
	size_class_init(system_info.page_size, NULL);
	thread_init(0x5a5a5a5b);
	tcache_table_init(0x5a5a5a5b);
	return arena_table_init(AUTOMATIC, 0) && thread_birth() != NULL ? 0
									: -1;
}

static struct stats_snapshot *
fresh(void)
{
	assert_true(snapshot_refresh());
	return snapshot_get();
}

static void
the_first_snapshot_is_epoch_1(void **state)
{
	struct stats_snapshot *snapshot;

	(void)state;
	assert_int_equal(snapshot_epoch(), 1);
	snapshot = snapshot_get();
	assert_int_equal(snapshot->refreshes, 0);
	assert_non_null(snapshot_arena(snapshot, 0));
	assert_null(snapshot_arena(snapshot, ARENAS_MAX));
	snapshot_release(snapshot);
	assert_int_equal(snapshot_epoch(), 1);
	assert_true(snapshot_refresh());
	assert_int_equal(snapshot_epoch(), 2);
}

/* Takes and gives in the cache of the calling thread. */
static void *
take(unsigned bin)
{
	struct tcache *tcache = &thread_self->tcache;
	void *object = cache_bin_take(&tcache->bins[bin + 1]);

	return object != NULL ? object : tcache_take_slow(tcache, bin);
}

static void
give(unsigned bin, void *object)
{
	tcache_give_slow(&thread_self->tcache, bin, object);
}

/* Small and large ones are the sums of their classes. */
static void
classes_agree(const struct arena_stats *stats)
{
	struct class_stats small = { .allocated = 0 }, large = small;

	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		small.nmalloc += stats->bins[i].stats.nmalloc;
		small.ndalloc += stats->bins[i].stats.ndalloc;
		small.nrequests += stats->bins[i].nrequests;
		small.nfills += stats->bins[i].stats.nfills;
		small.nflushes += stats->bins[i].stats.nflushes;
	}
	for (unsigned i = 0; i < SIZE_CLASSES - SMALL_CLASSES; i++) {
		large.nmalloc += stats->lextents[i].nmalloc;
		large.ndalloc += stats->lextents[i].ndalloc;
		large.nrequests += stats->lextents[i].nrequests;
	}
	assert_int_equal(stats->small.nmalloc, small.nmalloc);
	assert_int_equal(stats->small.ndalloc, small.ndalloc);
	assert_int_equal(stats->small.nrequests, small.nrequests);
	assert_int_equal(stats->small.nfills, small.nfills);
	assert_int_equal(stats->small.nflushes, small.nflushes);
	assert_int_equal(stats->large.nmalloc, large.nmalloc);
	assert_int_equal(stats->large.ndalloc, large.ndalloc);
	assert_int_equal(stats->large.nrequests, large.nrequests);
}

static void
sums_agree(const struct stats_snapshot *snapshot)
{
	const struct arena_stats *merged = &snapshot->merged;
	size_t small = 0, free[3] = { 0, 0, 0 }, allocated = 0;
	uint64_t nmalloc = 0;

	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		small += merged->bins[i].curregs * small_class_size(i);
	assert_int_equal(small, merged->small.allocated);
	for (unsigned i = 0; i < PAGE_CLASSES; i++) {
		free[0] += merged->extents[i].bytes[0];
		free[1] += merged->extents[i].bytes[1];
		free[2] += merged->extents[i].bytes[2];
	}
	assert_int_equal(free[0], merged->pdirty * system_info.page_size);
	assert_int_equal(free[1], merged->pmuzzy * system_info.page_size);
	assert_int_equal(free[2], merged->retained);
	for (unsigned i = 0; i < snapshot->narenas; i++) {
		const struct arena_stats *stats = snapshot_arena(snapshot, i);

		if (stats == NULL)
			continue;
		classes_agree(stats);
		allocated += stats->small.allocated + stats->large.allocated;
		nmalloc += stats->small.nmalloc;
	}
	assert_int_equal(allocated, snapshot->totals.allocated);
	assert_int_equal(nmalloc, merged->small.nmalloc);
	assert_true(snapshot->totals.active >= allocated);
	assert_true(snapshot->merged.resident >= snapshot->totals.active);
	assert_true(snapshot->merged.mapped >=
	    snapshot->merged.resident - snapshot->totals.metadata);
}

static void
objects_and_requests_are_counted_exactly(void **state)
{
	unsigned bin = small_class_of(96);
	struct stats_snapshot *before = fresh(), *after;
	const struct bin_snapshot *was, *is;
	void *objects[500];

	(void)state;
	for (unsigned i = 0; i < 500; i++)
		objects[i] = take(bin);
	after = fresh();
	was = &before->merged.bins[bin];
	is = &after->merged.bins[bin];
	assert_int_equal(is->nrequests - was->nrequests, 500);
	assert_int_equal(is->curregs, is->stats.nmalloc - is->stats.ndalloc);
	assert_int_equal(is->curregs - was->curregs - 500,
	    after->merged.tcache_bytes / 96);
	sums_agree(after);
	snapshot_release(after);

	for (unsigned i = 0; i < 500; i++)
		give(bin, objects[i]);
	tcache_flush(&thread_self->tcache);
	after = fresh();
	is = &after->merged.bins[bin];
	assert_int_equal(is->nrequests - was->nrequests, 500);
	assert_int_equal(is->curregs, was->curregs);
	assert_int_equal(after->merged.tcache_bytes, 0);
	assert_true(is->stats.nflushes > was->stats.nflushes);
	sums_agree(after);
	snapshot_release(after);
	snapshot_release(before);
}

static void
what_a_cache_holds_is_counted_exactly(void **state)
{
	unsigned bin = small_class_of(96);
	struct stats_snapshot *before = fresh(), *after;
	size_t held;

	(void)state;
	assert_int_equal(before->merged.tcache_bytes, 0);
	for (unsigned i = 0; i < 100; i++)
		give(bin, take(bin));
	after = fresh();
	held = after->merged.bins[bin].curregs -
	    before->merged.bins[bin].curregs;
	assert_true(held > 0);
	assert_int_equal(after->merged.tcache_bytes, held * 96);
	tcache_flush(&thread_self->tcache);
	snapshot_release(before);
	snapshot_release(after);
}

static void *
take_some(void *unused)
{
	void *objects[100];

	(void)unused;
	thread_birth();
	for (unsigned i = 0; i < 100; i++)
		objects[i] = take(small_class_of(512));
	for (unsigned i = 0; i < 100; i++)
		give(small_class_of(512), objects[i]);
	objects[0] = take(cache_bin_of_large(32768));
	give(cache_bin_of_large(32768), objects[0]);
	objects[0] = take(cache_bin_of_large(32768));
	give(cache_bin_of_large(32768), objects[0]);
	thread_set_arena(thread_self, 0);
	objects[0] = take(small_class_of(512));
	give(small_class_of(512), objects[0]);
	thread_death(thread_self);
	return NULL;
}

static void
requests_outlive_their_thread(void **state)
{
	unsigned bin = small_class_of(512), large = large_class_of(32768);
	struct stats_snapshot *before = fresh(), *after;
	pthread_t thread;

	(void)state;
	pthread_create(&thread, NULL, take_some, NULL);
	pthread_join(thread, NULL);
	after = fresh();
	assert_int_equal(after->merged.bins[bin].nrequests -
		before->merged.bins[bin].nrequests,
	    101);
	assert_int_equal(after->merged.lextents[large].nrequests -
		before->merged.lextents[large].nrequests,
	    2);
	/* The other arena is the thread's first one. */
	assert_int_equal(snapshot_arena(after, 1)->bins[bin].nrequests, 100);
	assert_int_equal(after->ninitialized, 2);
	assert_string_equal(snapshot_arena(after, 1)->name, "auto_1");
	sums_agree(after);
	snapshot_release(before);
	snapshot_release(after);
}

static void
free_runs_are_counted_by_class(void **state)
{
	struct arena *arena = arena_table_owner(0);
	struct large_request request = { .usable = 5 * 64 * UNIT, .align = 1 };
	unsigned class = snapshot_page_class_of(request.usable);
	struct stats_snapshot *before = fresh(), *after;
	struct extent *e[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		e[i] = large_take(&arena->large, &arena->pages, &request);
	/* Between the two others it merges with nothing. */
	large_give(&arena->large, &arena->pages, e[1]);
	after = fresh();
	assert_int_equal(after->merged.extents[class].count[0],
	    before->merged.extents[class].count[0] + 1);
	assert_int_equal(after->merged.extents[class].bytes[0],
	    before->merged.extents[class].bytes[0] + request.usable);
	assert_int_equal(
	    after->merged.lextents[large_class_of(request.usable)].curlextents,
	    2);
	sums_agree(after);
	large_give(&arena->large, &arena->pages, e[0]);
	large_give(&arena->large, &arena->pages, e[2]);
	snapshot_release(before);
	snapshot_release(after);
}

static void
a_snapshot_that_is_held_stays(void **state)
{
	unsigned bin = small_class_of(1024);
	struct stats_snapshot *held = fresh(), *other;
	uint64_t epoch = held->refreshes;
	uint64_t nrequests = held->merged.bins[bin].nrequests;
	size_t used;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		give(bin, take(bin));
		other = fresh();
		assert_ptr_not_equal(other, held);
		assert_int_equal(other->refreshes, epoch + i + 1);
		assert_int_equal(other->merged.bins[bin].nrequests,
		    nrequests + i + 1);
		snapshot_release(other);
	}
	assert_int_equal(held->refreshes, epoch);
	assert_int_equal(held->merged.bins[bin].nrequests, nrequests);
	snapshot_release(held);
	/* From now on memory is used again. */
	snapshot_release(fresh());
	used = metadata_stats().used;
	for (unsigned i = 0; i < 20; i++)
		snapshot_release(fresh());
	assert_int_equal(metadata_stats().used, used);
	/* So is that of one that was held for longer. */
	for (unsigned i = 0; i < 20; i++) {
		held = fresh();
		snapshot_release(fresh());
		snapshot_release(held);
		if (i == 1)
			used = metadata_stats().used;
	}
	assert_int_equal(metadata_stats().used, used);
}

static void
without_memory_the_old_one_stays(void **state)
{
	struct stats_snapshot *held[4], *now;
	uint64_t epoch;
	bool taken;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		held[i] = fresh();
	epoch = snapshot_epoch();
	for (unsigned at = 1;; at++) {
		fault_set(&metadata, at, true);
		taken = snapshot_refresh();
		fault_set(&metadata, 0, false);
		if (taken)
			break;
		assert_int_equal(snapshot_epoch(), epoch);
		now = snapshot_get();
		assert_ptr_equal(now, held[3]);
		snapshot_release(now);
	}
	assert_int_equal(snapshot_epoch(), epoch + 1);
	for (unsigned i = 0; i < 4; i++)
		snapshot_release(held[i]);
}

static void
the_present_state_agrees(void)
{
	struct stats_snapshot *snapshot = fresh();

	assert_int_equal(snapshot_active_now(), snapshot->totals.active);
	snapshot_release(snapshot);
}

static void
the_present_state_agrees_at_rest(void **state)
{
	(void)state;
	the_present_state_agrees();
}

/* Bytes in memory at a new epoch, without records. */
static size_t
resident_without_records(void)
{
	struct stats_snapshot *snapshot = fresh();
	size_t size = snapshot->merged.resident - snapshot->totals.metadata;

	snapshot_release(snapshot);
	return size;
}

/* Their windows are in no arena. */
static void
guarded_objects_count_as_pages_in_use(void **state)
{
	const struct guard_place place = { .size = 10000, .align = 16 };
	size_t window = round_up(place.size, system_info.page_size);
	size_t active = snapshot_active_now();
	size_t resident = resident_without_records();
	struct guard_slot *slot;

	(void)state;
	assert_true(guard_pool_make(1));
	assert_int_equal(guard_pool_take(&place, &slot), GUARD_TAKEN);
	guard_pool_hand_out(slot);
	assert_int_equal(snapshot_active_now() - active, window);
	assert_int_equal(resident_without_records() - resident, window);
	the_present_state_agrees();
	assert_true(guard_pool_claim(slot, slot->object));
	assert_true(guard_pool_give(slot));
	/* Of a window, at most one page is kept in memory. */
	assert_int_equal(snapshot_active_now(), active);
	assert_int_equal(resident_without_records(), resident);
	the_present_state_agrees();
}

/* What has no place of its own is where the contract has one for it. */
static void
common_things_have_their_places(void **state)
{
	struct stats_snapshot *snapshot = fresh();
	const struct arena_stats *first = snapshot_arena(snapshot, 0);
	const struct arena_stats *merged = &snapshot->merged;

	(void)state;
	assert_true(first->mutexes[ARENA_MUTEX_EXTENT_AVAIL].num_ops > 0);
	for (enum arena_mutex i = ARENA_MUTEX_EXTENTS_DIRTY;
	     i <= ARENA_MUTEX_EXTENTS_RETAINED; i++)
		assert_memory_equal(&first->mutexes[i],
		    &first->mutexes[ARENA_MUTEX_EXTENT_AVAIL],
		    sizeof(first->mutexes[i]));
	assert_true(first->mutexes[ARENA_MUTEX_DECAY_DIRTY].num_ops > 0);
	assert_memory_equal(&first->mutexes[ARENA_MUTEX_DECAY_MUZZY],
	    &first->mutexes[ARENA_MUTEX_DECAY_DIRTY],
	    sizeof(first->mutexes[0]));
	assert_memory_not_equal(&first->mutexes[ARENA_MUTEX_EXTENTS_DIRTY],
	    &first->mutexes[ARENA_MUTEX_DECAY_DIRTY],
	    sizeof(first->mutexes[0]));
	assert_true(first->mutexes[ARENA_MUTEX_BASE].num_ops > 0);
	assert_true(merged->large.nmalloc > 0);
	assert_int_equal(merged->large.nfills, merged->large.nmalloc);
	assert_int_equal(merged->uptime, first->uptime);
	/* Of the map of addresses, two pages at the least are touched. */
	assert_true(first->metadata_rtree >= 2 * system_info.page_size);
	assert_true(first->metadata_edata > 0);
	assert_true(first->metadata_rtree + first->metadata_edata <=
	    first->base);
	assert_int_equal(first->metadata_thp, metadata_stats().huge);
	snapshot_release(snapshot);
}

static void
destroyed_arenas_are_summed(void **state)
{
	struct stats_snapshot *snapshot = fresh();
	uint64_t nmalloc = snapshot_arena(snapshot, 1)->small.nmalloc;

	(void)state;
	assert_false(snapshot->any_destroyed);
	snapshot_release(snapshot);
	assert_true(snapshot_retire(arena_table_owner(1)));
	assert_true(snapshot_retire(arena_table_owner(1)));
	snapshot = fresh();
	assert_true(snapshot->any_destroyed);
	assert_int_equal(snapshot->destroyed.small.nmalloc, 2 * nmalloc);
	assert_int_equal(snapshot->destroyed.nthreads, 0);
	/* What it did is a part of the sum, what it had is not. */
	assert_int_equal(snapshot->destroyed.mapped, 0);
	assert_int_equal(snapshot->destroyed.resident, 0);
	assert_int_equal(snapshot->destroyed.base, 0);
	snapshot_release(snapshot);
	fault_set(&metadata, 1, true);
	snapshot_retire(arena_table_owner(1)); /* may have a piece left */
	fault_set(&metadata, 0, false);
}

static void
age_pages(unsigned index)
{
	struct page_source *pages = &arena_table_need(index)->pages;
	size_t size = (index + 2) * 4 * system_info.page_size;
	struct extent *e;

	ageing_set_decay(pages, 1, 10000, 0);
	e = page_source_take(pages, size, system_info.page_size);
	memset(e->addr, 1, size);
	page_source_give(pages, e);
	/* Dirty pages become muzzy, then they go. */
	ageing_purge(pages);
}

static void
ageing_is_counted_by_arena_and_summed(void **state)
{
	struct stats_snapshot *snapshot;
	struct arena_stats sum = { .nthreads = 0 };
	const struct arena_stats *merged;

	(void)state;
	for (unsigned i = 0; i < AUTOMATIC; i++)
		age_pages(i);
	snapshot = fresh();
	for (unsigned i = 0; i < AUTOMATIC; i++) {
		const struct arena_stats *one = snapshot_arena(snapshot, i);

		assert_true(one->dirty_purged >= (i + 2) * 4);
		assert_true(one->muzzy_purged >= (i + 2) * 4);
		assert_true(one->dirty_npurge > 0 && one->muzzy_npurge > 0);
		assert_true(one->dirty_nmadvise > 0 && one->muzzy_nmadvise > 0);
		sum.dirty_purged += one->dirty_purged;
		sum.dirty_npurge += one->dirty_npurge;
		sum.dirty_nmadvise += one->dirty_nmadvise;
		sum.muzzy_purged += one->muzzy_purged;
		sum.muzzy_npurge += one->muzzy_npurge;
		sum.muzzy_nmadvise += one->muzzy_nmadvise;
	}
	merged = &snapshot->merged;
	assert_int_equal(merged->dirty_purged, sum.dirty_purged);
	assert_int_equal(merged->dirty_npurge, sum.dirty_npurge);
	assert_int_equal(merged->dirty_nmadvise, sum.dirty_nmadvise);
	assert_int_equal(merged->muzzy_purged, sum.muzzy_purged);
	assert_int_equal(merged->muzzy_npurge, sum.muzzy_npurge);
	assert_int_equal(merged->muzzy_nmadvise, sum.muzzy_nmadvise);
	snapshot_release(snapshot);
}

static void
lock_counters_can_be_cleared(void **state)
{
	unsigned bin = small_class_of(640);
	struct stats_snapshot *snapshot;

	(void)state;
	give(bin, take(bin));
	snapshot = fresh();
	assert_true(snapshot->merged.bins[bin].mutex.num_ops > 1);
	snapshot_release(snapshot);
	snapshot_reset_mutexes();
	snapshot = fresh();
	/* Reading them is an operation too. */
	assert_int_equal(snapshot->merged.bins[bin].mutex.num_ops,
	    snapshot->ninitialized);
	snapshot_release(snapshot);
}

/* One lock has the place of two. */
static void
the_lock_of_huge_pages_is_counted(void **state)
{
	enum arena_mutex both[] = { ARENA_MUTEX_HPA_SHARD,
		ARENA_MUTEX_HPA_SHARD_GROW };
	struct stats_snapshot *snapshot;
	struct arena *arena;
	struct extent *e;

	(void)state;
	opt_at_start.hpa = true;
	arena = arena_table_create(NULL, false);
	opt_at_start.hpa = false;
	assert_non_null(arena);
	assert_non_null(arena->pages.huge);
	e = page_source_take(&arena->pages, UNIT, system_info.page_size);
	assert_non_null(e);
	snapshot = fresh();
	for (unsigned i = 0; i < ARRAY_LEN(both); i++)
		assert_true(snapshot_arena(snapshot, arena->index)
				->mutexes[both[i]]
				.num_ops > 1);
	snapshot_release(snapshot);
	page_source_give(&arena->pages, e);
}

static void
refresh(void)
{
	assert_true(snapshot_refresh());
}

static void
figures_are_read_under_their_locks(void **state)
{
	struct arena *arena = arena_table_owner(0);
	const struct use uses[] = {
		USE(refresh, &arena_bin(arena, 3, 0)->lock, 1),
		USE(refresh, &arena->large.lock, 1),
		USE(refresh, &arena->pages.lock, 1),
		USE(refresh, &arena->pages.decay_lock, 1),
	};

	(void)state;
	assert_used(uses, ARRAY_LEN(uses));
}

static void
page_classes_cover_all_sizes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PAGE_CLASSES; i++) {
		size_t size = snapshot_page_class_size(i);

		assert_int_equal(snapshot_page_class_of(size), i);
		if (i > 0)
			assert_int_equal(snapshot_page_class_of(size - UNIT),
			    i - 1);
	}
	for (unsigned i = 0; i < extent_pool_bucket(LARGE_MAXCLASS); i++)
		assert_int_equal(
		    snapshot_page_class_of(extent_pool_bucket_min(i)),
		    snapshot_page_class_of(extent_pool_bucket_min(i + 1) -
			UNIT));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_snapshot_is_epoch_1),
		cmocka_unit_test(objects_and_requests_are_counted_exactly),
		cmocka_unit_test(what_a_cache_holds_is_counted_exactly),
		cmocka_unit_test(requests_outlive_their_thread),
		cmocka_unit_test(free_runs_are_counted_by_class),
		cmocka_unit_test(a_snapshot_that_is_held_stays),
		cmocka_unit_test(without_memory_the_old_one_stays),
		cmocka_unit_test(the_present_state_agrees_at_rest),
		cmocka_unit_test(guarded_objects_count_as_pages_in_use),
		cmocka_unit_test(common_things_have_their_places),
		cmocka_unit_test(destroyed_arenas_are_summed),
		cmocka_unit_test(ageing_is_counted_by_arena_and_summed),
		cmocka_unit_test(lock_counters_can_be_cleared),
		cmocka_unit_test(the_lock_of_huge_pages_is_counted),
		cmocka_unit_test(figures_are_read_under_their_locks),
		cmocka_unit_test(page_classes_cover_all_sizes),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
