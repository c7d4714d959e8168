#include "api/boot.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "api/inspect.h"
#include "os/file.h"

/* In a process that was started with NO_THP, the kernel has no huge pages. */
ssize_t __real_file_read_line(const char *path, char *buf, size_t size);
ssize_t __wrap_file_read_line(const char *path, char *buf, size_t size);

ssize_t
__wrap_file_read_line(const char *path, char *buf, size_t size)
{
	if (strstr(path, "transparent_hugepage") != NULL &&
	    getenv("NO_THP") != NULL) {
		buf[0] = '\0';
		return -1;
	}
	return __real_file_read_line(path, buf, size);
}

#define TAKEN_MAX 400

static const char *program;

/* The library is a part of this program: what it is given it must know. */

static struct {
	unsigned char *start;
	size_t size;
} taken[TAKEN_MAX];
static unsigned ntaken;

static bool
take(size_t size, size_t align)
{
	unsigned char *object = boot_take(size, align);

	if (object == NULL)
		return false;
	assert_true(ntaken < TAKEN_MAX);
	assert_int_equal((uintptr_t)object % align, 0);
	assert_int_equal((uintptr_t)object % 16, 0);
	assert_int_equal(boot_usable(object), (size + 15) / 16 * 16);
	assert_true(boot_owns(object));
	assert_true(size == 0 || boot_owns(object + size - 1));
	memset(object, (int)ntaken + 1, boot_usable(object));
	taken[ntaken].start = object;
	taken[ntaken++].size = size;
	return true;
}

static void
check_contents(void)
{
	for (unsigned i = 0; i < ntaken; i++) {
		assert_int_equal(boot_usable(taken[i].start),
		    (taken[i].size + 15) / 16 * 16);
		for (size_t k = 0; k < taken[i].size; k++)
			assert_int_equal(taken[i].start[k],
			    (unsigned char)(i + 1));
	}
}

static void
memory_of_the_start_is_aligned_and_nobody_elses(void **state)
{
	(void)state;
	for (size_t size = 0; size < 40; size++)
		assert_true(take(size, 1));
	for (size_t align = 1; align <= 1024; align *= 2)
		assert_true(take(24, align));
	check_contents();
}

/* Realloc brings it to the heap, free leaves it, its size can be asked for. */
static void
it_can_be_used_like_all_other_memory(void **state)
{
	char *object = boot_take(40, 1), *again;

	(void)state;
	assert_non_null(object);
	strcpy(object, "what is in it");
	assert_int_equal(malloc_usable_size(object), 48);
	assert_int_equal(inspect_usable(object), 48);
	again = realloc(object, 3000);
	assert_non_null(again);
	assert_false(boot_owns(again));
	assert_string_equal(again, "what is in it");
	free(again);
	object = boot_take(40, 1);
	assert_non_null(object);
	strcpy(object, "more of it");
	again = realloc(object, 8);
	assert_memory_equal(again, "more of ", 8);
	free(again);
	object = boot_take(100, 1);
	free(object);
	check_contents();
}

static void
there_is_no_more_than_it_has(void **state)
{
	unsigned before;
	size_t sum = 0;

	(void)state;
	assert_false(take(8193, 1));
	assert_false(take(SIZE_MAX, 1));
	assert_false(take(SIZE_MAX - 40, 16));
	assert_null(boot_take(1, 16384));
	assert_null(boot_take(8192, 1));
	before = ntaken;
	while (take(32, 1))
		;
	/* What was refused has taken nothing that others need. */
	assert_true(ntaken - before > 10);
	assert_true(ntaken - before < 8192 / 48);
	for (unsigned i = 0; i < ntaken; i++)
		sum += taken[i].size;
	assert_true(sum <= 8192);
	assert_false(take(32, 1));
	check_contents();
}

static void
other_memory_is_not_that_of_the_start(void **state)
{
	unsigned char *low = taken[0].start, *high = low;
	void *object = malloc(100);

	(void)state;
	for (unsigned i = 0; i < ntaken; i++) {
		if (taken[i].start < low)
			low = taken[i].start;
		if (taken[i].start > high)
			high = taken[i].start;
	}
	assert_false(boot_owns(object));
	assert_false(boot_owns(&object));
	assert_false(boot_owns(NULL));
	assert_false(boot_owns(low - 8192));
	assert_false(boot_owns(high + 8192));
	free(object);
}

/* What this program says when it is started so. */
static const char *
said_with(const char *settings)
{
	static char text[500];
	char command[5000];
	FILE *file;

	snprintf(command, sizeof(command), "%s \"%s\" start 2>&1", settings,
	    program);
	file = popen(command, "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	assert_int_equal(pclose(file), 0);
	return text;
}

static void
advice_that_the_kernel_can_not_take_is_told(void **state)
{
	(void)state;
	assert_string_equal(said_with("NO_THP=1 MALLOC_CONF=thp:never"),
	    "<jemalloc>: No THP support: thp:never has no effect: the kernel "
	    "has no huge pages\n");
	assert_string_equal(said_with("NO_THP=1 MALLOC_CONF=thp:default"), "");
	assert_string_equal(said_with("NO_THP=1"), "");
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    memory_of_the_start_is_aligned_and_nobody_elses),
		cmocka_unit_test(it_can_be_used_like_all_other_memory),
		cmocka_unit_test(there_is_no_more_than_it_has),
		cmocka_unit_test(other_memory_is_not_that_of_the_start),
		cmocka_unit_test(advice_that_the_kernel_can_not_take_is_told),
	};

	if (argc > 1)
		return 0;
	program = argv[0];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
