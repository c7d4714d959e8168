#include "unwind/loader.h"

#include <pthread.h>
#include <unistd.h>

#include "../unit.h"
#include "os/probe.h"
#include "unwind/backtrace.h"

static bool passed;

static void *
ask(void *unknown)
{
	return loader_calls_us(unknown != NULL) ? ask : NULL;
}

static void
the_program_is_not_the_loader(void **state)
{
	pthread_t thread;
	void *answer;

	(void)state;
	assert_false(loader_calls_us(false));
	assert_false(loader_calls_us(true));
#ifdef __GLIBC__
	/* Nor is the C library, which calls a thread's function. */
	pthread_create(&thread, NULL, ask, NULL);
	pthread_join(thread, &answer);
	assert_null(answer);
	pthread_create(&thread, NULL, ask, &passed);
	pthread_join(thread, &answer);
	assert_null(answer);
#else
	(void)thread, (void)answer, (void)ask;
#endif
}

/* Deeper than the walk goes. */
static bool
ask_below(unsigned depth)
{
	bool answer = depth == 0 ? loader_calls_us(true) : ask_below(depth - 1);

	/* No tail call. */
	__asm__ volatile("" : : : "memory");
	return answer;
}

static void
nor_is_a_program_with_many_frames(void **state)
{
	(void)state;
	assert_false(ask_below(100));
}

/* The loader calls these when the process ends. */
__attribute__((destructor)) static void
here_the_loader_calls(void)
{
	if (!passed)
		return;
	if (!loader_calls_us(false) || !loader_calls_us(true)) {
		print_error("the loader was not seen\n");
		_exit(1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_program_is_not_the_loader),
		cmocka_unit_test(nor_is_a_program_with_many_frames),
	};

	backtrace_refresh();
	passed = cmocka_run_group_tests(tests, NULL, NULL) == 0 &&
	    !probe_is_static();
	return !passed;
}
