#include "util/tree.h"

#include <stdlib.h>
#include <string.h>

#include "../unit.h"

#define ITEMS 400

struct item {
	struct tree_node node;
	size_t key;
	bool inside;
};

static bool
item_before(const struct tree_node *a, const struct tree_node *b)
{
	return container_of(a, struct item, node)->key <
	    container_of(b, struct item, node)->key;
}

struct model {
	struct tree_node *root;
	struct item item[ITEMS];
	struct item *sorted[ITEMS];
	unsigned n;
};

/* Walks in order; the depth. Priorities fall from parent to child. */
static unsigned
check_node(struct model *model, struct tree_node *node, unsigned *next)
{
	unsigned left, right;

	if (node == NULL)
		return 0;
	left = check_node(model, node->left, next);
	assert_true(*next < model->n);
	assert_ptr_equal(node, &model->sorted[(*next)++]->node);
	right = check_node(model, node->right, next);
	if (node->left != NULL)
		assert_true(tree_priority(node) >= tree_priority(node->left));
	if (node->right != NULL)
		assert_true(tree_priority(node) >= tree_priority(node->right));
	return 1 + (left > right ? left : right);
}

static unsigned
check(struct model *model)
{
	unsigned next = 0;
	unsigned depth = check_node(model, model->root, &next);

	assert_int_equal(next, model->n);
	assert_ptr_equal(tree_first(model->root),
	    model->n == 0 ? NULL : &model->sorted[0]->node);
	return depth;
}

/* The place of the first key not below `key`. */
static unsigned
place_of(const struct model *model, size_t key)
{
	unsigned i = 0;

	while (i < model->n && model->sorted[i]->key < key)
		i++;
	return i;
}

static void
insert(struct model *model, struct item *item)
{
	unsigned at = place_of(model, item->key);

	tree_insert(&model->root, &item->node, item_before);
	memmove(&model->sorted[at + 1], &model->sorted[at],
	    (model->n - at) * sizeof(model->sorted[0]));
	model->sorted[at] = item;
	model->n++;
	item->inside = true;
}

static void
drop(struct model *model, struct item *item)
{
	unsigned at = place_of(model, item->key);

	tree_remove(&model->root, &item->node, item_before);
	model->n--;
	memmove(&model->sorted[at], &model->sorted[at + 1],
	    (model->n - at) * sizeof(model->sorted[0]));
	item->inside = false;
}

static struct model *
model_new(void)
{
	struct model *model = malloc(sizeof(*model));

	memset(model, 0, sizeof(*model));
	for (unsigned i = 0; i < ITEMS; i++)
		model->item[i].key = i * 10;
	return model;
}

static void
the_tree_answers_like_a_sorted_array(void **state)
{
	struct model *model = model_new();
	uint64_t seed = 1;

	(void)state;
	check(model);
	for (unsigned step = 0; step < 10000; step++) {
		struct item *item = &model->item[random_below(&seed,
		    step / 1000 % 2 != 0 ? 10 : ITEMS)];
		struct item key = { .key = random_below(&seed, ITEMS * 10) };
		unsigned at = place_of(model, key.key);

		assert_ptr_equal(tree_find_from(model->root, &key.node,
				     item_before),
		    at == model->n ? NULL : &model->sorted[at]->node);
		if (item->inside)
			drop(model, item);
		else
			insert(model, item);
		check(model);
	}
	free(model);
}

static void
no_order_of_insertion_makes_it_deep(void **state)
{
	(void)state;
	for (unsigned order = 0; order < 3; order++) {
		struct model *model = model_new();

		for (unsigned i = 0; i < ITEMS; i++)
			insert(model,
			    &model->item[order == 0 ? i
				    : order == 1    ? ITEMS - 1 - i
						    : i * 7 % ITEMS]);
		/* lg(400) is 9; a random tree is about twice as deep. */
		assert_in_range(check(model), 9, 30);
		while (model->n > 0)
			drop(model, model->sorted[0]);
		assert_null(model->root);
		free(model);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tree_answers_like_a_sorted_array),
		cmocka_unit_test(no_order_of_insertion_makes_it_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
