/*
 * process: the programs that jeprof starts: objdump, dot, viewers.
 *
 * Owns:       the places where they are looked for.
 * Invariants: no shell is used, so each word arrives as it is. If a program
 *             can't be started, jeprof prints a line with its name, and ends.
 * Locking:    none.
 */
#ifndef PROFILE_PROCESS_H
#define PROFILE_PROCESS_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct process {
	pid_t child;
	FILE *output; /* what it writes, if output was PIPE */
};

/* A prefix, or tool:path, several with commas; NULL: use $JEPROF_TOOLS. */
void process_tools(const char *tools);
/*
 * Starts a program. words[0] is its name, or a path if it has a slash. If
 * output is PIPE, the caller reads the output from process->output.
 */
#define PIPE (-1)
void process_start(struct process *process, const char *const *words, int input,
    int output);
/* Waits for the end; false: the program has failed. */
bool process_end(struct process *process);
/*
 * The path where a shell finds this program; NULL: there is none. The caller
 * frees it.
 */
char *process_find(const char *name);
/* Is there a program with this name? */
bool process_exists(const char *name);

#endif
