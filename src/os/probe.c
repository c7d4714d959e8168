#include "os/probe.h"

#include <errno.h>
#include <signal.h>
#include <sys/auxv.h>

#include "os/syscalls.h"
#include "os/system.h"
#include "util/bits.h"

/*
 * An invalid request that the kernel refuses only after it has read the set:
 * nothing is changed. Unlike calls that copy memory, no sandbox forbids it,
 * because the C library makes it all the time.
 */
static bool
page_readable(uintptr_t page)
{
	enum { INVALID_HOW = 1 << 20, SET_SIZE = 8 };

	return os_syscall4(SYS_rt_sigprocmask, INVALID_HOW, (long)page, 0,
	    SET_SIZE) == -EINVAL;
}

bool
probe_readable(uintptr_t start, uintptr_t end)
{
	uintptr_t step = system_info.page_size, at = round_down(start, step);
	unsigned n = 0;

	for (; at < end; at += step)
		if (n++ == PROBE_PAGES || !page_readable(at))
			return false;
	return true;
}

uintptr_t
probe_first_stack(void)
{
	return (uintptr_t)getauxval(AT_RANDOM);
}
