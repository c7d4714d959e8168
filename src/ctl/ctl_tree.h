/*
 * ctl_tree: every name, one row each.
 *
 * Owns:       the tables.
 * Invariants: a row here is all that a name needs, besides the functions that
 *             it mentions; what the contract has and this library has not is
 *             marked there (NOT_YET).
 * Locking:    none: read only.
 */
#ifndef CTL_CTL_TREE_H
#define CTL_CTL_TREE_H

struct ctl_node;

extern const struct ctl_node ctl_tree;

#endif
