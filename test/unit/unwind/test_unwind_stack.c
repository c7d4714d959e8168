#include "unwind/unwind_stack.h"

#include <pthread.h>
#include <sys/mman.h>

#include "../unit.h"
#include "os/probe.h"
#include "os/system.h"
#include "util/compiler.h"

#define KIB       ((size_t)1024)
#define SIZE      (1024 * KIB)
#define OWN_SIZE  (512 * KIB) /* the end of the memory is the thread's stack */
#define GAP_SIZE  (256 * KIB) /* below it */
#define OTHER_END (SIZE - OWN_SIZE - GAP_SIZE)

static unsigned nasked;
static char *memory;

bool __real_probe_readable(uintptr_t start, uintptr_t end);
bool __wrap_probe_readable(uintptr_t start, uintptr_t end);

bool
__wrap_probe_readable(uintptr_t start, uintptr_t end)
{
	nasked++;
	return __real_probe_readable(start, end);
}

static unsigned
asked_for(const void *pointer, struct unwind_stack *stack)
{
	nasked = 0;
	unwind_stack_init(stack, (uintptr_t)pointer);
	return nasked;
}

static bool
reaches(struct unwind_stack *stack, const void *address)
{
	return unwind_stack_reach(stack, (uintptr_t)address);
}

/* Where the thread found something wrong. */
static int wrong;

static void
expect(bool right, int line)
{
	if (!right && wrong == 0)
		wrong = line;
}

/* A thread that runs on two stacks, in turn. */
static void *
run(void *unused)
{
	struct unwind_stack stack;
	char here = 0;
	char *other = memory + OTHER_END - 2 * system_info.page_size;

	(void)unused;
	for (unsigned i = 0; i < 3; i++) {
		unsigned asked = asked_for(&here, &stack);

		if (thread_number() == 0)
			break; /* no stack is known to be the thread's */
		expect(asked == 0 || i == 0, __LINE__);
		nasked = 0;
		expect(unwind_stack_reach(&stack, thread_number() - 64),
		    __LINE__);
		expect(nasked == 0, __LINE__);
		asked = asked_for(other, &stack);
		expect(asked == 0 || i == 0, __LINE__);
		expect(reaches(&stack, other + 8), __LINE__);
		expect(reaches(&stack, memory + OTHER_END - 8), __LINE__);
		expect(!reaches(&stack, memory + OTHER_END), __LINE__);
		expect(!reaches(&stack, other - 8), __LINE__);
	}
	return NULL;
}

static void
the_kernel_is_asked_once_about_each_stack(void **state)
{
	pthread_attr_t attributes;
	pthread_t thread;

	(void)state;
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED);
	assert_int_equal(mprotect(memory + OTHER_END, GAP_SIZE, PROT_NONE), 0);
	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstack(&attributes,
			     memory + SIZE - OWN_SIZE, OWN_SIZE),
	    0);
	assert_int_equal(pthread_create(&thread, &attributes, run, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(wrong, 0);
	pthread_attr_destroy(&attributes);
	munmap(memory, SIZE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_is_asked_once_about_each_stack),
	};

	system_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
