/*
 * operators: C++ operator new and delete under their mangled names, written in
 * C so that the library needs no C++ run-time library.
 *
 * Owns:       the names of all forms, and the answer whether a program has
 *             replaced one of them.
 * Invariants: C++ allows a program to replace any form alone. The other forms
 *             call it then, because each form calls another one:
 *
 *		plain	new(n)  new(n, align)  delete(p)  delete(p, align)
 *		array	the array forms of these call them
 *		more	nothrow and sized forms call the plain or array form
 *			without that argument
 *
 *             Each line is a file of its own. It calls the lines above by their
 *             public names only, so the static or dynamic linker leads the call
 *             to the form in effect. The compiler can't inline such a call,
 *             because the files are separate. If no form is replaced, a shorter
 *             path has the same effect.
 * Locking:    none. The answer never changes, so two threads may find it.
 */
#ifndef API_OPERATORS_H
#define API_OPERATORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "util/compiler.h"

#if __SIZEOF_SIZE_T__ == __SIZEOF_LONG__ && !defined(__ILP32__)
#define NEW(name)                _Znwm##name
#define NEW_ARRAY(name)          _Znam##name
#define DELETE_SIZED(name)       _ZdlPvm##name
#define DELETE_ARRAY_SIZED(name) _ZdaPvm##name
#else
#define NEW(name)                _Znwj##name
#define NEW_ARRAY(name)          _Znaj##name
#define DELETE_SIZED(name)       _ZdlPvj##name
#define DELETE_ARRAY_SIZED(name) _ZdaPvj##name
#endif

/* The name of a form as a string. */
#define TEXT(name)    TEXT_OF(name)
#define TEXT_OF(name) #name

/* The C++ ABI passes std::nothrow_t by reference, which is a pointer here. */
typedef const void nothrow_tag;

/* Plain forms. */
EXPORT void *NEW()(size_t size);
EXPORT void *NEW(St11align_val_t)(size_t size, size_t align);
EXPORT void _ZdlPv(void *ptr);
EXPORT void _ZdlPvSt11align_val_t(void *ptr, size_t align);

/* Array forms. */
EXPORT void *NEW_ARRAY()(size_t size);
EXPORT void *NEW_ARRAY(St11align_val_t)(size_t size, size_t align);
EXPORT void _ZdaPv(void *ptr);
EXPORT void _ZdaPvSt11align_val_t(void *ptr, size_t align);

/*
 * Second names of our forms, because a program may define the public ones. See
 * malloc.c for why they are called so.
 */
#define OWN_NAME_OF(f) ALIAS_OF(f) /* f is a macro */
extern HIDDEN void *do_malloc_new(size_t size);
extern HIDDEN void *do_malloc_new_aligned(size_t size, size_t align);
extern HIDDEN void *do_malloc_array(size_t size);
extern HIDDEN void *do_malloc_array_aligned(size_t size, size_t align);
extern HIDDEN void do_free_delete(void *ptr);
extern HIDDEN void do_free_delete_aligned(void *ptr, size_t align);
extern HIDDEN void do_free_array(void *ptr);
extern HIDDEN void do_free_array_aligned(void *ptr, size_t align);

enum operators { OPERATORS_UNKNOWN, OPERATORS_OURS, OPERATORS_REPLACED };

extern HIDDEN enum operators operators;

/* Are all plain and array forms, and the functions that they call, ours? */
COLD bool operators_look(void);

static ALWAYS_INLINE bool
operators_are_ours(void)
{
	return likely(READ_RELAXED(operators) == OPERATORS_OURS);
}

/* Who called the function that this is written in. */
#define OPERATORS_CALLER __builtin_return_address(0)

/*
 * For plain new when there is no memory. `align` 0 means natural alignment.
 * `caller` is an address in the code that called the operator.
 */
COLD void *operators_new_slow(size_t size, size_t align, const void *caller);

/* Calls the process's malloc, because a program may replace malloc only. */
static ALWAYS_INLINE void *
operators_new(size_t size)
{
	void *object = malloc(size);

	if (likely(object != NULL))
		return object;
	return operators_new_slow(size, 0, OPERATORS_CALLER);
}

static ALWAYS_INLINE void *
operators_new_aligned(size_t size, size_t align)
{
	void *object = aligned_alloc(align, size);

	if (likely(object != NULL))
		return object;
	return operators_new_slow(size, align, OPERATORS_CALLER);
}

#endif
