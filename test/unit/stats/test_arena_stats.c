#include "stats/arena_stats.h"

#include "../unit.h"

/*
 * All of the struct is looked at as words of 32 bits, but for what is named
 * here. So a field that no row of figure_rows.h sums is noticed. Numbers are
 * small, so that the sum of wider fields is that of their words.
 */

enum how { HOW_ADD, HOW_MAX, HOW_NONE };

enum { WORDS = sizeof(struct arena_stats) / 4 };

static_assert(sizeof(struct arena_stats) % 4 == 0, "words");

static unsigned char hows[WORDS];

static void
set(size_t offset, size_t size, enum how how)
{
	for (size_t at = offset / 4; at < (offset + size + 3) / 4; at++)
		hows[at] = (unsigned char)how;
}

#define SET(field, how) \
	set(offsetof(struct arena_stats, field), \
	    sizeof(((struct arena_stats *)0)->field), how)

static void
set_lock(size_t offset)
{
	set(offset, sizeof(struct lock_stats), HOW_NONE);
	set(offset + offsetof(struct lock_stats, num_ops), 8, HOW_ADD);
	set(offset + offsetof(struct lock_stats, num_wait), 8, HOW_ADD);
	set(offset + offsetof(struct lock_stats, num_spin_acq), 8, HOW_ADD);
	set(offset + offsetof(struct lock_stats, num_owner_switch), 8, HOW_ADD);
	set(offset + offsetof(struct lock_stats, total_wait_ns), 8, HOW_ADD);
	set(offset + offsetof(struct lock_stats, max_wait_ns), 8, HOW_MAX);
	set(offset + offsetof(struct lock_stats, max_waiters), 4, HOW_MAX);
}

static int
make_hows(void **state)
{
	(void)state;
	SET(initialized, HOW_NONE);
	/* And what lies between it and `nthreads`. */
	SET(name, HOW_NONE);
	SET(uptime, HOW_NONE);
	SET(dss, HOW_NONE);
	SET(dirty_decay_ms, HOW_NONE);
	SET(muzzy_decay_ms, HOW_NONE);
	/* It is a part of extent_avail. */
	SET(hpa.nspare, HOW_NONE);
	for (unsigned i = 0; i < ARENA_MUTEXES; i++)
		set_lock(offsetof(struct arena_stats, mutexes[0]) +
		    i * sizeof(struct lock_stats));
	for (unsigned i = 0; i < SMALL_CLASSES_MAX; i++) {
		size_t bin = offsetof(struct arena_stats, bins[0]) +
		    i * sizeof(struct bin_snapshot);

		if (i >= SMALL_CLASSES)
			set(bin, sizeof(struct bin_snapshot), HOW_NONE);
		else
			set_lock(bin + offsetof(struct bin_snapshot, mutex));
	}
	return 0;
}

/* The larger one of two wide numbers is that by word if their ends are 0. */
static void
narrow(struct lock_stats *lock)
{
	lock->max_wait_ns &= UINT32_MAX;
}

static void
fill(struct arena_stats *stats, uint64_t *seed)
{
	uint32_t word[WORDS];

	for (unsigned i = 0; i < WORDS; i++)
		word[i] = (uint32_t)(random_next(seed) >> 40);
	memcpy(stats, word, sizeof(word));
	for (unsigned i = 0; i < ARENA_MUTEXES; i++)
		narrow(&stats->mutexes[i]);
	for (unsigned i = 0; i < SMALL_CLASSES_MAX; i++)
		narrow(&stats->bins[i].mutex);
}

static uint32_t
word_of(const struct arena_stats *stats, unsigned i)
{
	uint32_t word;

	memcpy(&word, (const char *)stats + 4 * i, sizeof(word));
	return word;
}

static void
check_sum(const struct arena_stats *sum, const struct arena_stats *parts,
    unsigned nparts)
{
	for (unsigned i = 0; i < WORDS; i++) {
		uint32_t want = 0, word;

		for (unsigned k = 0; k < nparts; k++) {
			word = word_of(&parts[k], i);
			want = hows[i] == HOW_ADD ? want + word
			    : word > want         ? word
						  : want;
		}
		if (hows[i] != HOW_NONE && word_of(sum, i) != want)
			fail_msg("at byte %u: %u, not %u", 4 * i,
			    word_of(sum, i), want);
	}
}

static void
each_field_is_summed_in_its_way(void **state)
{
	static struct arena_stats parts[3], sum;
	uint64_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		arena_stats_init_sum(&sum, "merged");
		for (unsigned i = 0; i < 3; i++) {
			fill(&parts[i], &seed);
			arena_stats_add(&sum, &parts[i]);
			check_sum(&sum, parts, i + 1);
		}
		assert_string_equal(sum.name, "merged");
		assert_string_equal(sum.dss, "N/A");
		assert_int_equal(sum.dirty_decay_ms, -1);
		assert_int_equal(sum.muzzy_decay_ms, -1);
		assert_int_equal(sum.uptime, 0);
		assert_false(sum.initialized);
	}
}

/*
 * An arena is gone, and its figures join those of other destroyed ones: what
 * may be negative in the sum of all, or counts pages twice, must be 0.
 */
static void
a_destroyed_arena_has_its_counters_and_no_memory(void **state)
{
	static struct arena_stats old, now;
	static const struct huge_group no_slabs;
	static const struct page_class_snapshot no_extents;
	uint64_t seed = 2;

	(void)state;
	fill(&old, &seed);
	now = old;
	arena_stats_retire(&now);
	assert_int_equal(now.nthreads, 0);
	assert_int_equal(now.pactive + now.pdirty + now.pmuzzy + now.mapped +
		now.retained + now.resident + now.base + now.extent_avail +
		now.hpa_sec.bytes,
	    0);
	for (unsigned i = 0; i < PAGE_CLASSES; i++)
		assert_memory_equal(&now.extents[i], &no_extents,
		    sizeof(no_extents));
	assert_memory_equal(&now.hpa.all, &no_slabs, sizeof(no_slabs));
	assert_memory_equal(&now.hpa.full, &no_slabs, sizeof(no_slabs));
	assert_memory_equal(&now.hpa.empty, &no_slabs, sizeof(no_slabs));
	for (unsigned i = 0; i < HUGE_RUN_CLASSES; i++)
		assert_memory_equal(&now.hpa.nonfull[i], &no_slabs,
		    sizeof(no_slabs));
	assert_int_equal(now.hpa.npurges, old.hpa.npurges);
	assert_int_equal(now.hpa.npurge_passes, old.hpa.npurge_passes);
	assert_int_equal(now.hpa.nhugifies, old.hpa.nhugifies);
	assert_int_equal(now.hpa.ndehugifies, old.hpa.ndehugifies);
	assert_int_equal(now.hpa.nhugify_failures, old.hpa.nhugify_failures);
	assert_int_equal(now.dirty_npurge, old.dirty_npurge);
	assert_int_equal(now.dirty_nmadvise, old.dirty_nmadvise);
	assert_int_equal(now.dirty_purged, old.dirty_purged);
	assert_int_equal(now.muzzy_npurge, old.muzzy_npurge);
	assert_int_equal(now.muzzy_nmadvise, old.muzzy_nmadvise);
	assert_int_equal(now.muzzy_purged, old.muzzy_purged);
	assert_memory_equal(&now.small, &old.small, sizeof(old.small));
	assert_memory_equal(&now.large, &old.large, sizeof(old.large));
	assert_memory_equal(now.mutexes, old.mutexes, sizeof(old.mutexes));
	assert_memory_equal(now.bins, old.bins, sizeof(old.bins));
	assert_memory_equal(now.lextents, old.lextents, sizeof(old.lextents));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_is_summed_in_its_way),
		cmocka_unit_test(
		    a_destroyed_arena_has_its_counters_and_no_memory),
	};

	return cmocka_run_group_tests(tests, make_hows, NULL);
}
