/*
 * aside: hands all objects to the allocator of a checker, if the process has
 * one: AddressSanitizer, ThreadSanitizer and the like, or memcheck of valgrind.
 *
 * Owns:       the answer whether there is one, and the line that says so.
 * Invariants: a checker finds only faults of objects that it has given itself,
 *             and some crash if another allocator is under them. So then this
 *             library gives none: slow paths come here, and fast ones always
 *             fail, because no cache ever has an object and no pointer is ours.
 *             The answer is there before the first call: the dynamic loader
 *             finds out. Only valgrind is found by the start-up.
 *             Each function leaves errno and errors to the checker.
 * Locking:    none.
 */
#ifndef API_ASIDE_H
#define API_ASIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/build.h"
#include "util/compiler.h"

/* A sanitizer's own malloc; NULL: there is none. */
extern void *__interceptor_malloc(size_t size) WEAK;

extern HIDDEN bool aside_for_valgrind;

/* Is it that of a sanitizer that has an allocator, and do we know all of it? */
COLD bool aside_for_sanitizer(void);

/* Not if our malloc has another name, so that it is not the process's. */
static ALWAYS_INLINE bool
aside_active(void)
{
	return BUILD_DLOPEN && unlikely(__interceptor_malloc != NULL ||
	    aside_for_valgrind) && (aside_for_valgrind ||
	    aside_for_sanitizer());
}

/*
 * Asks whether valgrind has put its malloc in the place of ours, though not of
 * mallocx() and others. `is_own` says whether an object is the library's.
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
