/*
 * The forms of operator new and delete that call no other form: see
 * operators.h.
 */
#include "api/operators.h"
#include "conf/options.h"
#include "os/message.h"

/* std::get_new_handler() and std::__throw_bad_alloc(); NULL without C++. */
extern void (*_ZSt15get_new_handlerv(void))(void) WEAK;
extern void _ZSt17__throw_bad_allocv(void) WEAK;

static void *
try_new(size_t size, size_t align)
{
	return align == 0 ? malloc(size) : aligned_alloc(align, size);
}

/*
 * Calls the new-handler to make room, until there is memory or the handler
 * gives up: by throwing, by ending the process or by removing itself.
 */
void *
operators_new_slow(size_t size, size_t align)
{
	void (*handler)(void);
	void *object;

	if (opt.infallible_new) {
		fatal("Allocation of size %zu failed. "
		      "opt.experimental_infallible_new is true. Aborting.",
		    size);
		return NULL;
	}
	while (_ZSt15get_new_handlerv != NULL &&
	    (handler = _ZSt15get_new_handlerv()) != NULL) {
		handler();
		object = try_new(size, align);
		if (object != NULL)
			return object;
	}
	if (_ZSt17__throw_bad_allocv != NULL)
		_ZSt17__throw_bad_allocv();
	fatal("operator new: out of memory, and there is no C++ "
	      "run-time library");
	return NULL;
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
