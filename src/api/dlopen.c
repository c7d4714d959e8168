/*
 * dlopen and dlmopen, without RTLD_DEEPBIND.
 *
 * A module that is opened with that flag looks for symbols in itself and in the
 * libraries it needs first, so it calls the C library's malloc and free, with
 * objects of ours too: what the rest of the process gives it to free, and what
 * it gives the process. No allocator can bear that, so the flag is taken out
 * while our malloc is the process's, unless opt.deepbind keeps it.
 *
 * The C library learns from the return address whose namespace, run path and
 * $ORIGIN count: so its function is jumped to, not called. It is looked up
 * each time, so that no pointer lies in memory for others to change.
 */
#include <dlfcn.h>
#include <stddef.h>

#include "api/boot.h"
#include "api/foreign.h"
#include "conf/options.h"

static NOINLINE int
allowed(int mode)
{
	if ((mode & RTLD_DEEPBIND) == 0 || !boot_ready() || opt.deepbind ||
	    !foreign_process_malloc_is_ours())
		return mode;
	return mode & ~RTLD_DEEPBIND;
}

/**
 * Opens a shared object, as the C library's dlopen.
 * @param mode  RTLD_DEEPBIND is ignored, see above
 * Contract:    POSIX
 */
EXPORT JUMPS_AT_END void *
dlopen(const char *file, int mode)
{
	void *(*next)(const char *, int) = dlsym(RTLD_NEXT, "dlopen");

	if (next == NULL)
		return NULL;
	mode = allowed(mode);
	JUMP return next(file, mode);
}

/**
 * The same in a namespace; others than the first have a malloc of their own,
 * and the flag does no harm there.
 * Contract:  glibc
 */
EXPORT JUMPS_AT_END void *
dlmopen(Lmid_t id, const char *file, int mode)
{
	void *(*next)(Lmid_t, const char *, int) =
	    dlsym(RTLD_NEXT, "dlmopen");

	if (next == NULL)
		return NULL;
	if (id == LM_ID_BASE)
		mode = allowed(mode);
	JUMP return next(id, file, mode);
}
