/*
 * modes: starts a test program once for each of several MALLOC_CONF.
 */
#ifndef MODES_H
#define MODES_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The program starts itself with one argument: the mode. Returns its status. */
static inline int
modes_run(const char *program, const char *const *modes, size_t nmodes)
{
	int result = 0;

	for (size_t i = 0; i < nmodes; i++) {
		int status = 1;
		pid_t child = fork();

		if (child == 0) {
			setenv("MALLOC_CONF", modes[i], 1);
			execl(program, program, modes[i], (char *)NULL);
			_exit(127);
		}
		if (child < 0 || waitpid(child, &status, 0) != child ||
		    status != 0) {
			printf("FAIL with MALLOC_CONF=%s\n", modes[i]);
			result = 1;
		}
	}
	return result;
}

#endif
