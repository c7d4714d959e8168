/*
 * C++ operator new and delete under their mangled names, written in C so that
 * the library needs no C++ run-time library: the program that calls them has
 * one, and weak references find it. Compiled with -fexceptions, because what
 * the new-handler throws passes through.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

#include "conf/options.h"
#include "os/message.h"
#include "util/bits.h"
#include "util/compiler.h"

#if __SIZEOF_SIZE_T__ == __SIZEOF_LONG__ && !defined(__ILP32__)
#define NEW(name)	_Znwm##name
#define NEW_ARRAY(name)	_Znam##name
#define DELETE_SIZED(name) _ZdlPvm##name
#define DELETE_ARRAY_SIZED(name) _ZdaPvm##name
#define NAME_NEW_NOTHROW "_ZnwmRKSt9nothrow_t"
#define NAME_NEW_ALIGNED_NOTHROW "_ZnwmSt11align_val_tRKSt9nothrow_t"
#else
#define NEW(name)	_Znwj##name
#define NEW_ARRAY(name)	_Znaj##name
#define DELETE_SIZED(name) _ZdlPvj##name
#define DELETE_ARRAY_SIZED(name) _ZdaPvj##name
#define NAME_NEW_NOTHROW "_ZnwjRKSt9nothrow_t"
#define NAME_NEW_ALIGNED_NOTHROW "_ZnwjSt11align_val_tRKSt9nothrow_t"
#endif

/* The type of std::nothrow_t and the results, as the C++ ABI passes them. */
typedef const void nothrow_tag;

void free_sized(void *ptr, size_t size);
void free_aligned_sized(void *ptr, size_t align, size_t size);

/* std::get_new_handler() and std::__throw_bad_alloc(), if the program has C++. */
extern void (*_ZSt15get_new_handlerv(void))(void) WEAK;
extern void _ZSt17__throw_bad_allocv(void) WEAK;

struct new_request {
	size_t size;
	size_t align;		/* 0: natural */
	nothrow_tag *tag;	/* NULL: may throw */
};

static void *
try_new(const struct new_request *request)
{
	if (request->align == 0)
		return malloc(request->size);
	return aligned_alloc(request->align, request->size);
}

/*
 * A form that must not throw, after its first try. What a new-handler throws
 * has to be caught, which only C++ can: the run-time library's own form calls
 * the throwing one of ours and does that. Without such a library there is no
 * handler either.
 */
static COLD void *
new_nothrow_slow(const struct new_request *request)
{
	void *(*natural)(size_t, nothrow_tag *);
	void *(*aligned)(size_t, size_t, nothrow_tag *);

	if (request->align == 0) {
		natural = dlsym(RTLD_NEXT, NAME_NEW_NOTHROW);
		return natural == NULL ? NULL :
		    natural(request->size, request->tag);
	}
	aligned = dlsym(RTLD_NEXT, NAME_NEW_ALIGNED_NOTHROW);
	return aligned == NULL ? NULL :
	    aligned(request->size, request->align, request->tag);
}

/*
 * Asks the new-handler to make room until it gives up. A handler gives up by
 * throwing, by ending the process or by removing itself.
 */
static COLD void *
new_slow(const struct new_request *request)
{
	void (*handler)(void);
	void *object;

	if (opt.infallible_new) {
		fatal("Allocation of size %zu failed. "
		    "opt.experimental_infallible_new is true. Aborting.",
		    request->size);
		return NULL;
	}
	if (request->tag != NULL)
		return new_nothrow_slow(request);
	while (_ZSt15get_new_handlerv != NULL &&
	    (handler = _ZSt15get_new_handlerv()) != NULL) {
		handler();
		object = try_new(request);
		if (object != NULL)
			return object;
	}
	if (_ZSt17__throw_bad_allocv != NULL)
		_ZSt17__throw_bad_allocv();
	fatal("operator new: out of memory, and no C++ run-time library");
	return NULL;
}

static ALWAYS_INLINE void *
new_object(size_t size, nothrow_tag *tag)
{
	void *object = malloc(size);

	if (likely(object != NULL))
		return object;
	return new_slow(&(struct new_request){ size, 0, tag });
}

static ALWAYS_INLINE void *
new_aligned(size_t size, size_t align, nothrow_tag *tag)
{
	void *object = aligned_alloc(align, size);

	if (likely(object != NULL))
		return object;
	return new_slow(&(struct new_request){ size, align, tag });
}

EXPORT void *NEW()(size_t size);
EXPORT void *NEW_ARRAY()(size_t size);
EXPORT void *NEW(RKSt9nothrow_t)(size_t size, nothrow_tag *tag);
EXPORT void *NEW_ARRAY(RKSt9nothrow_t)(size_t size, nothrow_tag *tag);
EXPORT void *NEW(St11align_val_t)(size_t size, size_t align);
EXPORT void *NEW_ARRAY(St11align_val_t)(size_t size, size_t align);
EXPORT void *NEW(St11align_val_tRKSt9nothrow_t)(size_t size, size_t align,
    nothrow_tag *tag);
EXPORT void *NEW_ARRAY(St11align_val_tRKSt9nothrow_t)(size_t size,
    size_t align, nothrow_tag *tag);
EXPORT void _ZdlPv(void *ptr);
EXPORT void _ZdaPv(void *ptr);
EXPORT void _ZdlPvRKSt9nothrow_t(void *ptr, nothrow_tag *tag);
EXPORT void _ZdaPvRKSt9nothrow_t(void *ptr, nothrow_tag *tag);
EXPORT void DELETE_SIZED()(void *ptr, size_t size);
EXPORT void DELETE_ARRAY_SIZED()(void *ptr, size_t size);
EXPORT void _ZdlPvSt11align_val_t(void *ptr, size_t align);
EXPORT void _ZdaPvSt11align_val_t(void *ptr, size_t align);
EXPORT void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align,
    nothrow_tag *tag);
EXPORT void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align,
    nothrow_tag *tag);
EXPORT void DELETE_SIZED(St11align_val_t)(void *ptr, size_t size,
    size_t align);
EXPORT void DELETE_ARRAY_SIZED(St11align_val_t)(void *ptr, size_t size,
    size_t align);

void *
NEW()(size_t size)
{
	return new_object(size, NULL);
}

void *
NEW_ARRAY()(size_t size)
{
	return new_object(size, NULL);
}

void *
NEW(RKSt9nothrow_t)(size_t size, nothrow_tag *tag)
{
	return new_object(size, tag);
}

void *
NEW_ARRAY(RKSt9nothrow_t)(size_t size, nothrow_tag *tag)
{
	return new_object(size, tag);
}

void *
NEW(St11align_val_t)(size_t size, size_t align)
{
	return new_aligned(size, align, NULL);
}

void *
NEW_ARRAY(St11align_val_t)(size_t size, size_t align)
{
	return new_aligned(size, align, NULL);
}

void *
NEW(St11align_val_tRKSt9nothrow_t)(size_t size, size_t align, nothrow_tag *tag)
{
	return new_aligned(size, align, tag);
}

void *
NEW_ARRAY(St11align_val_tRKSt9nothrow_t)(size_t size, size_t align,
    nothrow_tag *tag)
{
	return new_aligned(size, align, tag);
}

void
_ZdlPv(void *ptr)
{
	free(ptr);
}

void
_ZdaPv(void *ptr)
{
	free(ptr);
}

void
_ZdlPvRKSt9nothrow_t(void *ptr, nothrow_tag *tag)
{
	(void)tag;
	free(ptr);
}

void
_ZdaPvRKSt9nothrow_t(void *ptr, nothrow_tag *tag)
{
	(void)tag;
	free(ptr);
}

void
DELETE_SIZED()(void *ptr, size_t size)
{
	free_sized(ptr, size);
}

void
DELETE_ARRAY_SIZED()(void *ptr, size_t size)
{
	free_sized(ptr, size);
}

void
_ZdlPvSt11align_val_t(void *ptr, size_t align)
{
	(void)align;
	free(ptr);
}

void
_ZdaPvSt11align_val_t(void *ptr, size_t align)
{
	(void)align;
	free(ptr);
}

void
_ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, nothrow_tag *tag)
{
	(void)align;
	(void)tag;
	free(ptr);
}

void
_ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, nothrow_tag *tag)
{
	(void)align;
	(void)tag;
	free(ptr);
}

void
DELETE_SIZED(St11align_val_t)(void *ptr, size_t size, size_t align)
{
	free_aligned_sized(ptr, align, size);
}

void
DELETE_ARRAY_SIZED(St11align_val_t)(void *ptr, size_t size, size_t align)
{
	free_aligned_sized(ptr, align, size);
}
