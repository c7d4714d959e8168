#include "os/os_thread.h"

#include <pthread.h>

#include "os/syscalls.h"

uint32_t
os_thread_id(void)
{
	return (uint32_t)os_syscall3(SYS_gettid, 0, 0, 0);
}

uintptr_t
os_thread_self(void)
{
	return (uintptr_t)pthread_self();
}

void
os_thread_yield(void)
{
	os_syscall3(SYS_sched_yield, 0, 0, 0);
}
