#include "unwind/loader.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>

#include "unwind/backtrace.h"
#include "unwind/unwind_objects.h"

/* More frames than this library has between an entry and a system call. */
#define FRAMES_MAX	40

static bool
find(const void *return_address, struct unwind_object *object)
{
	return unwind_objects_find((uintptr_t)return_address - 1, object);
}

static bool
contains(const struct unwind_object *object, uintptr_t address)
{
	return address >= object->start && address < object->end;
}

bool
loader_calls_us(bool unknown)
{
	uintptr_t loader = getauxval(AT_BASE);
	struct unwind_object own, caller;
	void *pcs[FRAMES_MAX];
	unsigned n = backtrace_take(pcs, FRAMES_MAX), i = 1;

	/* In a static program the loader is a part of it. */
	if (loader == 0 || n == 0 || !find(pcs[0], &own))
		return unknown;
	while (i < n && contains(&own, (uintptr_t)pcs[i] - 1))
		i++;
	/* If we are linked into the program, its frames count as ours. */
	if (i == FRAMES_MAX)
		return false;
	if (i == n || !find(pcs[i], &caller))
		return unknown;
	return contains(&caller, loader);
}
