#include "os/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/auxv.h>

#include "os/file.h"
#include "os/syscalls.h"
#include "os/system.h"
#include "util/bits.h"

/*
 * The request is invalid, but the kernel notices this only after it has read
 * the set at `page`. So nothing changes, and the error shows whether the page
 * could be read. A sandbox may forbid calls that copy memory; it does not
 * forbid this one, because the C library needs it.
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

long
probe_open(void)
{
	return file_open("/proc/self/mem", O_RDONLY);
}

void
probe_close(long memory)
{
	if (memory >= 0)
		file_close(memory);
}

bool
probe_copy(long memory, uintptr_t from, void *to, size_t size)
{
	return memory >= 0 && file_read_at(memory, from, to, size);
}

AT_START bool
probe_is_static(void)
{
	return getauxval(AT_BASE) == 0;
}

AT_START uintptr_t
probe_first_stack(void)
{
	return (uintptr_t)getauxval(AT_RANDOM);
}
