#include "os/os_thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"
#include "../../seccomp.h"
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

static void *
note_mask(void *mask)
{
	pthread_sigmask(SIG_BLOCK, NULL, mask);
	return NULL;
}

/*
 * A thread of the library gets no signal of the program, but that of a system
 * call that a filter traps: if it was blocked, the process would end.
 */
static void
only_trapped_calls_reach_a_thread(void **state)
{
	pthread_t thread;
	sigset_t mask;

	(void)state;
	assert_int_equal(os_thread_start(&thread, note_mask, &mask), 0);
	os_thread_join(thread);
	assert_int_equal(sigismember(&mask, SIGSYS), 0);
	assert_int_equal(sigismember(&mask, SIGTERM), 1);
	assert_int_equal(sigismember(&mask, SIGPROF), 1);
	note_mask(&mask);
	assert_int_equal(sigismember(&mask, SIGTERM), 0);
}

/* From here on this process can't start a thread. */
static bool
refuse_threads(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog program = { ARRAY_LEN(code), code };

	return seccomp_install(&program, 0);
}

static void
a_refused_start_keeps_errno(void **state)
{
	pthread_t thread;
	sigset_t mask;
	int status;
	pid_t pid;

	(void)state;
	if (seccomp_missing() != NULL)
		SKIP_TEST(seccomp_missing());
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (!refuse_threads())
			_exit(3);
		errno = 77;
		if (os_thread_start(&thread, note_mask, &mask) == 0)
			_exit(2);
		_exit(errno != 77);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(living_threads_differ_and_stay_themselves),
		cmocka_unit_test(who_forks_stays_itself_under_a_new_id),
		cmocka_unit_test(yielding_keeps_errno),
		cmocka_unit_test(a_sleep_that_nobody_ends_has_its_length),
		cmocka_unit_test(only_trapped_calls_reach_a_thread),
		cmocka_unit_test(a_refused_start_keeps_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
