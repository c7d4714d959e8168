/*
 * profile-storm: every allocation is a sample, whatever the thread is at.
 *
 * Provokes: samples in destructors that an exception runs, and in the copy of
 * the exception; in constructors of objects being loaded, while others are
 * unloaded from the same place; in signal handlers, on the thread's stack and
 * on one of their own, which interrupt all of that; in threads that are born
 * and die; in children of fork. Meanwhile dumps are written, the profile is
 * reset and paused.
 * Must hold: nothing hangs or crashes, contents stay, stacks lead down to the
 * thread's first function, and what was freed is in the dump no more.
 *
 * 64 threads, until each kind of them has had its turn, and at least a
 * second; with TEST_LONG=1 ten minutes.
 */
#include "profile.h"

#include <sys/time.h>

enum {
	THREADS = 64,
	KINDS = 4,
	/* Seconds without progress are a hang. */
	STALL = 60 * STRESS_PATIENCE,
	SECONDS = 1,
	SECONDS_LONG = 600,
	HANDLER_STACK = 64 * 1024,
};

/* Functions in sections of their own, to know their frames by the address. */
#define FIRST_FUNCTION __attribute__((noinline, section("storm_run")))
#define MAKER          __attribute__((noinline, section("storm_make")))

extern char __start_storm_run[], __stop_storm_run[];
extern char __start_storm_make[], __stop_storm_make[];

/* What objects call that are being loaded. */
void (*plugin_start)(void *);

static struct {
	_Atomic bool stop;
	_Atomic unsigned long work[KINDS];
	_Atomic unsigned long handled;
	_Atomic unsigned long stacks;
	_Atomic unsigned long whole;
	mallctl_function *ctl;
	int (*throw_through)(int depth, void (*function)(void *));
	pthread_t thread[THREADS];
	char path[64];
} storm;

/* The handler may allocate: the thread is not in the allocator. */
static _Thread_local volatile sig_atomic_t outside;
static _Thread_local uint64_t seed;

static MAKER void *
make(size_t size)
{
	void *block = needed(malloc(size));

	bytes_fill(block, size, size);
	return hidden(block);
}

static void
drop(void *block, size_t size)
{
	bytes_verify(block, size, size);
	free(block);
}

static size_t
draw(size_t limit)
{
	struct prng prng = { seed };
	size_t value = prng_below(&prng, limit);

	seed = prng.state;
	return value;
}

/* A short pause in which signals find the thread outside of the allocator. */
static void
linger(void)
{
	outside = 1;
	for (volatile unsigned i = 0; i < 4000; i++)
		;
	outside = 0;
}

/* Wherever this is called: in destructors, in constructors, deep down. */
static void
allocate_here(void *unused)
{
	size_t size = 1 + draw(300);
	char *block = make(size);

	(void)unused;
	linger();
	drop(block, size);
}

static void
handler(int number)
{
	int saved = errno;

	(void)number;
	if (!outside)
		return;
	outside = 0;
	for (size_t size = 10; size < 3000; size *= 7)
		drop(make(size), size);
	storm.handled++;
	outside = 1;
	errno = saved;
}

/* --- what threads are at -------------------------------------------------- */

static void
throw_exceptions(unsigned round)
{
	if (storm.throw_through != NULL)
		CHECK(storm.throw_through((int)(round % 30), allocate_here) >
		    0);
}

static void
load_and_unload(unsigned round)
{
	void *object = dlopen(round % 2 == 0 ? PLUGINS "/plugin-small.so"
					     : PLUGINS "/plugin-large.so",
	    RTLD_NOW);
	int (*call)(void (*)(void *), void *);
	void *symbol;

	CHECK(object != NULL);
	symbol = dlsym(object, "plugin_call");
	memcpy(&call, &symbol, sizeof(call));
	call(allocate_here, NULL);
	dlclose(object);
}

static __attribute__((noinline)) unsigned
descend(unsigned depth)
{
	volatile char frame[64] = { (char)depth };

	if (depth == 0)
		allocate_here(NULL);
	else
		frame[0] = (char)descend(depth - 1);
	return (unsigned)frame[0] + 1;
}

static void
allocate(unsigned round)
{
	enum { MANY = 32 };
	void *block[MANY];
	size_t size[MANY];

	descend(round % 60);
	for (unsigned i = 0; i < MANY; i++) {
		size[i] = i == 0 ? 1 + draw(200000) : 1 + draw(2000);
		block[i] = make(size[i]);
	}
	linger();
	for (unsigned i = 0; i < MANY; i++) {
		bytes_verify(block[i], size[i], size[i]);
		block[i] = needed(realloc(block[i], 1 + draw(3000)));
		free(block[i]);
	}
}

static FIRST_FUNCTION void *
run_briefly(void *argument)
{
	seed = (uintptr_t)argument;
	for (unsigned i = 0; i < 4; i++) {
		throw_exceptions(i);
		allocate_here(NULL);
	}
	return NULL;
}

static void
live_briefly(unsigned round)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, run_briefly,
		  (void *)(uintptr_t)round) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

static FIRST_FUNCTION void *
run(void *argument)
{
	static void (*const kinds[KINDS])(unsigned) = { throw_exceptions,
		load_and_unload, allocate, live_briefly };
	unsigned number = (unsigned)(uintptr_t)argument;
	stack_t stack = { .ss_size = HANDLER_STACK };
	void *memory = make(HANDLER_STACK);

	seed = number;
	if (number / KINDS % 2 == 0) {
		stack.ss_sp = memory;
		CHECK(sigaltstack(&stack, NULL) == 0);
	}
	for (unsigned round = 0; !storm.stop; round++) {
		kinds[number % KINDS](round);
		storm.work[number % KINDS]++;
		linger();
	}
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	free(memory);
	return NULL;
}

/* --- meanwhile ------------------------------------------------------------ */

static void
visit(void *context, const struct profile_stack *stack)
{
	unsigned *made = context;

	if (!profile_passes(stack, __start_storm_make, __stop_storm_make))
		return;
	*made += stack->objects != 0;
	storm.stacks++;
	storm.whole += profile_passes(stack, __start_storm_run,
	    __stop_storm_run);
}

/* The number of stacks with something alive that comes from make(). */
static unsigned
dump(void)
{
	unsigned made = 0;

	profile_dump(storm.path);
	profile_read(storm.path, visit, &made);
	unlink(storm.path);
	return made;
}

static void
fork_child(void)
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		for (size_t size = 1; size < 100000; size *= 3)
			drop(make(size), size);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void
set_active(bool active)
{
	CHECK(storm.ctl("prof.active", NULL, NULL, &active, sizeof(active)) ==
	    0);
}

static void *
disturb(void *argument)
{
	for (unsigned round = 0; !storm.stop; round++) {
		dump();
		for (unsigned i = 0; i < THREADS; i++)
			pthread_kill(storm.thread[i], SIGUSR1);
		fork_child();
		set_active(false);
		usleep(1000);
		set_active(true);
		usleep(5000);
		if (round % 8 == 7)
			storm.ctl("prof.reset", NULL, NULL, NULL, 0);
	}
	return argument;
}

/* Has all been there that is to be judged? */
static bool
is_enough(void)
{
	for (unsigned kind = 0; kind < KINDS; kind++)
		if (storm.work[kind] == 0)
			return false;
	return storm.handled > 50 && storm.stacks > 200;
}

static void
watch(unsigned seconds)
{
	unsigned long before[KINDS] = { 0 };
	unsigned since[KINDS] = { 0 };

	for (unsigned second = 0; second < seconds || !is_enough(); second++) {
		struct timespec wait = { .tv_sec = 1 };

		while (nanosleep(&wait, &wait) != 0)
			;
		for (unsigned kind = 0; kind < KINDS; kind++) {
			since[kind]++;
			if (storm.work[kind] != before[kind])
				since[kind] = 0;
			before[kind] = storm.work[kind];
			if (since[kind] >= STALL)
				stress_fail("kind %u of threads hangs", kind);
		}
	}
}

static void
run_storm(unsigned seconds)
{
	struct itimerval timer = { .it_interval.tv_usec = 1000,
		.it_value.tv_usec = 1000 },
			 off = { .it_value.tv_usec = 0 };
	struct sigaction action = { .sa_handler = handler,
		.sa_flags = SA_RESTART | SA_ONSTACK };
	sigset_t signals, before;
	pthread_t disturber;

	sigaction(SIGPROF, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_create(&storm.thread[i], NULL, run,
			  (void *)(uintptr_t)i) == 0);
	sigemptyset(&signals);
	sigaddset(&signals, SIGPROF);
	pthread_sigmask(SIG_BLOCK, &signals, &before);
	CHECK(pthread_create(&disturber, NULL, disturb, NULL) == 0);
	setitimer(ITIMER_PROF, &timer, NULL);
	watch(seconds);
	setitimer(ITIMER_PROF, &off, NULL);
	storm.stop = true;
	CHECK(pthread_join(disturber, NULL) == 0);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_join(storm.thread[i], NULL) == 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void
judge(void)
{
	unsigned left = dump();

	printf("thrown %lu, loaded %lu, allocated %lu, born %lu, in handlers "
	       "%lu; %lu of %lu stacks whole\n",
	    storm.work[0], storm.work[1], storm.work[2], storm.work[3],
	    storm.handled, storm.whole, storm.stacks);
	fflush(stdout);
	/* Samples are at calls: none is in code without information. */
	CHECK(storm.whole == storm.stacks);
	if (left != 0)
		stress_fail("%u stacks have something that was freed", left);
}

int
main(int argc, char **argv)
{
	unsigned scale = stress_start(argc, argv, 200);
	void *thrower, *symbol;
	bool on = false;
	size_t size = sizeof(on);

	if (!symbol_find("mallctl", &storm.ctl))
		stress_skip_other("mallctl");
	if (!built_with("prof"))
		stress_skip("built without heap profiles");
	if (storm.ctl("opt.prof", &on, &size, NULL, 0) != 0 || !on) {
		stress_conf("prof:true,lg_prof_sample:0,prof_accum:true");
		execv("/proc/self/exe", argv);
		stress_fail("can't start again");
	}
	snprintf(storm.path, sizeof(storm.path), "/tmp/profile-storm.%d",
	    (int)getpid());
	thrower = dlopen(PLUGINS "/plugin-throw.so", RTLD_NOW);
	symbol = thrower == NULL ? NULL : dlsym(thrower, "plugin_throw");
	memcpy(&storm.throw_through, &symbol, sizeof(symbol));
	plugin_start = allocate_here;
	run_storm(scale >= 10 ? SECONDS_LONG : SECONDS * scale);
	judge();
	return 0;
}
