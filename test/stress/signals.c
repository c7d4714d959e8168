/*
 * signals: handlers run, allocate and jump, between calls of the allocator.
 *
 * Provokes: a storm of timer signals whose handler does not allocate;
 * handlers that allocate, on an alternate stack of 16 KiB, when the code
 * interrupted was not in the allocator; siglongjmp out of such a handler,
 * 300 times; threads that are sent signals while they wait for memory.
 * Must hold: no request fails for a signal, no contents change, no wake-up
 * is lost, masks and dispositions stay as they are.
 */
#include "stress.h"

#include <setjmp.h>
#include <sys/time.h>

enum { NTHREADS = 4, NSTEPS = 15000, FULL = 4, NJUMPS = 300 };

static volatile sig_atomic_t nticks;
static sigjmp_buf jump;
static unsigned scale;

static void
tick(int signal_number)
{
	(void)signal_number;
	nticks = nticks + 1;
}

static void
allocating_handler(int signal_number)
{
	struct prng prng = { (uint64_t)nticks };

	(void)signal_number;
	for (unsigned i = 0; i < 30; i++) {
		size_t size = prng_size(&prng, 50000);
		char *block = needed(malloc(size));

		bytes_fill(block, size, i);
		block = needed(realloc(block, size + 3000));
		bytes_verify(block, size & ~(size_t)7, i);
		free(block);
	}
}

static void
jumping_handler(int signal_number)
{
	allocating_handler(signal_number);
	siglongjmp(jump, 1);
}

static void *
steady_work(void *argument)
{
	struct prng prng = { (uintptr_t)argument };
	char *blocks[64] = { 0 };
	size_t sizes[64] = { 0 };

	for (unsigned step = 0; step < NSTEPS * scale; step++) {
		size_t at = prng_below(&prng, 64);

		if (blocks[at] != NULL)
			bytes_verify(blocks[at], sizes[at], at);
		free(blocks[at]);
		sizes[at] = prng_below(&prng, 100) == 0
		    ? prng_size(&prng, 4 * MIB)
		    : prng_size(&prng, 5000);
		blocks[at] = needed(malloc(sizes[at]));
		bytes_fill(blocks[at], sizes[at], at);
	}
	for (unsigned at = 0; at < 64; at++)
		free(blocks[at]);
	return NULL;
}

static void
handler_set(int signal_number, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	CHECK(sigaction(signal_number, &action, NULL) == 0);
}

static void
timer_set(long interval_us)
{
	struct itimerval timer = { { 0, interval_us }, { 0, interval_us } };

	CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

/* The timer takes SIGALRM from the watchdog for as long as it runs. */
static void
storm(void)
{
	unsigned left = alarm(0);

	handler_set(SIGALRM, tick, 0);
	timer_set(200);
	threads_run(NTHREADS, steady_work);
	timer_set(0);
	CHECK(nticks > 10);
	stress_watchdog(left / STRESS_PATIENCE + 1);
}

static void *
handlers_allocate(void *argument)
{
	static char space[16384];
	stack_t stack = { .ss_sp = space, .ss_size = sizeof(space) };
	char *kept = needed(malloc(1000));

	bytes_fill(kept, 1000, 3);
	CHECK(sigaltstack(&stack, NULL) == 0);
	handler_set(SIGUSR1, allocating_handler, SA_ONSTACK);
	for (unsigned i = 0; i < 300; i++)
		CHECK(raise(SIGUSR1) == 0);
	handler_set(SIGUSR1, jumping_handler, SA_ONSTACK);
	for (volatile unsigned i = 0; i < NJUMPS; i++) {
		free(needed(malloc(100 + i * 37)));
		if (sigsetjmp(jump, 1) == 0) {
			raise(SIGUSR1);
			stress_fail("the handler returned");
		}
		free(needed(malloc(100 + i * 91)));
	}
	bytes_verify(kept, 1000, 3);
	free(kept);
	stack.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&stack, NULL) == 0);
	return argument;
}

/* What the allocator must leave alone. */
static void
state_check(void)
{
	struct sigaction action;
	sigset_t mask;

	CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
	for (int i = 1; i < NSIG; i++) {
		CHECK(sigismember(&mask, i) <= 0);
		if (i == SIGALRM || i == SIGUSR1 || i == 32 || i == 33)
			continue;
		CHECK(sigaction(i, NULL, &action) == 0);
		CHECK(action.sa_handler == SIG_DFL ||
		    action.sa_handler == SIG_IGN);
	}
}

int
main(int argc, char **argv)
{
	/* A quarter, if it is to be short. */
	scale = stress_start(argc, argv, 60) *
	    (stress_is_short(argc, argv) ? 1 : FULL);
	storm();
	thread_run(handlers_allocate, NULL);
	state_check();
	return 0;
}
