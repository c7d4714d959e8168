#include "unwind/backtrace.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "../unit.h"
#include "os/system.h"
#include "unwind/unwind_objects.h"

enum { DEPTH = 128 };

/* Functions that dladdr() tells apart. */
#define SEEN __attribute__((noinline, visibility("default")))
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

/* Keeps a call from being the last thing in a function. */
#define AFTERWARDS() __asm__ volatile("" : : : "memory")

struct stack {
	unsigned n;
	void *frame[DEPTH];
};

SEEN void
take(void *arg)
{
	struct stack *stack = arg;

	stack->n = backtrace_take(stack->frame, DEPTH);
	AFTERWARDS();
}

/* The first frame at or behind `from` that is in the function; -1: none. */
static int
find(const struct stack *stack, const void *function, int from)
{
	for (int i = from; i >= 0 && i < (int)stack->n; i++) {
		Dl_info info;

		if (dladdr((char *)stack->frame[i] - 1, &info) != 0 &&
		    info.dli_saddr == function)
			return i;
	}
	return -1;
}

/* To where this function will return. */
#define RETURN_ADDRESS() __builtin_return_address(0)

struct chain {
	struct stack stack;
	unsigned n;
	void *truth[DEPTH]; /* innermost first */
	void *outside;
};

/* A different frame at each depth. */
static NOINLINE int
nested(struct chain *chain, unsigned depth)
{
	volatile char frame[48];
	int sum;

	frame[depth % sizeof(frame)] = (char)depth;
	if (depth == 0) {
		take(&chain->stack);
		sum = 1;
	} else {
		sum = nested(chain, depth - 1) + frame[0];
	}
	chain->truth[chain->n++] = RETURN_ADDRESS();
	return sum;
}

SEEN void
recursion_is_followed_frame_by_frame(void **state)
{
	static struct chain chain;

	(void)state;
	memset(&chain, 0, sizeof(chain));
	nested(&chain, 50);
	assert_int_equal(chain.n, 51);
	assert_true(find(&chain.stack, take, 0) == 0);
	assert_true(chain.stack.n > chain.n + 2);
	/* 0: in take, 1: in nested(0), then to where each returned. */
	for (unsigned i = 0; i < chain.n; i++)
		assert_ptr_equal(chain.stack.frame[2 + i], chain.truth[i]);
	assert_true(find(&chain.stack, recursion_is_followed_frame_by_frame,
			52) == 52);
}

static NOINLINE int
count_at(unsigned depth, unsigned max, void **vec)
{
	int n = depth == 0 ? (int)backtrace_take(vec, max)
			   : count_at(depth - 1, max, vec);

	AFTERWARDS();
	return n;
}

static void
no_more_frames_than_there_is_room(void **state)
{
	void *vec[20];

	(void)state;
	for (unsigned max = 0; max < 20; max++) {
		memset(vec, 0x5a, sizeof(vec));
		assert_int_equal(count_at(30, max, vec), max);
		for (unsigned i = 0; i < 20; i++)
			assert_true((vec[i] == (void *)0x5a5a5a5a5a5a5a5a) ==
			    (i >= max));
	}
}

/* A frame whose size is known at run time only. */
SEEN int
variable_frame(size_t size, struct stack *stack)
{
	volatile char *frame = __builtin_alloca(size);

	frame[0] = 1;
	take(stack);
	return frame[0];
}

/* A frame that is aligned more strictly than the stack. */
SEEN int
aligned_frame(struct stack *stack, size_t size)
{
	volatile char frame[64] __attribute__((aligned(64)));
	volatile char *more = __builtin_alloca(size);

	frame[0] = more[0] = 1;
	__asm__ volatile("" : : "r"(frame) : "memory");
	take(stack);
	return frame[0];
}

SEEN void
frames_may_be_of_any_kind(void **state)
{
	struct stack stack;

	(void)state;
	for (size_t size = 1; size < 3000; size += 200) {
		variable_frame(size, &stack);
		assert_int_equal(find(&stack, take, 0), 0);
		assert_int_equal(find(&stack, variable_frame, 1), 1);
		assert_int_equal(find(&stack, frames_may_be_of_any_kind, 2), 2);
		aligned_frame(&stack, size);
		assert_int_equal(find(&stack, aligned_frame, 1), 1);
		assert_int_equal(find(&stack, frames_may_be_of_any_kind, 2), 2);
	}
}

static struct stack in_callback;

SEEN int
compare(const void *a, const void *b)
{
	take(&in_callback);
	return *(const int *)a - *(const int *)b;
}

SEEN void
callbacks_of_libraries_are_passed_through(void **state)
{
	int numbers[] = { 3, 1, 2, 5, 4 };
	int at;

	(void)state;
	qsort(numbers, ARRAY_LEN(numbers), sizeof(int), compare);
	assert_int_equal(find(&in_callback, compare, 0), 1);
	at = find(&in_callback, callbacks_of_libraries_are_passed_through, 2);
	assert_in_range(at, 3, 8);
}

static struct stack in_handler;

SEEN void
handler(int number)
{
	int saved = errno;

	(void)number;
	take(&in_handler);
	errno = saved;
}

SEEN int
interrupted(volatile int *where)
{
	*where = 1; /* a fault, or a signal sent by hand */
	raise(SIGUSR1);
	AFTERWARDS();
	return *where;
}

static void
on_signals(int flags)
{
	struct sigaction action = { .sa_flags = flags };

	action.sa_handler = handler;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
}

SEEN void
signal_frames_are_passed_through(void **state)
{
	volatile int word;
	int at;

	(void)state;
	on_signals(0);
	interrupted(&word);
	assert_int_equal(find(&in_handler, handler, 0), 1);
	at = find(&in_handler, interrupted, 2);
	assert_in_range(at, 3, 8);
	assert_int_equal(find(&in_handler, signal_frames_are_passed_through, 0),
	    at + 1);
}

SEEN void
so_are_those_on_a_stack_of_their_own(void **state)
{
	stack_t its = { .ss_size = 1 << 16 }, none = { .ss_flags = SS_DISABLE };
	volatile int word;
	int at;

	(void)state;
	its.ss_sp = mmap(NULL, its.ss_size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(sigaltstack(&its, NULL), 0);
	on_signals(SA_ONSTACK);
	interrupted(&word);
	at = find(&in_handler, interrupted, 2);
	assert_in_range(at, 3, 8);
	assert_int_equal(find(&in_handler, so_are_those_on_a_stack_of_their_own,
			     0),
	    at + 1);
	assert_int_equal(sigaltstack(&none, NULL), 0);
	munmap(its.ss_sp, its.ss_size);
}

SEEN void *
run_thread(void *arg)
{
	static struct chain chain;

	memset(&chain, 0, sizeof(chain));
	nested(&chain, 40);
	*(struct chain *)arg = chain;
	return NULL;
}

static void
threads_are_followed_to_their_start(void **state)
{
	static struct chain chain;
	pthread_t thread;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		pthread_create(&thread, NULL, run_thread, &chain);
		pthread_join(thread, NULL);
		for (unsigned k = 0; k < chain.n; k++)
			assert_ptr_equal(chain.stack.frame[2 + k],
			    chain.truth[k]);
		assert_int_equal(find(&chain.stack, run_thread, 0), 42);
		/* The C library's own start of a thread, and no more. */
		assert_in_range(chain.stack.n, 44, 46);
	}
}

static struct stack in_fiber;
static ucontext_t outside, fiber;

SEEN void
run_fiber(void)
{
	take(&in_fiber);
	AFTERWARDS();
	swapcontext(&fiber, &outside);
}

static void
stacks_that_the_program_made_work_too(void **state)
{
	size_t size = 1 << 16;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(getcontext(&fiber), 0);
	fiber.uc_stack.ss_sp = memory;
	fiber.uc_stack.ss_size = size;
	fiber.uc_link = &outside;
	makecontext(&fiber, run_fiber, 0);
	assert_int_equal(swapcontext(&outside, &fiber), 0);
	assert_int_equal(find(&in_fiber, run_fiber, 0), 1);
	assert_in_range(in_fiber.n, 2, 4);
	munmap(memory, size);
}

/* Called by the plugin's constructor, if it finds this by name. */
static struct stack in_constructor;

static int (*plugin_call)(void (*)(void *), void *);

SEEN void *
load(const char *path)
{
	void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	assert_non_null(object);
	*(void **)&plugin_call = dlsym(object, "plugin_call");
	assert_non_null(*(void **)&plugin_call);
	return object;
}

SEEN void
through_plugin(struct stack *stack)
{
	plugin_call(take, stack);
	AFTERWARDS();
}

static void
an_object_in_the_place_of_another_is_seen_as_it_is(void **state)
{
	static const char *path[] = {
		PLUGINS "/plugin-small.so",
		PLUGINS "/plugin-large.so",
	};
	unsigned same_place = 0;
	void *before = NULL;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct stack stack;
		void *object = load(path[i % 2]);

		backtrace_refresh();
		for (unsigned k = 0; k < 2; k++) {
			through_plugin(&stack);
			assert_int_equal(find(&stack, *(void **)&plugin_call,
					     0),
			    1);
			assert_int_equal(find(&stack, through_plugin, 0), 2);
		}
		same_place += *(void **)&plugin_call == before;
		before = *(void **)&plugin_call;
		dlclose(object);
	}
	assert_true(same_place > 0);
}

SEEN void
constructor_hook(void *arg)
{
	(void)arg;
	take(&in_constructor);
	AFTERWARDS();
}

__attribute__((visibility("default"))) void (*plugin_start)(void *);

SEEN void
constructors_of_loaded_objects_are_seen(void **state)
{
	void *object;
	int at;

	(void)state;
	plugin_start = constructor_hook;
	in_constructor.n = 0;
	object = load(PLUGINS "/plugin-small.so");
	plugin_start = NULL;
	assert_int_equal(find(&in_constructor, constructor_hook, 0), 1);
	at = find(&in_constructor, constructors_of_loaded_objects_are_seen, 2);
	assert_in_range(at, 5, 20);
	assert_int_equal(find(&in_constructor, load, 2), at - 1);
	dlclose(object);
}

/* Garbage over all that lies between here and the end of a stack. */
static void *
break_stack(void *arg)
{
	/* Not in the caller's frame, where arguments may be. */
	struct stack *volatile stack = arg;
	uint64_t seed = 1;
	volatile uintptr_t *at = __builtin_frame_address(0);
	uintptr_t saved[64];
	static const uintptr_t bad[] = {
		0,
		1,
		8,
		4096,
		UINTPTR_MAX,
		UINTPTR_MAX / 2,
		(uintptr_t)0x5a5a5a5a5a5a5a5a,
		(uintptr_t)1 << (WORD_BITS == 64 ? 47 : 31),
	};

	for (unsigned i = 0; i < 64; i++)
		saved[i] = at[i];
	for (unsigned round = 0; round < 2000; round++) {
		for (unsigned i = 0; i < 64; i++) {
			size_t kind = random_below(&seed, 6);

			at[i] = kind == 0 ? saved[i]
			    : kind == 1
			    ? (uintptr_t)&at[random_below(&seed, 600)]
			    : kind == 2 ? (uintptr_t)random_next(&seed)
			    : kind == 3
			    ? (uintptr_t)qsort + random_below(&seed, 4096)
			    : kind == 4
			    ? (uintptr_t)memcpy + random_below(&seed, 300)
			    : bad[random_below(&seed, ARRAY_LEN(bad))];
		}
		stack->n = backtrace_take(stack->frame, DEPTH);
		for (unsigned i = 0; i < 64; i++)
			at[i] = saved[i];
		if (stack->n > DEPTH)
			break;
	}
	return NULL;
}

static void
a_broken_stack_ends_early(void **state)
{
	struct stack stack;
	pthread_t thread;

	(void)state;
	pthread_create(&thread, NULL, break_stack, &stack);
	pthread_join(thread, NULL);
	assert_in_range(stack.n, 1, DEPTH);
}

static void
errno_is_kept(void **state)
{
	struct stack stack;

	(void)state;
	errno = 77;
	take(&stack);
	assert_int_equal(errno, 77);
}

static void
another_stack_has_another_hash(void **state)
{
	void *vec[3] = { (void *)0x401000, (void *)0x402000, (void *)0x403000 };
	uint64_t hash = backtrace_hash(vec, 3);
	static unsigned low[1 << 12], high[1 << 12];

	(void)state;
	assert_true(backtrace_hash(vec, 3) == hash);
	assert_true(backtrace_hash(vec, 2) != hash);
	assert_true(backtrace_hash(vec, 0) != backtrace_hash(vec, 1));
	for (unsigned i = 0; i < 3; i++)
		for (unsigned bit = 0; bit < 47; bit++) {
			uintptr_t before = (uintptr_t)vec[i];

			vec[i] = (void *)(before ^ (uintptr_t)1 << bit);
			assert_true(backtrace_hash(vec, 3) != hash);
			vec[i] = (void *)before;
		}
	vec[0] = (void *)0x402000;
	vec[1] = (void *)0x401000;
	assert_true(backtrace_hash(vec, 3) != hash);
	/* Stacks that differ a little meet in few places, by any bit. */
	for (uintptr_t i = 0; i < 1 << 12; i++) {
		vec[1] = (void *)(0x401000 + 16 * i);
		hash = backtrace_hash(vec, 3);
		assert_true(low[hash % (1 << 12)]++ < 10);
		assert_true(high[hash >> 52]++ < 10);
	}
}

/* ---- against another unwinder, where one is installed ---- */

static int (*other)(void **, int);

static struct {
	unsigned stacks;
	unsigned frames;
	unsigned equal;
} compared;

static NOINLINE void
compare_here(void)
{
	static __thread void *mine[DEPTH], *its[DEPTH];
	unsigned n = backtrace_take(mine, DEPTH);
	unsigned m = (unsigned)other(its, DEPTH);
	unsigned longer = n > m ? n : m;

	/* The first frames are two calls in this function. */
	for (unsigned i = 1; i < longer; i++)
		compared.equal += i < n && i < m && mine[i] == its[i];
	compared.frames += longer - 1;
	compared.stacks++;
	if (getenv("SHOW") != NULL &&
	    memcmp(mine + 1, its + 1, (longer - 1) * sizeof(*mine)) != 0) {
		for (unsigned i = 1; i < longer; i++) {
			Dl_info a = { .dli_sname = NULL }, b = a;

			dladdr(mine[i], &a);
			dladdr(its[i], &b);
			fprintf(stderr, "%u %p %s %p %s\n", i,
			    i < n ? mine[i] : 0, a.dli_sname,
			    i < m ? its[i] : 0, b.dli_sname);
		}
	}
}

static void
compare_in_handler(int number)
{
	int saved = errno;

	(void)number;
	compare_here();
	errno = saved;
}

static int
compare_in_callback(const void *a, const void *b)
{
	compare_here();
	return strcmp(a, b);
}

static NOINLINE void
work(void)
{
	static char text[4096], words[64][32];
	time_t now = time(NULL);
	struct tm broken_down;
	double sum = 0;

	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		snprintf(words[i], sizeof(words[i]), "%u %.9g", i * 7919 % 64,
		    sum += i / 3.0);
		sum += strtod(words[i], NULL) + strtol(words[i], NULL, 0);
	}
	localtime_r(&now, &broken_down);
	strftime(text, sizeof(text), "%c", &broken_down);
	free(strdup(text));
	memset(text, 'x', sizeof(text) - 1);
	sum += (double)strlen(text) + (strstr(text, "xyz") != NULL);
	qsort(words, ARRAY_LEN(words), sizeof(words[0]),
	    (int (*)(const void *, const void *))(void *)strcmp);
	getpid();
	__asm__ volatile("" : : "g"(&sum) : "memory");
}

static void
another_unwinder_finds_the_same(void **state)
{
	struct itimerval timer = {
		.it_interval.tv_usec = 1000, .it_value.tv_usec = 1000,
	}, off = { .it_value.tv_usec = 0 };
	void *library = dlopen("libunwind.so.8", RTLD_NOW);
	char words[] = "one\0two\0six\0ten\0her\0his\0any\0all";

	(void)state;
	if (library != NULL)
		*(void **)&other = dlsym(library, "unw_backtrace");
	if (other == NULL)
		SKIP_TEST("libunwind.so.8 is not installed");
	unwind_objects_refresh();
	memset(&compared, 0, sizeof(compared));
	qsort(words, 8, 4, compare_in_callback);
	signal(SIGPROF, compare_in_handler);
	setitimer(ITIMER_PROF, &timer, NULL);
	/* As the handler comes by the time of the CPU, others don't matter. */
	while (compared.stacks < 200)
		work();
	setitimer(ITIMER_PROF, &off, NULL);
	signal(SIGPROF, SIG_IGN);
	print_message("%u stacks, %u frames, %u equal\n", compared.stacks,
	    compared.frames, compared.equal);
	/* Either of the two may be lost in a few instructions that are rare. */
	assert_true(compared.equal >= compared.frames - compared.frames / 20);
}

static int
with_table(void **state)
{
	(void)state;
	unwind_objects_use_table(true);
	return 0;
}

static int
without_table(void **state)
{
	(void)state;
	unwind_objects_use_table(false);
	return 0;
}

#define WITH_TABLE(f) \
	{ \
#f " (table)", f, with_table, without_table, NULL \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recursion_is_followed_frame_by_frame),
		cmocka_unit_test(no_more_frames_than_there_is_room),
		cmocka_unit_test(frames_may_be_of_any_kind),
		cmocka_unit_test(callbacks_of_libraries_are_passed_through),
		cmocka_unit_test(signal_frames_are_passed_through),
		cmocka_unit_test(so_are_those_on_a_stack_of_their_own),
		cmocka_unit_test(threads_are_followed_to_their_start),
		cmocka_unit_test(stacks_that_the_program_made_work_too),
		cmocka_unit_test(
		    an_object_in_the_place_of_another_is_seen_as_it_is),
		cmocka_unit_test(constructors_of_loaded_objects_are_seen),
		cmocka_unit_test(a_broken_stack_ends_early),
		cmocka_unit_test(errno_is_kept),
		cmocka_unit_test(another_stack_has_another_hash),
		cmocka_unit_test(another_unwinder_finds_the_same),
		WITH_TABLE(recursion_is_followed_frame_by_frame),
		WITH_TABLE(an_object_in_the_place_of_another_is_seen_as_it_is),
		WITH_TABLE(a_broken_stack_ends_early),
	};

	system_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
