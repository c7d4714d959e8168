#include "util/list.h"

#include <string.h>

#include "../unit.h"

#define ELEMENTS 20

static void
assert_holds(const struct list *list, struct list *const *expected, unsigned n)
{
	const struct list *l = list;

	assert_int_equal(list_empty(list), n == 0);
	for (unsigned i = 0; i < n; i++) {
		assert_ptr_equal(l->next, expected[i]);
		assert_ptr_equal(l->next->prev, l);
		l = l->next;
	}
	assert_ptr_equal(l->next, list);
	assert_ptr_equal(list->prev, l);
}

static void
the_list_keeps_the_order_of_an_array(void **state)
{
	struct list list, element[ELEMENTS], *expected[ELEMENTS];
	unsigned n = 0;
	uint64_t seed = 1;

	(void)state;
	list_init(&list);
	assert_holds(&list, NULL, 0);
	for (unsigned step = 0; step < 5000; step++) {
		struct list *l = &element[random_below(&seed, ELEMENTS)];
		unsigned i = 0;

		while (i < n && expected[i] != l)
			i++;
		if (i == n) {
			list_push_back(&list, l);
			expected[n++] = l;
		} else {
			list_remove(l);
			assert_true(list_empty(l));
			memmove(&expected[i], &expected[i + 1],
			    (--n - i) * sizeof(expected[0]));
		}
		assert_holds(&list, expected, n);
	}
}

static void
removing_twice_does_no_harm(void **state)
{
	struct list list, a, b;

	(void)state;
	list_init(&list);
	list_push_back(&list, &a);
	list_push_back(&list, &b);
	list_remove(&a);
	list_remove(&a);
	assert_holds(&list, (struct list *[]){ &b }, 1);
}

static void
a_list_can_be_moved_behind_another(void **state)
{
	struct list list, from, element[4];
	struct list *expected[] = { &element[0], &element[1], &element[2],
		&element[3] };

	(void)state;
	for (unsigned split = 0; split <= 4; split++) {
		list_init(&list);
		list_init(&from);
		for (unsigned i = 0; i < 4; i++)
			list_push_back(i < split ? &list : &from, &element[i]);
		list_splice_back(&list, &from);
		assert_holds(&list, expected, 4);
		assert_holds(&from, NULL, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_list_keeps_the_order_of_an_array),
		cmocka_unit_test(removing_twice_does_no_harm),
		cmocka_unit_test(a_list_can_be_moved_behind_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
