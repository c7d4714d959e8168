#include "conf/safety.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/options.h"
#include "os/message.h"

/* What `report` leaves in a log that the process opened after its start. */
static const char *
log_after(void (*report)(void), unsigned action, int status_wanted)
{
	static char text[512];
	const struct rlimit none = { 0, 0 };
	char path[] = "/tmp/test_safety.XXXXXX";
	int log = mkstemp(path), status;
	ssize_t length;
	pid_t child;

	assert_true(log >= 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &none);
		alarm(30);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		message_init();
		dup2(open(path, O_WRONLY), STDERR_FILENO);
		opt_at_start.safety_action = action;
		report();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, status_wanted);
	length = pread(log, text, sizeof(text) - 1, 0);
	assert_true(length >= 0);
	text[length] = '\0';
	close(log);
	unlink(path);
	return text;
}

static void
report_by_kind(void)
{
	safety_report("double-free", (void *)(uintptr_t)0x1230, "size %d", 8);
}

static void
report_whole_text(void)
{
	safety_report_text("<jemalloc>: safety: a\n  b\n");
}

static void
report_and_come_back(void)
{
	safety_print_text("<jemalloc>: safety: a\n  b\n");
}

static void
each_report_goes_to_a_log_opened_later(void **state)
{
	static const char line[] =
	    "<jemalloc>: safety: double-free: 0x1230 (size 8)\n";
	static const char text[] = "<jemalloc>: safety: a\n  b\n";

	(void)state;
	assert_string_equal(log_after(report_by_kind, SAFETY_ACTION_REPORT, 0),
	    line);
	assert_string_equal(log_after(report_by_kind, SAFETY_ACTION_ABORT,
				SIGABRT),
	    line);
	assert_string_equal(log_after(report_whole_text, SAFETY_ACTION_REPORT,
				0),
	    text);
	assert_string_equal(log_after(report_whole_text, SAFETY_ACTION_ABORT,
				SIGABRT),
	    text);
	assert_string_equal(log_after(report_and_come_back,
				SAFETY_ACTION_REPORT, 0),
	    text);
	assert_string_equal(log_after(report_and_come_back, SAFETY_ACTION_ABORT,
				0),
	    text);
}

static void
to_hook(const char *line)
{
	dprintf(STDERR_FILENO, "hook: %s", line);
}

static void
report_with_hook(void)
{
	message_set_abort_hook(to_hook);
	report_by_kind();
	report_and_come_back();
}

/* Whatever the action is; and if it returns, the program goes on. */
static void
the_hook_of_a_program_gets_each_report(void **state)
{
	static const char text[] =
	    "hook: <jemalloc>: safety: double-free: 0x1230 (size 8)\n"
	    "hook: <jemalloc>: safety: a\n  b\n";

	(void)state;
	assert_string_equal(log_after(report_with_hook, SAFETY_ACTION_ABORT, 0),
	    text);
	assert_string_equal(log_after(report_with_hook, SAFETY_ACTION_REPORT,
				0),
	    text);
}

static void
report_often(void)
{
	for (int i = 0; i < 2 * SAFETY_REPORTS_MAX; i++)
		safety_report_text(i < SAFETY_REPORTS_MAX ? "y" : "n");
}

static void
a_program_that_goes_on_is_not_told_for_ever(void **state)
{
	const char *text = log_after(report_often, SAFETY_ACTION_REPORT, 0);

	(void)state;
	assert_int_equal(strlen(text), SAFETY_REPORTS_MAX);
	assert_null(strchr(text, 'n'));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_report_goes_to_a_log_opened_later),
		cmocka_unit_test(the_hook_of_a_program_gets_each_report),
		cmocka_unit_test(a_program_that_goes_on_is_not_told_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
