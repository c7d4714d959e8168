/*
 * ctl_tree: every name, one row each.
 *
 * Owns:       the tables.
 * Invariants: a name needs a row here, the functions that the row mentions, and
 *             nothing more. Names that this library leaves out have a row, too:
 *             their function returns ENOENT.
 * Locking:    none: the tables are constant.
 */
#ifndef CTL_CTL_TREE_H
#define CTL_CTL_TREE_H

struct ctl_node;

extern const struct ctl_node ctl_tree;

#endif
