/*
 * Options for AddressSanitizer and LeakSanitizer in a shared library that is
 * loaded after this one; a program, ASAN_OPTIONS and LSAN_OPTIONS can override
 * them.
 *
 *	verify_asan_link_order	AddressSanitizer would end the process, because
 *				calls of malloc may not reach it. They do: see
 *				aside.h.
 *	fast_unwind_on_malloc	would end the stack of an object at our operator
 *				new, which makes no frame that it knows. Then a
 *				report does not say who took the object.
 */
#include "util/compiler.h"

/* The sanitizers call these when they start; anybody may define them. */
EXPORT WEAK const char *__asan_default_options(void);
EXPORT WEAK const char *__lsan_default_options(void);

const char *
__asan_default_options(void)
{
	return "verify_asan_link_order=0:fast_unwind_on_malloc=0";
}

const char *
__lsan_default_options(void)
{
	return "fast_unwind_on_malloc=0";
}
