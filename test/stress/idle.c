/*
 * idle: a burst, and then silence, under background_thread:auto.
 *
 * Provokes: several threads free much at once, and sleep, or end. A program
 * with one thread does the same, also with very large blocks. Many threads fill
 * their caches, and sleep, or go on.
 * Must hold: the memory goes back to the kernel, and then no thread of the
 * library is left. It is none of the program's, whose own pthread_create() is
 * not called. Once the program has waited for its threads, there is just
 * one. A process with one thread never gets a second one, nor does one whose
 * caches hold little; of its very large blocks it keeps few. One whose threads
 * go on does not keep the library's.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <poll.h>
#include <sys/resource.h>

#include "stress.h"

#define NTHREADS 4
#define EACH     ((size_t)40 << 20)
/*
 * What is not worth a thread may stay. On a busy machine, one thread of the
 * program may free it after the library's thread has ended.
 */
#define MAY_STAY_KIB (34L << 10)
#define SIZE         1000
/* Much longer than the decay time, for slow machines. */
#define PATIENCE_S 120
#define PF_EXITING 4 /* of the kernel */

static _Thread_local bool is_starting; /* threads of the program */

/*
 * As programs have it that register their threads, and hold a lock meanwhile.
 */
int
pthread_create(pthread_t *thread, const pthread_attr_t *attr,
    void *(*start)(void *), void *arg)
{
	int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
	    void *);

	if (!is_starting)
		stress_fail("the library calls the program's pthread_create()");
	*(void **)(void *)&next = dlsym(RTLD_NEXT, "pthread_create");
	return next(thread, attr, start, arg);
}

static pthread_barrier_t barrier;
static _Atomic bool sleeps;

static long
resident_kib(void)
{
	return (long)(memory_rss() / KIB);
}

/*
 * A thread that ends is still listed for a moment after pthread_join() has
 * returned. The kernel marks it among the flags, the ninth word.
 */
static bool
is_ending(const char *number)
{
	unsigned long flags = 0;
	char path[300], text[600], *after;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%s/stat", number);
	fd = open(path, O_RDONLY);
	length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (length <= 0)
		return true;
	text[length] = '\0';
	/* The name, in brackets, may have blanks. */
	after = strrchr(text, ')');
	if (after == NULL ||
	    sscanf(after, ") %*c %*d %*d %*d %*d %*d %lu", &flags) != 1)
		stress_fail("can't read %s", path);
	return (flags & PF_EXITING) != 0;
}

static unsigned
count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned n = 0;

	if (dir == NULL)
		stress_fail("can't read /proc/self/task");
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
		n += entry->d_name[0] != '.' && !is_ending(entry->d_name);
	closedir(dir);
	return n;
}

/* Has memory from the allocator, and gives it all back. */
static void
burst(size_t bytes)
{
	char *last = NULL, *next;

	for (size_t i = 0; i < bytes / SIZE; i++) {
		char *object = malloc(SIZE);

		if (object == NULL)
			stress_fail("no memory");
		memset(object, 1, SIZE);
		*(char **)(void *)object = last;
		last = object;
	}
	pthread_barrier_wait(&barrier);
	for (; last != NULL; last = next) {
		next = *(char **)(void *)last;
		free(last);
	}
}

static void *
run(void *arg)
{
	burst(EACH);
	pthread_barrier_wait(&barrier);
	if (arg != NULL)
		pthread_barrier_wait(&barrier);
	return NULL;
}

static void
start(pthread_t *threads, void *arg)
{
	pthread_barrier_init(&barrier, NULL, NTHREADS + 1);
	is_starting = true;
	for (unsigned i = 0; i < NTHREADS; i++)
		if (pthread_create(&threads[i], NULL, run, arg) != 0)
			stress_fail("can't start a thread");
	is_starting = false;
	pthread_barrier_wait(&barrier);
}

static void
join(const pthread_t *threads)
{
	for (unsigned i = 0; i < NTHREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
}

/* Until there are just the program's threads, of which all but one sleep. */
static void
wait_for_return(long before, long peak, unsigned nthreads)
{
	long now = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < PATIENCE_S * 2; i++) {
		poll(NULL, 0, 500);
		now = resident_kib();
		n = count_threads();
		if (now - before < MAY_STAY_KIB && n == nthreads)
			break;
	}
	if (now - before >= MAY_STAY_KIB)
		stress_fail("%ld of %ld KiB are still there", now - before,
		    peak - before);
	if (n != nthreads)
		stress_fail("%u threads of the library are still there",
		    n - nthreads);
}

/* All threads sleep, and so does this one. */
static void
memory_goes_back(void)
{
	pthread_t threads[NTHREADS];
	long before = resident_kib(), peak;

	start(threads, &sleeps);
	peak = resident_kib();
	if (peak - before < (long)(NTHREADS * EACH / 1024))
		stress_fail("the peak is only %ld KiB", peak);
	pthread_barrier_wait(&barrier);
	wait_for_return(before, peak, NTHREADS + 1);
	pthread_barrier_wait(&barrier);
	join(threads);
}

/* Who has waited for its threads may do what others may not. */
static void
after_a_join_there_is_one_thread(void)
{
	for (unsigned i = 0; i < 20; i++) {
		pthread_t threads[NTHREADS];
		unsigned n;

		start(threads, NULL);
		pthread_barrier_wait(&barrier);
		join(threads);
		n = count_threads();
		if (n != 1)
			stress_fail("%u threads are left after a join", n);
	}
}

/* There may be no call of the program after that. */
static void
what_ended_threads_leave_has_gone(void)
{
	pthread_t threads[NTHREADS];
	long before = resident_kib(), now;

	start(threads, NULL);
	pthread_barrier_wait(&barrier);
	join(threads);
	now = resident_kib();
	if (now - before >= MAY_STAY_KIB)
		stress_fail("%ld KiB are left by threads that have ended",
		    now - before);
}

/* --- caches --------------------------------------------------------------- */

#define CACHES_MAX  40
#define CACHES_FEW  6
#define CACHE_BYTES ((size_t)3 << 20)
#define GROW_ROUNDS 8 /* until a cache holds most of that */
/*
 * The library waits for so long for threads to fall asleep, and more: all are
 * slow on a machine that has much else to do.
 */
#define WATCH_S 120

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool goes_on;

/* Frees what it allocates, so that the cache has objects of many sizes. */
static void
use_cache(void)
{
	void *objects[CACHE_BYTES / 512];
	unsigned n = 0;

	for (size_t sum = 0, size = 512; sum < CACHE_BYTES; sum += size) {
		size = size < 12000 ? size + size / 4 : 512;
		objects[n] = malloc(size);
		if (objects[n] == NULL)
			stress_fail("no memory");
		memset(objects[n++], 1, size);
	}
	while (n > 0)
		free(objects[--n]);
}

static void *
fill_cache(void *arg)
{
	/* In turn, so that pages are used again and few become unused. */
	pthread_mutex_lock(&turn);
	for (unsigned i = 0; i < GROW_ROUNDS; i++)
		use_cache();
	pthread_mutex_unlock(&turn);
	pthread_barrier_wait(&barrier);
	while (goes_on) {
		use_cache();
		poll(NULL, 0, 200);
	}
	pthread_barrier_wait(&barrier);
	return arg;
}

static void
fill_caches(pthread_t *threads, unsigned n)
{
	pthread_barrier_init(&barrier, NULL, n + 1);
	is_starting = true;
	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, fill_cache, NULL) != 0)
			stress_fail("can't start a thread");
	is_starting = false;
	pthread_barrier_wait(&barrier);
}

static void
let_end(const pthread_t *threads, unsigned n)
{
	goes_on = false;
	pthread_barrier_wait(&barrier);
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

static void
caches_of_sleeping_threads_are_emptied(void)
{
	pthread_t threads[CACHES_MAX];
	long before = resident_kib(), peak;

	fill_caches(threads, CACHES_MAX);
	peak = resident_kib();
	/* On a slow machine some of it may have gone already. */
	if (peak - before < 2 * MAY_STAY_KIB)
		stress_fail("caches hold only %ld KiB", peak - before);
	wait_for_return(before, peak, CACHES_MAX + 1);
	let_end(threads, CACHES_MAX);
}

static void
small_caches_start_no_thread(void)
{
	pthread_t threads[CACHES_FEW];

	fill_caches(threads, CACHES_FEW);
	for (unsigned i = 0; i < 10; i++) {
		poll(NULL, 0, 100);
		if (count_threads() != CACHES_FEW + 1)
			stress_fail("the library has a thread for nothing");
	}
	let_end(threads, CACHES_FEW);
}

static void
threads_that_go_on_lose_it(void)
{
	pthread_t threads[CACHES_MAX];
	bool was_there = false;
	unsigned i;

	goes_on = true;
	fill_caches(threads, CACHES_MAX);
	for (i = 0; i < WATCH_S * 10; i++) {
		bool is_there = count_threads() != CACHES_MAX + 1;

		if (was_there && !is_there)
			break;
		was_there |= is_there;
		poll(NULL, 0, 100);
	}
	if (i == WATCH_S * 10)
		stress_fail(was_there ? "the library's thread stays"
				      : "the library started no thread");
	let_end(threads, CACHES_MAX);
}

static void
one_thread_stays_alone(void)
{
	pthread_barrier_init(&barrier, NULL, 1);
	for (unsigned i = 0; i < 4; i++) {
		burst(NTHREADS * EACH);
		if (count_threads() != 1)
			stress_fail("a process with one thread got another");
	}
	pthread_barrier_destroy(&barrier);
}

static long
page_faults(void)
{
	struct rusage usage;

	CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
	return usage.ru_minflt;
}

static char *
long_block(void)
{
	char *block = malloc(EACH);

	if (block == NULL)
		stress_fail("no memory");
	memset(block, 1, EACH);
	return block;
}

/*
 * Nobody knows when it calls again. Some blocks may stay, and the next ones get
 * their pages.
 */
static void
one_thread_keeps_few_long_blocks(void)
{
	enum { EACH_KIB = EACH >> 10, KEPT_KIB = 128 << 10, N = 8 };
	long before = resident_kib(), left;
	char *block[N];

	for (unsigned i = 0; i < N; i++)
		block[i] = long_block();
	for (unsigned i = 0; i < N; i++)
		free(block[i]);
	left = resident_kib() - before;
	if (left > KEPT_KIB + KEPT_KIB / 8 || left < KEPT_KIB / 2)
		stress_fail("of %d blocks of %d KiB, %ld KiB stay", N, EACH_KIB,
		    left);
	free(long_block());
	before = page_faults();
	free(long_block());
	if (page_faults() - before > EACH_KIB / 16)
		stress_fail("a block that was just freed has no pages");
}

/* Each of them is a process of its own, which has no thread before. */
static void
in_a_child(void (*test)(void))
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		stress_fail("can't fork: %s", strerror(errno));
	if (pid == 0) {
		test();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		stress_fail("status %#x", (unsigned)status);
}

int
main(int argc, char **argv)
{
	stress_start(argc, argv, 300);
	huge_pages_off();
	if (getenv("STRESS_IDLE") == NULL) {
		stress_start_again(argv, "STRESS_IDLE", "auto",
		    "background_thread:auto,junk:false");
		return 0;
	}
	in_a_child(one_thread_stays_alone);
	in_a_child(one_thread_keeps_few_long_blocks);
	in_a_child(after_a_join_there_is_one_thread);
	in_a_child(what_ended_threads_leave_has_gone);
	in_a_child(memory_goes_back);
	in_a_child(small_caches_start_no_thread);
	in_a_child(caches_of_sleeping_threads_are_emptied);
	in_a_child(threads_that_go_on_lose_it);
	return 0;
}
