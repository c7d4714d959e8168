#include "unwind/loader.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>

#include "unwind/backtrace.h"
#include "unwind/unwind_objects.h"

/* Enough for this library, one that wraps it, and the loader. */
#define FRAMES_MAX 64

bool
loader_calls_us(bool unknown)
{
	uintptr_t loader = getauxval(AT_BASE);
	struct unwind_object object = { 0, 0, 0 };
	void *pcs[FRAMES_MAX];
	unsigned n = backtrace_take(pcs, FRAMES_MAX);

	/* In a static program the loader is a part of it. */
	if (loader == 0 || n == 0 ||
	    !unwind_objects_find((uintptr_t)pcs[0] - 1, &object))
		return unknown;
	/*
	 * Another library that wraps free() may be between the loader and us.
	 */
	for (unsigned i = 1; i < n; i++) {
		uintptr_t pc = (uintptr_t)pcs[i] - 1;

		if (!unwind_object_contains(&object, pc) &&
		    unwind_objects_find(pc, &object) &&
		    unwind_object_contains(&object, loader))
			return true;
	}
	return false;
}
