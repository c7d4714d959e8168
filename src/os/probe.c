#include "os/probe.h"

#include <errno.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/uio.h>

#include "os/syscalls.h"
#include "os/system.h"
#include "util/bits.h"

/*
 * Where the kernel or a sandbox refuses to copy: an invalid request that the
 * kernel refuses only after it has read the set. Nothing is changed by it.
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
	struct iovec pages[PROBE_PAGES];
	char bytes[PROBE_PAGES];
	struct iovec into = { .iov_base = bytes };
	uintptr_t step = system_info.page_size;
	unsigned n = 0;
	long got;

	for (uintptr_t at = round_down(start, step); at < end; at += step) {
		if (n == PROBE_PAGES)
			return false;
		pages[n++] = (struct iovec){ (void *)at, 1 };
	}
	into.iov_len = n;
	got = os_syscall6(SYS_process_vm_readv,
	    os_syscall3(SYS_getpid, 0, 0, 0), (long)&into, 1, (long)pages, n,
	    0);
	if (got != -ENOSYS && got != -EPERM && got != -EACCES)
		return got == (long)n;
	for (unsigned i = 0; i < n; i++)
		if (!page_readable((uintptr_t)pages[i].iov_base))
			return false;
	return true;
}

uintptr_t
probe_first_stack(void)
{
	return (uintptr_t)getauxval(AT_RANDOM);
}
