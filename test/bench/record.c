/*
 * record: writes down what a program asks of malloc, for replay.
 *
 * usage: RECORD=FILE LD_PRELOAD=record.so COMMAND...
 *
 * Each process writes FILE.PID, from its start to its end. The C library must
 * be glibc, whose own malloc does the work. What was allocated before this
 * library's constructor ran is not known.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "trace.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *object, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *object);

static struct trace *_Atomic trace;
static size_t trace_size;
static int trace_fd = -1;
static _Atomic unsigned nthreads;
static _Thread_local unsigned thread_number;

static void
note(enum trace_kind kind, const void *object, size_t size, size_t alignment)
{
	struct trace *to = atomic_load(&trace);
	uint64_t at;

	if (to == NULL)
		return;
	if (thread_number == 0)
		thread_number = ++nthreads;
	at = atomic_fetch_add(&to->count, 1);
	if (at >= TRACE_EVENTS)
		return;
	to->event[at] = (struct trace_event){
		.address = (uintptr_t)object,
		.kind = kind,
		.thread = thread_number % TRACE_THREADS,
		.size = size,
		.lg_align = alignment == 0
		    ? 0
		    : (uint64_t)__builtin_ctzl(alignment),
	};
}

/* A child of fork writes no trace, until it is another program. */
static void
in_child(void)
{
	atomic_store(&trace, NULL);
}

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("RECORD");
	char name[4096];
	void *memory;

	trace_size = sizeof(struct trace) +
	    TRACE_EVENTS * sizeof(struct trace_event);
	if (path == NULL ||
	    snprintf(name, sizeof(name), "%s.%d", path, (int)getpid()) < 0)
		return;
	trace_fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (trace_fd < 0 || ftruncate(trace_fd, (off_t)trace_size) != 0) {
		perror(name);
		_exit(2);
	}
	memory = mmap(NULL, trace_size, PROT_READ | PROT_WRITE, MAP_SHARED,
	    trace_fd, 0);
	if (memory == MAP_FAILED) {
		perror(name);
		_exit(2);
	}
	((struct trace *)memory)->magic = TRACE_MAGIC;
	pthread_atfork(NULL, NULL, in_child);
	atomic_store(&trace, memory);
}

void *
malloc(size_t size)
{
	void *object = __libc_malloc(size);

	if (object != NULL)
		note(TRACE_TAKE, object, size, 0);
	return object;
}

void *
calloc(size_t count, size_t size)
{
	void *object = __libc_calloc(count, size);

	if (object != NULL)
		note(TRACE_TAKE, object, count * size, 0);
	return object;
}

void
free(void *object)
{
	if (object != NULL)
		note(TRACE_FREE, object, 0, 0);
	__libc_free(object);
}

void *
realloc(void *object, size_t size)
{
	void *to;

	if (object == NULL)
		return malloc(size);
	if (size == 0) {
		note(TRACE_FREE, object, 0, 0);
		return __libc_realloc(object, 0);
	}
	note(TRACE_RESIZE_FROM, object, 0, 0);
	to = __libc_realloc(object, size);
	/* If there was no memory, nothing has changed. */
	note(TRACE_RESIZE_TO, to == NULL ? object : to, to == NULL ? 0 : size,
	    0);
	return to;
}

void *
memalign(size_t alignment, size_t size)
{
	void *object = __libc_memalign(alignment, size);

	if (object != NULL)
		note(TRACE_TAKE, object, size, alignment);
	return object;
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int
posix_memalign(void **object, size_t alignment, size_t size)
{
	int saved = errno;
	void *memory;

	if (alignment % sizeof(void *) != 0 || alignment == 0 ||
	    (alignment & (alignment - 1)) != 0)
		return EINVAL;
	memory = memalign(alignment, size);
	errno = saved;
	if (memory == NULL)
		return ENOMEM;
	*object = memory;
	return 0;
}

void *
valloc(size_t size)
{
	return memalign((size_t)sysconf(_SC_PAGESIZE), size);
}
