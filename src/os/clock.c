#include "os/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <time.h>

#include "os/loaded_symbol.h"
#include "os/syscalls.h"
#include "util/compiler.h"

/* The kernel's function, and the type that it and the system call fill in. */
#if defined(__aarch64__) || defined(__s390x__)
#define VDSO_NAME "__kernel_clock_gettime"
#elif defined(__LP64__) && (defined(__x86_64__) || defined(__riscv))
#define VDSO_NAME "__vdso_clock_gettime"
#elif defined(__i386__) || defined(__arm__)
#define VDSO_NAME "__vdso_clock_gettime64"
#else
#define VDSO_NAME NULL /* not one that C code may call */
#endif

struct kernel_time {
	int64_t seconds;
	int64_t nanoseconds;
};

typedef int clock_reader(clockid_t id, struct kernel_time *time);

static struct {
	clock_reader *reader; /* NULL: by system call */
} vdso;

AT_START void
clock_init(void)
{
	const char *name = VDSO_NAME;
	int saved = errno; /* getauxval() sets it for an unknown entry */
	uintptr_t object = getauxval(AT_SYSINFO_EHDR);

	errno = saved;
	SET_RELAXED(vdso.reader,
	    object == 0 || name == NULL
		? NULL
		: (clock_reader *)loaded_symbol(object, name));
}

static bool
read_by_syscall(clockid_t id, struct kernel_time *time)
{
	struct {
		long seconds, nanoseconds;
	} native = { 0, 0 };

#ifdef SYS_clock_gettime64
	/* On a machine of 32 bits: `long` ends in 2038. */
	if (os_syscall3(SYS_clock_gettime64, id, (long)(uintptr_t)time, 0) == 0)
		return true;
#endif
	if (os_syscall3(SYS_clock_gettime, id, (long)(uintptr_t)&native, 0) !=
	    0)
		return false;
	*time = (struct kernel_time){ native.seconds, native.nanoseconds };
	return true;
}

static uint64_t
clock_read_ns(clockid_t id)
{
	clock_reader *reader = READ_RELAXED(vdso.reader);
	struct kernel_time time = { 0, 0 };

	if (reader != NULL ? reader(id, &time) != 0
			   : !read_by_syscall(id, &time))
		return 0;
	return (uint64_t)time.seconds * 1000000000u +
	    (uint64_t)time.nanoseconds;
}

uint64_t
clock_coarse_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC_COARSE);
}

uint64_t
clock_now_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

uint64_t
clock_thread_ns(void)
{
	return clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t
clock_wall_ns(void)
{
	return clock_read_ns(CLOCK_REALTIME);
}
