/*
 * sandbox: the process shuts itself in after its first allocations.
 *
 * Provokes: a filter that lets through nothing but mmap, munmap, mremap,
 * madvise, mprotect, brk, futex, the clocks, and what this program itself
 * needs, is installed once the allocator has started; then come new sizes,
 * large blocks, one that can't be served, the first use by a thread that slept
 * all the time, and enough freeing that memory is given back. In another run
 * two threads free much and then sleep, by which a thread of the library is
 * born; the filter lets through what the start and the end of a thread need.
 * Must hold: no other call is made: nothing is opened, no CPU or entropy is
 * asked for. Any other call ends the process and is named here. With
 * background_thread:false no thread is started. Otherwise the memory goes back
 * while all sleep.
 */
#include "stress.h"

#include <ucontext.h>

static const int allowed[] = { CALL_MMAP, SYS_munmap, SYS_mremap, SYS_madvise,
	SYS_mprotect, SYS_brk, SYS_futex, SYS_clock_gettime,
	SYS_clock_nanosleep, SYS_gettimeofday, SYS_write, SYS_exit,
	SYS_exit_group, SYS_rt_sigreturn, SYS_rt_sigprocmask,
	SYS_set_robust_list, SYS_rseq,
	/* The kernel's own, after a process was stopped for a while. */
	SYS_restart_syscall };

/* A thread, and the look whether this is still the same process. */
static const int for_a_thread[] = { SYS_clone,
#ifdef SYS_clone3
	SYS_clone3,
#endif
	SYS_getpid };

enum {
	NALLOWED = sizeof(allowed) / sizeof(*allowed),
	NBLOCKS = 400,
	NMORE = sizeof(for_a_thread) / sizeof(*for_a_thread)
};

static pthread_barrier_t shut_in;

static void
refused(int signal_number, siginfo_t *info, void *context)
{
	(void)signal_number, (void)context;
	stress_fail("system call %d is made in the sandbox", info->si_syscall);
}

static void
filter_install(bool threads)
{
	unsigned n = NALLOWED + (threads ? NMORE : 0);
	struct sock_filter code[NALLOWED + NMORE + 3];
	struct sock_fprog program = { (unsigned short)(n + 3), code };
	struct sigaction action = { .sa_sigaction = refused,
		.sa_flags = SA_SIGINFO };

	CHECK(sigaction(SIGSYS, &action, NULL) == 0);
	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	    offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < n; i++)
		code[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ |
			BPF_K,
		    (uint32_t)(i < NALLOWED ? allowed[i]
					    : for_a_thread[i - NALLOWED]),
		    (uint8_t)(n - i), 0);
	code[n + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
	    SECCOMP_RET_TRAP);
	code[n + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
	    SECCOMP_RET_ALLOW);
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
			blocks[i] = needed(realloc(blocks[i],
			    sizes[i] = sizes[i] * 3 / 2));
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

static void
nap(unsigned ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

static void
all_sizes(void)
{
	pthread_t ids[2];

	pthread_barrier_init(&shut_in, NULL, 3);
	for (uintptr_t i = 0; i < 2; i++)
		CHECK(pthread_create(&ids[i], NULL, sleeps_first, (void *)i) ==
		    0);
	free(needed(malloc(100)));
	filter_install(false);
	pthread_barrier_wait(&shut_in);
	use_all(5, 3000);
	use_all(6, 300000);
	use_all(7, MIB);
	/* More than the machine has: what can't be served asks nothing. */
	free(hidden(malloc(SIZE_MAX >> 18)));
	/* Waits for the threads by a futex, and for the decay of memory. */
	for (unsigned i = 0; i < 2; i++)
		CHECK(pthread_join(ids[i], NULL) == 0);
	for (unsigned i = 0; i < 8; i++) {
		nap(100);
		use_all(i, 5000);
	}
	_exit(0);
}

/* --- a burst -------------------------------------------------------------- */

enum { NOBJECTS = 60000, OBJECT = 1000 }; /* 57 MiB for each thread */

static void *
burst_in_the_sandbox(void *unused)
{
	static _Thread_local char *objects[NOBJECTS];

	pthread_barrier_wait(&shut_in);
	for (unsigned i = 0; i < NOBJECTS; i++)
		bytes_fill(objects[i] = needed(malloc(OBJECT)), OBJECT, i);
	for (unsigned i = 0; i < NOBJECTS; i++)
		free(objects[i]);
	pthread_barrier_wait(&shut_in);
	pthread_barrier_wait(&shut_in);
	return unused;
}

/* Of the objects, as the kernel sees them: no file may be opened. */
static size_t
resident(void)
{
	size_t size = sizeof(size), value = 0;
	uint64_t epoch = 1;

	CHECK(control("epoch", NULL, NULL, &epoch, sizeof(epoch)) == 0);
	CHECK(control("stats.resident", &value, &size, NULL, 0) == 0);
	return value;
}

static void
burst_and_silence(bool threads)
{
	pthread_t ids[2];
	size_t before = resident(), now = 0;

	pthread_barrier_init(&shut_in, NULL, 3);
	for (unsigned i = 0; i < 2; i++)
		CHECK(pthread_create(&ids[i], NULL, burst_in_the_sandbox,
			  NULL) == 0);
	filter_install(threads);
	pthread_barrier_wait(&shut_in);
	pthread_barrier_wait(&shut_in);
	if (resident() < before + 40 * MIB)
		stress_fail("too little was used");
	for (unsigned i = 0; i < (threads ? 600 : 10); i++) {
		nap(100);
		now = resident();
		if (now < before + 34 * MIB)
			break;
	}
	if (threads && now >= before + 34 * MIB)
		stress_fail("%zu MiB are still in memory", now / MIB);
	pthread_barrier_wait(&shut_in);
	for (unsigned i = 0; i < 2; i++)
		CHECK(pthread_join(ids[i], NULL) == 0);
	_exit(0);
}

int
main(int argc, char **argv)
{
	const char *with = getenv("SANDBOX_WITH");

	stress_start(argc, argv, 120);
	stress_need_filters();
	if (with != NULL)
		burst_and_silence(strcmp(with, "threads") == 0);
	stress_start_again(argv, "SANDBOX_WITH", "threads",
	    "background_thread:auto");
	stress_start_again(argv, "SANDBOX_WITH", "none",
	    "background_thread:false");
	all_sizes();
}
