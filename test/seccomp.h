/*
 * seccomp: whether this kernel takes filters of system calls, for tests that
 * make calls fail.
 *
 * Offers:     the reason why there can be no filter, and installing one.
 * Invariants: only a kernel or a container without filters is a reason to skip.
 *             Once the kernel has said that it takes them, a filter that it
 *             does not take is a mistake of the test, which fails.
 */
#ifndef TEST_SECCOMP_H
#define TEST_SECCOMP_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The call that maps memory. */
#ifdef SYS_mmap2
#define CALL_MMAP SYS_mmap2
#else
#define CALL_MMAP SYS_mmap
#endif

/*
 * NULL if filters can be installed. A kernel that knows them wants to read the
 * one at address 0, and answers EFAULT; one without them answers EINVAL. The
 * rules of a container may forbid the question: EPERM. Everything else is for
 * the test to fail of, when it installs its filter.
 */
static inline const char *
seccomp_missing(void)
{
	const char *missing = NULL;
	int saved = errno;

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) != 0) {
		if (errno == EINVAL || errno == ENOSYS)
			missing = "this kernel has no seccomp filters";
		else if (errno == EPERM)
			missing = "seccomp filters are forbidden here (EPERM), "
				  "by the rules of a container";
	}
	errno = saved;
	return missing;
}

/*
 * From here on the filter holds; false, with errno, if it does not. Without
 * flags by prctl(), since valgrind does not know the other call.
 */
static inline _Bool
seccomp_install(const struct sock_fprog *program, unsigned flags)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return 0;
	return flags == 0
	    ? prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program) == 0
	    : syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program) ==
		0;
}

#endif
