/*
 * input: which of the operands are files, which are URLs; is there a program?
 *
 * Owns:       the lists.
 * Invariants: afterwards every operand is a file that can be read: URLs have
 *             been fetched.
 * Locking:    none.
 */
#ifndef PROFILE_INPUT_H
#define PROFILE_INPUT_H

#include "options.h"

struct input {
	const char *program; /* NULL: not given */
	char **files;        /* profiles; NULL after the last */
	unsigned nfiles;
};

/* If the base is a URL, it becomes the file that it was fetched into. */
void input_find(struct input *input, struct options *options);

#endif
