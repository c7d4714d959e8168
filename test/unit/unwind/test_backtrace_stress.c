/*
 * Eight threads throw exceptions, load and unload objects and recurse, while
 * signals take their stacks at any moment. Stacks must lead to the thread's
 * first function.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "../unit.h"
#include "os/system.h"
#include "unwind/backtrace.h"

enum { THREADS = 8, DEPTH = 256 };

static struct {
	_Atomic bool stop;
	_Atomic unsigned taken;
	_Atomic unsigned complete;
	/* Of these: by signals. */
	_Atomic unsigned handled;
	_Atomic unsigned handled_complete;
	_Atomic unsigned work[3];
	int (*throw_through)(int depth, void (*function)(void *));
} stress;

/* To where the thread's first function returns; NULL: don't look. */
static _Thread_local void *volatile bottom;

/* True: there was a stack to take, and it was complete if *complete. */
static NOINLINE bool
take_and_look(bool *complete)
{
	void *frame[DEPTH];
	unsigned n = backtrace_take(frame, DEPTH);
	unsigned i = 0;

	if (bottom == NULL)
		return false;
	while (i < n && frame[i] != bottom)
		i++;
	*complete = i < n;
	return true;
}

static NOINLINE void
take(void *arg)
{
	bool complete;

	(void)arg;
	if (!take_and_look(&complete))
		return;
	stress.taken++;
	stress.complete += complete;
}

static void
handler(int number)
{
	int saved = errno;
	bool complete;

	(void)number;
	if (take_and_look(&complete)) {
		stress.handled++;
		stress.handled_complete += complete;
	}
	errno = saved;
}

static NOINLINE int
recurse(unsigned depth)
{
	volatile char frame[40] = { (char)depth };

	if (depth == 0)
		take(NULL);
	else
		frame[0] = (char)recurse(depth - 1);
	return frame[0] + 1;
}

static int
compare(const void *a, const void *b)
{
	take(NULL);
	return *(const int *)a - *(const int *)b;
}

static NOINLINE void
load_and_unload(unsigned round)
{
	void *object = dlopen(round % 2 == 0 ? PLUGINS "/plugin-small.so"
					     : PLUGINS "/plugin-large.so",
	    RTLD_NOW);
	int (*call)(void (*)(void *), void *);

	if (object == NULL)
		return;
	*(void **)&call = dlsym(object, "plugin_call");
	call(take, NULL);
	dlclose(object);
}

static NOINLINE void *
run(void *arg)
{
	unsigned kind = *(unsigned *)arg % 3;
	int numbers[16];

	bottom = __builtin_return_address(0);
	for (unsigned round = 0; !stress.stop; round++) {
		if (kind == 0 && stress.throw_through != NULL) {
			stress.throw_through((int)(round % 20), take);
		} else if (kind == 1) {
			load_and_unload(round);
		} else {
			for (unsigned i = 0; i < ARRAY_LEN(numbers); i++)
				numbers[i] = (int)(i * round * 7919 % 31);
			qsort(numbers, ARRAY_LEN(numbers), sizeof(int),
			    compare);
			recurse(round % 64);
		}
		stress.work[kind]++;
	}
	bottom = NULL;
	return NULL;
}

/* All have had their turn, however slow they are. */
static bool
is_enough(void)
{
	unsigned times = test_is_long() ? 10 : 1;

	return stress.handled >= 200 * times && stress.taken >= 10000 * times &&
	    (stress.work[0] >= 100 || stress.throw_through == NULL) &&
	    stress.work[1] >= 100 && stress.work[2] >= 100;
}

static void
every_stack_is_whole_whatever_goes_on(void **state)
{
	struct itimerval timer = {
		.it_interval.tv_usec = 1000, .it_value.tv_usec = 1000,
	}, off = { .it_value.tv_usec = 0 };
	struct timespec wait = { .tv_nsec = 10000000 };
	void *thrower = dlopen(PLUGINS "/plugin-throw.so", RTLD_NOW);
	struct sigaction action = { .sa_flags = SA_RESTART };
	unsigned number[THREADS];
	pthread_t thread[THREADS];

	(void)state;
	if (thrower != NULL)
		*(void **)&stress.throw_through = dlsym(thrower,
		    "plugin_throw");
	for (unsigned i = 0; i < THREADS; i++) {
		number[i] = i;
		pthread_create(&thread[i], NULL, run, &number[i]);
	}
	action.sa_handler = handler;
	sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &timer, NULL);
	while (!is_enough())
		nanosleep(&wait, NULL);
	setitimer(ITIMER_PROF, &off, NULL);
	stress.stop = true;
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	signal(SIGPROF, SIG_IGN);
	print_message("%u of %u stacks complete, of signals %u of %u; thrown "
		      "%u, loaded %u, sorted %u\n",
	    stress.complete, stress.taken, stress.handled_complete,
	    stress.handled, stress.work[0], stress.work[1], stress.work[2]);
	assert_int_equal(stress.complete, stress.taken);
	/*
	 * The C library's start files have code without information. Signals
	 * find it, but rarely: an object is unloaded for longer than that.
	 */
	assert_true(stress.handled - stress.handled_complete <=
	    10 + stress.handled / 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_stack_is_whole_whatever_goes_on),
	};

	system_init();
	alarm(600);
	/* The sanitizer knows of no throw in a plugin loaded later. */
	if (UNDER_ASAN)
		SKIP_BECAUSE("the sanitizer knows of no throw in a plugin");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
