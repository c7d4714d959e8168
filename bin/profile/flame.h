/*
 * flame: the tree of a flame graph.
 *
 * Owns:       the nodes, a table of them, and the list of modules.
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

struct flame_more {
	struct flame *parent;
	unsigned module;           /* in the list of modules, if it is drawn */
	const struct frame *frame; /* one of its frames */
	struct flame_values all, self;
};

/* Small, because each frame of each stack goes through these. */
struct flame {
	const char *name;
	struct flame *next, *children;
	unsigned nchildren;
	struct flame_more *more;
};

struct flame_module {
	const char *name;
	double self;
};

struct flames {
	struct flame root;
	struct flame_more root_more;
	struct flame_module *modules; /* the largest first */
	size_t nmodules;
	struct flame *free; /* room for the next nodes */
	struct flame_more *free_more;
	size_t nfree;
	struct flame **slots; /* by hash, those with many siblings */
	size_t mask, count;
};

bool flame_is_drawn(const struct flame *flame, double scale);
void flames_make(struct flames *flames, const struct report *report);

#endif
