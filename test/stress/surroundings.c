/*
 * surroundings: processes whose clock, CPU numbers, identity, priorities or
 * descriptors are not what a library expects.
 *
 * usage: surroundings [CASE]
 *
 * Provokes: a clock that stands still, goes back, jumps and fails; a kernel
 * that names CPUs which are not there, or none; the first process of a
 * namespace of process numbers; identities that are set while threads allocate;
 * threads of different real-time priorities that share one arena on one CPU; no
 * descriptor to be had. Each case is a process of its own, with options of its
 * own.
 * Must hold: no hang, contents intact, errno kept, memory that is freed
 * again and again does not add up, threads see each other's arenas, and what
 * can't be written is an error.
 */
#include "stress.h"

#include <limits.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

enum { NTHREADS = 4, NSTEPS = 400, NSLOTS = 100, NPEAKS = 60 };

/* ---- what the library asks, and is told by this program ---- */

static enum {
	CLOCK_TRUE,
	CLOCK_STILL,
	CLOCK_BACK,
	CLOCK_JUMPS,
	CLOCK_FAILS
} clock_kind;
static enum { CPU_TRUE, CPU_NONE, CPU_HIGH, CPU_ANY } cpu_kind;
static atomic_uint nasked_time, nasked_cpu;

static long
clock_ask(clockid_t id, struct timespec *to)
{
	return syscall(SYS_clock_gettime, id, to);
}

/*
 * The library reads clocks by a function of the object that the kernel puts
 * into each process. These programs say that they are this object, and have the
 * function, under all the names that it has on different machines.
 */
struct kernel_time {
	int64_t seconds, nanoseconds;
};

int __vdso_clock_gettime(clockid_t id, struct kernel_time *to);
int __vdso_clock_gettime64(clockid_t id, struct kernel_time *to)
    __attribute__((alias("__vdso_clock_gettime")));
int __kernel_clock_gettime(clockid_t id, struct kernel_time *to)
    __attribute__((alias("__vdso_clock_gettime")));

int
__vdso_clock_gettime(clockid_t id, struct kernel_time *to)
{
	unsigned n = atomic_fetch_add(&nasked_time, 1);
	struct timespec now;

	if (clock_kind == CLOCK_FAILS)
		return -EINVAL;
	if (clock_kind == CLOCK_STILL) {
		*to = (struct kernel_time){ 1000, 5 };
		return 0;
	}
	if (clock_ask(id, &now) != 0)
		return -errno;
	*to = (struct kernel_time){ now.tv_sec, now.tv_nsec };
	if (clock_kind == CLOCK_BACK)
		to->seconds -= n < 50000 ? n : 50000;
	if (clock_kind == CLOCK_JUMPS && n % 3 == 0)
		to->seconds += n % 2 ? 86400 * 365 : -100;
	if (to->seconds < 0)
		to->seconds = 0;
	return 0;
}

extern const char __ehdr_start[] __attribute__((visibility("hidden")));

/*
 * Exported, so that the library gets it in place of the C library's. It does
 * not tell where the program's headers are, so that the library can't find the
 * C library, and calls the sched_getcpu() below.
 */
unsigned long
getauxval(unsigned long type)
{
	unsigned long entry[2] = { 0, 0 };
	int file;

	if (type == AT_SYSINFO_EHDR)
		return (unsigned long)__ehdr_start;
	if (type == AT_PHDR)
		return 0;
	file = open("/proc/self/auxv", O_RDONLY | O_CLOEXEC);
	while (read(file, entry, sizeof(entry)) == sizeof(entry) &&
	    entry[0] != type)
		entry[1] = 0;
	close(file);
	return entry[0] == type ? entry[1] : 0;
}

int
sched_getcpu(void)
{
	unsigned n = atomic_fetch_add(&nasked_cpu, 1);

	switch (cpu_kind) {
	case CPU_NONE:
		errno = ENOSYS;
		return -1;
	case CPU_HIGH:
		return 8191;
	case CPU_ANY:
		return (int)(n * 2654435761u % 8192);
	default: {
		unsigned cpu = 0;

		syscall(SYS_getcpu, &cpu, NULL, NULL);
		return (int)cpu;
	}
	}
}

/* ---- what a program does ---- */

static void *
some_work(void *argument)
{
	struct prng prng = { (uintptr_t)argument + 1 };
	struct {
		char *start;
		size_t size;
	} slot[NSLOTS] = { { NULL, 0 } };

	for (unsigned step = 0; step < NSTEPS; step++) {
		unsigned i = (unsigned)prng_below(&prng, NSLOTS);

		if (slot[i].start != NULL)
			bytes_verify(slot[i].start, slot[i].size, i);
		errno = (int)step;
		free(slot[i].start);
		slot[i].size = prng_size(&prng, 1 << 20);
		slot[i].start = needed(malloc(slot[i].size));
		CHECK(errno == (int)step);
		bytes_fill(slot[i].start, slot[i].size, i);
	}
	for (unsigned i = 0; i < NSLOTS; i++)
		free(slot[i].start);
	return NULL;
}

/* 16 MiB, again and again: what is dirty is used before new memory is. */
static void
peaks(void)
{
	size_t before = memory_rss();

	for (unsigned i = 0; i < NPEAKS; i++) {
		char *block = needed(malloc(16 * MIB - i * 4096));

		memset(block, 1, 16 * MIB - i * 4096);
		free(block);
	}
	if (memory_rss() > before + 200 * MIB)
		stress_fail("%zu MiB are resident, and %zu were",
		    memory_rss() / MIB, before / MIB);
}

/* ---- the cases ---- */

static void
strange_clock(void)
{
	unsigned before = nasked_time;

	threads_run(NTHREADS, some_work);
	peaks();
	if (nasked_time == before)
		stress_fail("nobody has asked for the time");
}

static void
clock_stands(void)
{
	clock_kind = CLOCK_STILL;
	strange_clock();
}

static void
clock_goes_back(void)
{
	clock_kind = CLOCK_BACK;
	strange_clock();
}

static void
clock_jumps(void)
{
	clock_kind = CLOCK_JUMPS;
	strange_clock();
}

static void
clock_fails(void)
{
	clock_kind = CLOCK_FAILS;
	strange_clock();
}

/* An arena that exists, and that statistics show. */
static void *
has_an_arena(void *argument)
{
	unsigned arena = UINT_MAX, narenas = 0;
	size_t size = sizeof(arena);

	some_work(argument);
	CHECK(control("thread.arena", &arena, &size, NULL, 0) == 0);
	CHECK(control("arenas.narenas", &narenas, &size, NULL, 0) == 0);
	CHECK(arena < narenas);
	return NULL;
}

static void
strange_cpus(void)
{
	unsigned before = nasked_cpu;

	threads_run(NTHREADS, has_an_arena);
	if (nasked_cpu == before)
		stress_fail("nobody has asked for the CPU");
}

static void
cpu_unknown(void)
{
	cpu_kind = CPU_NONE;
	strange_cpus();
}

static void
cpu_out_of_range(void)
{
	cpu_kind = CPU_HIGH;
	strange_cpus();
}

static void
cpu_any(void)
{
	cpu_kind = CPU_ANY;
	strange_cpus();
}

static void
work_as_child(void *argument)
{
	some_work(argument);
}

static void
as_first_process(void *argument)
{
	CHECK(getpid() == 1);
	threads_run(NTHREADS, some_work);
	child_must_pass("child of process 1", work_as_child, argument, 20);
	threads_run(NTHREADS, some_work);
}

static void
first_process(void)
{
	threads_run(NTHREADS, some_work);
	if (unshare(CLONE_NEWPID) != 0 &&
	    unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) {
		stress_left_out("no right to number processes anew");
		return;
	}
	child_must_pass("process 1", as_first_process, NULL, 30);
}

static atomic_bool over;

static void *
until_over(void *argument)
{
	while (!atomic_load(&over))
		some_work(argument);
	return NULL;
}

/* The C library interrupts each thread to set its identity. */
static void
identities(void)
{
	pthread_t id[NTHREADS];

	for (uintptr_t i = 0; i < NTHREADS; i++)
		CHECK(pthread_create(&id[i], NULL, until_over, (void *)i) == 0);
	for (unsigned i = 0; i < 100; i++) {
		void *block = needed(malloc(100 + i * 50));

		CHECK(setuid(getuid()) == 0 && setgid(getgid()) == 0);
		free(block);
	}
	atomic_store(&over, true);
	for (unsigned i = 0; i < NTHREADS; i++)
		CHECK(pthread_join(id[i], NULL) == 0);
}

/* Sleeps now and then, so that threads below have their turn. */
static void *
with_priority(void *argument)
{
	struct sched_param priority = { (int)(uintptr_t)argument + 1 };

	CHECK(pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority) ==
	    0);
	for (unsigned i = 0; i < 20; i++) {
		void *kept[200];

		for (unsigned k = 0; k < 200; k++)
			kept[k] = needed(malloc(20000 + k * 100));
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
		for (unsigned k = 0; k < 200; k++)
			free(kept[k]);
	}
	return NULL;
}

static void
priorities(void)
{
	struct sched_param priority = { 1 }, usual = { 0 };
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((unsigned)sched_getcpu(), &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	if (sched_setscheduler(0, SCHED_FIFO, &priority) != 0) {
		stress_left_out("no right to real-time priorities");
		return;
	}
	CHECK(sched_setscheduler(0, SCHED_OTHER, &usual) == 0);
	threads_run(8, with_priority);
}

/* The second time with a profile, whose dump has to fail then. */
static void
no_descriptors(void)
{
	char name[64];
	const char *file = name;
	struct rlimit none = { 0, 0 };

	snprintf(name, sizeof(name), "/tmp/surroundings.%d", (int)getpid());
	unlink(file);
	threads_run(1, some_work);
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	threads_run(NTHREADS, some_work);
	CHECK(control("prof.dump", NULL, NULL, &file, sizeof(file)) ==
	    (strstr(getenv("MALLOC_CONF"), "prof:true") ? EFAULT : ENOENT));
	CHECK(access(file, F_OK) != 0);
}

static const struct {
	const char *name;
	void (*run)(void);
	const char *conf;
} cases[] = {
	{ "clock-stands", clock_stands, "" },
	{ "clock-stands-background", clock_stands, "background_thread:true" },
	{ "clock-back", clock_goes_back, "" },
	{ "clock-back-background", clock_goes_back,
	    "background_thread:true,dirty_decay_ms:50" },
	{ "clock-jumps", clock_jumps, "muzzy_decay_ms:100" },
	{ "clock-jumps-background", clock_jumps,
	    "background_thread:true,dirty_decay_ms:50" },
	{ "clock-fails", clock_fails, "tcache_trim:true" },
	{ "clock-fails-background", clock_fails, "background_thread:true" },
	{ "cpu-unknown", cpu_unknown, "percpu_arena:percpu" },
	{ "cpu-out-of-range", cpu_out_of_range, "percpu_arena:percpu" },
	{ "cpu-any", cpu_any, "percpu_arena:percpu,narenas:3" },
	{ "cpu-any-cores", cpu_any, "percpu_arena:phycpu" },
	{ "process-1", first_process, "background_thread:true" },
	{ "identities", identities, "dirty_decay_ms:0" },
	{ "priorities", priorities, "narenas:1,dirty_decay_ms:0" },
	{ "no-descriptors", no_descriptors, "" },
	{ "no-descriptors-profile", no_descriptors,
	    "prof:true,lg_prof_sample:10" },
};

int
main(int argc, char **argv)
{
	const char *chosen = getenv("SURROUNDINGS_CASE");
	size_t i = 0, count = sizeof(cases) / sizeof(cases[0]);

	stress_start(argc, argv, 60);
	if (chosen != NULL) {
		while (strcmp(cases[i].name, chosen) != 0)
			CHECK(++i < count);
		cases[i].run();
		return 0;
	}
	for (; i < count; i++) {
		if (argc > 1 && strcmp(argv[1], cases[i].name) != 0)
			continue;
		if (strstr(cases[i].conf, "prof:") != NULL &&
		    !built_with("prof"))
			continue;
		stress_start_again(argv, "SURROUNDINGS_CASE", cases[i].name,
		    cases[i].conf);
	}
	return 0;
}
