#include "api/prof_signal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"
#include "util/build.h"

/* The library is a part of this program, and listens for a signal. */
extern const char *malloc_conf;
const char *malloc_conf = "prof_signal:USR2,prof_prefix:";
extern void (*malloc_message)(void *opaque, const char *text);
int mallctl(const char *name, void *old, size_t *old_size, void *value,
    size_t size);

static _Atomic unsigned messages, turns;

static void
count_message(void *opaque, const char *text)
{
	(void)opaque;
	messages++;
	if (strstr(text, "The heap profile is o") != NULL)
		turns++;
}

static bool
is_active(void)
{
	bool active = false;
	size_t size = sizeof(active);

	assert_int_equal(mallctl("prof.active", &active, &size, NULL, 0), 0);
	return active;
}

static void
nothing_is_done_unless_a_signal_came(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		prof_signal_act();
	assert_false(is_active());
	assert_int_equal(messages, 0);
}

/* By a thread of its own, which says so last of all. */
static void
await(bool on, unsigned turn)
{
	while (is_active() != on || turns < turn)
		usleep(1000);
}

static void
each_signal_turns_the_profile_on_or_off(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(raise(SIGUSR2), 0);
		await(i % 2 == 0, i + 1);
	}
}

/* The next call does it that no cache serves: 0 if so. */
static int
in_a_child(bool on)
{
	for (unsigned i = 0; i < 2; i++, on = !on) {
		if (raise(SIGUSR2) != 0)
			return 1;
		free(malloc((size_t)16 << 20));
		if (is_active() != on)
			return 2 + (int)i;
	}
	return 0;
}

static void
a_child_without_the_thread_does_it_by_itself(void **state)
{
	int status = 1;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(in_a_child(true));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_false(is_active());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_done_unless_a_signal_came),
		cmocka_unit_test(each_signal_turns_the_profile_on_or_off),
		cmocka_unit_test(a_child_without_the_thread_does_it_by_itself),
	};

	if (!BUILD_PROF)
		SKIP_BECAUSE("built without the heap profile");
	malloc_message = count_message;
	/* For what is waited for. */
	alarm(600);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
