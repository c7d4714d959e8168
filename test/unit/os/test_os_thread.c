#include "os/os_thread.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"
#include "os/clock.h"

struct identity {
	uint32_t id;
	uintptr_t self;
};

static void *
tell(void *arg)
{
	struct identity *identity = arg;

	identity->id = os_thread_id();
	identity->self = os_thread_self();
	return NULL;
}

static void
living_threads_differ_and_stay_themselves(void **state)
{
	struct identity mine, its, again;
	pthread_t thread;

	(void)state;
	tell(&mine);
	pthread_create(&thread, NULL, tell, &its);
	tell(&again);
	assert_int_equal(mine.id, getpid());
	assert_int_not_equal(mine.self, 0);
	assert_int_equal(again.id, mine.id);
	assert_int_equal(again.self, mine.self);
	pthread_join(thread, NULL);
	assert_int_not_equal(its.id, mine.id);
	assert_int_not_equal(its.self, mine.self);
	assert_int_not_equal(its.self, 0);
}

static void
who_forks_stays_itself_under_a_new_id(void **state)
{
	struct identity mine, childs;
	int status;
	pid_t pid;

	(void)state;
	tell(&mine);
	pid = fork();
	if (pid == 0) {
		tell(&childs);
		_exit(childs.self != mine.self || childs.id == mine.id ||
		    childs.id != (uint32_t)getpid());
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void
yielding_keeps_errno(void **state)
{
	(void)state;
	errno = 77;
	os_thread_yield();
	assert_int_equal(errno, 77);
}

/* Who is not woken sleeps as long as it wanted, and not for ever. */
static void
a_sleep_that_nobody_ends_has_its_length(void **state)
{
	static const uint64_t waits_ns[] = { 0, 1000000, 999999999,
		1000000001 };
	_Atomic uint32_t word = 5;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(waits_ns); i++) {
		uint64_t begin_ns = clock_now_ns();

		os_thread_sleep(&word, 5, waits_ns[i]);
		assert_true(clock_now_ns() - begin_ns >= waits_ns[i]);
	}
	/* Somebody has changed the word before. */
	os_thread_sleep(&word, 4, UINT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(living_threads_differ_and_stay_themselves),
		cmocka_unit_test(who_forks_stays_itself_under_a_new_id),
		cmocka_unit_test(yielding_keeps_errno),
		cmocka_unit_test(a_sleep_that_nobody_ends_has_its_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
