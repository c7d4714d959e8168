#include "os/message.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * Reports, once descriptor 2 has become another file. Each case runs in a child
 * of its own, which starts with /dev/null there, and tells by its exit status
 * what it finds wrong: the line.
 */
#define child_assert(condition) \
	do { \
		if (!(condition)) \
			_exit(__LINE__ % 250 + 1); \
	} while (0)

static void
assert_child_succeeds(void (*body)(void))
{
	const struct rlimit none = { 0, 0 };
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &none);
		alarm(30);
		child_assert(dup2(open("/dev/null", O_WRONLY), STDERR_FILENO) ==
		    STDERR_FILENO);
		message_init();
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int
open_file(int flags)
{
	char path[] = "/tmp/test_report.XXXXXX";
	int made = mkstemp(path), fd = open(path, flags);

	child_assert(made >= 0 && fd >= 0);
	close(made);
	unlink(path);
	return fd;
}

/* Says both, and returns how many bytes came into the file at descriptor 2. */
static long
report_over(int file)
{
	child_assert(dup2(file, STDERR_FILENO) == STDERR_FILENO);
	child_assert(!message_descriptor_kept());
	errno = ERANGE;
	message("a warning");
	child_assert(lseek(file, 0, SEEK_END) == 0);
	message_report("%s", "first");
	message_report_as_it_is("second\n");
	child_assert(errno == ERANGE);
	return (long)lseek(file, 0, SEEK_END);
}

#define BYTES_OF_REPORTS ((long)sizeof("<jemalloc>: first\nsecond\n") - 1)

static void
child_reports_to_logs(void)
{
	child_assert(report_over(open_file(O_RDWR | O_APPEND)) ==
	    BYTES_OF_REPORTS);
	child_assert(report_over(open_file(O_WRONLY)) == BYTES_OF_REPORTS);
	child_assert(report_over(open_file(O_WRONLY | O_APPEND)) ==
	    BYTES_OF_REPORTS);
}

static void
a_report_goes_to_a_log_opened_later(void **state)
{
	(void)state;
	assert_child_succeeds(child_reports_to_logs);
}

static void
child_reports_over_data(void)
{
	child_assert(report_over(open_file(O_RDWR)) == 0);
}

static void
a_report_spares_a_file_that_can_be_read_back(void **state)
{
	(void)state;
	assert_child_succeeds(child_reports_over_data);
}

/* Whatever is opened first gets the number 2. */
static void
child_reports_without_stderr_at_start(void)
{
	int ends[2];
	char text[64];

	close(STDERR_FILENO);
	message_init();
	child_assert(report_over(open_file(O_WRONLY)) == 0);
	child_assert(report_over(open_file(O_WRONLY | O_APPEND)) ==
	    BYTES_OF_REPORTS);
	child_assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	child_assert(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
	message_report("not for this socket");
	child_assert(recv(ends[0], text, sizeof(text), MSG_DONTWAIT) == -1);
}

static void
without_stderr_at_start_a_report_spares_any_output(void **state)
{
	(void)state;
	assert_child_succeeds(child_reports_without_stderr_at_start);
}

static void
child_reports_to_the_journal(void)
{
	int ends[2];
	char text[64] = "";

	child_assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	child_assert(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
	message("a warning");
	message_report("x");
	child_assert(recv(ends[0], text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	child_assert(strcmp(text, "<jemalloc>: x\n") == 0);
	close(ends[0]);
	message_report("nobody reads this");
}

static void
a_report_goes_to_a_local_socket_put_there_later(void **state)
{
	(void)state;
	assert_child_succeeds(child_reports_to_the_journal);
}

/* A peer on the network is not told of addresses, nor its protocol broken. */
static void
child_reports_over_a_connection(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int here = socket(AF_INET, SOCK_DGRAM, 0);
	int there = socket(AF_INET, SOCK_DGRAM, 0);
	char text[64];

	child_assert(bind(there, (struct sockaddr *)&address, length) == 0);
	child_assert(getsockname(there, (struct sockaddr *)&address, &length) ==
	    0);
	child_assert(connect(here, (struct sockaddr *)&address, length) == 0);
	child_assert(dup2(here, STDERR_FILENO) == STDERR_FILENO);
	message_report("not for this peer");
	child_assert(send(here, "control", 7, 0) == 7);
	child_assert(recv(there, text, sizeof(text), 0) == 7);
}

static void
a_report_does_not_leave_the_machine(void **state)
{
	(void)state;
	assert_child_succeeds(child_reports_over_a_connection);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_goes_to_a_log_opened_later),
		cmocka_unit_test(a_report_spares_a_file_that_can_be_read_back),
		cmocka_unit_test(
		    without_stderr_at_start_a_report_spares_any_output),
		cmocka_unit_test(
		    a_report_goes_to_a_local_socket_put_there_later),
		cmocka_unit_test(a_report_does_not_leave_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
