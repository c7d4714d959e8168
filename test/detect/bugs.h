/*
 * bugs: programs that misuse the heap, one function each, for scripts/detect.
 *
 * Offers:     the table of a file's bugs, and what they are written with.
 * Invariants: a bug calls wrong_begins() right before its mistake and
 *             wrong_ends() right behind it, so that it is known whether it was
 *             found at once. They use nothing but what every malloc has, so
 *             that all can be tried; what a C library lacks is looked up, and
 *             the bug ends with missing().
 */
#ifndef BUGS_H
#define BUGS_H

#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What came of a mistake that nothing has stopped. */
enum harm {
	NONE, /* the heap serves as before */
	DONE  /* a place is given out twice, or a neighbour has changed */
};

/*
 * What ours promises by default, with safety:full, and with guard_sample:1, a
 * letter for each: o, it is found at once; l, later at the latest; s, no harm
 * is done; -, nothing.
 */
struct bug {
	const char *name; /* what is done */
	const char *promises;
	enum harm (*commit)(void);
};

/*
 * How a bug is judged: CALL, the library is called wrongly, and a fault inside
 * it is no finding; ACCESS, an access that faults is found; EXPOSURE, harm is
 * what counts.
 */
enum kind { CALL, ACCESS, EXPOSURE };

/* The bugs of one property that a user asks for; ended by one without name. */
struct property {
	const char *name;
	enum kind kind;
	const struct bug *bugs;
};

extern const struct property free_properties[], access_properties[];

void wrong_begins(void);
void wrong_ends(void);
_Noreturn void missing(const char *function);

/* What the compiler must know nothing of. */
void *hidden(void *pointer);

/* malloc, or the end: a bug needs its memory. */
void *taken(size_t size);

/* By operator delete, with a size if it is not 0, with an alignment. */
void delete_it(void *block);
void delete_sized(void *block, size_t size);
void delete_aligned(void *block, size_t size, size_t alignment);
void delete_array(void *block);
void *new_one(size_t size);
void *new_array(size_t size);

/* Runs `act` in a thread that ends before this returns. */
void in_thread(void (*act)(void *), void *argument);

/* Frees `count` other blocks of this size between two steps. */
void free_others(size_t size, unsigned count);

/* Allocates some of this size, and says whether one place came twice. */
enum harm given_twice(size_t size);

/* Whether one of the next blocks of this size holds or lies at `place`. */
enum harm given_out(size_t size, const void *place);

#endif
