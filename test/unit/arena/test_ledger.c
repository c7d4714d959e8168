/*
 * Ledgers: what a slab gets, what becomes of the arrays of slabs that are gone,
 * and what happens if there is no memory.
 */
#include "arena/ledger.h"

#include <string.h>

#include "../unit.h"
#include "../waits.h"
#include "arena/wipe.h"
#include "conf/options.h"
#include "extent/metadata.h"
#include "os/system.h"

#define PAGES ((size_t)64 << 10)

static struct fault no_memory;

void *__real_metadata_take(size_t size, size_t align);
void *__wrap_metadata_take(size_t size, size_t align);

void *
__wrap_metadata_take(size_t size, size_t align)
{
	return fault_hits(&no_memory) ? NULL
				      : __real_metadata_take(size, align);
}

/* A record with room behind it, as those of slabs have. */
struct record {
	union {
		struct extent slab;
		char bytes[4096];
	} * room;
	char *pages;
};

static struct record
record_new(unsigned size_class, bool zeroed)
{
	struct record record = { calloc(1, sizeof(*record.room)),
		malloc(PAGES) };

	assert_non_null(record.room);
	assert_non_null(record.pages);
	assert_true(extent_record_size(system_info.page_size) +
		sizeof(struct ledger *) <=
	    sizeof(*record.room));
	memset(record.pages, zeroed ? 0 : 0x11, PAGES);
	record.room->slab.addr = record.pages;
	record.room->slab.size = PAGES;
	record.room->slab.size_class = (uint8_t)size_class;
	record.room->slab.zeroed = zeroed;
	return record;
}

static struct ledger *
begin(struct record *record)
{
	assert_true(ledger_begin(&record->room->slab,
	    record->room->slab.size_class));
	return *ledger_slot(&record->room->slab);
}

static void
end(struct record *record)
{
	ledger_end(&record->room->slab);
	free(record->pages);
	free(record->room);
}

static void
assert_entries(struct ledger *ledger, unsigned size_class, uint16_t value)
{
	for (unsigned i = 0; i < size_class_tables.slab[size_class].nregions;
	     i++)
		assert_int_equal(ledger->entry[i], value);
}

static int
options(void **state)
{
	(void)state;
	options_init(&opt_at_start);
	opt_at_start.checked = true;
	return 0;
}

/* ---- tests ---- */

static void
a_slab_begins_with_regions_that_nobody_has_had(void **state)
{
	struct record record = record_new(5, false);
	struct ledger *ledger = begin(&record);

	(void)state;
	assert_entries(ledger, 5, LEDGER_NEW);
	assert_int_equal(record.pages[0], 0x11);
	end(&record);
}

/* Then there is nothing to be found in the pages, and writes are noticed. */
static void
where_regions_are_wiped_all_are_from_the_start(void **state)
{
	(void)state;
	opt_at_start.zero_free = true;
	for (unsigned junk = 0; junk < 2; junk++)
		for (unsigned zeroed = 0; zeroed < 2; zeroed++) {
			struct record record = record_new(7, zeroed != 0);

			opt_at_start.junk_free = junk != 0;
			assert_entries(begin(&record), 7, LEDGER_FREED);
			assert_true(wipe_is_whole(record.pages, PAGES));
			end(&record);
		}
}

/* Who frees twice, while the slab goes, writes into an array like his own. */
static void
an_array_is_used_again_for_its_class_alone(void **state)
{
	struct record a = record_new(3, true), b = record_new(3, true);
	struct record other = record_new(4, true);
	struct ledger *first = begin(&a), *second = begin(&b);

	(void)state;
	assert_ptr_not_equal(first, second);
	memset((void *)first->entry, 0x22, 16);
	end(&a);
	end(&b);
	second = begin(&other);
	assert_ptr_not_equal(second, first);
	a = record_new(3, true);
	b = record_new(3, true);
	second = begin(&a);
	assert_entries(second, 3, LEDGER_NEW);
	assert_ptr_not_equal(begin(&b), second);
	assert_true(second == first || *ledger_slot(&b.room->slab) == first);
	end(&a);
	end(&b);
	end(&other);
}

static void
arrays_have_different_random_numbers(void **state)
{
	struct record a = record_new(9, true), b = record_new(9, true);
	struct ledger *first = begin(&a), *second = begin(&b);
	uint64_t random = first->random;

	(void)state;
	assert_int_not_equal(random, 0);
	assert_int_not_equal(second->random, 0);
	assert_int_not_equal(random, second->random);
	/* They go on with the array; they do not begin anew. */
	end(&a);
	a = record_new(9, true);
	assert_ptr_equal(begin(&a), first);
	assert_int_equal(first->random, random);
	end(&a);
	end(&b);
}

static void
without_memory_there_is_no_slab(void **state)
{
	struct record record = record_new(11, true);

	(void)state;
	fault_set(&no_memory, 1, true);
	assert_false(ledger_begin(&record.room->slab, 11));
	fault_set(&no_memory, 0, false);
	begin(&record);
	end(&record);
}

static void
none_is_made_where_none_is_needed(void **state)
{
	struct record record = record_new(12, false);

	(void)state;
	opt_at_start.checked = false;
	opt_at_start.zero_free = true;
	assert_null(begin(&record));
	assert_int_equal(record.pages[0], 0x11);
	ledger_end(&record.room->slab);
	opt_at_start.checked = false;
	opt_at_start.random_slots = true;
	assert_non_null(begin(&record));
	end(&record);
}

static struct record shared;

static void
begin_and_end_one(void)
{
	begin(&shared);
	ledger_end(&shared.room->slab);
}

static void
slabs_of_all_arenas_share_spare_arrays_under_the_lock(void **state)
{
	const struct use use = USE(begin_and_end_one, ledger_lock(), 2);

	(void)state;
	shared = record_new(6, true);
	assert_used(&use, 1);
	free(shared.pages);
	free(shared.room);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    a_slab_begins_with_regions_that_nobody_has_had, options),
		cmocka_unit_test_setup(
		    where_regions_are_wiped_all_are_from_the_start, options),
		cmocka_unit_test_setup(
		    an_array_is_used_again_for_its_class_alone, options),
		cmocka_unit_test_setup(arrays_have_different_random_numbers,
		    options),
		cmocka_unit_test_setup(without_memory_there_is_no_slab,
		    options),
		cmocka_unit_test_setup(none_is_made_where_none_is_needed,
		    options),
		cmocka_unit_test_setup(
		    slabs_of_all_arenas_share_spare_arrays_under_the_lock,
		    options),
	};

	system_init();
	metadata_init();
	ledger_init();
	size_class_init(system_info.page_size, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
