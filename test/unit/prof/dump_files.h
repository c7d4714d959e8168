/*
 * dump_files: samples of any size, and a folder for files with them that are
 * whole or not there. For tests of the forms in which samples are dumped.
 */
#ifndef UNIT_PROF_DUMP_FILES_H
#define UNIT_PROF_DUMP_FILES_H

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"
#include "prof/prof_table.h"

static struct prof_counts
sample_of(uint64_t usable, double period)
{
	double p = -expm1(-(double)usable / period);

	return (struct prof_counts){ 1, usable,
		(uint64_t)(PROF_WEIGHT_ONE / p + 0.5),
		(uint64_t)(PROF_WEIGHT_BYTE * (double)usable / p + 0.5) };
}

static char folder[] = "/tmp/test_prof_files.XXXXXX";

static const char *
in_folder(const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* Nothing is left in it. */
static void
check_empty_folder(void)
{
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(mkdir(folder, 0700), 0);
}

/* `limit`: bytes that are less than what is written. */
static void
check_unwritable(bool (*write_to)(const char *path), rlim_t limit)
{
	const struct rlimit small = { limit, limit };
	int status;
	pid_t child;

	assert_false(write_to("/nowhere/at/all"));
	assert_false(write_to(folder));
	child = fork();
	if (child == 0) {
		/* The disk is full in the middle of it. */
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &small);
		_exit(write_to(in_folder("full")) ? 1 : 0);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	check_empty_folder();
}

#endif
