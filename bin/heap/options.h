/*
 * options: the command line of jeheap.
 *
 * Owns:       the table of options, the text of --help.
 * Invariants: an option that would have no effect is refused. Options may come
 *             before and after the command. Errors end the program.
 * Locking:    none.
 */
#ifndef HEAP_OPTIONS_H
#define HEAP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "target.h"

struct command;

enum sort_by { SORT_SIZE, SORT_COUNT, SORT_TOTAL };

struct options {
	struct target_options target;
	const struct command *command;
	const char *operand;             /* of the command, or NULL */
	int64_t arena, thread, instance; /* -1: all */
	bool include_cached, include_free;
	int64_t limit; /* -1: the command's own; 0: none */
	bool json, quiet, verbose;
	enum sort_by sort;
	const char *dir;
	uint64_t max_bytes;
	bool one_file, force;
	int64_t words, samples;  /* -1: the command's own */
	int64_t interval, count; /* of top: seconds; times, 0: no end */
};

void options_parse(struct options *options, int argc, char **argv);

/* A number of bytes with a suffix k, m or g; false: it is none. */
bool size_parse(const char *text, const char **end, uint64_t *size);

#endif
