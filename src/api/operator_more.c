/*
 * The nothrow and the sized forms of operator new and delete. They call the
 * plain and the array forms: see operators.h.
 */
#include <dlfcn.h>

#include "api/fast.h"
#include "api/operators.h"
#include "conf/options.h"
#include "os/c_library.h"

void free_sized(void *ptr, size_t size);
void free_aligned_sized(void *ptr, size_t align, size_t size);

#define TEXT(name)    TEXT_OF(name)
#define TEXT_OF(name) #name

/* One call of a nothrow form of new. */
struct nothrow {
	const char *name; /* of the form */
	void *own;        /* our function for this form */
	bool array;
	size_t size;
	size_t align; /* 0: natural */
};

static void *own_new(size_t size, nothrow_tag *tag)
    OWN_NAME_OF(NEW(RKSt9nothrow_t));
static void *own_array(size_t size, nothrow_tag *tag)
    OWN_NAME_OF(NEW_ARRAY(RKSt9nothrow_t));
static void *own_new_aligned(size_t size, size_t align, nothrow_tag *tag)
    OWN_NAME_OF(NEW(St11align_val_tRKSt9nothrow_t));
static void *own_array_aligned(size_t size, size_t align, nothrow_tag *tag)
    OWN_NAME_OF(NEW_ARRAY(St11align_val_tRKSt9nothrow_t));

/* The form of the C++ run-time library, or NULL. */
static void *
runtime_form(const struct nothrow *call)
{
	void *next = c_library_next(call->name);

	/*
	 * If the program opened us by dlopen, the C++ library may be before us.
	 */
	if (next == NULL)
		next = dlsym(RTLD_DEFAULT, call->name);
	return next == call->own ? NULL : next;
}

/*
 * A nothrow form calls the form without the tag. That form may throw, and the
 * nothrow form must catch it. Only C++ code can do that. So we call the nothrow
 * form of the C++ run-time library: it calls the form that is in effect, and
 * catches.
 */
static void *
run_by_runtime(const struct nothrow *call, void *form)
{
	static const char tag; /* nobody reads it */
	void *(*natural)(size_t, nothrow_tag *);
	void *(*aligned)(size_t, size_t, nothrow_tag *);

	if (call->align == 0) {
		natural = form;
		return natural(call->size, &tag);
	}
	aligned = form;
	return aligned(call->size, call->align, &tag);
}

/* There is no C++ library: nothing throws, or nobody can catch it. */
static void *
run_directly(const struct nothrow *call)
{
	if (call->align == 0)
		return call->array ? NEW_ARRAY()(call->size)
				   : NEW()(call->size);
	return call->array ? NEW_ARRAY(St11align_val_t)(call->size, call->align)
			   : NEW(St11align_val_t)(call->size, call->align);
}

static void *
nothrow_slow(const struct nothrow *call)
{
	bool ours = operators_look();
	void *object, *form;

	if (ours) {
		object = call->align == 0
		    ? malloc(call->size)
		    : aligned_alloc(call->align, call->size);
		if (object != NULL)
			return object;
	}
	form = runtime_form(call);
	if (form != NULL)
		return run_by_runtime(call, form);
	/* Our throwing form would end the process, because it can't throw. */
	return ours && !opt.infallible_new ? NULL : run_directly(call);
}

static COLD void *
new_slow(size_t size)
{
	return nothrow_slow(&(struct nothrow){
	    .size = size, .own = own_new, .name = TEXT(NEW(RKSt9nothrow_t)) });
}

static COLD void *
array_slow(size_t size)
{
	return nothrow_slow(&(struct nothrow){ .size = size,
	    .own = own_array,
	    .name = TEXT(NEW_ARRAY(RKSt9nothrow_t)),
	    .array = true });
}

static COLD void *
new_aligned_slow(size_t size, size_t align)
{
	return nothrow_slow(&(struct nothrow){ .size = size,
	    .align = align,
	    .name = TEXT(NEW(St11align_val_tRKSt9nothrow_t)),
	    .own = own_new_aligned });
}

static COLD void *
array_aligned_slow(size_t size, size_t align)
{
	return nothrow_slow(&(struct nothrow){ .size = size,
	    .align = align,
	    .name = TEXT(NEW_ARRAY(St11align_val_tRKSt9nothrow_t)),
	    .own = own_array_aligned,
	    .array = true });
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
	return likely(object != NULL) ? object : new_slow(size);
}

/** The same for an array. */
void *
NEW_ARRAY(RKSt9nothrow_t)(size_t size, nothrow_tag *tag)
{
	void *object = operators_are_ours() ? malloc(size) : NULL;

	(void)tag;
	return likely(object != NULL) ? object : array_slow(size);
}

/** The same for one object, aligned to `align` bytes. */
void *
NEW(St11align_val_tRKSt9nothrow_t)(size_t size, size_t align, nothrow_tag *tag)
{
	void *object = operators_are_ours() && is_pow2(align)
	    ? fast_aligned(align, size)
	    : NULL;

	(void)tag;
	return likely(object != NULL) ? object : new_aligned_slow(size, align);
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
	return likely(object != NULL) ? object
				      : array_aligned_slow(size, align);
}

/* These run after a constructor has thrown: that is rare, so no fast path. */

/** Frees what nothrow new gave, by plain delete. */
void
_ZdlPvRKSt9nothrow_t(void *ptr, nothrow_tag *tag)
{
	(void)tag;
	_ZdlPv(ptr);
}

/** Frees what nothrow new[] gave, by delete[]. */
void
_ZdaPvRKSt9nothrow_t(void *ptr, nothrow_tag *tag)
{
	(void)tag;
	_ZdaPv(ptr);
}

/** Frees what aligned nothrow new gave, by aligned delete. */
void
_ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, nothrow_tag *tag)
{
	(void)tag;
	_ZdlPvSt11align_val_t(ptr, align);
}

/** Frees what aligned nothrow new[] gave, by aligned delete[]. */
void
_ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align, nothrow_tag *tag)
{
	(void)tag;
	_ZdaPvSt11align_val_t(ptr, align);
}

static COLD void
delete_sized_slow(void *ptr, size_t size)
{
	if (operators_look())
		free_sized(ptr, size);
	else
		_ZdlPv(ptr);
}

static COLD void
delete_array_sized_slow(void *ptr, size_t size)
{
	if (operators_look())
		free_sized(ptr, size);
	else
		_ZdaPv(ptr);
}

static COLD void
delete_sized_aligned_slow(void *ptr, size_t size, size_t align)
{
	if (operators_look())
		free_aligned_sized(ptr, align, size);
	else
		_ZdlPvSt11align_val_t(ptr, align);
}

static COLD void
delete_array_sized_aligned_slow(void *ptr, size_t size, size_t align)
{
	if (operators_look())
		free_aligned_sized(ptr, align, size);
	else
		_ZdaPvSt11align_val_t(ptr, align);
}

/**
 * Frees one object by plain delete. If that is ours, a wrong size is reported.
 * @param size  bytes that the program asked for
 */
void
DELETE_SIZED()(void *ptr, size_t size)
{
	if (operators_are_ours())
		fast_free_sized(ptr, size, 1);
	else
		delete_sized_slow(ptr, size);
}

/** The same for an array, by delete[]. */
void
DELETE_ARRAY_SIZED()(void *ptr, size_t size)
{
	if (operators_are_ours())
		fast_free_sized(ptr, size, 1);
	else
		delete_array_sized_slow(ptr, size);
}

/** The same for one object, by aligned delete. */
void
DELETE_SIZED(St11align_val_t)(void *ptr, size_t size, size_t align)
{
	if (operators_are_ours())
		fast_free_sized(ptr, size, align);
	else
		delete_sized_aligned_slow(ptr, size, align);
}

/** The same for an array, by aligned delete[]. */
void
DELETE_ARRAY_SIZED(St11align_val_t)(void *ptr, size_t size, size_t align)
{
	if (operators_are_ours())
		fast_free_sized(ptr, size, align);
	else
		delete_array_sized_aligned_slow(ptr, size, align);
}
