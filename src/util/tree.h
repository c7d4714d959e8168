/*
 * tree: an ordered set; its links are members of the elements.
 *
 * Owns:       the two links in each node.
 * Invariants: it is a treap: a binary tree in the order of `before`, in which a
 *             parent's priority is not below its children's. Priorities are
 *             hashes of addresses. So the expected depth is logarithmic, and no
 *             sequence of calls makes the tree deep.
 * Locking:    none; the tree's owner locks.
 *
 * `before(a, b)` is a strict order. It is a parameter of inline functions, so
 * the compiler can inline it, too.
 */
#ifndef UTIL_TREE_H
#define UTIL_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/compiler.h"

struct tree_node {
	struct tree_node *left;
	struct tree_node *right;
};

typedef bool tree_before(const struct tree_node *, const struct tree_node *);

static inline uint64_t
tree_priority(const struct tree_node *node)
{
	return ((uint64_t)(uintptr_t)node >> 4) * 0x9e3779b97f4a7c15u;
}

/* Splits the tree `node` into the nodes before `key` and those after it. */
static ALWAYS_INLINE void
tree_split(struct tree_node *node, const struct tree_node *key,
    tree_before *before, struct tree_node **left, struct tree_node **right)
{
	while (node != NULL) {
		if (before(node, key)) {
			*left = node;
			left = &node->right;
			node = node->right;
		} else {
			*right = node;
			right = &node->left;
			node = node->left;
		}
	}
	*left = *right = NULL;
}

static ALWAYS_INLINE void
tree_insert(struct tree_node **root, struct tree_node *node,
    tree_before *before)
{
	uint64_t priority = tree_priority(node);

	while (*root != NULL && tree_priority(*root) >= priority)
		root = before(node, *root) ? &(*root)->left : &(*root)->right;
	tree_split(*root, node, before, &node->left, &node->right);
	*root = node;
}

/* `node` must be in the tree. */
static ALWAYS_INLINE void
tree_remove(struct tree_node **root, struct tree_node *node,
    tree_before *before)
{
	struct tree_node *left, *right;

	while (*root != node)
		root = before(node, *root) ? &(*root)->left : &(*root)->right;
	left = node->left;
	right = node->right;
	while (left != NULL && right != NULL) {
		if (tree_priority(left) >= tree_priority(right)) {
			*root = left;
			root = &left->right;
			left = left->right;
		} else {
			*root = right;
			root = &right->left;
			right = right->left;
		}
	}
	*root = left != NULL ? left : right;
}

static inline struct tree_node *
tree_first(struct tree_node *root)
{
	if (root == NULL)
		return NULL;
	while (root->left != NULL)
		root = root->left;
	return root;
}

/* The first node that is not before `key`, or NULL. */
static ALWAYS_INLINE struct tree_node *
tree_find_from(struct tree_node *root, const struct tree_node *key,
    tree_before *before)
{
	struct tree_node *found = NULL;

	while (root != NULL) {
		if (before(root, key)) {
			root = root->right;
		} else {
			found = root;
			root = root->left;
		}
	}
	return found;
}

#endif
