/*
 * flame: the tree of a flame graph.
 *
 * Owns:       the nodes that are wide enough to be drawn, and the list of
 *             modules.
 * Invariants: a node is as wide as its children and itself together. In a
 *             difference its width is how much changed in all its stacks, up
 *             or down; `change` is the sum.
 * Locking:    none.
 */
#ifndef PROFILE_FLAME_H
#define PROFILE_FLAME_H

#include "report.h"

#define FLAME_WIDTH 1200.0
#define FLAME_LEAST 0.2 /* pixels; narrower ones are not drawn */

struct flame_values {
	double width;
	double change; /* the value; in a difference, its change */
	double base;   /* what was subtracted */
	double other;  /* objects if values are bytes, else bytes */
};

struct flame {
	const char *name;
	const struct frame *frame; /* one of its frames; NULL: the root */
	struct flame *next, *children;
	unsigned module; /* in the list of modules */
	struct flame_values all, self;
};

struct flame_module {
	const char *name;
	double self;
};

struct flames {
	struct flame root;
	struct flame_module *modules; /* the largest first */
	size_t nmodules;
	double scale; /* pixels for a value */
};

void flames_make(struct flames *flames, const struct report *report);

#endif
