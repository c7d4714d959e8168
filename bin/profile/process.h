/*
 * process: the programs that jeprof starts: objdump, dot, viewers.
 *
 * Owns:       where they are looked for.
 * Invariants: no shell is between: each word arrives as it is. A program that
 *             can't be started ends jeprof with a line that names it.
 * Locking:    none.
 */
#ifndef PROFILE_PROCESS_H
#define PROFILE_PROCESS_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct process {
	pid_t child;
	FILE *output;		/* what it writes, if that was asked for */
};

/* prefix, or tool:path, several with commas; NULL: what $JEPROF_TOOLS says. */
void process_tools(const char *tools);
/*
 * words[0] is a name, or a path if it has a slash. PIPE as output: to be read from the
 * process.
 */
#define PIPE (-1)
void process_start(struct process *process, const char *const *words, int input,
    int output);
/* False if the program failed. */
bool process_end(struct process *process);
/* Where a shell finds the program of this name; NULL: nowhere. To be freed. */
char *process_find(const char *name);
/* Is there a program of this name? */
bool process_exists(const char *name);

#endif
