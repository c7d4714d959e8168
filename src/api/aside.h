/*
 * aside: hands all objects to the allocator of a checker, if the process has
 * one: AddressSanitizer, ThreadSanitizer and similar ones, or memcheck of
 * valgrind.
 *
 * Owns:       the answer whether there is one, and the line that says so.
 * Invariants: a checker finds faults only in objects that it allocated itself,
 *             and some checkers crash with another allocator. So this library
 *             allocates nothing then: slow paths come here, and fast paths
 *             always fail, because no cache ever has an object and no pointer
 *             is ours. The dynamic loader finds a sanitizer before the first
 *             call. Only valgrind is found at the start-up. Each function
 *             leaves errno and errors to the checker.
 * Locking:    none.
 */
#ifndef API_ASIDE_H
#define API_ASIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/build.h"
#include "util/compiler.h"

/* The malloc of a sanitizer. NULL: there is no sanitizer. */
extern void *__interceptor_malloc(size_t size) WEAK;

extern HIDDEN bool aside_for_valgrind;

/* Is it a sanitizer that we know, with all the functions that we need? */
COLD bool aside_for_sanitizer(void);

/* False if our malloc has another name: then it is not the process's malloc. */
static ALWAYS_INLINE bool
aside_active(void)
{
	return BUILD_DLOPEN &&
	    unlikely(__interceptor_malloc != NULL || aside_for_valgrind) &&
	    (aside_for_valgrind || aside_for_sanitizer());
}

/*
 * Finds out whether valgrind has replaced our malloc. It does not replace
 * mallocx() and others. `is_own` says whether an object is ours.
 */
void aside_look_for_valgrind(bool (*is_own)(const void *object));

/* Writes one line for the operator, but not under valgrind. */
void aside_tell(void);

COLD void *aside_malloc(size_t size);
COLD void *aside_allocate(size_t size, size_t align, bool zero);
COLD void *aside_resize(void *ptr, size_t size, size_t align, bool zero);
COLD void aside_free(void *ptr);
COLD size_t aside_usable(const void *ptr);

#endif
