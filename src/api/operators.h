/*
 * operators: C++ operator new and delete under their mangled names, written in
 * C so that the library needs no C++ run-time library.
 *
 * Owns:       the names of all forms, and the answer whether a program has
 *             replaced one of them.
 * Invariants: as in C++, a program may replace each form by itself, and the
 *             default of a form is to call another one:
 *
 *		plain	new(n)  new(n, align)  delete(p)  delete(p, align)
 *		array	the array forms of these call them
 *		more	nothrow and sized forms call the plain or array form
 *			without that argument
 *
 *             Each line is a file, which calls the lines above it by their
 *             public names only: so the linker, static or dynamic, leads the
 *             call to what is in effect. No compiler sees both ends of such
 *             a call. While all is ours, a shorter way has the same effect.
 * Locking:    none; the answer never changes, so it may be found twice.
 */
#ifndef API_OPERATORS_H
#define API_OPERATORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "util/compiler.h"

#if __SIZEOF_SIZE_T__ == __SIZEOF_LONG__ && !defined(__ILP32__)
#define NEW(name)	_Znwm##name
#define NEW_ARRAY(name)	_Znam##name
#define DELETE_SIZED(name) _ZdlPvm##name
#define DELETE_ARRAY_SIZED(name) _ZdaPvm##name
#else
#define NEW(name)	_Znwj##name
#define NEW_ARRAY(name)	_Znaj##name
#define DELETE_SIZED(name) _ZdlPvj##name
#define DELETE_ARRAY_SIZED(name) _ZdaPvj##name
#endif

/* The type of std::nothrow_t and the results, as the C++ ABI passes them. */
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

/* Nothrow and sized forms. */
EXPORT void *NEW(RKSt9nothrow_t)(size_t size, nothrow_tag *tag);
EXPORT void *NEW_ARRAY(RKSt9nothrow_t)(size_t size, nothrow_tag *tag);
EXPORT void *NEW(St11align_val_tRKSt9nothrow_t)(size_t size, size_t align,
    nothrow_tag *tag);
EXPORT void *NEW_ARRAY(St11align_val_tRKSt9nothrow_t)(size_t size,
    size_t align, nothrow_tag *tag);
EXPORT void _ZdlPvRKSt9nothrow_t(void *ptr, nothrow_tag *tag);
EXPORT void _ZdaPvRKSt9nothrow_t(void *ptr, nothrow_tag *tag);
EXPORT void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align,
    nothrow_tag *tag);
EXPORT void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align,
    nothrow_tag *tag);
EXPORT void DELETE_SIZED()(void *ptr, size_t size);
EXPORT void DELETE_ARRAY_SIZED()(void *ptr, size_t size);
EXPORT void DELETE_SIZED(St11align_val_t)(void *ptr, size_t size,
    size_t align);
EXPORT void DELETE_ARRAY_SIZED(St11align_val_t)(void *ptr, size_t size,
    size_t align);

/*
 * Ours, whoever has the public names. Tools that read symbols may meet these
 * names instead, and know what begins like that for an allocator.
 */
#define OWN_NAME_OF(f)	ALIAS_OF(f)	/* f is a macro */
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

/* Finds out whether all plain and array forms, and what they call, are ours. */
COLD bool operators_look(void);

static ALWAYS_INLINE bool
operators_are_ours(void)
{
	return likely(READ_RELAXED(operators) == OPERATORS_OURS);
}

/* What plain new does when there is no memory; `align` 0: natural. */
COLD void *operators_new_slow(size_t size, size_t align);

/* The process's malloc, because the program may have replaced that instead. */
static ALWAYS_INLINE void *
operators_new(size_t size)
{
	void *object = malloc(size);

	if (likely(object != NULL))
		return object;
	return operators_new_slow(size, 0);
}

static ALWAYS_INLINE void *
operators_new_aligned(size_t size, size_t align)
{
	void *object = aligned_alloc(align, size);

	if (likely(object != NULL))
		return object;
	return operators_new_slow(size, align);
}

#endif
