#include "stats/account.h"

#include <stdio.h>
#include <string.h>

#include "../unit.h"
#include "os/file.h"
#include "os/system.h"
#include "stats/snapshot.h"

static const char *statm; /* NULL: it can't be read */

ssize_t __wrap_file_read(const char *path, char *buf, size_t size);

ssize_t
__wrap_file_read(const char *path, char *buf, size_t size)
{
	if (strcmp(path, "/proc/self/statm") != 0 || statm == NULL)
		return -1;
	assert_true(strlen(statm) < size);
	strcpy(buf, statm);
	return (ssize_t)strlen(statm);
}

static struct stats_snapshot snapshot;

/* The parts are all there is, whatever the kernel says. */
static struct account
account_for(const char *text)
{
	struct account account;
	int64_t sum = 0;

	statm = text;
	account = account_make(&snapshot);
	for (unsigned i = 0; i < ACCOUNT_PARTS; i++)
		sum += account.part[i];
	assert_int_equal(sum - account.untouched, account.process);
	return account;
}

static void
the_process_has_what_is_resident_and_of_no_file(void **state)
{
	static const struct {
		const char *text;
		int64_t npages;
	} cases[] = {
		{ "100 10 3 1 0 5 0\n", 7 },
		{ "1234567890 987654321 123456789 9 9 9 9\n", 864197532 },
		{ "99999 90909 9090 0 0 0 0\n", 81819 },
		{ "5 5 5 0 0 0 0\n", 0 },
	};

	(void)state;
	memset(&snapshot, 0, sizeof(snapshot));
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(account_for(cases[i].text).process,
		    cases[i].npages * (int64_t)system_info.page_size);
	assert_int_equal(account_for(NULL).process, 0);
}

/* 96 bytes: 3 slabs, 100 objects in them, of which a cache has 20. */
static void
each_part_has_its_bytes(void **state)
{
	unsigned i = small_class_of(96);
	size_t page = system_info.page_size;
	size_t slabs = 3 * size_class_tables.slab[i].slab_size;
	size_t regions = 3 * (size_t)size_class_tables.slab[i].nregions;
	struct account account;

	(void)state;
	memset(&snapshot, 0, sizeof(snapshot));
	snapshot.merged.bins[i].stats.curslabs = 3;
	snapshot.merged.bins[i].curregs = 100;
	snapshot.merged.tcache_bytes = 20 * 96;
	snapshot.merged.pdirty = 7;
	snapshot.merged.pmuzzy = 5;
	snapshot.totals.allocated = 100 * 96;
	snapshot.totals.active = slabs;
	snapshot.totals.metadata = 9 * page;
	account = account_for(NULL);
	assert_int_equal(account.part[ACCOUNT_LIVE], 80 * 96);
	assert_int_equal(account.part[ACCOUNT_CACHES], 20 * 96);
	assert_int_equal(account.part[ACCOUNT_HOLES], (regions - 100) * 96);
	assert_int_equal(account.part[ACCOUNT_ROUNDING], slabs - regions * 96);
	assert_int_equal(account.part[ACCOUNT_DIRTY], 7 * page);
	assert_int_equal(account.part[ACCOUNT_MUZZY], 5 * page);
	assert_int_equal(account.part[ACCOUNT_METADATA], 9 * page);
	/* If the kernel does not say, nothing is left over. */
	assert_int_equal(account.part[ACCOUNT_REST], 0);
	assert_int_equal(account.process, slabs + 21 * page);
	/* What was not touched yet is in no memory. */
	account = account_for("100 15 5 0 0 0 0\n");
	assert_int_equal(account.process, 10 * page);
	assert_int_equal(account.part[ACCOUNT_REST], 0);
	assert_int_equal(account.untouched, slabs + 11 * page);
	/* What belongs to others is the rest. */
	account = account_for("100 905 5 0 0 0 0\n");
	assert_int_equal(account.part[ACCOUNT_REST], 879 * page - slabs);
	assert_int_equal(account.untouched, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_process_has_what_is_resident_and_of_no_file),
		cmocka_unit_test(each_part_has_its_bytes),
	};

	system_init();
	size_class_init(system_info.page_size, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
