#include "extent/extent_records.h"

#include <pthread.h>

#include "../unit.h"
#include "extent/extent.h"
#include "extent/metadata.h"
#include "os/system.h"

static struct fault metadata, purge;

bool __real_pages_purge_forced(void *addr, size_t size);
bool __wrap_pages_purge_forced(void *addr, size_t size);

bool
__wrap_pages_purge_forced(void *addr, size_t size)
{
	return !fault_hits(&purge) && __real_pages_purge_forced(addr, size);
}

void *__real_metadata_take(size_t size, size_t align);
void *__wrap_metadata_take(size_t size, size_t align);

void *
__wrap_metadata_take(size_t size, size_t align)
{
	if (metadata.at != 0 && fault_hits(&metadata))
		return NULL;
	return __real_metadata_take(size, align);
}

/* Marks each record of a chain by `mark`; how many. None may bear it yet. */
static unsigned
mark_chain(struct extent *chain, size_t mark)
{
	unsigned n = 0;

	for (struct extent *e = chain; e != NULL; e = e->next, n++) {
		assert_int_equal((uintptr_t)e % CACHELINE, 0);
		assert_int_not_equal(e->size, mark);
		/* Never set here: users rely on it. */
		assert_null(e->pageslab);
		e->size = mark;
	}
	return n;
}

static void
as_many_as_asked_for_are_added_to_the_chain(void **state)
{
	struct extent *chain = NULL;
	unsigned sum = 0;

	(void)state;
	for (unsigned count = 0; count < 70; count += 7) {
		assert_int_equal(extent_records_take(&chain, count), count);
		sum += count;
	}
	assert_int_equal(mark_chain(chain, 1), sum);
	extent_records_give(chain);
}

static void
what_was_given_is_taken_before_new_ones(void **state)
{
	struct extent *chain = NULL, *again = NULL;
	size_t used;

	(void)state;
	extent_records_take(&chain, 200);
	mark_chain(chain, 2);
	extent_records_give(chain);
	used = metadata_stats().used;
	assert_int_equal(extent_records_take(&again, 200), 200);
	assert_int_equal(metadata_stats().used, used);
	assert_int_equal(mark_chain(again, 3), 200);
	extent_records_give(again);
	extent_records_give(NULL);
}

static void
short_of_memory_there_are_fewer_and_none_is_lost(void **state)
{
	struct extent *all = NULL, *chain = NULL;
	unsigned got;

	(void)state;
	/* Hold all that are free, so that each taking needs memory. */
	fault_set(&metadata, 1, true);
	while (extent_records_take(&all, 1) == 1)
		;
	assert_int_equal(extent_records_take(&chain, 40), 0);
	assert_null(chain);
	for (unsigned at = 2; at < 6; at++) {
		fault_set(&metadata, at, true);
		got = extent_records_take(&chain, 40);
		assert_int_equal(mark_chain(chain, 100 + at), got);
		extent_records_give(chain);
		chain = NULL;
		fault_set(&metadata, 1, true);
		assert_int_equal(extent_records_take(&chain, 40), got);
		extent_records_give(chain);
		chain = NULL;
	}
	fault_set(&metadata, 0, false);
	assert_int_equal(extent_records_take(&chain, 40), 40);
	extent_records_give(chain);
	extent_records_give(all);
}

static void
records_that_nobody_uses_leave_memory(void **state)
{
	struct extent *kept = NULL, *chain = NULL, *again = NULL;
	struct extent_records_stats before, after;
	size_t whole, used, page = system_info.page_size;
	struct extent *stale;

	(void)state;
	extent_records_take(&kept, 1);
	extent_records_take(&chain, 20000);
	stale = chain;
	for (unsigned i = 0; i < 10000; i++)
		stale = stale->next;
	mark_chain(chain, 4);
	extent_set_place(stale, EXTENT_DIRTY, 0);
	extent_records_give(chain);
	before = extent_records_stats();
	extent_records_purge();
	after = extent_records_stats();
	assert_int_equal(after.made, before.made);
	/* But for the pages kept, and those with the addresses. */
	whole = 20000 / (page / after.size - 1);
	assert_in_range(after.purged, (whole - whole / 16 - 1) * page,
	    whole * page);
	assert_true(after.spare < before.spare / 10);
	/* Somebody may still look at one: it says nothing. */
	assert_int_equal(extent_state(stale), EXTENT_ACTIVE);
	assert_int_equal(stale->size, 0);
	used = metadata_stats().used;
	assert_int_equal(extent_records_take(&again, 20000), 20000);
	assert_int_equal(mark_chain(again, 5), 20000);
	assert_int_equal(metadata_stats().used, used);
	assert_int_equal(extent_records_stats().purged, 0);
	extent_records_give(again);
	assert_int_equal(extent_records_stats().spare, before.spare);
	extent_records_give(kept);
}

/* Those in pages that left memory included. */
static size_t
count_free(void)
{
	struct extent_records_stats stats = extent_records_stats();

	return stats.spare +
	    stats.purged / system_info.page_size *
	    (system_info.page_size / stats.size - 1);
}

static void
what_the_kernel_keeps_is_used_again(void **state)
{
	struct extent *chain = NULL;
	size_t used, free;

	(void)state;
	extent_records_take(&chain, 5000);
	extent_records_give(chain);
	free = count_free();
	used = metadata_stats().used;
	for (unsigned at = 1; at < 4; at++) {
		fault_set(&purge, at, at > 2);
		extent_records_purge();
		fault_set(&purge, 0, false);
		chain = NULL;
		assert_int_equal(extent_records_take(&chain, 5000), 5000);
		assert_int_equal(mark_chain(chain, 10 + at), 5000);
		extent_records_give(chain);
		/* Pages with addresses in them have no records. */
		assert_in_range(count_free(), free - 4 * 31, free);
		assert_int_equal(metadata_stats().used, used);
	}
}

/* Each call ends, and those that follow try nothing until there is more. */
static void
a_kernel_that_takes_nothing_is_left_alone(void **state)
{
	struct extent *chain = NULL, *more = NULL;
	size_t free = count_free();

	(void)state;
	extent_records_take(&chain, 8000);
	extent_records_take(&more, 60000);
	extent_records_give(chain);
	fault_set(&purge, 1, true);
	extent_records_purge();
	assert_int_not_equal(purge.calls, 0);
	fault_set(&purge, 1, true);
	for (unsigned i = 0; i < 10; i++)
		extent_records_purge();
	assert_int_equal(purge.calls, 0);
	fault_set(&purge, 0, false);
	extent_records_give(more);
	extent_records_purge();
	assert_true(extent_records_stats().purged >
	    60000 / 40 * system_info.page_size);
	assert_true(count_free() >= free);
	/* All of them count again. */
	chain = NULL;
	extent_records_take(&chain, 8000);
	extent_records_give(chain);
	extent_records_purge();
}

/* Against a table of who has which record. */
static void
random_operations_lose_no_record(void **state)
{
	static struct extent *mine[4000];
	uint64_t seed = 9;
	size_t n = 0, made = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct extent *chain = NULL;
		unsigned count = 1 + (unsigned)random_below(&seed, 200);

		if (random_below(&seed, 50) == 0)
			extent_records_purge();
		if (random_below(&seed, 2) == 0 && n + count <= 4000) {
			extent_records_take(&chain, count);
			for (; chain != NULL; chain = chain->next) {
				chain->addr = (char *)chain;
				chain->size = i;
				mine[n++] = chain;
			}
		}
		for (; random_below(&seed, 120) != 0 && n > 0; n--) {
			size_t k = random_below(&seed, n);

			assert_ptr_equal(mine[k]->addr, mine[k]);
			mine[k]->addr = NULL;
			mine[k]->next = chain;
			chain = mine[k];
			mine[k] = mine[n - 1];
		}
		extent_records_give(chain);
	}
	made = extent_records_stats().made;
	extent_records_purge();
	assert_int_equal(extent_records_stats().made, made);
}

static _Atomic unsigned wrong;

static void *
take_and_give(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	for (unsigned i = 0; i < 3000; i++) {
		struct extent *chain = NULL;
		unsigned n = 1 + (unsigned)random_below(&seed, 30);

		if (extent_records_take(&chain, n) != n)
			wrong++;
		for (struct extent *e = chain; e != NULL; e = e->next)
			e->addr = arg;
		for (struct extent *e = chain; e != NULL; e = e->next)
			if (e->addr != arg)
				wrong++;
		extent_records_give(chain);
		if (i % 100 == 0)
			extent_records_purge();
	}
	return NULL;
}

static void
threads_never_hold_the_same_record(void **state)
{
	pthread_t thread[4];

	(void)state;
	for (uintptr_t i = 0; i < ARRAY_LEN(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL, take_and_give,
				     (void *)i),
		    0);
	for (unsigned i = 0; i < ARRAY_LEN(thread); i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_as_asked_for_are_added_to_the_chain),
		cmocka_unit_test(what_was_given_is_taken_before_new_ones),
		cmocka_unit_test(
		    short_of_memory_there_are_fewer_and_none_is_lost),
		cmocka_unit_test(records_that_nobody_uses_leave_memory),
		cmocka_unit_test(what_the_kernel_keeps_is_used_again),
		cmocka_unit_test(a_kernel_that_takes_nothing_is_left_alone),
		cmocka_unit_test(random_operations_lose_no_record),
		cmocka_unit_test(threads_never_hold_the_same_record),
	};

	system_init();
	metadata_init();
	extent_records_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
