/*
 * dlopen and dlmopen, without RTLD_DEEPBIND. The profile learns here what was
 * closed before.
 *
 * A module that is opened with this flag searches for symbols first in itself
 * and in the libraries that it needs. So it calls the C library's malloc and
 * free instead of ours. But it also frees objects of ours that it got from the
 * rest of the process, and the process frees objects of the module. No
 * allocator can handle that. So the flag is removed if our malloc is the
 * process's malloc, unless opt.deepbind keeps it.
 *
 * The C library finds its caller by the return address: the caller's namespace,
 * run path and $ORIGIN matter. So we jump to its function and don't call it.
 * The function is looked up at each call, so that there is no pointer in memory
 * that an attacker could change.
 */
#include <dlfcn.h>
#include <stddef.h>

#include "api/boot.h"
#include "api/foreign.h"
#include "conf/options.h"
#include "os/c_library.h"
#include "prof/prof.h"
#include "prof/prof_objects.h"

/* What is loaded may get the place of what was closed. */
static NOINLINE void
before_load(void)
{
	if (boot_ready() && prof_is_on())
		prof_objects_settle();
}

/* The mode without the flag, if the flag does harm. */
static NOINLINE int
allowed(int mode)
{
	if ((mode & RTLD_DEEPBIND) == 0 || !boot_ready() || opt.deepbind ||
	    !foreign_process_malloc_is_ours())
		return mode;
	return mode & ~RTLD_DEEPBIND;
}

static void *own_dlopen(const char *file, int mode) ALIAS_OF(dlopen);
static void *own_dlmopen(Lmid_t id, const char *file, int mode)
    ALIAS_OF(dlmopen);

/**
 * Opens a shared object, as dlopen of the C library does.
 * @param mode  RTLD_DEEPBIND is removed, see above
 * Contract:    POSIX
 */
EXPORT JUMPS_AT_END void *
dlopen(const char *file, int mode)
{
	void *(*next)(const char *, int) = c_library_behind("dlopen",
	    (const void *)own_dlopen);

	if (next == NULL)
		return NULL;
	before_load();
	mode = allowed(mode);
	JUMP return next(file, mode);
}

/**
 * The same in a namespace. All namespaces but the first have a malloc of their
 * own, so there the flag does no harm.
 * Contract:  glibc
 */
EXPORT JUMPS_AT_END void *
dlmopen(Lmid_t id, const char *file, int mode)
{
	void *(*next)(Lmid_t, const char *, int) = c_library_behind("dlmopen",
	    (const void *)own_dlmopen);

	if (next == NULL)
		return NULL;
	before_load();
	if (id == LM_ID_BASE)
		mode = allowed(mode);
	JUMP return next(id, file, mode);
}
