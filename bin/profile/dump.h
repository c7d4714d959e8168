/*
 * dump: one profile file in memory, compressed or not.
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
#include <time.h>

enum dump_view {
	INUSE_SPACE,
	INUSE_OBJECTS,
	ALLOC_SPACE,
	ALLOC_OBJECTS,
	VIEWS
};

/* Classes of age in a profile of holes, in the place of threads 0 to 5. */
#define AGES       6
#define THREAD_ALL UINT64_MAX /* the t* lines */

struct mapping {
	uint64_t start, end, offset;
	uint64_t base;          /* where the file's first mapping starts */
	uint64_t device, inode; /* 0: not known */
	bool brief;             /* no offset was given */
	bool moved;             /* anonymous memory in a gap of a file */
	bool is_file;           /* else its path is a name in brackets */
	bool overlaps;          /* belongs to owners.c */
	bool deleted;           /* the file, or its name, while it was mapped */
	bool closed;            /* not there any more when it was written */
	const char *path;       /* interned, without " (deleted)" */
	const char *build_id;   /* in hex, or NULL */
	void *image;            /* what symbols.c found for it */
};

struct dump_counts { /* as they are in the file */
	double objects, bytes, objects_ever, bytes_ever;
};

struct dump_stack {
	size_t first, count; /* its part of pcs, innermost first */
	double value;
	struct dump_counts counts; /* value was computed from these */
};

struct dump_line {
	const char *name;     /* NULL: not known */
	const char *file;     /* NULL: not known */
	int line, first_line; /* first_line: of the function; 0: not known */
};

/* The names of an address, either as text or as lines. */
struct dump_symbol {
	uint64_t pc;
	const char *names;       /* outermost--...--innermost, or NULL */
	struct dump_line *lines; /* innermost first */
	size_t nlines;
	const void *key; /* belongs to symbols.c */
};

enum dump_form { DUMP_TEXT, DUMP_RAW, DUMP_GO, DUMP_PROTO };

struct dump {
	const char *path;
	enum dump_form form;
	struct timespec time; /* when it was written; 0: not known */
	const char *text;     /* without symbols before it, for --raw */
	size_t length;
	double period; /* 0: the counts are exact */
	bool by_ratio; /* un-sample like the first heap profilers */
	bool negative; /* counts of a difference */
	bool holes;    /* threads are classes of age */
	uint64_t *pcs;
	size_t npcs;
	struct dump_stack *stacks;
	size_t nstacks;
	uint64_t *threads; /* ids, ascending */
	size_t nthreads;
	struct mapping *maps;
	size_t nmaps;
	struct dump_symbol *symbols; /* names that the file itself has */
	size_t nsymbols;
	unsigned *symbol_slots; /* belongs to symbols.c */
	size_t symbol_mask;
	bool partly;             /* not all addresses have such names */
	bool lineless;           /* it has names, but no lines */
	const char *drop_frames; /* a pattern of allocators, or NULL */
	const char *keep_frames; /* exceptions from that, or NULL */
	const char *binary;
	const char *build;     /* what $build stands for in the map */
	double rate;           /* what it says of its samples, even if exact */
	int here;              /* is it of this machine? belongs to images.c */
	const char *last_path; /* of the newest lines of the map, where ... */
	uint64_t last_base;    /* ... they begin */
	size_t moved;          /* newest mappings that may be parts of it */
	bool shared;           /* told of such addresses; see symbols.c */
	bool overlaps_known;   /* belongs to owners.c */
};

/* Reads lines of a load map and lines with an address; each is a stack. */
struct dump *dump_read_addresses(FILE *file);
struct dump *dump_read(const char *path, enum dump_view view, uint64_t thread);
/* Does the file begin like one of the formats that dump_read() knows? */
bool dump_looks_like(const char *path);
/* The program of the profile, as far as it says; else the file's own name. */
const char *dump_program(const struct dump *dump);
bool dump_is_symbolized(const char *path);

#endif
