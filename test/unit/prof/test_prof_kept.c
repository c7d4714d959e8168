/*
 * prof_kept against a plain model: of the files that were entered, the newest
 * ones and the one with the most are left, and nothing else is touched.
 */
#include "prof/prof_kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/system.h"
#include "pieces.h"
#include "prof/prof_names.h"

enum { FILES = 400 };

static char folder[64];
static char path[128];

static const char *
name(unsigned i)
{
	snprintf(path, sizeof(path), "%s/%u", folder, i);
	return path;
}

static void
write_file(unsigned i)
{
	FILE *file = fopen(name(i), "w");

	assert_non_null(file);
	fclose(file);
}

static bool
exists(unsigned i)
{
	return access(name(i), F_OK) == 0;
}

static void
add(unsigned i, uint64_t live, int64_t most)
{
	write_file(i);
	prof_kept_add(PROF_SERIES_PEAK, name(i), live, most);
}

/* The list is one for the process, so each test has a process of its own. */
static void
in_child(void (*run)(void))
{
	int status;
	pid_t child;

	snprintf(folder, sizeof(folder), "/tmp/test_prof_kept.XXXXXX");
	assert_non_null(mkdtemp(folder));
	fflush(NULL);
	child = fork();
	if (child == 0) {
		run();
		_exit(0);
	}
	assert_true(waitpid(child, &status, 0) == child);
	for (unsigned i = 0; i < FILES; i++)
		unlink(name(i));
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(status, 0);
}

/* Of many with the same figure the last one is the peak. */
static void
compare_with_model(int64_t most)
{
	static uint64_t live[FILES];
	uint64_t seed = (uint64_t)most + 1;
	unsigned peak = 0;

	for (unsigned i = 0; i < FILES; i++) {
		live[i] = random_below(&seed, 1000);
		if (live[i] >= live[peak])
			peak = i;
		add(i, live[i], most);
		for (unsigned k = 0; k <= i; k++)
			if (exists(k) != (k == peak || (int64_t)(i - k) < most))
				abort();
	}
	/* Records: those of the files that are there, no more. */
	if (npieces > most + 1)
		abort();
}

static void
keep_none(void)
{
	compare_with_model(0);
}

static void
keep_one(void)
{
	compare_with_model(1);
}

static void
keep_seven(void)
{
	compare_with_model(7);
}

static void
the_newest_and_the_peak_are_left(void **state)
{
	(void)state;
	in_child(keep_none);
	in_child(keep_one);
	in_child(keep_seven);
}

static void
mix_series(void)
{
	for (unsigned i = 0; i < 100; i++) {
		write_file(i);
		prof_kept_add(i < 5 ? PROF_SERIES_INTERVAL : PROF_SERIES_PEAK,
		    name(i), 1, 3);
	}
	for (unsigned i = 0; i < 100; i++)
		if (exists(i) != ((i >= 2 && i < 5) || i >= 97))
			abort();
}

static void
a_series_does_not_displace_another_one(void **state)
{
	(void)state;
	in_child(mix_series);
}

static void
keep_all(void)
{
	for (unsigned i = 0; i < 100; i++)
		add(i, 1, -1);
	for (unsigned i = 0; i < 100; i++)
		if (!exists(i))
			abort();
	if (npieces != 0)
		abort();
}

static void
without_a_limit_all_are_left(void **state)
{
	(void)state;
	in_child(keep_all);
}

/* Somebody took the file away, and there is another one with its name now. */
static void
replace(void)
{
	char other[128];

	add(0, 0, 1);
	snprintf(other, sizeof(other), "%s/other", folder);
	if (rename(name(0), other) != 0)
		abort();
	write_file(0);
	for (unsigned i = 1; i < 4; i++)
		add(i, 0, 1);
	if (!exists(0) || exists(1) || exists(2) || !exists(3) ||
	    unlink(other) != 0)
		abort();
}

static void
what_is_not_ours_stays(void **state)
{
	(void)state;
	in_child(replace);
}

static void
fork_with_files(void)
{
	int status;
	pid_t child;

	for (unsigned i = 0; i < 3; i++)
		add(i, 3 - i, 1);
	child = fork();
	if (child == 0) {
		for (unsigned i = 10; i < 14; i++)
			add(i, i, 1);
		_exit(exists(12) || !exists(13));
	}
	if (waitpid(child, &status, 0) != child || status != 0)
		abort();
	/* 0 is the peak, 2 is the newest. */
	if (!exists(0) || exists(1) || !exists(2))
		abort();
}

static void
a_child_leaves_the_files_of_its_parent(void **state)
{
	(void)state;
	in_child(fork_with_files);
}

static void
refuse_memory(void)
{
	fault_set(&piece_fault, 1, true);
	add(0, 9, 0);
	add(1, 1, 0);
	if (!exists(0))
		abort();
}

static void
without_memory_the_file_stays(void **state)
{
	(void)state;
	in_child(refuse_memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_and_the_peak_are_left),
		cmocka_unit_test(a_series_does_not_displace_another_one),
		cmocka_unit_test(without_a_limit_all_are_left),
		cmocka_unit_test(what_is_not_ours_stays),
		cmocka_unit_test(a_child_leaves_the_files_of_its_parent),
		cmocka_unit_test(without_memory_the_file_stays),
	};

	system_init();
	metadata_init();
	prof_names_init("");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
