/*
 * The forms of operator new and delete that call no other form: see
 * operators.h.
 */
#include "api/operators.h"
#include "api/operators_runtime.h"
#include "conf/options.h"
#include "os/message.h"

/*
 * std::get_new_handler() and std::__throw_bad_alloc(); NULL if no C++ library
 * was there when we were loaded, or linked.
 */
extern void (*_ZSt15get_new_handlerv(void))(void) WEAK;
extern void _ZSt17__throw_bad_allocv(void) WEAK;

static const char get_handler_name[] = "_ZSt15get_new_handlerv";
static const char throw_name[] = "_ZSt17__throw_bad_allocv";

static void *
try_new(size_t size, size_t align)
{
	return align == 0 ? malloc(size) : aligned_alloc(align, size);
}

/*
 * The operator that ours has replaced, for a C++ library that is part of the
 * caller's own. It may lack the function that only throws; and exceptions of
 * another C++ library may be foreign to it. Without a new-handler it is no C++
 * library, but wraps the operator.
 */
static void *
operator_of_caller(size_t align, const void *caller)
{
	if (operators_runtime_near(get_handler_name, NULL, caller) == NULL)
		return NULL;
	return align == 0
	    ? operators_runtime_near(TEXT(NEW()), do_malloc_new, caller)
	    : operators_runtime_near(TEXT(NEW(St11align_val_t)),
		  do_malloc_new_aligned, caller);
}

static void *
run(void *function, size_t size, size_t align)
{
	void *(*natural)(size_t) = function;
	void *(*aligned)(size_t, size_t) = function;

	return align == 0 ? natural(size) : aligned(size, align);
}

/* Throws, or returns what another operator has found after all. */
static void *
throw_bad_alloc(size_t size, size_t align, const void *caller)
{
	void (*throw)(void) = _ZSt17__throw_bad_allocv;

	if (throw == NULL)
		throw = operators_runtime_near(throw_name, NULL, caller);
	if (throw == NULL) {
		void *other = operator_of_caller(align, caller);

		if (other != NULL)
			return run(other, size, align);
		throw = operators_runtime(throw_name, NULL, caller);
	}
	if (throw != NULL)
		throw();
	fatal("operator new: out of memory, and there is no C++ "
	      "run-time library");
	return NULL;
}

/*
 * Calls the new-handler to make room, until there is memory or the handler
 * gives up: by throwing, by ending the process or by removing itself.
 */
void *
operators_new_slow(size_t size, size_t align, const void *caller)
{
	void (*(*get_handler)(void))(void) = _ZSt15get_new_handlerv;
	void (*handler)(void);
	void *object;

	if (opt.infallible_new) {
		fatal("Allocation of size %zu failed. "
		      "opt.experimental_infallible_new is true. Aborting.",
		    size);
		return NULL;
	}
	if (get_handler == NULL)
		get_handler = operators_runtime(get_handler_name, NULL, caller);
	while (get_handler != NULL && (handler = get_handler()) != NULL) {
		handler();
		object = try_new(size, align);
		if (object != NULL)
			return object;
	}
	return throw_bad_alloc(size, align, caller);
}

/**
 * Memory for one C++ object.
 * @param size  bytes
 * Errors:      calls the new-handler, throws std::bad_alloc
 * Contract:    C++17 [new.delete.single]
 */
void *
NEW()(size_t size)
{
	return operators_new(size);
}

/** The same, aligned to `align` bytes. */
void *
NEW(St11align_val_t)(size_t size, size_t align)
{
	return operators_new_aligned(size, align);
}

/**
 * Frees what plain new gave, or NULL.
 * Contract:  C++17 [new.delete.single]
 */
void
_ZdlPv(void *ptr)
{
	free(ptr);
}

/** The same for plain new with an alignment. */
void
_ZdlPvSt11align_val_t(void *ptr, size_t align)
{
	(void)align;
	free(ptr);
}

void *do_malloc_new(size_t size) OWN_NAME_OF(NEW());
void *do_malloc_new_aligned(size_t size, size_t align)
    OWN_NAME_OF(NEW(St11align_val_t));
void do_free_delete(void *ptr) OWN_NAME_OF(_ZdlPv);
void do_free_delete_aligned(void *ptr, size_t align)
    OWN_NAME_OF(_ZdlPvSt11align_val_t);
