#include "extent/extent_hooks.h"

#include <sys/mman.h>

#include "../unit.h"
#include "conf/options.h"
#include "extent/metadata.h"
#include "os/system.h"

/* Programs call the functions of the default table, so this test does. */
#define SIZE  ((size_t)4 << 20)
#define ALIGN ((size_t)2 << 20)

static struct {
	unsigned nwanted, nrefused;
} kernel;

bool __wrap_pages_want_huge(void *addr, size_t size);
bool __wrap_pages_refuse_huge(void *addr, size_t size);

bool
__wrap_pages_want_huge(void *addr, size_t size)
{
	assert_non_null(addr);
	assert_int_equal(size, SIZE);
	kernel.nwanted++;
	return true;
}

bool
__wrap_pages_refuse_huge(void *addr, size_t size)
{
	assert_non_null(addr);
	assert_int_equal(size, SIZE);
	kernel.nrefused++;
	return true;
}

static char *
alloc(void *addr)
{
	struct extent_hooks *hooks = &extent_hooks_default;
	bool zero = false, commit = false;
	char *got = hooks->alloc(hooks, addr, SIZE, ALIGN, &zero, &commit, 0);

	if (got == NULL)
		return NULL;
	assert_true(zero && commit);
	assert_int_equal((uintptr_t)got % system_info.page_size, 0);
	assert_int_equal(got[0], 0);
	got[SIZE - 1] = 1;
	return got;
}

static void
destroy(char *addr)
{
	extent_hooks_default.destroy(&extent_hooks_default, addr, SIZE, true,
	    0);
}

static bool
is_mapped(char *addr)
{
	unsigned char resident[SIZE / 4096];

	return mincore(addr, SIZE, resident) == 0;
}

static void
memory_is_where_it_is_wanted_or_there_is_none(void **state)
{
	char *first = alloc(NULL), *second;

	(void)state;
	assert_non_null(first);
	assert_int_equal((uintptr_t)first % ALIGN, 0);
	assert_null(alloc(first));
	destroy(first);
	assert_false(is_mapped(first));
	second = alloc(first);
	assert_ptr_equal(second, first);
	destroy(second);
}

static void
new_memory_has_the_advice_of_the_option(void **state)
{
	static const struct {
		enum thp thp;
		unsigned nwanted, nrefused;
	} advice[] = {
		{ THP_DEFAULT, 0, 0 },
		{ THP_ALWAYS, 1, 0 },
		{ THP_NEVER, 0, 1 },
		{ THP_UNSUPPORTED, 0, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(advice); i++) {
		opt_at_start.thp = advice[i].thp;
		memset(&kernel, 0, sizeof(kernel));
		destroy(alloc(NULL));
		assert_int_equal(kernel.nwanted, advice[i].nwanted);
		assert_int_equal(kernel.nrefused, advice[i].nrefused);
	}
	opt_at_start.thp = THP_DEFAULT;
}

/* The hook's `true` says that the memory is still there. */
static void
memory_goes_back_unless_it_is_to_be_kept(void **state)
{
	struct extent_hooks *hooks = &extent_hooks_default;
	char *addr = alloc(NULL);

	(void)state;
	opt_at_start.retain = true;
	assert_true(hooks->dalloc(hooks, addr, SIZE, true, 0));
	assert_true(is_mapped(addr));
	opt_at_start.retain = false;
	assert_false(hooks->dalloc(hooks, addr, SIZE, true, 0));
	assert_false(is_mapped(addr));
	opt_at_start.retain = true;
}

static void
parts_are_purged_and_the_rest_stays(void **state)
{
	struct extent_hooks *hooks = &extent_hooks_default;
	size_t page = system_info.page_size;
	char *addr = alloc(NULL);

	(void)state;
	memset(addr, 1, 3 * page);
	assert_false(hooks->purge_forced(hooks, addr, SIZE, page, page, 0));
	assert_int_equal(addr[page - 1], 1);
	assert_int_equal(addr[page], 0);
	assert_int_equal(addr[2 * page - 1], 0);
	assert_int_equal(addr[2 * page], 1);
	/* Always committed, cut and joined as anybody likes. */
	assert_false(hooks->commit(hooks, addr, SIZE, 0, page, 0));
	assert_true(hooks->decommit(hooks, addr, SIZE, 0, page, 0));
	assert_false(hooks->split(hooks, addr, SIZE, page, SIZE - page, true,
	    0));
	assert_false(hooks->merge(hooks, addr, page, addr + page, SIZE - page,
	    true, 0));
	destroy(addr);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_where_it_is_wanted_or_there_is_none),
		cmocka_unit_test(new_memory_has_the_advice_of_the_option),
		cmocka_unit_test(memory_goes_back_unless_it_is_to_be_kept),
		cmocka_unit_test(parts_are_purged_and_the_rest_stays),
	};

	system_init();
	metadata_init();
	options_init(&opt_at_start);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
