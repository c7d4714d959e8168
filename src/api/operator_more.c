/*
 * The nothrow and the sized forms of operator new and delete. They call the
 * plain and the array forms: see operators.h.
 */
#include "api/fast.h"
#include "api/operators.h"
#include "api/operators_runtime.h"
#include "conf/options.h"

void free_sized(void *ptr, size_t size);
void free_aligned_sized(void *ptr, size_t align, size_t size);

EXPORT void *NEW(RKSt9nothrow_t)(size_t size, nothrow_tag *tag);
EXPORT void *NEW_ARRAY(RKSt9nothrow_t)(size_t size, nothrow_tag *tag);
EXPORT void *NEW(St11align_val_tRKSt9nothrow_t)(size_t size, size_t align,
    nothrow_tag *tag);
EXPORT void *NEW_ARRAY(St11align_val_tRKSt9nothrow_t)(size_t size, size_t align,
    nothrow_tag *tag);

static void *own_new(size_t size, nothrow_tag *tag)
    OWN_NAME_OF(NEW(RKSt9nothrow_t));
static void *own_array(size_t size, nothrow_tag *tag)
    OWN_NAME_OF(NEW_ARRAY(RKSt9nothrow_t));
static void *own_new_aligned(size_t size, size_t align, nothrow_tag *tag)
    OWN_NAME_OF(NEW(St11align_val_tRKSt9nothrow_t));
static void *own_array_aligned(size_t size, size_t align, nothrow_tag *tag)
    OWN_NAME_OF(NEW_ARRAY(St11align_val_tRKSt9nothrow_t));

/* The nothrow forms of new. */
struct form {
	const char *name;
	void *own; /* our function for this form */
	bool array;
};

static const struct form natural_new = { TEXT(NEW(RKSt9nothrow_t)), own_new,
	false };
static const struct form natural_array = { TEXT(NEW_ARRAY(RKSt9nothrow_t)),
	own_array, true };
static const struct form aligned_new = {
	TEXT(NEW(St11align_val_tRKSt9nothrow_t)), own_new_aligned, false
};
static const struct form aligned_array = {
	TEXT(NEW_ARRAY(St11align_val_tRKSt9nothrow_t)), own_array_aligned, true
};

/*
 * A nothrow form calls the form without the tag. That form may throw, and the
 * nothrow form must catch it. Only C++ code can do that. So we call the nothrow
 * form of the C++ run-time library: it calls the form that is in effect, and
 * catches. `align` 0 means natural alignment, here and below.
 */
static void *
run_by_runtime(void *function, size_t size, size_t align)
{
	static const char tag; /* nobody reads it */
	void *(*natural)(size_t, nothrow_tag *) = function;
	void *(*aligned)(size_t, size_t, nothrow_tag *) = function;

	return align == 0 ? natural(size, &tag) : aligned(size, align, &tag);
}

/* There is no C++ library: nothing throws, or nobody can catch it. */
static void *
run_directly(bool array, size_t size, size_t align)
{
	if (align == 0)
		return array ? NEW_ARRAY()(size) : NEW()(size);
	return array ? NEW_ARRAY(St11align_val_t)(size, align)
		     : NEW(St11align_val_t)(size, align);
}

static COLD void *
nothrow_slow(const struct form *form, size_t size, size_t align,
    const void *caller)
{
	bool ours = operators_look();
	void *object, *function;

	if (ours) {
		object = align == 0 ? malloc(size) : aligned_alloc(align, size);
		if (object != NULL)
			return object;
	}
	function = operators_runtime(form->name, form->own, caller);
	if (function != NULL)
		return run_by_runtime(function, size, align);
	/* Our throwing form would end the process, because it can't throw. */
	return ours && !opt.infallible_new
	    ? NULL
	    : run_directly(form->array, size, align);
}

/**
 * Memory for one C++ object, or NULL if the form without the tag would throw.
 * Contract:  C++17 [new.delete.single], [new.delete.array], here and below
 */
void *
NEW(RKSt9nothrow_t)(size_t size, nothrow_tag *tag)
{
	void *object = operators_are_ours() ? malloc(size) : NULL;

	(void)tag;
	return likely(object != NULL)
	    ? object
	    : nothrow_slow(&natural_new, size, 0, OPERATORS_CALLER);
}

/** The same for an array. */
void *
NEW_ARRAY(RKSt9nothrow_t)(size_t size, nothrow_tag *tag)
{
	void *object = operators_are_ours() ? malloc(size) : NULL;

	(void)tag;
	return likely(object != NULL)
	    ? object
	    : nothrow_slow(&natural_array, size, 0, OPERATORS_CALLER);
}

/** The same for one object, aligned to `align` bytes. */
void *
NEW(St11align_val_tRKSt9nothrow_t)(size_t size, size_t align, nothrow_tag *tag)
{
	void *object = operators_are_ours() && is_pow2(align)
	    ? fast_aligned(align, size)
	    : NULL;

	(void)tag;
	return likely(object != NULL)
	    ? object
	    : nothrow_slow(&aligned_new, size, align, OPERATORS_CALLER);
}

/** The same for an array, aligned to `align` bytes. */
void *
NEW_ARRAY(St11align_val_tRKSt9nothrow_t)(size_t size, size_t align,
    nothrow_tag *tag)
{
	void *object = operators_are_ours() && is_pow2(align)
	    ? fast_aligned(align, size)
	    : NULL;

	(void)tag;
	return likely(object != NULL)
	    ? object
	    : nothrow_slow(&aligned_array, size, align, OPERATORS_CALLER);
}

/* These run after a constructor has thrown: that is rare, so no fast path. */

/** Frees what nothrow new gave, by plain delete. */
EXPORT void
_ZdlPvRKSt9nothrow_t(void *ptr, nothrow_tag *tag)
{
	(void)tag;
	_ZdlPv(ptr);
}

/** Frees what nothrow new[] gave, by delete[]. */
EXPORT void
_ZdaPvRKSt9nothrow_t(void *ptr, nothrow_tag *tag)
{
	(void)tag;
	_ZdaPv(ptr);
}

/** Frees what aligned nothrow new gave, by aligned delete. */
EXPORT void
_ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, nothrow_tag *tag)
{
	(void)tag;
	_ZdlPvSt11align_val_t(ptr, align);
}

/** Frees what aligned nothrow new[] gave, by aligned delete[]. */
EXPORT void
_ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, nothrow_tag *tag)
{
	(void)tag;
	_ZdaPvSt11align_val_t(ptr, align);
}

/* `unsized` is the form without a size, which a program may have replaced. */
static COLD void
delete_slow(void (*unsized)(void *), void *ptr, size_t size)
{
	if (operators_look())
		free_sized(ptr, size);
	else
		unsized(ptr);
}

static COLD void
delete_aligned_slow(void (*unsized)(void *, size_t), void *ptr, size_t size,
    size_t align)
{
	if (operators_look())
		free_aligned_sized(ptr, align, size);
	else
		unsized(ptr, align);
}

/**
 * Frees one object by plain delete. If that is ours, a wrong size is reported.
 * @param size  bytes that the program asked for
 */
EXPORT void
DELETE_SIZED()(void *ptr, size_t size)
{
	if (operators_are_ours())
		fast_free_sized(ptr, size, 1);
	else
		delete_slow(_ZdlPv, ptr, size);
}

/** The same for an array, by delete[]. */
EXPORT void
DELETE_ARRAY_SIZED()(void *ptr, size_t size)
{
	if (operators_are_ours())
		fast_free_sized(ptr, size, 1);
	else
		delete_slow(_ZdaPv, ptr, size);
}

/** The same for one object, by aligned delete. */
EXPORT void
DELETE_SIZED(St11align_val_t)(void *ptr, size_t size, size_t align)
{
	if (operators_are_ours())
		fast_free_sized(ptr, size, align);
	else
		delete_aligned_slow(_ZdlPvSt11align_val_t, ptr, size, align);
}

/** The same for an array, by aligned delete[]. */
EXPORT void
DELETE_ARRAY_SIZED(St11align_val_t)(void *ptr, size_t size, size_t align)
{
	if (operators_are_ours())
		fast_free_sized(ptr, size, align);
	else
		delete_aligned_slow(_ZdaPvSt11align_val_t, ptr, size, align);
}
