#include "os/write_signals.h"

#include <stdint.h>

#include "os/syscalls.h"

#define BITS (1ul << (SIGPIPE - 1) | 1ul << (SIGXFSZ - 1))

void
write_signals_hold(struct write_signals *signals)
{
	struct kernel_sigset both = { .words = { BITS } };
	/*
	 * If the kernel does not say, both count as pending: then none is
	 * removed.
	 */
	struct kernel_sigset pending = both;

	signals->held = os_syscall4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&both,
			    (long)&signals->before, sizeof(both)) == 0;
	if (!signals->held)
		return;
	os_syscall3(SYS_rt_sigpending, (long)&pending, sizeof(pending), 0);
	signals->mine = BITS & ~pending.words[0];
}

void
write_signals_release(const struct write_signals *signals)
{
	if (!signals->held)
		return;
#ifdef SYS_rt_sigtimedwait
	struct kernel_sigset mine = { .words = { signals->mine } };
	int64_t no_time[2] = { 0, 0 };

	while (os_syscall4(SYS_rt_sigtimedwait, (long)&mine, 0, (long)no_time,
		   sizeof(mine)) > 0)
		;
#endif
	os_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&signals->before, 0,
	    sizeof(signals->before));
}
