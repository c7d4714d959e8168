/*
 * mallctl mallctlnametomib mallctlbymib: see that the library and the thread
 * are ready, and hand over to ctl/. Results are errno values; errno is kept,
 * as everything below this folder keeps it.
 */
#include <errno.h>
#include <stddef.h>

#include "api/boot.h"
#include "cache/thread.h"
#include "ctl/ctl.h"
#include "ctl/ctl_tree.h"
#include "util/compiler.h"

EXPORT int mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp,
    size_t newlen);
EXPORT int mallctlnametomib(const char *name, size_t *mibp, size_t *miblenp);
EXPORT int mallctlbymib(const size_t *mib, size_t miblen, void *oldp,
    size_t *oldlenp, void *newp, size_t newlen);

/*
 * False without memory to start with. A thread at its end has no record, and
 * can still ask for all that is not the thread's.
 */
static inline bool
ready(void)
{
	return boot_thread() != NULL || boot_ready();
}

/**
 * Reads or writes a value by its name, or starts an action: jemalloc.h.
 */
int
mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp,
    size_t newlen)
{
	if (name == NULL)
		return EINVAL;
	if (!ready())
		return EAGAIN;
	return ctl_by_name(&ctl_tree, name, &(struct ctl_arguments){
		.oldp = oldp, .oldlenp = oldlenp,
		.newp = newp, .newlen = newlen,
	});
}

/**
 * The numbers of a name's components: jemalloc.h.
 */
int
mallctlnametomib(const char *name, size_t *mibp, size_t *miblenp)
{
	if (name == NULL || miblenp == NULL ||
	    (mibp == NULL && *miblenp != 0))
		return EINVAL;
	if (!ready())
		return EAGAIN;
	return ctl_path(&ctl_tree, name, mibp, miblenp);
}

/* Apart, so that the usual call saves no registers. */
static NOINLINE int
control(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp,
    void *newp, size_t newlen)
{
	if (!ready())
		return EAGAIN;
	return ctl_by_path(&ctl_tree, mib, miblen, &(struct ctl_arguments){
		.oldp = oldp, .oldlenp = oldlenp,
		.newp = newp, .newlen = newlen,
	});
}

/**
 * As mallctl(), by numbers: jemalloc.h.
 *
 *	mallctlbymib > ctl_read > child_at, for each component: a plain value
 *	             > control > ctl_by_path > perform > the row's functions
 */
int
mallctlbymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp,
    void *newp, size_t newlen)
{
	if (likely(thread_is_own(thread_self) && newp == NULL && newlen == 0))
		return ctl_read(&ctl_tree, mib, miblen, oldp, oldlenp);
	return control(mib, miblen, oldp, oldlenp, newp, newlen);
}
