/*
 * stacks: the sum of all profiles, and the part of it that a report needs.
 *
 * Owns:       struct profile (stacks of locations with their sums) and struct
 *             traces (stacks of frames after all filters).
 * Invariants: values are added after un-sampling. Filters work on frames in
 *             this order: allocator frames, retain and exclude, focus, ignore.
 *             The total is taken before all of them. A trace has at least one
 *             frame.
 * Locking:    none.
 */
#ifndef PROFILE_STACKS_H
#define PROFILE_STACKS_H

#include <stdbool.h>
#include <stddef.h>

#include "dump.h"
#include "symbols.h"

struct stack {
	size_t first, count; /* its part of locations, innermost first */
	double value;        /* without the base */
	double base;
	bool in_base_only;
};

struct profile {
	struct stack *stacks;
	size_t nstacks;
	unsigned *locations;
	size_t nlocations;
	unsigned *slots; /* stack + 1 by hash */
	size_t mask;
	bool all_views;         /* set it before the first dump is added */
	double (*views)[VIEWS]; /* of each stack, if all_views */
};

struct trace {
	struct frame **frames; /* innermost first */
	unsigned count;
	double value;
	double base;         /* that was subtracted */
	const double *views; /* NULL, unless the profile has all views */
};

struct traces {
	struct trace *item;
	size_t count;
	double total; /* before filters */
	double kept;  /* after them */
	double base;  /* that was subtracted, after them */
};

struct filters { /* regular expressions, or NULL */
	const char *focus, *ignore, *retain, *exclude;
	bool drop_negative;
};

/* Adds a dump; sign -1: it is the base, and is subtracted. */
void profile_add(struct profile *profile, struct dump *dump, int sign);
/* Call this after symbols_resolve(). */
void traces_take(struct traces *traces, const struct profile *profile,
    const struct filters *filters);

#endif
