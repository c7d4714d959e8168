/*
 * mallctl mallctlnametomib mallctlbymib: start the library and the thread if
 * necessary, then call ctl/. Results are errno values. errno itself is kept,
 * because nothing below this folder changes it.
 */
#include <errno.h>
#include <stddef.h>

#include "api/boot.h"
#include "cache/thread.h"
#include "ctl/ctl.h"
#include "ctl/ctl_tree.h"
#include "util/compiler.h"

/*
 * False: there is no memory to start the library. A thread at its end has no
 * record, but it can still use all names that do not concern the thread.
 */
static inline bool
ready(void)
{
	return boot_thread() != NULL || boot_ready();
}

/**
 * Reads or writes a value by its name, or starts an action. See jemalloc.h.
 */
EXPORT int
mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp,
    size_t newlen)
{
	if (name == NULL)
		return EINVAL;
	if (!ready())
		return EAGAIN;
	return ctl_by_name(&ctl_tree, name,
	    &(struct ctl_arguments){
		.oldp = oldp,
		.oldlenp = oldlenp,
		.newp = newp,
		.newlen = newlen,
	    });
}

/**
 * Translates a name into numbers, one for each component. See jemalloc.h.
 */
EXPORT int
mallctlnametomib(const char *name, size_t *mibp, size_t *miblenp)
{
	if (name == NULL || miblenp == NULL || (mibp == NULL && *miblenp != 0))
		return EINVAL;
	if (!ready())
		return EAGAIN;
	return ctl_path(&ctl_tree, name, mibp, miblenp);
}

/* A function of its own, so that the usual call need not save registers. */
static NOINLINE int
control(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp,
    void *newp, size_t newlen)
{
	if (!ready())
		return EAGAIN;
	return ctl_by_path(&ctl_tree, mib, miblen,
	    &(struct ctl_arguments){
		.oldp = oldp,
		.oldlenp = oldlenp,
		.newp = newp,
		.newlen = newlen,
	    });
}

/**
 * The same as mallctl(), by the numbers of a name. See jemalloc.h.
 *
 *	mallctlbymib > ctl_read > child_at, for each component: a plain value
 *	             > control > ctl_by_path > perform > the row's functions
 */
EXPORT int
mallctlbymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp,
    void *newp, size_t newlen)
{
	if (likely(thread_is_own(thread_self) && newp == NULL && newlen == 0))
		return ctl_read(&ctl_tree, mib, miblen, oldp, oldlenp);
	return control(mib, miblen, oldp, oldlenp, newp, newlen);
}
