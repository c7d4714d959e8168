/*
 * dump: one profile file in memory.
 *
 * Owns:       the text of the file, its stacks and its load map.
 * Invariants: values are un-sampled, line by line, before they are added up.
 *             Return addresses are reduced by one, except a stack's first. If a
 *             file breaks the grammar, the program prints the file's name and
 *             the line, and ends. It never uses a part of a dump.
 * Locking:    none.
 */
#ifndef PROFILE_DUMP_H
#define PROFILE_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum dump_view {
	INUSE_SPACE, INUSE_OBJECTS, ALLOC_SPACE, ALLOC_OBJECTS
};

#define THREAD_ALL UINT64_MAX	/* the t* lines */

struct mapping {
	uint64_t start, end, offset;
	bool brief;		/* no offset was given */
	const char *path;	/* interned, without " (deleted)" */
	void *image;		/* what symbols.c found for it */
};

struct dump_counts {		/* as they are in the file */
	double objects, bytes, objects_ever, bytes_ever;
};

struct dump_stack {
	size_t first, count;	/* its part of pcs, innermost first */
	double value;
	struct dump_counts counts;	/* value was computed from these */
};

struct dump_symbol {
	uint64_t pc;
	const char *names;	/* outermost--...--innermost */
};

struct dump {
	const char *path;
	const char *text;	/* without symbols before it, for --raw */
	size_t length;
	double period;		/* 0: the counts are exact */
	bool by_ratio;		/* un-sample like the first heap profilers */
	uint64_t *pcs;
	size_t npcs;
	struct dump_stack *stacks;
	size_t nstacks;
	uint64_t *threads;	/* ids, ascending */
	size_t nthreads;
	struct mapping *maps;
	size_t nmaps;
	struct dump_symbol *symbols;	/* only in symbolized profiles */
	size_t nsymbols;
	const char *binary;
	const char *build;	/* what $build stands for in the map */
};

/* Reads lines of a load map and lines with an address; each is a stack. */
struct dump *dump_read_addresses(FILE *file);
struct dump *dump_read(const char *path, enum dump_view view, uint64_t thread);
/* Does the file begin like one of the formats that dump_read() knows? */
bool dump_looks_like(const char *path);
bool dump_is_symbolized(const char *path);

#endif
