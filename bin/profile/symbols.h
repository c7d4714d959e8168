/*
 * symbols: which function and line is at an address?
 *
 * Owns:       the locations. A location is an address within an image, wherever
 *             the image was loaded when the dump was made; or the names that a
 *             dump has for an address, if it has names.
 * Invariants: a location's number is the same for equal places of all dumps, so
 *             stacks can be compared by numbers. A resolved location has at
 *             least one frame. The last frame is the function itself; those
 *             before it are inlined into it, innermost first. No name is taken
 *             from a symbol that ends before the address.
 * Locking:    none.
 */
#ifndef PROFILE_SYMBOLS_H
#define PROFILE_SYMBOLS_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdint.h>

#include "dump.h"

struct image;
struct scope;

struct frame {
	const char *name;       /* in full; NULL if unknown */
	const char *short_name; /* in hex if unknown */
	const char *label;      /* the same, perhaps with its address */
	const char *file;       /* NULL if unknown */
	int line;
	bool inlined;
	bool allocator; /* by its name */
	bool inside;    /* it is in an allocator's library */
	uint64_t pc;
	unsigned location;
	unsigned entry;   /* belongs to the report */
	uint64_t start;   /* of the function, as linked; 0: unknown */
	const char *home; /* file it is defined in, or image; or NULL */
	int first_line;   /* of its definition; 0: unknown */
	const struct scope *scope; /* NULL: no debug information */
	Dwarf_Die unit;
};

/* All frames of all stacks go through these: each is one line of the cache. */
struct location {
	struct frame *frames;
	unsigned nframes;
	unsigned match;      /* belongs to stacks.c */
	bool inside;         /* it is in an allocator's library */
	bool seen;           /* all but the frames is known */
	bool named;          /* made at run time or shared: the key is a name */
	bool gone;           /* no mapping had its address any more */
	bool shared;         /* several files had its address, at times */
	const void *key;     /* the image, or the names that it was given */
	uint64_t address;    /* within the image as linked */
	uint64_t pc;         /* of the first dump that has it */
	struct image *image; /* NULL: not within a file */
	const struct mapping *map; /* of the first dump that has it */
};

unsigned symbols_location(struct dump *dump, uint64_t pc);
struct location *symbols_get(unsigned location);
size_t symbols_count(void);
/* Frames whose names match the dump's own patterns are an allocator's, too. */
void symbols_drop(const struct dump *dump);
void symbols_resolve(void);

#endif
