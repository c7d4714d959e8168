/*
 * sandbox: the process shuts itself in after its first allocations.
 *
 * Provokes: a filter that lets through nothing but mmap, munmap, mremap,
 * madvise, mprotect, brk, futex, the clocks, and what this program itself
 * needs, is installed once the allocator has started; then come new sizes,
 * large blocks, the first use by a thread that slept all the time, and
 * enough freeing that memory is given back.
 * Must hold: no other call is made: nothing is opened, no CPU or entropy is
 * asked for. Any other call ends the process and is named here.
 */
#include "stress.h"

#include <ucontext.h>

static const int allowed[] = { SYS_mmap, SYS_munmap, SYS_mremap, SYS_madvise,
	SYS_mprotect, SYS_brk, SYS_futex, SYS_clock_gettime,
	SYS_clock_nanosleep, SYS_gettimeofday, SYS_write, SYS_exit,
	SYS_exit_group, SYS_rt_sigreturn, SYS_rt_sigprocmask,
	SYS_set_robust_list, SYS_rseq,
	/* The kernel's own, after a process was stopped for a while. */
	SYS_restart_syscall };

enum { NALLOWED = sizeof(allowed) / sizeof(*allowed), NBLOCKS = 400 };

static pthread_barrier_t shut_in;

static void
refused(int signal_number, siginfo_t *info, void *context)
{
	(void)signal_number, (void)context;
	stress_fail("system call %d is made in the sandbox", info->si_syscall);
}

static void
filter_install(void)
{
	struct sock_filter code[NALLOWED + 3];
	struct sock_fprog program = { NALLOWED + 3, code };
	struct sigaction action = { .sa_sigaction = refused,
		.sa_flags = SA_SIGINFO };

	CHECK(sigaction(SIGSYS, &action, NULL) == 0);
	code[0] = (struct sock_filter)BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < NALLOWED; i++)
		code[1 + i] =
		    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			(uint32_t)allowed[i], (uint8_t)(NALLOWED - i), 0);
	code[NALLOWED + 1] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	code[NALLOWED + 2] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	/* For all threads, so also for the one that sleeps. */
	if (!seccomp_install(&program, SECCOMP_FILTER_FLAG_TSYNC))
		stress_fail("no filter: %s", strerror(errno));
}

static void
use_all(uint64_t seed, size_t largest)
{
	struct prng prng = { seed };
	char *blocks[NBLOCKS];
	size_t sizes[NBLOCKS];

	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < NBLOCKS; i++) {
			sizes[i] = prng_size(&prng, largest) + 1;
			blocks[i] = needed(i % 7 == 0 ? calloc(1, sizes[i])
				: i % 7 == 1 ? aligned_alloc(128, sizes[i])
					     : malloc(sizes[i]));
			blocks[i] = needed(
			    realloc(blocks[i], sizes[i] = sizes[i] * 3 / 2));
			bytes_fill(blocks[i], sizes[i], i);
		}
		for (unsigned i = 0; i < NBLOCKS; i++) {
			bytes_verify(blocks[i], sizes[i], i);
			free(blocks[i]);
		}
	}
}

static void *
sleeps_first(void *argument)
{
	pthread_barrier_wait(&shut_in);
	use_all((uintptr_t)argument, 100000);
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t ids[2];

	stress_start(argc, argv, 60);
	stress_need_filters();
	pthread_barrier_init(&shut_in, NULL, 3);
	for (uintptr_t i = 0; i < 2; i++)
		CHECK(pthread_create(&ids[i], NULL, sleeps_first, (void *)i) ==
		    0);
	free(needed(malloc(100)));
	filter_install();
	pthread_barrier_wait(&shut_in);
	use_all(5, 3000);
	use_all(6, 300000);
	use_all(7, MIB);
	/* Waits for the threads by a futex, and for the decay of memory. */
	for (unsigned i = 0; i < 2; i++)
		CHECK(pthread_join(ids[i], NULL) == 0);
	for (unsigned i = 0; i < 8; i++) {
		struct timespec nap = { 0, 100000000 };

		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
		use_all(i, 5000);
	}
	_exit(0);
}
