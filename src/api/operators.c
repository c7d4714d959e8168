#include "api/operators.h"

#include "api/foreign.h"
#include "os/system.h"

/* Our functions behind the public ones that plain forms call. */
extern HIDDEN void *do_malloc(size_t);
extern HIDDEN void *do_malloc_aligned(size_t, size_t);
extern HIDDEN void do_free(void *);

enum operators operators;

#define PAIR(public, own) \
	{ \
		(uintptr_t)(public), (uintptr_t)(own) \
	}

/* The address that a public name has in this process, and our own function. */
struct pair {
	uintptr_t used;
	uintptr_t own;
};

static bool
is_ours(const struct pair *pair)
{
	uintptr_t used = pair->used, own = pair->own;

	/* A compiler would assume that two functions differ. */
	HIDE(used);
	HIDE(own);
	return used == own;
}

/*
 * If a program is not position independent and takes the address of a function,
 * that address is one of a stub in the program. Many programs take the address
 * of free, so stubs of malloc and free are looked at more closely. Few take
 * that of an operator: it counts as replaced then, which is slower, but right.
 */
static bool
all_are_ours(void)
{
	const struct pair called[] = {
		PAIR(malloc, do_malloc),
		PAIR(aligned_alloc, do_malloc_aligned),
		PAIR(free, do_free),
	};
	const struct pair operators_used[] = {
		PAIR(NEW(), do_malloc_new),
		PAIR(NEW(St11align_val_t), do_malloc_new_aligned),
		PAIR(NEW_ARRAY(), do_malloc_array),
		PAIR(NEW_ARRAY(St11align_val_t), do_malloc_array_aligned),
		PAIR(_ZdlPv, do_free_delete),
		PAIR(_ZdlPvSt11align_val_t, do_free_delete_aligned),
		PAIR(_ZdaPv, do_free_array),
		PAIR(_ZdaPvSt11align_val_t, do_free_array_aligned),
	};

	for (size_t i = 0; i < ARRAY_LEN(operators_used); i++)
		if (!is_ours(&operators_used[i]))
			return false;
	for (size_t i = 0; i < ARRAY_LEN(called); i++)
		if (!is_ours(&called[i]) &&
		    !(system_is_stub(called[i].used) &&
			foreign_process_malloc_is_ours()))
			return false;
	return true;
}

AT_START bool
operators_look(void)
{
	enum operators state = READ_RELAXED(operators);

	if (state == OPERATORS_UNKNOWN) {
		state = all_are_ours() ? OPERATORS_OURS : OPERATORS_REPLACED;
		__atomic_store_n(&operators, state, __ATOMIC_RELAXED);
	}
	return state == OPERATORS_OURS;
}

__attribute__((constructor)) static AT_START void
operators_constructor(void)
{
	operators_look();
}
