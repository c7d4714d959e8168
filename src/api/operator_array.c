/*
 * The array forms of operator new and delete. They call the plain forms: see
 * operators.h.
 */
#include "api/fast.h"
#include "api/operators.h"

/**
 * Memory for an array of C++ objects, from plain new.
 * Contract:  C++17 [new.delete.array], here and below
 */
void *
NEW_ARRAY()(size_t size)
{
	return operators_are_ours() ? operators_new(size) : NEW()(size);
}

/** The same, aligned to `align` bytes. */
void *
NEW_ARRAY(St11align_val_t)(size_t size, size_t align)
{
	bool ours = operators_are_ours();
	void *object = ours && is_pow2(align) ? fast_aligned(align, size)
					      : NULL;

	if (likely(object != NULL))
		return object;
	/* Not by our plain form, which would not see who called this one. */
	return ours ? operators_new_aligned(size, align)
		    : NEW(St11align_val_t)(size, align);
}

/** Frees what new[] gave, or NULL, by plain delete. */
void
_ZdaPv(void *ptr)
{
	if (operators_are_ours())
		fast_free(ptr);
	else
		_ZdlPv(ptr);
}

/** The same for new[] with an alignment. */
void
_ZdaPvSt11align_val_t(void *ptr, size_t align)
{
	if (operators_are_ours())
		fast_free(ptr);
	else
		_ZdlPvSt11align_val_t(ptr, align);
}

void *do_malloc_array(size_t size) OWN_NAME_OF(NEW_ARRAY());
void *do_malloc_array_aligned(size_t size, size_t align)
    OWN_NAME_OF(NEW_ARRAY(St11align_val_t));
void do_free_array(void *ptr) OWN_NAME_OF(_ZdaPv);
void do_free_array_aligned(void *ptr, size_t align)
    OWN_NAME_OF(_ZdaPvSt11align_val_t);
