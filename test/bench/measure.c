/*
 * measure: runs a command and writes down what it has used.
 *
 * usage: measure FILE [KEY=VALUE]... COMMAND [ARGUMENT]...
 *
 * FILE gets one line: seconds of time, user and system seconds, peak resident
 * KiB, minor and major page faults, of the command and of what it has waited
 * for. The exit status is the command's; 128 + n if signal n has ended it, and
 * 125 if it could not be started.
 *
 * The peak of a process starts at that of the one which started it. This
 * program is small, so a small command is not hidden by a big test driver.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double
seconds_of(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

static double
clock_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int
main(int argc, char **argv)
{
	struct rusage used;
	int error, status, at = 2;
	double start, end;
	pid_t child;
	FILE *file;

	while (at < argc && strchr(argv[at], '=') != NULL)
		at++;
	if (at >= argc) {
		fprintf(stderr,
		    "usage: measure FILE [KEY=VALUE]... COMMAND...\n");
		return 125;
	}
	for (int i = 2; i < at; i++)
		putenv(argv[i]);
	start = clock_seconds();
	error = posix_spawnp(&child, argv[at], NULL, NULL, &argv[at], environ);
	if (error != 0) {
		fprintf(stderr, "measure: %s: %s\n", argv[at], strerror(error));
		return 125;
	}
	if (wait4(child, &status, 0, &used) != child)
		return 125;
	end = clock_seconds();
	file = fopen(argv[1], "w");
	if (file == NULL) {
		fprintf(stderr, "measure: %s can't be written\n", argv[1]);
		return 125;
	}
	fprintf(file, "%.6f %.6f %.6f %ld %ld %ld\n", end - start,
	    seconds_of(used.ru_utime), seconds_of(used.ru_stime),
	    used.ru_maxrss, used.ru_minflt, used.ru_majflt);
	if (fclose(file) != 0)
		return 125;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}
