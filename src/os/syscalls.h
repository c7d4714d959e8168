/*
 * syscalls: raw system calls that touch neither errno nor the C library.
 *
 * Owns:       nothing.
 * Invariants: a result in [-4095, -1] is a negated error number, as the kernel
 *             gives it. Nothing here is a cancellation point.
 * Locking:    none.
 *
 * The wrappers of the C library are not used: the first allocation of a process
 * may come before the C library is ready, and another library may have replaced
 * the wrappers.
 */
#ifndef OS_SYSCALLS_H
#define OS_SYSCALLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "util/compiler.h"

#if defined(__x86_64__)

static ALWAYS_INLINE long
os_syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			 "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

static ALWAYS_INLINE long
os_syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

#else

#include <errno.h>
#include <unistd.h>

static inline long
os_syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
	int saved = errno;
	long result = syscall(nr, a, b, c, d, e, f);

	if (result == -1)
		result = -errno;
	errno = saved;
	return result;
}

#endif

/*
 * A time as these calls have it. That of the C library may be longer where
 * pointers have 32 bits.
 */
struct os_time {
	long seconds;
	long nanoseconds;
};

/* A time that is too long for it becomes a shorter one. */
static inline struct os_time
os_time_of(uint64_t ns)
{
	uint64_t seconds = ns / 1000000000u;

	if (sizeof(long) < 8 && seconds > INT32_MAX)
		seconds = INT32_MAX;
	return (struct os_time){ (long)seconds, (long)(ns % 1000000000u) };
}

static ALWAYS_INLINE long
os_syscall4(long nr, long a, long b, long c, long d)
{
	return os_syscall6(nr, a, b, c, d, 0, 0);
}

static ALWAYS_INLINE long
os_syscall3(long nr, long a, long b, long c)
{
	return os_syscall6(nr, a, b, c, 0, 0, 0);
}

/* mmap() of memory without a file: its form differs between processors. */
static ALWAYS_INLINE long
os_mmap(void *hint, size_t size, int protection, int flags)
{
	long addr = (long)(uintptr_t)hint;

#if defined(__s390__)
	unsigned long all[6] = { (unsigned long)addr, size,
		(unsigned long)protection, (unsigned long)flags,
		(unsigned long)-1, 0 };

	return os_syscall3(SYS_mmap, (long)(uintptr_t)all, 0, 0);
#else
#if defined(SYS_mmap2)
	const long call = SYS_mmap2;
#else
	const long call = SYS_mmap;
#endif

	return os_syscall6(call, addr, (long)size, protection, flags, -1, 0);
#endif
}

#endif
