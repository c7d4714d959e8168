/*
 * prof_loaded against /proc/self/maps: both know the same code of the same
 * files.
 */
#include "prof/prof_loaded.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../unit.h"
#include "os/system.h"

struct line {
	uintptr_t start, end;
	unsigned long long offset;
	char flags[8];
	char name[PATH_MAX];
};

enum { LINES = 500 };

static char text[1 << 18];
static size_t length;
static struct line loaded[LINES], mapped[LINES];
static unsigned nloaded, nmapped;

static void
keep(void *context, const char *part, size_t size)
{
	(void)context;
	assert_true(length + size < sizeof(text));
	memcpy(text + length, part, size);
	length += size;
	text[length] = '\0';
}

static bool
read_line(const char *from, struct line *line)
{
	int at = 0,
	    n = sscanf(from, "%zx-%zx %7s %llx %*x:%*x %*u %n", &line->start,
		&line->end, line->flags, &line->offset, &at);

	if (n < 4 || at == 0)
		return false;
	snprintf(line->name, sizeof(line->name), "%.*s",
	    (int)strcspn(from + at, "\n"), from + at);
	return true;
}

static void
read_loaded(void)
{
	length = 0;
	nloaded = 0;
	assert_true(prof_loaded_list(keep, NULL));
	for (const char *at = text; *at != '\0'; at = strchr(at, '\n') + 1) {
		assert_true(nloaded < LINES);
		assert_true(read_line(at, &loaded[nloaded]));
		nloaded++;
	}
}

static void
read_mapped(void)
{
	static char line[PATH_MAX + 100];
	FILE *file = fopen("/proc/self/maps", "r");

	assert_non_null(file);
	nmapped = 0;
	while (fgets(line, sizeof(line), file) != NULL) {
		assert_true(nmapped < LINES);
		assert_true(read_line(line, &mapped[nmapped]));
		nmapped++;
	}
	fclose(file);
}

static bool
same_file(const char *a, const char *b)
{
	char x[PATH_MAX], y[PATH_MAX];

	return strcmp(a, b) == 0 ||
	    (realpath(a, x) != NULL && realpath(b, y) != NULL &&
		strcmp(x, y) == 0);
}

static const struct line *
loaded_at(uintptr_t address)
{
	for (unsigned i = 0; i < nloaded; i++)
		if (address >= loaded[i].start && address < loaded[i].end)
			return &loaded[i];
	return NULL;
}

static void
the_kernel_and_the_loader_agree(void **state)
{
	unsigned ncode = 0;

	(void)state;
	/* A library that was not there at the start. */
	assert_non_null(dlopen("libm.so.6", RTLD_NOW));
	read_mapped();
	read_loaded();
	for (unsigned i = 0; i < nmapped; i++) {
		const struct line *line;

		if (mapped[i].flags[2] != 'x' ||
		    (mapped[i].name[0] != '/' &&
			strcmp(mapped[i].name, "[vdso]") != 0))
			continue;
		line = loaded_at(mapped[i].start);
		if (line == NULL)
			fail_msg("%s is not listed", mapped[i].name);
		assert_true(line->start == mapped[i].start);
		assert_true(line->end == mapped[i].end);
		assert_true(line->offset == mapped[i].offset);
		assert_string_equal(line->flags, mapped[i].flags);
		if (!same_file(line->name, mapped[i].name))
			fail_msg("%s is %s", line->name, mapped[i].name);
		ncode++;
	}
	assert_true(ncode >= 4);
}

static void
lines_are_in_order_and_do_not_overlap(void **state)
{
	(void)state;
	read_loaded();
	for (unsigned i = 0; i < nloaded; i++) {
		assert_true(loaded[i].start < loaded[i].end);
		assert_true(i == 0 || loaded[i - 1].end <= loaded[i].start);
	}
}

static void
the_program_has_its_name(void **state)
{
	uintptr_t here = (uintptr_t)the_program_has_its_name;

	(void)state;
	read_loaded();
	assert_string_equal(loaded_at(here)->name, prof_loaded_program());
	assert_true(same_file(prof_loaded_program(), "/proc/self/exe"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_and_the_loader_agree),
		cmocka_unit_test(lines_are_in_order_and_do_not_overlap),
		cmocka_unit_test(the_program_has_its_name),
	};

	system_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
