/*
 * source: lines of source files.
 *
 * Owns:       the text of the files that were asked for.
 * Invariants: a file is read once. If it can't be read, a line on stderr says
 *             so, once.
 * Locking:    none.
 */
#ifndef PROFILE_SOURCE_H
#define PROFILE_SOURCE_H

#include <stdbool.h>

struct source {
	const char *path;
	char **lines;
	int count; /* 0: can't be read */
};

/* Can the file be read? Says nothing if not. */
bool source_exists(const char *path);
const struct source *source_find(const char *path);
/* The first line has number 1; "" if there is no such line. */
const char *source_line(const struct source *source, int number);

#endif
