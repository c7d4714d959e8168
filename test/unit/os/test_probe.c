#include "os/probe.h"

#include <string.h>

#include <stdlib.h>

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit.h"
#include "os/system.h"

static void
only_what_can_be_read_is_readable(void **state)
{
	uintptr_t page = system_info.page_size;
	uintptr_t at = (uintptr_t)mmap(NULL, 4 * page, PROT_READ,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(mprotect((void *)(at + 2 * page), page, PROT_NONE), 0);
	assert_int_equal(munmap((void *)(at + 3 * page), page), 0);
	errno = 77;
	assert_true(probe_readable(at, at + 2 * page));
	assert_true(probe_readable(at + page - 4, at + page + 4));
	assert_false(probe_readable(at, at + 2 * page + 1));
	assert_false(probe_readable(at + 2 * page, at + 2 * page + 8));
	assert_false(probe_readable(at + 3 * page, at + 3 * page + 8));
	assert_false(probe_readable(0, 8));
	assert_false(probe_readable(UINTPTR_MAX / 64 * 63,
	    UINTPTR_MAX / 64 * 63 + 8));
	assert_int_equal(errno, 77);
}

static void
one_question_is_about_so_many_pages(void **state)
{
	uintptr_t page = system_info.page_size;
	uintptr_t at = (uintptr_t)mmap(NULL, (PROBE_PAGES + 1) * page,
	    PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(probe_readable(at, at + PROBE_PAGES * page));
	assert_false(probe_readable(at, at + PROBE_PAGES * page + 1));
}

static void
the_first_stack_ends_above_us(void **state)
{
	(void)state;
	assert_true(probe_first_stack() > (uintptr_t)&state);
}

static void
a_copy_of_what_is_not_there_is_refused(void **state)
{
	uintptr_t page = system_info.page_size;
	char *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char copy[8] = "";
	long memory = probe_open();

	(void)state;
	assert_int_equal(munmap(at + page, page), 0);
	memcpy(at + page - 8, "to copy", 8);
	errno = 77;
	assert_false(probe_copy(-1, (uintptr_t)at, copy, 8));
	if (memory < 0) {
		assert_true(access("/proc/self/mem", R_OK) != 0);
		SKIP_TEST("/proc/self/mem can't be read here");
	}
	assert_true(probe_copy(memory, (uintptr_t)at + page - 8, copy, 8));
	assert_string_equal(copy, "to copy");
	assert_false(probe_copy(memory, (uintptr_t)at + page - 7, copy, 8));
	assert_false(probe_copy(memory, (uintptr_t)at + page, copy, 8));
	assert_false(probe_copy(memory, 0, copy, 8));
	assert_false(probe_copy(memory, UINTPTR_MAX - 3, copy, 8));
	probe_close(memory);
	assert_false(probe_copy(memory, (uintptr_t)at, copy, 8));
	assert_int_equal(errno, 77);
}

static void
a_test_has_a_loader(void **state)
{
	(void)state;
	assert_false(probe_is_static());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_can_be_read_is_readable),
		cmocka_unit_test(one_question_is_about_so_many_pages),
		cmocka_unit_test(a_copy_of_what_is_not_there_is_refused),
		cmocka_unit_test(a_test_has_a_loader),
		cmocka_unit_test(the_first_stack_ends_above_us),
	};

	system_init();
	if (under_valgrind())
		SKIP_BECAUSE("valgrind answers the question itself");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
