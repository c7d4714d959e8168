/*
 * A program that knows which objects it has: it stands between itself and the
 * library, and keeps a list of all objects, also of those of the C library. It
 * does what programs do with threads and a fixed seed, writes its list to a
 * file, says "ready" and waits for the end of its input.
 *
 * usage: heap-oracle FILE SEED [fork | busy]
 * A line of the file: address, malloc_usable_size(). With "busy" the threads go
 * on for ever, and /proc/PID/mem has the list at the address and of the length
 * that the file tells: pairs of such numbers, the address 0 or 1 if unused. An
 * object is in it from after its allocation to before its end.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jemalloc/jemalloc.h"

#define THREADS 8
#define SLOTS   2000
#define STEPS   6000
#define SHARED  256
#define LG_LIST 20
#define LIST    ((size_t)1 << LG_LIST)

/* ---- the list of objects, outside of the heap ---- */

struct entry {
	uintptr_t address; /* 0: free, 1: was used */
	size_t usable;
};

static struct {
	struct entry *entries;
	pthread_mutex_t lock;
} list = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void (*free)(void *);
	int (*posix_memalign)(void **, size_t, size_t);
	void *(*aligned_alloc)(size_t, size_t);
	size_t (*malloc_usable_size)(void *);
	void *(*mallocx)(size_t, int);
	void (*dallocx)(void *, int);
	int (*mallctl)(const char *, void *, size_t *, void *, size_t);
	int (*mallctlnametomib)(const char *, size_t *, size_t *);
	int (*mallctlbymib)(const size_t *, size_t, void *, size_t *, void *,
	    size_t);
} next;

static void
die(const char *what)
{
	ssize_t ignored = write(2, what, strlen(what));

	(void)ignored;
	_exit(2);
}

static size_t
place_of(uintptr_t address)
{
	return (address >> 3) * 0x9e3779b97f4a7c15u >> (64 - LG_LIST);
}

static void
list_add(void *object)
{
	uintptr_t address = (uintptr_t)object;
	size_t usable, at = place_of(address), steps = 0;

	if (object == NULL)
		return;
	usable = next.malloc_usable_size(object);
	pthread_mutex_lock(&list.lock);
	for (; list.entries[at].address > 1; at = (at + 1) % LIST) {
		if (list.entries[at].address == address)
			die("heap-oracle: an object was handed out twice\n");
		if (++steps == LIST)
			die("heap-oracle: the list is full\n");
	}
	list.entries[at] = (struct entry){ address, usable };
	pthread_mutex_unlock(&list.lock);
}

/* To be called before the object is freed. */
static void
list_remove(void *object)
{
	uintptr_t address = (uintptr_t)object;
	size_t at = place_of(address);

	if (object == NULL)
		return;
	pthread_mutex_lock(&list.lock);
	for (; list.entries[at].address != address; at = (at + 1) % LIST) {
		if (list.entries[at].address == 0)
			die("heap-oracle: an unknown object is freed\n");
	}
	list.entries[at].address = 1;
	pthread_mutex_unlock(&list.lock);
}

static void
number_write(char **at, uintptr_t number, unsigned base)
{
	char digits[32];
	unsigned count = 0;

	do
		digits[count++] = "0123456789abcdef"[number % base];
	while ((number /= base) != 0);
	while (count > 0)
		*(*at)++ = digits[--count];
}

/* Where the list is, for who reads it in memory. */
static void
list_tell(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	char line[80], *at = line;

	*at++ = '0';
	*at++ = 'x';
	number_write(&at, (uintptr_t)list.entries, 16);
	*at++ = ' ';
	number_write(&at, LIST, 10);
	*at++ = '\n';
	if (fd < 0 || write(fd, line, (size_t)(at - line)) != at - line)
		die("heap-oracle: the file cannot be written\n");
	close(fd);
}

static void
list_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	char line[80];

	if (fd < 0)
		die("heap-oracle: the file cannot be written\n");
	for (size_t i = 0; i < LIST; i++) {
		char *at = line;

		if (list.entries[i].address <= 1)
			continue;
		*at++ = '0';
		*at++ = 'x';
		number_write(&at, list.entries[i].address, 16);
		*at++ = ' ';
		number_write(&at, list.entries[i].usable, 10);
		*at++ = '\n';
		if (write(fd, line, (size_t)(at - line)) != at - line)
			die("heap-oracle: the file cannot be written\n");
	}
	close(fd);
}

/* ---- between the program and the library ---- */

static char early[65536];
static size_t early_used;
static bool looking;

static bool
is_early(const void *object)
{
	uintptr_t start = (uintptr_t)early;

	return (uintptr_t)object - start < sizeof(early);
}

/* What dlsym() itself needs, before the library is known. */
static void *
early_take(size_t size)
{
	size = (size + 15) & ~(size_t)15;
	if (size > sizeof(early) - early_used)
		die("heap-oracle: no early memory\n");
	early_used += size;
	return early + early_used - size;
}

static void *
look(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (function == NULL)
		die("heap-oracle: the library is not preloaded\n");
	return function;
}

/* False: the caller is to take early memory. The first call has one thread. */
static bool
ready(void)
{
	if (list.entries != NULL)
		return true;
	if (looking)
		return false;
	looking = true;
	*(void **)&next.malloc = look("malloc");
	*(void **)&next.calloc = look("calloc");
	*(void **)&next.realloc = look("realloc");
	*(void **)&next.free = look("free");
	*(void **)&next.posix_memalign = look("posix_memalign");
	*(void **)&next.aligned_alloc = look("aligned_alloc");
	*(void **)&next.malloc_usable_size = look("malloc_usable_size");
	*(void **)&next.mallocx = look("mallocx");
	*(void **)&next.dallocx = look("dallocx");
	*(void **)&next.mallctl = look("mallctl");
	*(void **)&next.mallctlnametomib = look("mallctlnametomib");
	*(void **)&next.mallctlbymib = look("mallctlbymib");
	void *entries = mmap(NULL, LIST * sizeof(struct entry),
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (entries == MAP_FAILED)
		die("heap-oracle: no memory for the list\n");
	madvise(entries, LIST * sizeof(struct entry), MADV_DONTDUMP);
	list.entries = entries;
	return true;
}

void *
malloc(size_t size)
{
	if (!ready())
		return early_take(size);
	void *object = next.malloc(size);

	list_add(object);
	return object;
}

void *
calloc(size_t count, size_t size)
{
	if (!ready())
		return early_take(count * size);
	void *object = next.calloc(count, size);

	list_add(object);
	return object;
}

void
free(void *object)
{
	if (is_early(object) || object == NULL)
		return;
	list_remove(object);
	next.free(object);
}

void *
realloc(void *object, size_t size)
{
	if (object == NULL)
		return malloc(size);
	if (is_early(object)) {
		void *other = malloc(size);

		memcpy(other, object, size);
		return other;
	}
	list_remove(object);
	void *other = next.realloc(object, size);

	list_add(other == NULL && size > 0 ? object : other);
	return other;
}

int
posix_memalign(void **object, size_t align, size_t size)
{
	if (!ready())
		die("heap-oracle: posix_memalign() is too early\n");
	int error = next.posix_memalign(object, align, size);

	if (error == 0)
		list_add(*object);
	return error;
}

void *
aligned_alloc(size_t align, size_t size)
{
	if (!ready())
		die("heap-oracle: aligned_alloc() is too early\n");
	void *object = next.aligned_alloc(align, size);

	list_add(object);
	return object;
}

/* ---- what the program does ---- */

struct worker {
	pthread_t thread;
	unsigned index;
	uint64_t random;
	unsigned arena, cache;
	void *slots[SLOTS];
	int flags[SLOTS]; /* of dallocx(); -1: free() */
};

static struct worker workers[THREADS];
static _Atomic(void *) shared[SHARED];
static pthread_barrier_t all_done;
static bool busy;

static uint64_t
random_next(struct worker *worker)
{
	worker->random ^= worker->random << 13;
	worker->random ^= worker->random >> 7;
	worker->random ^= worker->random << 17;
	return worker->random;
}

static size_t
random_size(struct worker *worker)
{
	uint64_t kind = random_next(worker) % 1000;
	uint64_t more = random_next(worker);

	if (kind < 700)
		return 1 + more % 1024;
	if (kind < 950)
		return 1 + more % 14336;
	if (kind < 990)
		return 1 + more % (256 << 10);
	if (kind < 999 || more % 4 != 0)
		return 1 + more % (2 << 20);
	return 1 + more % (64 << 20);
}

static void
slot_empty(struct worker *worker, size_t slot)
{
	void *object = worker->slots[slot];

	worker->slots[slot] = NULL;
	if (object == NULL)
		return;
	if (worker->flags[slot] < 0) {
		free(object);
		return;
	}
	list_remove(object);
	next.dallocx(object, worker->flags[slot]);
}

static void
slot_fill(struct worker *worker, size_t slot)
{
	uint64_t way = random_next(worker) % 16;
	size_t size = random_size(worker);
	void *object = NULL;
	int flags = -1;

	if (way == 0) {
		if (posix_memalign(&object,
			(size_t)8 << random_next(worker) % 14, size) != 0)
			object = NULL;
	} else if (way == 1) {
		object = aligned_alloc(64, size);
	} else if (way <= 3) {
		object = calloc(1, size);
	} else if (way == 4) {
		flags = MALLOCX_TCACHE(worker->cache);
		object = next.mallocx(size,
		    flags | MALLOCX_ARENA(worker->arena));
		list_add(object);
	} else if (way == 5) {
		flags = MALLOCX_TCACHE_NONE;
		object = next.mallocx(size,
		    flags | MALLOCX_ARENA(worker->arena));
		list_add(object);
	} else {
		object = malloc(size);
	}
	if (object != NULL && size >= sizeof(size_t))
		memcpy(object, &size, sizeof(size));
	worker->slots[slot] = object;
	worker->flags[slot] = flags;
}

static void
step(struct worker *worker)
{
	size_t slot = random_next(worker) % SLOTS;
	uint64_t what = random_next(worker) % 8;

	if (worker->slots[slot] == NULL) {
		slot_fill(worker, slot);
	} else if (what == 0 && worker->flags[slot] < 0) {
		worker->slots[slot] = realloc(worker->slots[slot],
		    random_size(worker));
	} else if (what <= 2 && worker->flags[slot] < 0) {
		/* Others free it, some time. */
		worker->slots[slot] = atomic_exchange(
		    &shared[random_next(worker) % SHARED], worker->slots[slot]);
	} else {
		slot_empty(worker, slot);
	}
}

static void *
work(void *argument)
{
	struct worker *worker = argument;
	size_t size = sizeof(unsigned);

	if (next.mallctl("arenas.create", &worker->arena, &size, NULL, 0) !=
		0 ||
	    next.mallctl("tcache.create", &worker->cache, &size, NULL, 0) != 0)
		die("heap-oracle: no arena, or no cache\n");
	for (unsigned i = 0; i < STEPS; i++)
		step(worker);
	/* So the caches hold something, too. */
	for (size_t i = 0; i < SLOTS; i += 1 + random_next(worker) % 3)
		slot_empty(worker, i);
	pthread_barrier_wait(&all_done);
	while (busy)
		step(worker);
	if (worker->index % 3 == 0)
		return NULL;
	for (;;)
		pause();
}

/* An arena that ends, with all its objects. */
static void
arena_end(void)
{
	unsigned arena;
	size_t size = sizeof(arena);
	size_t mib[3], length = 3;

	if (next.mallctl("arenas.create", &arena, &size, NULL, 0) != 0)
		die("heap-oracle: no arena\n");
	for (unsigned i = 1; i < 1000; i++) {
		if (next.mallocx(i * 40,
			MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE) == NULL)
			die("heap-oracle: no memory\n");
	}
	if (next.mallctlnametomib("arena.0.destroy", mib, &length) != 0)
		die("heap-oracle: no arena.destroy\n");
	mib[1] = arena;
	if (next.mallctlbymib(mib, length, NULL, NULL, NULL, 0) != 0)
		die("heap-oracle: the arena stays\n");
}

static bool
wanted(int argc, char **argv, const char *word)
{
	for (int i = 3; i < argc; i++) {
		if (strcmp(argv[i], word) == 0)
			return true;
	}
	return false;
}

/* In the child, where the other threads are gone. */
static void
child_work(void)
{
	for (size_t i = 0; i < SLOTS; i += 5)
		slot_empty(&workers[1], i);
	for (size_t i = 0; i < SLOTS; i += 7) {
		if (workers[2].slots[i] == NULL)
			slot_fill(&workers[2], i);
	}
}

int
main(int argc, char **argv)
{
	char byte;

	if (argc < 3)
		die("usage: heap-oracle FILE SEED [fork]\n");
	busy = wanted(argc, argv, "busy");
	pthread_barrier_init(&all_done, NULL, THREADS + 1);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].index = i;
		workers[i].random = (strtoull(argv[2], NULL, 10) + 1) *
		    (i + 1) * 0x9e3779b97f4a7c15u;
		if (pthread_create(&workers[i].thread, NULL, work,
			&workers[i]) != 0)
			die("heap-oracle: no thread\n");
	}
	pthread_barrier_wait(&all_done);
	for (unsigned i = 0; !busy && i < THREADS; i += 3)
		pthread_join(workers[i].thread, NULL);
	arena_end();
	if (wanted(argc, argv, "fork")) {
		pid_t child = fork();

		if (child < 0)
			die("heap-oracle: no child\n");
		if (child > 0) {
			int status;

			waitpid(child, &status, 0);
			return 0;
		}
		child_work();
	}
	char line[32], *at = line;

	if (busy)
		list_tell(argv[1]);
	else
		list_write(argv[1]);
	number_write(&at, (uintptr_t)getpid(), 10);
	*at++ = '\n';
	if (write(1, line, (size_t)(at - line)) != at - line)
		return 1;
	/* It says which process is ready, and ends when nobody listens. */
	while (read(0, &byte, 1) > 0)
		;
	if (busy)
		_exit(0);
	return 0;
}
