/*
 * flame: the tree of a flame graph.
 *
 * Owns:       the nodes and the list of modules.
 * Invariants: a node is as wide as its children and itself together. In a
 *             difference its width is how much changed in all its stacks, up
 *             or down; `change` is the sum.
 * Locking:    none.
 */
#ifndef PROFILE_FLAME_H
#define PROFILE_FLAME_H

#include "report.h"

struct flame_values {
	double width;
	double change;		/* the value; in a difference, its change */
	double base;		/* what was subtracted */
	double other;		/* objects if values are bytes, else bytes */
};

struct flame {
	const char *name;
	unsigned module;	/* in the list of modules */
	struct flame_values all, self;
	struct flame *children, *next;
};

struct flame_module {
	const char *name;
	double self;
};

struct flames {
	struct flame root;
	struct flame_module *modules;	/* the largest first */
	size_t nmodules;
};

void flames_make(struct flames *flames, const struct report *report);

#endif
