#include "stats/account.h"

#include <stdio.h>

#include "../unit.h"
#include "os/file.h"
#include "os/system.h"
#include "stats/snapshot.h"

/* --- what the kernel says ------------------------------------------------- */

static const char *statm; /* NULL: it can't be read */

ssize_t __real_file_read(const char *path, char *buf, size_t size);
ssize_t __wrap_file_read(const char *path, char *buf, size_t size);

ssize_t
__wrap_file_read(const char *path, char *buf, size_t size)
{
	if (strcmp(path, "/proc/self/statm") != 0)
		return __real_file_read(path, buf, size);
	if (statm == NULL)
		return -1;
	assert_true(strlen(statm) < size);
	strcpy(buf, statm);
	return (ssize_t)strlen(statm);
}

/* -------------------------------------------------------------------------- */

static struct stats_snapshot *snapshot;

static int
start(void **state)
{
	(void)state;
	system_init();
	size_class_init(system_info.page_size, NULL);
	snapshot = calloc(1, sizeof(*snapshot));
	return snapshot == NULL;
}

static int
end(void **state)
{
	(void)state;
	free(snapshot);
	return 0;
}

/* A process by its bytes. The figures come from them. */
static struct {
	int64_t live, cached, holes, rounding;
	size_t dirty, muzzy; /* pages */
	size_t metadata;
} truth;

static void
make_truth(uint64_t *seed)
{
	struct arena_stats *merged = &snapshot->merged;
	size_t taken = 0, holes = 0;

	memset(snapshot, 0, sizeof(*snapshot));
	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		size_t slabs = random_below(seed, 50), regions;

		merged->bins[i].stats.curslabs = slabs;
		regions = slabs * size_class_tables.slab[i].nregions;
		merged->bins[i].curregs = random_below(seed, regions + 1);
		taken += merged->bins[i].curregs * small_class_size(i);
		holes += (regions - merged->bins[i].curregs) *
		    small_class_size(i);
	}
	taken += random_below(seed, 1000) * LARGE_MIN;
	truth.cached = (int64_t)random_below(seed, taken + 1);
	truth.live = (int64_t)taken - truth.cached;
	truth.holes = (int64_t)holes;
	truth.rounding = (int64_t)random_below(seed, 1 << 20);
	merged->tcache_bytes = (size_t)truth.cached;
	merged->pdirty = truth.dirty = random_below(seed, 1000);
	merged->pmuzzy = truth.muzzy = random_below(seed, 1000);
	snapshot->totals.allocated = taken;
	snapshot->totals.active = taken + holes + (size_t)truth.rounding;
	snapshot->totals.metadata = truth.metadata = random_below(seed,
	    1 << 24);
}

static void
check_parts(const struct account *account)
{
	int64_t page = (int64_t)system_info.page_size, sum = 0;
	const int64_t *part = account->part;

	assert_int_equal(part[ACCOUNT_LIVE], truth.live);
	assert_int_equal(part[ACCOUNT_CACHES], truth.cached);
	assert_int_equal(part[ACCOUNT_HOLES], truth.holes);
	assert_int_equal(part[ACCOUNT_ROUNDING], truth.rounding);
	assert_int_equal(part[ACCOUNT_DIRTY], (int64_t)truth.dirty * page);
	assert_int_equal(part[ACCOUNT_MUZZY], (int64_t)truth.muzzy * page);
	assert_int_equal(part[ACCOUNT_METADATA], truth.metadata);
	for (unsigned i = 0; i < ACCOUNT_PARTS; i++) {
		assert_true(part[i] >= 0);
		sum += part[i];
	}
	assert_true(account->untouched >= 0);
	assert_true(account->untouched == 0 || part[ACCOUNT_REST] == 0);
	assert_int_equal(sum - account->untouched, account->process);
}

static void
parts_are_what_there_is_and_their_sum_is_the_process(void **state)
{
	uint64_t seed = 1;
	char text[128];

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		size_t shared = random_below(&seed, 10000);
		size_t anonymous = 1 + random_below(&seed, 1000000);
		struct account account;

		make_truth(&seed);
		snprintf(text, sizeof(text), "%zu %zu %zu 44 0 5 0\n",
		    (size_t)2000000, shared + anonymous, shared);
		statm = text;
		account = account_make(snapshot);
		assert_int_equal(account.process,
		    anonymous * system_info.page_size);
		check_parts(&account);
	}
}

/* Numbers of a process of many terabytes are right, too. */
static void
numbers_are_wide(void **state)
{
	struct account account;
	uint64_t seed = 2;

	(void)state;
	make_truth(&seed);
	statm = "99999999999 30000000000 10000000000 1 0 1 0\n";
	account = account_make(snapshot);
	assert_int_equal(account.process,
	    (int64_t)20000000000 * (int64_t)system_info.page_size);
	check_parts(&account);
}

static void
without_the_kernels_number_the_parts_are_all_there_is(void **state)
{
	struct account account;
	uint64_t seed = 3;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		make_truth(&seed);
		statm = i == 0 ? NULL : "";
		account = account_make(snapshot);
		check_parts(&account);
		assert_int_equal(account.part[ACCOUNT_REST], 0);
	}
}

/* Whatever figures threads change while they are read: no part is negative. */
static void
no_part_is_negative(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct account account;
		int64_t sum = 0;

		make_truth(&seed);
		snapshot->merged.tcache_bytes = random_below(&seed, 1 << 24);
		snapshot->totals.allocated = random_below(&seed, 1 << 24);
		snapshot->totals.active = random_below(&seed, 1 << 24);
		statm = i % 2 == 0 ? "9 3 5 0 0 0 0\n" : "9 7000 5 0 0 0 0\n";
		account = account_make(snapshot);
		for (unsigned k = 0; k < ACCOUNT_PARTS; k++) {
			assert_true(account.part[k] >= 0);
			sum += account.part[k];
		}
		assert_true(account.untouched >= 0 && account.process >= 0);
		assert_int_equal(sum - account.untouched, account.process);
	}
}

/*
 * Figures are not read at one moment. More regions than slabs have room for are
 * no holes of a negative size, which would make others too large.
 */
static void
a_bin_that_changed_meanwhile_has_no_holes(void **state)
{
	struct account account;
	uint64_t seed = 4;

	(void)state;
	make_truth(&seed);
	truth.holes -= (int64_t)((snapshot->merged.bins[3].stats.curslabs *
					 size_class_tables.slab[3].nregions -
				     snapshot->merged.bins[3].curregs) *
	    small_class_size(3));
	snapshot->merged.bins[3].curregs = 1000000;
	statm = NULL;
	account = account_make(snapshot);
	assert_int_equal(account.part[ACCOUNT_HOLES], truth.holes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    parts_are_what_there_is_and_their_sum_is_the_process),
		cmocka_unit_test(numbers_are_wide),
		cmocka_unit_test(
		    without_the_kernels_number_the_parts_are_all_there_is),
		cmocka_unit_test(no_part_is_negative),
		cmocka_unit_test(a_bin_that_changed_meanwhile_has_no_holes),
	};

	return cmocka_run_group_tests(tests, start, end);
}
