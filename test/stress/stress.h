/*
 * stress: what the stress programs share.
 *
 * A stress program is not linked with the library: it is preloaded, so the
 * same program can be run with another allocator. It takes `[scale]`, a
 * factor for the amount of work; without it TEST_LONG=1 in the environment
 * stands for 10. Exit status 0 passed, STRESS_SKIPPED skipped, all others
 * failed; a child's skip is that of the whole program.
 *
 * Offers:     failing in one line, skipping with a reason, filters of system
 *             calls, a watchdog, starting again with options, random numbers,
 *             contents of blocks, threads, child processes, figures about this
 *             process.
 * Invariants: nothing here allocates, but for starting threads.
 */
#ifndef STRESS_H
#define STRESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../seccomp.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* What size_t is in the names of C++ operators. */
#if SIZE_MAX > UINT32_MAX
#define SIZE_LETTER "m"
#else
#define SIZE_LETTER "j"
#endif

enum { STRESS_SKIPPED = 77 };

/* ---- failure; safe when the allocator is broken ---- */

__attribute__((format(printf, 1, 2))) _Noreturn static inline void
stress_fail(const char *format, ...)
{
	char text[512];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text) - 1, format, arguments);
	va_end(arguments);
	if (length > (int)sizeof(text) - 2)
		length = (int)sizeof(text) - 2;
	text[length++] = '\n';
	if (write(2, "FAIL: ", 6) < 0 || write(2, text, (size_t)length) < 0)
		_exit(2);
	_exit(1);
}

#define CHECK(condition) \
	((condition) \
		? (void)0 \
		: stress_fail("%s:%d: %s", __FILE__, __LINE__, #condition))

/* ---- skipping: what this machine, build or allocator lacks ---- */

/* Ends the program; `missing` says what is not there. Never for a failure. */
_Noreturn static inline void
stress_skip(const char *missing)
{
	printf("skipped: %s\n", missing);
	fflush(stdout);
	_exit(STRESS_SKIPPED);
}

/* A part of the program is left out, for want of that. */
static inline void
stress_left_out(const char *missing)
{
	printf("skipped: %s\n", missing);
	fflush(stdout);
}

/*
 * For what other allocators lack. If the library is under test it must be
 * there: then its lack is a failure.
 */
_Noreturn static inline void
stress_skip_other(const char *missing)
{
	if (getenv("JEMALLOC_LIB") != NULL)
		stress_fail("the library has no %s", missing);
	printf("skipped: another allocator, without %s\n", missing);
	fflush(stdout);
	_exit(STRESS_SKIPPED);
}

/* A child that skipped has said why: then this program is skipped too. */
static inline void
stress_skip_as(int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == STRESS_SKIPPED)
		_exit(STRESS_SKIPPED);
}

/* ---- filters of system calls ---- */

/* Skips the program where there can be none. */
static inline void
stress_need_filters(void)
{
	const char *missing = seccomp_missing();

	if (missing != NULL)
		stress_skip(missing);
}

/* Installs one; to be called after stress_need_filters. */
static inline void
stress_filter(const struct sock_fprog *program)
{
	if (!seccomp_install(program, 0))
		stress_fail("no filter: %s", strerror(errno));
}

/* Answers this system call with an error from now on. */
static inline void
stress_refuse(unsigned call, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	stress_filter(&program);
}

/* ---- what an allocator may have or not ---- */

/* The function as an object pointer copied into *function; false if none. */
static inline bool
symbol_find(const char *name, void *function)
{
	void *symbol = dlsym(RTLD_DEFAULT, name);

	memcpy(function, &symbol, sizeof(symbol));
	return symbol != NULL;
}

typedef int mallctl_function(const char *, void *, size_t *, void *, size_t);

/* Returns what mallctl does, or -1 if there is no mallctl. */
static inline int
control(const char *name, void *old, size_t *old_size, void *new_value,
    size_t new_size)
{
	mallctl_function *function;

	if (!symbol_find("mallctl", &function))
		return -1;
	return function(name, old, old_size, new_value, new_size);
}

/* For the arenas that are there, and those to come; what mallctl() returns. */
static inline int
stress_set_decay(ssize_t time_ms)
{
	int result = control("arenas.dirty_decay_ms", NULL, NULL, &time_ms,
	    sizeof(time_ms));

	for (unsigned i = 0; i < 8; i++) {
		char name[40];

		snprintf(name, sizeof(name), "arena.%u.dirty_decay_ms", i);
		control(name, NULL, NULL, &time_ms, sizeof(time_ms));
	}
	return result;
}

/* A figure of the type uint64_t or size_t. */
static inline uint64_t
stress_figure(const char *name)
{
	uint64_t number;
	size_t size, length = sizeof(number), short_length = sizeof(size);

	if (control(name, &number, &length, NULL, 0) == 0)
		return number;
	if (control(name, &size, &short_length, NULL, 0) != 0)
		stress_fail("%s can't be read", name);
	return size;
}

/* A figure of the type size_t, as it is now. */
static inline size_t
statistic(const char *name)
{
	uint64_t epoch = 1;
	size_t value = 0, size = sizeof(value);

	CHECK(control("epoch", NULL, NULL, &epoch, sizeof(epoch)) == 0);
	CHECK(control(name, &value, &size, NULL, 0) == 0);
	return value;
}

/* Whether the library was built with that part: "prof", "stats", ... */
static inline bool
built_with(const char *part)
{
	bool there = false;
	size_t length = sizeof(there);
	char name[64];

	snprintf(name, sizeof(name), "config.%s", part);
	if (control(name, &there, &length, NULL, 0) != 0)
		stress_skip_other(name);
	return there;
}

/* ---- watchdog ---- */

static inline void
stress_alarm(int signal_number)
{
	(void)signal_number;
	stress_fail("hangs: the watchdog has rung");
}

/*
 * How much longer than on a machine of its own a program may take before it is
 * said to hang: others may keep all CPUs busy.
 */
enum { STRESS_PATIENCE = 10 };

/*
 * Ends the program as failed if it still runs after `seconds`, with patience.
 */
static inline void
stress_watchdog(unsigned seconds)
{
	struct sigaction action = { .sa_handler = stress_alarm };

	sigaction(SIGALRM, &action, NULL);
	alarm(seconds * STRESS_PATIENCE);
}

/* ---- start ---- */

/* Whether tests run at full length: TEST_LONG=1. */
static inline bool
stress_is_long(void)
{
	const char *lengthened = getenv("TEST_LONG");

	return lengthened != NULL && strcmp(lengthened, "0") != 0;
}

/* Makes sure that malloc is the one that $JEMALLOC_LIB names. */
static inline void
stress_check_library(char **argv)
{
	const char *lib = getenv("JEMALLOC_LIB");
	struct stat wanted, loaded;
	Dl_info info;

	if (lib == NULL)
		return;
	if (stat(lib, &wanted) != 0)
		stress_fail("there is no %s", lib);
	if (dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) != 0 &&
	    stat(info.dli_fname, &loaded) == 0 &&
	    loaded.st_ino == wanted.st_ino && loaded.st_dev == wanted.st_dev)
		return;
	if (getenv("LD_PRELOAD") != NULL)
		stress_fail("malloc is not that of %s", lib);
	setenv("LD_PRELOAD", lib, 1);
	execv("/proc/self/exe", argv);
	stress_fail("can't start again with %s", lib);
}

/* To be called first in main. Returns the scale; starts the watchdog. */
static inline unsigned
stress_start(int argc, char **argv, unsigned seconds)
{
	unsigned scale = 1;

	stress_check_library(argv);
	if (argc > 1 && atoi(argv[1]) > 0)
		scale = (unsigned)atoi(argv[1]);
	else if (stress_is_long())
		scale = 10;
	stress_watchdog(seconds * scale);
	return scale;
}

/* "short" as argument: for tests that run the program under many options. */
static inline bool
stress_is_short(int argc, char **argv)
{
	return argc > 1 && strcmp(argv[1], "short") == 0;
}

/*
 * The options of a program that is started next. One that the library does not
 * take would test nothing: so it ends the process, but if `conf` says
 * otherwise.
 */
static inline void
stress_conf(const char *conf)
{
	char text[4096];
	int length = snprintf(text, sizeof(text), "%s%s%s",
	    strstr(conf, "abort_conf:") == NULL ? "abort_conf:true" : "",
	    strstr(conf, "abort_conf:") == NULL && *conf != '\0' ? "," : "",
	    conf);

	CHECK(length >= 0 && (size_t)length < sizeof(text));
	CHECK(setenv("MALLOC_CONF", text, 1) == 0);
}

/* For a program that starts itself in several ways: one of them. */
static inline void
stress_start_again(char **argv, const char *variable, const char *what,
    const char *conf)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setenv(variable, what, 1);
		stress_conf(conf);
		execv("/proc/self/exe", argv);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	stress_skip_as(status);
	if (status != 0)
		stress_fail("%s, %s: status %d", what, conf, status);
}

/*
 * A debug build fills objects with junk, and has no caches then: this runs the
 * program again in a child, with caches. To be called after stress_start.
 */
static inline void
stress_again_with_caches(char **argv)
{
	const char *junk = "false";
	size_t length = sizeof(junk);

	if (getenv("MALLOC_CONF") == NULL &&
	    getenv("STRESS_WITH_CACHES") == NULL &&
	    control("opt.junk", &junk, &length, NULL, 0) == 0 &&
	    strcmp(junk, "false") != 0)
		stress_start_again(argv, "STRESS_WITH_CACHES", "1",
		    "junk:false");
}

/* ---- time and random numbers ---- */

static inline double
clock_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

struct prng {
	uint64_t state;
};

static inline uint64_t
prng_next(struct prng *prng)
{
	uint64_t x = prng->state += UINT64_C(0xd1342543de82ef95);

	x ^= x >> 29;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 32);
}

/* Uniform in 0..limit-1, limit > 0. */
static inline size_t
prng_below(struct prng *prng, size_t limit)
{
	return (size_t)(prng_next(prng) % limit);
}

/* Mostly small, sometimes up to `largest`: each power of two as often. */
static inline size_t
prng_size(struct prng *prng, size_t largest)
{
	unsigned bits = 1;

	while (((size_t)1 << bits) < largest)
		bits++;
	return prng_below(prng,
	    ((size_t)1 << (1 + prng_below(prng, bits))) + 1);
}

/* ---- contents ---- */

static inline uint64_t
bytes_word(uint64_t seed, size_t at)
{
	return (seed + at) * UINT64_C(0x9e3779b97f4a7c15);
}

/*
 * One move each: these programs are compiled so that malloc is no builtin, and
 * then memcpy is none either, but a call for each word.
 */
static inline uint64_t
word_read(const char *from)
{
	uint64_t word;

	__builtin_memcpy(&word, from, sizeof(word));
	return word;
}

static inline void
word_write(char *to, uint64_t word)
{
	__builtin_memcpy(to, &word, sizeof(word));
}

static inline void
bytes_fill(void *block, size_t size, uint64_t seed)
{
	char *to = block;
	size_t at = 0;
	uint64_t word;

	for (; at + sizeof(word) <= size; at += sizeof(word))
		word_write(to + at, bytes_word(seed, at));
	word = bytes_word(seed, at);
	memcpy(to + at, &word, size - at);
}

static inline void
bytes_verify(const void *block, size_t size, uint64_t seed)
{
	const char *from = block;
	size_t at = 0;
	uint64_t want;

	for (; at + sizeof(want) <= size; at += sizeof(want))
		if (word_read(from + at) != bytes_word(seed, at))
			stress_fail("block %p of %zu bytes: other contents "
				    "at offset %zu",
			    block, size, at);
	want = bytes_word(seed, at);
	if (memcmp(from + at, &want, size - at) != 0)
		stress_fail("block %p of %zu bytes: other contents at its end",
		    block, size);
}

/* How many bytes from the start on are all `byte`: `size`, if they all are. */
static inline size_t
bytes_alike(const void *block, size_t size, unsigned char byte)
{
	const char *from = block;
	uint64_t want = byte * UINT64_C(0x0101010101010101);
	size_t at = 0;

	while (at + sizeof(want) <= size && word_read(from + at) == want)
		at += sizeof(want);
	while (at < size && (unsigned char)from[at] == byte)
		at++;
	return at;
}

static inline void
bytes_verify_zero(const void *block, size_t size)
{
	size_t at = bytes_alike(block, size, 0);

	if (at < size)
		stress_fail("block %p of %zu bytes: not zero at offset %zu",
		    block, size, at);
}

/* Keeps the compiler from knowing what a pointer is, or came from. */
static inline void *
hidden(void *pointer)
{
	__asm__ volatile("" : "+r"(pointer) : : "memory");
	return pointer;
}

static inline void *
needed(void *block)
{
	block = hidden(block);
	if (block == NULL)
		stress_fail("out of memory");
	return block;
}

/* ---- threads ---- */

enum { STRESS_THREADS_MAX = 256 };

/* Starts `nthreads` threads and waits for all of them. */
static inline void
threads_run(unsigned nthreads, void *(*work)(void *))
{
	pthread_t ids[STRESS_THREADS_MAX];

	CHECK(nthreads <= STRESS_THREADS_MAX);
	for (unsigned i = 0; i < nthreads; i++)
		CHECK(pthread_create(&ids[i], NULL, work,
			  (void *)(uintptr_t)i) == 0);
	for (unsigned i = 0; i < nthreads; i++)
		CHECK(pthread_join(ids[i], NULL) == 0);
}

/* Runs `work` in one other thread, up to the end of that thread. */
static inline void
thread_run(void *(*work)(void *), void *argument)
{
	pthread_t id;

	CHECK(pthread_create(&id, NULL, work, argument) == 0);
	CHECK(pthread_join(id, NULL) == 0);
}

/* ---- child processes ---- */

struct child {
	int status;      /* as of waitpid */
	size_t length;   /* of what it wrote to standard error */
	char text[8192]; /* and that text */
};

/* In a child: no core dump, and it dies of SIGALRM after `seconds`. */
static inline void
child_starts(unsigned seconds)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	signal(SIGALRM, SIG_DFL);
	alarm(seconds * STRESS_PATIENCE);
}

/*
 * Runs `work` in a forked child without core dumps; a child that still runs
 * after `seconds` dies of SIGALRM. A child that returns from `work` exits
 * with status 0; one that skips ends this program as skipped.
 */
static inline void
child_run(struct child *child, void (*work)(void *), void *argument,
    unsigned seconds)
{
	int ends[2];
	ssize_t got;
	pid_t pid;

	CHECK(pipe(ends) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		child_starts(seconds);
		dup2(ends[1], 2);
		close(ends[0]);
		close(ends[1]);
		work(argument);
		_exit(0);
	}
	close(ends[1]);
	child->length = 0;
	while ((got = read(ends[0], child->text + child->length,
		    sizeof(child->text) - 1 - child->length)) > 0)
		child->length += (size_t)got;
	child->text[child->length] = '\0';
	close(ends[0]);
	while (waitpid(pid, &child->status, 0) < 0)
		CHECK(errno == EINTR);
	stress_skip_as(child->status);
}

/* For a child that has to succeed in silence. */
static inline void
child_must_pass(const char *what, void (*work)(void *), void *argument,
    unsigned seconds)
{
	static struct child child;

	child_run(&child, work, argument, seconds);
	if (WIFSIGNALED(child.status))
		stress_fail("%s: killed by signal %d%s %.200s", what,
		    WTERMSIG(child.status),
		    WTERMSIG(child.status) == SIGALRM ? " (hangs)" : "",
		    child.text);
	if (WEXITSTATUS(child.status) != 0)
		stress_fail("%s: status %d: %.300s", what,
		    WEXITSTATUS(child.status), child.text);
}

/* ---- figures about this process, read without allocating ---- */

/* Bytes after `key` in a file of /proc; 0: it is not there. */
static inline size_t
memory_figure(const char *path, const char *key)
{
	char text[8192];
	const char *at;
	ssize_t length;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return 0;
	text[length] = '\0';
	at = strstr(text, key);
	return at == NULL ? 0 : strtoul(at + strlen(key), NULL, 10) * KIB;
}

/* Bytes after `key` in /proc/self/status, for example "VmSize:". */
static inline size_t
memory_status(const char *key)
{
	return memory_figure("/proc/self/status", key);
}

/*
 * A function of glibc itself, of malloc's family: what a library that stands
 * before it leaves to glibc is the look-up of one version. NULL: there is none.
 */
static inline void *
libc_function(const char *name)
{
	void *found = NULL;

#ifdef __GLIBC__
	/* Of one machine each. */
	static const char *const first_versions[] = { "GLIBC_2.2.5",
		"GLIBC_2.0", "GLIBC_2.2", "GLIBC_2.3", "GLIBC_2.4",
		"GLIBC_2.17", "GLIBC_2.27", "GLIBC_2.36" };
	void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);

	for (size_t i = 0;
	     i < sizeof(first_versions) / sizeof(first_versions[0]); i++)
		if (libc != NULL && found == NULL)
			found = dlvsym(libc, name, first_versions[i]);
#else
	(void)name;
#endif
	return found;
}

/*
 * Where huge pages are given to all, the kernel fills what has gone back with
 * pages again, later, if something else is near. Who compares what is resident
 * at two times does without them.
 */
static inline void
huge_pages_off(void)
{
	(void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

/*
 * What is resident, as the page tables say: the kernel's sum is off by as much
 * as 64 pages for each CPU, and by more where there are many. Old kernels have
 * nothing else.
 */
static inline size_t
memory_rss(void)
{
	size_t exact;

	huge_pages_off();
	exact = memory_figure("/proc/self/smaps_rollup", "\nRss:");
	return exact != 0 ? exact : memory_status("VmRSS:");
}

/* How many mappings there are. */
static inline size_t
memory_nmaps(void)
{
	char text[4096];
	size_t nlines = 0;
	ssize_t length;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	while ((length = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < length; i++)
			nlines += text[i] == '\n';
	close(fd);
	return nlines;
}

#endif
