/*
 * The protocol of trim.h, interrupted between any two instructions.
 *
 * The owner of a cache makes some calls, one instruction at a time. After each
 * of them, in turn, another thread sets its marks; and after each later one it
 * takes what it may take. Whatever the two instructions are, no object may be
 * lost, and none may belong to two. The compiled code itself is what runs, not
 * a model of it. The barrier itself is left out: the two threads take turns.
 */
#include "upkeep/trim.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/tcache_guard.h"
#include "cache/thread.h"
#include "os/os_thread.h"
#include "os/system.h"
#include "trim_stage.h"

#if defined(__x86_64__) && defined(REG_EFL)
enum { CAN_STEP = 1, TRACE = 0x100, FLAGS = REG_EFL };
#define TRACE_ON() \
	__asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; " \
			 "orq $0x100, (%%rsp); popfq; lea 128(%%rsp), %%rsp" \
			 : \
			 : \
			 : "memory", "cc")
#else
enum { CAN_STEP = 0, TRACE = 0, FLAGS = 0 };
#define TRACE_ON() ((void)0)
#endif

#define HAS_MAX 64
/* More objects than the owner's cache may have. */
#define FULL 40
/* The second stop is at each of so many instructions, then more rarely. */
#define NEAR 8
/* Then the owner is in the loop over its bins, whose turns are alike. */
#define FAR   120
#define NEVER 1000000u

/* --- the thread that trims ------------------------------------------------ */

enum way {
	IDLE,   /* as a background thread; all owners take the guard */
	SILENT, /* as the program's threads; owners don't, before it */
};

static struct {
	sem_t go, stopped;
	enum way way;
	unsigned stop_at; /* at its barrier of this number; 0: at none */
	unsigned nbarriers;
	bool is_under_way; /* stopped at the barrier */
	bool ends;
} trimmer;

bool __wrap_os_thread_barrier(void);
bool __real_os_thread_barrier_init(void);
bool __wrap_os_thread_barrier_init(void);

static void
stop_here(void)
{
	if (++trimmer.nbarriers != trimmer.stop_at)
		return;
	trimmer.is_under_way = true;
	sem_post(&trimmer.stopped);
	sem_wait(&trimmer.go);
	trimmer.is_under_way = false;
}

bool
__wrap_os_thread_barrier(void)
{
	stop_here();
	return true;
}

/* trim_silent() has looked at all threads, and no owner takes the guard yet. */
bool
__wrap_os_thread_barrier_init(void)
{
	stop_here();
	return __real_os_thread_barrier_init();
}

static void
trim(void)
{
	if (trimmer.way == IDLE)
		trim_idle();
	else
		trim_silent(UINT64_MAX);
}

static void *
trimmer_run(void *unused)
{
	(void)unused;
	for (;;) {
		sem_wait(&trimmer.go);
		if (trimmer.ends)
			return NULL;
		trim();
		sem_post(&trimmer.stopped);
	}
}

/* Up to the barrier, or from there to the end. */
static void
trimmer_go_on(void)
{
	sem_post(&trimmer.go);
	while (sem_wait(&trimmer.stopped) != 0)
		;
}

/* --- stepping ------------------------------------------------------------- */

static struct {
	volatile unsigned count; /* instructions so far */
	unsigned first, second;  /* after which the other thread goes on */
} steps;

static void
at_step(int signal_number, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;

	(void)signal_number;
	(void)info;
	if (steps.count == steps.first)
		trimmer_go_on();
	if (steps.count == steps.second) {
		trimmer_go_on();
#if defined(__x86_64__) && defined(REG_EFL)
		interrupted->uc_mcontext.gregs[FLAGS] &= ~TRACE;
#endif
	}
	steps.count++;
	(void)interrupted;
}

static void
stop_stepping(int signal_number, siginfo_t *info, void *context)
{
	(void)signal_number;
	(void)info;
#if defined(__x86_64__) && defined(REG_EFL)
	((ucontext_t *)context)->uc_mcontext.gregs[FLAGS] &= ~TRACE;
#endif
	(void)context;
}

/* --- the owner ------------------------------------------------------------ */

static struct {
	struct tcache *tcache;
	unsigned bin;
	unsigned n;
	uint64_t *has[HAS_MAX];
} owner;

/* As api/malloc.c does it; also what it writes into the object. */
static void
take(void)
{
	struct cache_bin *bin = &owner.tcache->bins[owner.bin + 1];
	bool watched = cache_bin_usable(owner.bin) > CLASS_FINE_MAX;
	uint64_t *object;

	if (watched)
		tcache_begin_take(owner.tcache);
	object = cache_bin_take(bin);
	if (watched)
		tcache_end_take(owner.tcache);
	if (object == NULL)
		object = tcache_take_slow(owner.tcache, owner.bin);
	*object = (uintptr_t)object ^ owner.n;
	owner.has[owner.n++] = object;
}

static void
give(void)
{
	struct cache_bin *bin = &owner.tcache->bins[owner.bin + 1];
	uint64_t *object = owner.has[--owner.n];
	void **head = bin->head;

	if (*object != ((uintptr_t)object ^ owner.n))
		abort(); /* somebody else has it, too */
	if (head <= bin->full)
		tcache_give_slow(owner.tcache, owner.bin, object);
	else
		cache_bin_give(bin, head, object);
}

/* `calls`: t takes an object, g gives the last one. */
static void
make(const char *calls)
{
	for (; *calls != '\0'; calls++)
		if (*calls == 't')
			take();
		else
			give();
}

/*
 * The calls, with the other thread between them. Returns how many instructions
 * they took; only right if the second stop is beyond that.
 */
static unsigned
make_in_steps(const char *calls, unsigned first, unsigned second,
    unsigned stop_at)
{
	unsigned made;

	steps.count = 0;
	steps.first = first;
	steps.second = second;
	trimmer.nbarriers = 0;
	trimmer.stop_at = stop_at;
	TRACE_ON();
	make(calls);
	made = steps.count;
	raise(SIGUSR1);
	trimmer.stop_at = 0;
	if (trimmer.is_under_way)
		trimmer_go_on();
	return made;
}

/* Does a free take the slow path? */
static bool
is_full(void)
{
	const struct cache_bin *bin = &owner.tcache->bins[owner.bin + 1];

	return bin->head <= bin->full;
}

/* The cache has some objects, and its owner seems to be asleep. */
static void
prepare(unsigned ncached)
{
	while (owner.n < ncached + 3)
		take();
	while (owner.n > 3 && !(ncached == FULL && is_full()))
		give();
	tcache_leave_counts(owner.tcache);
	if (trimmer.way == IDLE)
		trim_idle();
}

/*
 * Takes more than the cache can have: each object must be another one, or one
 * of them changes and give() aborts.
 */
static void
look_at_all(void)
{
	while (owner.n < FULL + 4)
		take();
	while (owner.n > 0)
		give();
}

/* One case; returns how many instructions the calls took. */
static unsigned
try_case(const char *calls, unsigned ncached, unsigned first, unsigned second,
    unsigned stop_at)
{
	unsigned length;

	prepare(ncached);
	length = make_in_steps(calls, first, second, stop_at);
	look_at_all();
	return length;
}

static void
step_through(const char *calls, unsigned ncached)
{
	unsigned length = try_case(calls, ncached, NEVER, NEVER, 1);

	assert_true(length > 10);
	for (unsigned first = 0; first < length;
	     first += first < 70 ? 1 : 1 + length / 12)
		for (unsigned second = first; second < first + FAR;
		     second += second - first < NEAR ? 1 : second - first)
			try_case(calls, ncached, first, second, 1);
}

/*
 * The owner enters a slow path after the other thread has looked at it, and is
 * somewhere in there when that thread goes on.
 */
static void
step_through_slow_path(const char *calls, unsigned ncached)
{
	unsigned length = try_case(calls, ncached, NEVER, NEVER, 1);

	assert_true(length > 100);
	for (unsigned second = 0; second < length; second += 1 + length / 200)
		try_case(calls, ncached, 0, second, 1);
}

static void
run_bin(unsigned bin)
{
	owner.bin = bin;
	tcache_bin_set_max(owner.tcache, bin, 16);
	trimmer.way = IDLE;
	assert_true(trim_start());
	step_through("gt", 2);
	step_through("tg", 1);
	trim_stop();
	trimmer.way = SILENT;
	step_through_slow_path("g", FULL);
}

static void
small_objects_are_lost_nowhere(void **state)
{
	(void)state;
	run_bin(3);
}

static void
objects_whose_top_is_taken_too_are_lost_nowhere(void **state)
{
	unsigned bin = 0;

	(void)state;
	while (cache_bin_usable(bin) <= CLASS_FINE_MAX)
		bin++;
	run_bin(bin);
}

/* --- set-up --------------------------------------------------------------- */

static void
handle(int signal_number, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_flags = SA_SIGINFO };

	action.sa_sigaction = handler;
	assert_int_equal(sigaction(signal_number, &action, NULL), 0);
}

static int
setup(void **state)
{
	(void)state;
	if (!trim_stage_start(12345))
		return 1;
	owner.tcache = &thread_birth()->tcache;
	sem_init(&trimmer.go, 0, 0);
	sem_init(&trimmer.stopped, 0, 0);
	handle(SIGTRAP, at_step);
	handle(SIGUSR1, stop_stepping);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_objects_are_lost_nowhere),
		cmocka_unit_test(
		    objects_whose_top_is_taken_too_are_lost_nowhere),
	};
	pthread_t thread;
	int status;

	if (!CAN_STEP || RACE_DETECTOR || system_on_valgrind())
		SKIP_BECAUSE("instructions can't be stepped here");
	if (setup(NULL) != 0)
		return 1;
	if (!trim_start())
		SKIP_BECAUSE("this kernel has no membarrier");
	trim_stop();
	if (pthread_create(&thread, NULL, trimmer_run, NULL) != 0)
		return 1;
	status = cmocka_run_group_tests(tests, NULL, NULL);
	trimmer.ends = true;
	sem_post(&trimmer.go);
	pthread_join(thread, NULL);
	return status;
}
