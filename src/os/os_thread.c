#include "os/os_thread.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "os/c_library.h"
#include "os/syscalls.h"
#include "util/compiler.h"

/* The library's own code needs little; the program's hooks may need more. */
#define STACK_SIZE ((size_t)256 << 10)

uint32_t
os_thread_id(void)
{
	return (uint32_t)os_syscall3(SYS_gettid, 0, 0, 0);
}

uint32_t
os_process_id(void)
{
	return (uint32_t)os_syscall3(SYS_getpid, 0, 0, 0);
}

void
os_thread_signal(int signal)
{
	os_syscall3(SYS_tgkill, os_process_id(), os_thread_id(), signal);
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

/* There in programs with a sanitizer, which must know of each thread. */
extern char __interceptor_pthread_create[] WEAK;

/*
 * The program, or another library, may have functions of its own that create
 * and join threads, and count them or take a lock. Our threads are none of
 * theirs, and they may be in the middle of that when they call free().
 * NULL: not known, or there is a sanitizer.
 */
static void *
c_library_function(const char *name)
{
	return __interceptor_pthread_create != NULL ? NULL
						    : c_library_find(name);
}

static int
create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
    void *arg)
{
	int (*own)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
	    void *) = c_library_function("pthread_create");

	if (own == NULL && __interceptor_pthread_create == NULL)
		own = c_library_next("pthread_create");
	return (own != NULL ? own : pthread_create)(thread, attr, run, arg);
}

int
os_thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int error, saved = errno;

	/*
	 * The new thread inherits the mask. SIGSYS is for the call that a
	 * filter traps: if it was blocked, the kernel would end the process.
	 */
	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	error = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (error != 0)
		return error;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	error = create(thread, &attr, run, arg);
	pthread_attr_destroy(&attr);
	/*
	 * Thread-local storage may need a larger stack, so it tries the default
	 * size.
	 */
	if (error != 0)
		error = create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	/* A system call of pthread_create() may have failed. */
	errno = saved;
	return error;
}

void
os_thread_join(pthread_t thread)
{
	int (*join)(pthread_t, void **) = c_library_function("pthread_join");
	int state;

	/* pthread_join() is a cancellation point; the library has none. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	(join != NULL ? join : pthread_join)(thread, NULL);
	pthread_setcancelstate(state, NULL);
}

void
os_thread_detach(pthread_t thread)
{
	int (*detach)(pthread_t) = c_library_function("pthread_detach");

	(detach != NULL ? detach : pthread_detach)(thread);
}

void
os_thread_set_name(const char *name)
{
	os_syscall3(SYS_prctl, PR_SET_NAME, (long)(uintptr_t)name, 0);
}

void
os_thread_sleep(_Atomic uint32_t *word, uint32_t value, uint64_t wait_ns)
{
	struct os_time time = os_time_of(wait_ns);

	os_syscall4(SYS_futex, (long)(uintptr_t)word, FUTEX_WAIT_PRIVATE,
	    (long)value, wait_ns == UINT64_MAX ? 0 : (long)(uintptr_t)&time);
}

void
os_thread_wake(_Atomic uint32_t *word)
{
	os_syscall3(SYS_futex, (long)(uintptr_t)word, FUTEX_WAKE_PRIVATE, 1);
}

static bool
membarrier(int command)
{
	return os_syscall3(SYS_membarrier, command, 0, 0) == 0;
}

bool
os_thread_barrier_init(void)
{
	return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) &&
	    membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

bool
os_thread_barrier(void)
{
	/* A process that goes on from an image on disk is not registered. */
	return membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) ||
	    os_thread_barrier_init();
}

void
os_thread_name(char name[16])
{
	os_syscall3(SYS_prctl, PR_GET_NAME, (long)name, 0);
}
