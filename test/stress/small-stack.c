/*
 * small-stack: threads and signal handlers with hardly any stack.
 *
 * Provokes: threads with the smallest stack that there is, and handlers on an
 * alternate stack of MINSIGSTKSZ and 8 KiB, use all entry points; then the
 * stack that each call takes is measured on a painted stack, on the fast path
 * and where an arena, a large block or a new slab has to be made.
 * Must hold: no overflow; 2 KiB at most for a call that was repeated, 8 KiB
 * for any other.
 */
#include "stress.h"

#include <limits.h>
#include <sys/mman.h>

enum { STACK = 256 * 1024, FAST = 2048, SLOW = 8192 };

static const size_t sizes[] = { 1, 16, 100, 1000, 5000, 14000, 33000, 200000,
	3 << 20, 40 << 20 };

enum { NSIZES = sizeof(sizes) / sizeof(*sizes) };

static void
use_all(size_t size)
{
	void *block = needed(malloc(size));

	block = needed(realloc(block, size * 2));
	free(block);
	free(needed(calloc(size, 1)));
	free(needed(aligned_alloc(64, size)));
	CHECK(posix_memalign(&block, 4096, size) == 0);
	CHECK(malloc_usable_size(block) >= size);
	free(block);
}

static void *
use_all_sizes(void *argument)
{
	for (unsigned i = 0; i < NSIZES; i++)
		use_all(sizes[i]);
	return argument;
}

static void
smallest_threads(unsigned nthreads)
{
	pthread_attr_t attributes;
	long smallest = sysconf(_SC_THREAD_STACK_MIN);

	if (smallest < PTHREAD_STACK_MIN)
		smallest = PTHREAD_STACK_MIN;
	pthread_attr_init(&attributes);
	CHECK(pthread_attr_setstacksize(&attributes, (size_t)smallest) == 0);
	for (unsigned i = 0; i < nthreads; i++) {
		pthread_t id;

		CHECK(pthread_create(&id, &attributes, use_all_sizes, NULL) ==
		    0);
		CHECK(pthread_join(id, NULL) == 0);
	}
	pthread_attr_destroy(&attributes);
}

static void
handler(int signal_number)
{
	(void)signal_number;
	use_all_sizes(NULL);
}

static void *
small_signal_stack(void *argument)
{
	size_t smallest = (size_t)sysconf(_SC_MINSIGSTKSZ);
	size_t size = smallest + 8 * KIB;
	char *area = mmap(NULL, 64 * KIB + size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = { .ss_sp = area + 64 * KIB, .ss_size = size };
	struct sigaction action = { .sa_handler = handler,
		.sa_flags = SA_ONSTACK };

	CHECK(area != MAP_FAILED);
	CHECK(mprotect(area, 64 * KIB, PROT_NONE) == 0);
	CHECK(sigaltstack(&stack, NULL) == 0);
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	raise(SIGUSR1);
	raise(SIGUSR1);
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	munmap(area, 64 * KIB + size);
	return argument;
}

/* ---- measuring ---- */

struct call {
	const char *name;
	void *(*function)(void *, size_t);
};

static void *
call_malloc(void *block, size_t size)
{
	(void)block;
	return malloc(size);
}

static void *
call_free(void *block, size_t size)
{
	(void)size;
	free(block);
	return NULL;
}

static void *
call_calloc(void *block, size_t size)
{
	(void)block;
	return calloc(1, size);
}

static void *
call_realloc(void *block, size_t size)
{
	return realloc(block, size * 3);
}

static void *
call_aligned(void *block, size_t size)
{
	(void)block;
	return aligned_alloc(256, size);
}

static void *
call_memalign(void *block, size_t size)
{
	if (posix_memalign(&block, 65536, size) != 0)
		return NULL;
	return block;
}

static char *stack_low; /* of the painted stack */

/* Bytes of stack that one call takes below its caller's frame. */
__attribute__((noinline)) static size_t
call_measure(const struct call *call, void **block, size_t size)
{
	char *here = __builtin_frame_address(0);
	char *top = here - 512; /* leaves this frame's own things alone */
	char *at = stack_low;
	void *result;

	memset(stack_low, 0x5a, (size_t)(top - stack_low));
	__asm__ volatile("" : : : "memory");
	result = hidden(call->function(*block, size));
	__asm__ volatile("" : : : "memory");
	while (at < top && *at == 0x5a)
		at++;
	*block = result;
	return (size_t)(here - at);
}

static void
call_check(const struct call *call, size_t size, size_t *worst)
{
	for (unsigned repeat = 0; repeat < 3; repeat++) {
		void *block = NULL;
		size_t used;

		if (call->function == call_free ||
		    call->function == call_realloc)
			block = needed(malloc(size));
		used = call_measure(call, &block, size);
		if (used > SLOW || (repeat == 2 && used > FAST && size < 8192))
			stress_fail("%s of %zu bytes takes %zu bytes of "
				    "stack%s",
			    call->name, size, used,
			    repeat == 2 ? " when repeated" : "");
		if (used > *worst)
			*worst = used;
		free(block);
	}
}

static void *
measure_work(void *argument)
{
	static const struct call calls[] = {
		{ "malloc", call_malloc },
		{ "free", call_free },
		{ "calloc", call_calloc },
		{ "realloc", call_realloc },
		{ "aligned_alloc", call_aligned },
		{ "posix_memalign", call_memalign },
	};

	for (unsigned i = 0; i < NSIZES; i++)
		for (unsigned j = 0; j < sizeof(calls) / sizeof(*calls); j++)
			call_check(&calls[j], sizes[i], argument);
	return NULL;
}

static void
measure(void)
{
	pthread_attr_t attributes;
	pthread_t id;
	size_t worst = 0;
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(stack != MAP_FAILED);
	stack_low = stack + 4096;
	use_all_sizes(NULL); /* so that all symbols are bound */
	pthread_attr_init(&attributes);
	CHECK(pthread_attr_setstack(&attributes, stack, STACK) == 0);
	CHECK(pthread_create(&id, &attributes, measure_work, &worst) == 0);
	CHECK(pthread_join(id, NULL) == 0);
	pthread_attr_destroy(&attributes);
	munmap(stack, STACK);
	printf("deepest call: %zu bytes of stack\n", worst);
}

int
main(int argc, char **argv)
{
	unsigned scale = stress_start(argc, argv, 60);

	smallest_threads(40 * scale);
	thread_run(small_signal_stack, NULL);
	measure();
	return 0;
}
