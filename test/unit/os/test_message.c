#include "os/message.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * Each case runs in a child of its own, whose descriptor 2 is its own business;
 * the parent looks at what came out of it and how it ended.
 */
struct outcome {
	int status;
	char text[3 * MESSAGE_MAX];
};

static struct {
	bool secure;
	char received[1024];
} fixture;

unsigned long __real_getauxval(unsigned long type);
unsigned long __wrap_getauxval(unsigned long type);

unsigned long
__wrap_getauxval(unsigned long type)
{
	return type == AT_SECURE ? fixture.secure : __real_getauxval(type);
}

/* What a child finds wrong, it says by its exit status: the line. */
#define child_assert(condition) \
	do { \
		if (!(condition)) \
			_exit(__LINE__ % 250 + 1); \
	} while (0)

static void
enter_child(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGABRT, SIG_DFL);
	alarm(30);
}

static void
read_to_end(int fd, char *text, size_t size)
{
	size_t length = 0;
	ssize_t got;

	while (length < size - 1 &&
	    (got = read(fd, text + length, size - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	close(fd);
}

static struct outcome *
run(void (*body)(void))
{
	static struct outcome outcome;
	int ends[2];
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		enter_child();
		close(ends[0]);
		dup2(ends[1], STDERR_FILENO);
		close(ends[1]);
		message_init();
		body();
		_exit(0);
	}
	close(ends[1]);
	read_to_end(ends[0], outcome.text, sizeof(outcome.text));
	assert_int_equal(waitpid(child, &outcome.status, 0), child);
	return &outcome;
}

static void
assert_quiet_end(const struct outcome *outcome)
{
	assert_true(WIFEXITED(outcome->status));
	assert_int_equal(WEXITSTATUS(outcome->status), 0);
}

static void
assert_aborted(const struct outcome *outcome)
{
	assert_true(WIFSIGNALED(outcome->status));
	assert_int_equal(WTERMSIG(outcome->status), SIGABRT);
}

static void
child_warns(void)
{
	message("%s is %d", "six", 6);
}

static void
a_message_is_one_line_with_the_name_in_front(void **state)
{
	struct outcome *outcome = run(child_warns);

	(void)state;
	assert_quiet_end(outcome);
	assert_string_equal(outcome->text, "<jemalloc>: six is 6\n");
}

static void
child_dies(void)
{
	fatal("%s", "the end");
}

static void
fatal_aborts_after_its_line(void **state)
{
	struct outcome *outcome = run(child_dies);

	(void)state;
	assert_aborted(outcome);
	assert_string_equal(outcome->text, "<jemalloc>: the end\n");
}

static void
child_writes_plainly(void)
{
	message_write("a\n\tb");
	message_write("");
}

static void
plain_text_is_written_as_it_is(void **state)
{
	struct outcome *outcome = run(child_writes_plainly);

	(void)state;
	assert_quiet_end(outcome);
	assert_string_equal(outcome->text, "a\n\tb");
}

static void
child_sends_control_bytes(void)
{
	message("a\nb\x1b[31m\x7f caf\xc3\xa9\r");
}

static void
control_bytes_do_not_reach_the_terminal(void **state)
{
	struct outcome *outcome = run(child_sends_control_bytes);

	(void)state;
	assert_string_equal(outcome->text,
	    "<jemalloc>: a?b?[31m? caf\xc3\xa9?\n");
}

static size_t long_length;

static void
child_warns_at_length(void)
{
	static char text[2 * MESSAGE_MAX + 1];

	memset(text, 'x', long_length);
	text[long_length - 1] = 'y';
	message("%s", text);
}

static void
texts_up_to_the_limit_come_out_whole(void **state)
{
	static const size_t lengths[] = { 1, 400, 490, 498, 499, 500, 501, 512,
		4096, MESSAGE_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct outcome *outcome;

		long_length = lengths[i];
		outcome = run(child_warns_at_length);
		assert_quiet_end(outcome);
		assert_int_equal(strlen(outcome->text), 12 + long_length + 1);
		assert_string_equal(outcome->text + 11 + long_length, "y\n");
	}
}

static void
longer_texts_are_cut_and_say_so(void **state)
{
	struct outcome *outcome;
	size_t length;

	(void)state;
	long_length = 2 * MESSAGE_MAX;
	outcome = run(child_warns_at_length);
	length = strlen(outcome->text);
	assert_quiet_end(outcome);
	assert_in_range(length, MESSAGE_MAX, MESSAGE_MAX + 32);
	assert_string_equal(outcome->text + length - 5, "x...\n");
}

static void
receive(void *opaque, const char *s)
{
	assert_null(opaque);
	snprintf(fixture.received, sizeof(fixture.received), "%s", s);
	errno = EDOM;
}

static void
the_program_can_take_messages_itself(void **state)
{
	(void)state;
	malloc_message = receive;
	errno = ERANGE;
	message("%s", "to you");
	assert_string_equal(fixture.received, "<jemalloc>: to you\n");
	assert_int_equal(errno, ERANGE);
	message_write("plain");
	assert_string_equal(fixture.received, "plain");
	assert_int_equal(errno, ERANGE);
	malloc_message = NULL;
}

static void
pass_on(void *opaque, const char *s)
{
	(void)opaque;
	if (write(STDERR_FILENO, "taken: ", 7) != 7 ||
	    write(STDERR_FILENO, s, strlen(s)) < 0)
		_exit(1);
}

static void
child_dies_with_a_receiver(void)
{
	malloc_message = pass_on;
	fatal("x");
}

static void
fatal_lets_the_program_take_its_line_too(void **state)
{
	struct outcome *outcome = run(child_dies_with_a_receiver);

	(void)state;
	assert_aborted(outcome);
	assert_string_equal(outcome->text, "taken: <jemalloc>: x\n");
}

/* ---- descriptors that can't take it ---- */

static void
replace_stderr(int fd)
{
	child_assert(fd >= 0 && dup2(fd, STDERR_FILENO) == STDERR_FILENO);
	if (fd != STDERR_FILENO)
		close(fd);
	message_init();
}

/* Descriptor 2 is the end of a pipe or socket that nobody listens to. */
static void
lose_the_reader(bool as_socket)
{
	int ends[2];

	child_assert((as_socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends)
				: pipe(ends)) == 0);
	replace_stderr(ends[1]);
	close(ends[0]);
}

static bool
sigpipe_is(int (*query)(sigset_t *))
{
	sigset_t set;

	child_assert(query(&set) == 0);
	return sigismember(&set, SIGPIPE);
}

static int
query_mask(sigset_t *set)
{
	return sigprocmask(SIG_BLOCK, NULL, set);
}

static void
child_warns_nobody(void)
{
	lose_the_reader(false);
	errno = ERANGE;
	message("anybody there?");
	message_write("anybody there?");
	child_assert(errno == ERANGE);
	child_assert(!sigpipe_is(query_mask));
	child_assert(!sigpipe_is(sigpending));
	lose_the_reader(true);
	message("anybody there?");
	child_assert(errno == ERANGE);
}

static void
a_reader_that_went_away_does_not_end_the_process(void **state)
{
	(void)state;
	assert_quiet_end(run(child_warns_nobody));
}

static void
child_keeps_its_own_sigpipe(void)
{
	sigset_t set;

	lose_the_reader(false);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
	message("not raised by the program");
	child_assert(!sigpipe_is(sigpending));
	raise(SIGPIPE);
	message("raised before");
	child_assert(sigpipe_is(query_mask));
	child_assert(sigpipe_is(sigpending));
}

static void
a_sigpipe_of_the_program_stays_pending(void **state)
{
	(void)state;
	assert_quiet_end(run(child_keeps_its_own_sigpipe));
}

static void
child_dies_alone(void)
{
	lose_the_reader(false);
	fatal("nobody hears this");
}

static void
fatal_without_a_reader_still_ends_by_sigabrt(void **state)
{
	(void)state;
	assert_aborted(run(child_dies_alone));
}

static void
child_fills_the_pipe(void)
{
	static const char bytes[4096];
	int ends[2];

	child_assert(pipe2(ends, O_NONBLOCK) == 0);
	while (write(ends[1], bytes, sizeof(bytes)) > 0)
		;
	replace_stderr(ends[1]);
	errno = ERANGE;
	message("no room for this");
	child_assert(errno == ERANGE);
}

static void
a_full_pipe_that_does_not_block_loses_the_message(void **state)
{
	(void)state;
	assert_quiet_end(run(child_fills_the_pipe));
}

static void
interrupt(int signal_number)
{
	(void)signal_number;
}

/* The pipe is too small for the line, and a timer breaks into each write. */
static void
child_is_interrupted(void)
{
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	struct sigaction action = { .sa_handler = interrupt };

	child_assert(fcntl(STDERR_FILENO, F_SETPIPE_SZ, 4096) >= 4096);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	long_length = MESSAGE_MAX;
	child_warns_at_length();
}

static void
partial_and_interrupted_writes_are_continued(void **state)
{
	int ends[2], status;
	pid_t child;
	static char text[2 * MESSAGE_MAX];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		enter_child();
		close(ends[0]);
		replace_stderr(ends[1]);
		child_is_interrupted();
		_exit(0);
	}
	close(ends[1]);
	usleep(50000);
	read_to_end(ends[0], text, sizeof(text));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(strlen(text), 12 + MESSAGE_MAX + 1);
	assert_string_equal(text + 12 + MESSAGE_MAX - 1, "y\n");
}

/* ---- descriptors that changed hands ---- */

static int
open_temporary(int flags)
{
	char path[] = "/tmp/test_message.XXXXXX";
	int fd = mkstemp(path);

	child_assert(fd >= 0);
	close(fd);
	fd = open(path, O_RDWR | flags);
	child_assert(fd >= 0);
	unlink(path);
	return fd;
}

static void
child_reopens_stderr(void)
{
	int file = open_temporary(0);

	child_assert(message_descriptor_kept());
	child_assert(dup2(file, STDERR_FILENO) == STDERR_FILENO);
	child_assert(!message_descriptor_kept());
	message("not for this file");
	child_assert(lseek(file, 0, SEEK_END) == 0);
	message_write("statistics");
	child_assert(lseek(file, 0, SEEK_END) == 10);
}

static void
a_warning_does_not_go_to_a_file_opened_later(void **state)
{
	struct outcome *outcome = run(child_reopens_stderr);

	(void)state;
	assert_quiet_end(outcome);
	assert_string_equal(outcome->text, "");
}

static void
child_starts_without_stderr(void)
{
	int file;

	close(STDERR_FILENO);
	message_init();
	errno = ERANGE;
	message("to nobody");
	message_write("to nobody");
	child_assert(errno == ERANGE);
	child_assert(!message_descriptor_kept());
	file = open_temporary(0);
	child_assert(file == STDERR_FILENO);
	message("not for this file");
	child_assert(lseek(file, 0, SEEK_END) == 0);
}

static void
without_stderr_at_start_nothing_is_written_later(void **state)
{
	(void)state;
	assert_quiet_end(run(child_starts_without_stderr));
}

static void
child_moves_stderr_there_and_back(void)
{
	int saved = dup(STDERR_FILENO);

	child_assert(dup2(open_temporary(0), STDERR_FILENO) == STDERR_FILENO);
	child_assert(dup2(saved, STDERR_FILENO) == STDERR_FILENO);
	child_assert(message_descriptor_kept());
	message("back");
}

static void
stderr_put_back_is_written_to_again(void **state)
{
	struct outcome *outcome = run(child_moves_stderr_there_and_back);

	(void)state;
	assert_quiet_end(outcome);
	assert_string_equal(outcome->text, "<jemalloc>: back\n");
}

/* ---- a spare descriptor, for programs that close theirs before the end --- */

static void
child_closes_stderr(void)
{
	message_keep_descriptor();
	close(STDERR_FILENO);
	child_assert(message_descriptor_kept());
	message("warned");
	message_write("written\n");
}

static void
the_spare_descriptor_is_used_once_stderr_is_closed(void **state)
{
	struct outcome *outcome = run(child_closes_stderr);

	(void)state;
	assert_quiet_end(outcome);
	assert_string_equal(outcome->text, "<jemalloc>: warned\nwritten\n");
}

static void
child_closes_stderr_without_spare(void)
{
	close(STDERR_FILENO);
	child_assert(!message_descriptor_kept());
	message("to nobody");
	message_write("to nobody");
}

static void
without_the_spare_one_nothing_is_written(void **state)
{
	struct outcome *outcome = run(child_closes_stderr_without_spare);

	(void)state;
	assert_quiet_end(outcome);
	assert_string_equal(outcome->text, "");
}

/* A number that has another file by now is not written to, nor closed. */
static void
child_loses_the_spare(void)
{
	int file = open_temporary(0),
	    spare = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);

	close(spare);
	message_keep_descriptor();
	child_assert(fcntl(spare, F_GETFD) == FD_CLOEXEC);
	child_assert(dup2(file, spare) == spare);
	close(STDERR_FILENO);
	child_assert(!message_descriptor_kept());
	message("not for this file");
	message_write("nor this");
	child_assert(lseek(file, 0, SEEK_END) == 0);
	message_fork_child();
	child_assert(fcntl(spare, F_GETFD) == 0);
}

static void
the_spare_descriptor_is_left_alone_once_it_is_another_file(void **state)
{
	(void)state;
	assert_quiet_end(run(child_loses_the_spare));
}

static void
child_forks_with_a_spare(void)
{
	int spare = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);

	close(spare);
	message_keep_descriptor();
	child_assert(fcntl(spare, F_GETFD) == FD_CLOEXEC);
	message_fork_child();
	child_assert(fcntl(spare, F_GETFD) == -1);
	close(STDERR_FILENO);
	message("to nobody");
}

static void
in_a_child_the_spare_descriptor_is_closed(void **state)
{
	struct outcome *outcome = run(child_forks_with_a_spare);

	(void)state;
	assert_quiet_end(outcome);
	assert_string_equal(outcome->text, "");
}

/* The grandchild dies; its parent reports what is in the file. */
static void
report_file_after_death(int flags)
{
	int saved = dup(STDERR_FILENO), file = open_temporary(flags), status;
	char text[256];
	ssize_t length;
	pid_t child = fork();

	child_assert(child >= 0);
	if (child == 0) {
		dup2(file, STDERR_FILENO);
		fatal("last words");
	}
	child_assert(waitpid(child, &status, 0) == child);
	child_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	length = pread(file, text, sizeof(text), 0);
	child_assert(length >= 0);
	child_assert(write(saved, text, (size_t)length) == length);
}

static void
child_dies_over_data(void)
{
	report_file_after_death(0);
}

static void
child_dies_over_a_log(void)
{
	report_file_after_death(O_APPEND);
}

static void
fatal_spares_a_file_of_data_opened_later(void **state)
{
	struct outcome *outcome = run(child_dies_over_data);

	(void)state;
	assert_quiet_end(outcome);
	assert_string_equal(outcome->text, "");
}

static void
fatal_goes_to_a_log_opened_later(void **state)
{
	struct outcome *outcome = run(child_dies_over_a_log);

	(void)state;
	assert_quiet_end(outcome);
	assert_string_equal(outcome->text, "<jemalloc>: last words\n");
}

/* ---- privileged processes ---- */

static void
child_is_privileged(void)
{
	fixture.secure = true;
	message_init();
	child_assert(message_privileged());
	message("a warning");
	message_report("a report");
	fatal("the end");
}

static void
a_privileged_process_prints_reports_and_what_it_dies_of(void **state)
{
	struct outcome *outcome = run(child_is_privileged);

	(void)state;
	assert_aborted(outcome);
	assert_string_equal(outcome->text,
	    "<jemalloc>: a report\n<jemalloc>: the end\n");
}

static void
an_ordinary_process_is_not_privileged(void **state)
{
	(void)state;
	message_init();
	assert_false(message_privileged());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_one_line_with_the_name_in_front),
		cmocka_unit_test(fatal_aborts_after_its_line),
		cmocka_unit_test(plain_text_is_written_as_it_is),
		cmocka_unit_test(control_bytes_do_not_reach_the_terminal),
		cmocka_unit_test(texts_up_to_the_limit_come_out_whole),
		cmocka_unit_test(longer_texts_are_cut_and_say_so),
		cmocka_unit_test(the_program_can_take_messages_itself),
		cmocka_unit_test(fatal_lets_the_program_take_its_line_too),
		cmocka_unit_test(
		    a_reader_that_went_away_does_not_end_the_process),
		cmocka_unit_test(a_sigpipe_of_the_program_stays_pending),
		cmocka_unit_test(fatal_without_a_reader_still_ends_by_sigabrt),
		cmocka_unit_test(
		    a_full_pipe_that_does_not_block_loses_the_message),
		cmocka_unit_test(partial_and_interrupted_writes_are_continued),
		cmocka_unit_test(a_warning_does_not_go_to_a_file_opened_later),
		cmocka_unit_test(
		    without_stderr_at_start_nothing_is_written_later),
		cmocka_unit_test(stderr_put_back_is_written_to_again),
		cmocka_unit_test(
		    the_spare_descriptor_is_used_once_stderr_is_closed),
		cmocka_unit_test(without_the_spare_one_nothing_is_written),
		cmocka_unit_test(
		    the_spare_descriptor_is_left_alone_once_it_is_another_file),
		cmocka_unit_test(in_a_child_the_spare_descriptor_is_closed),
		cmocka_unit_test(fatal_spares_a_file_of_data_opened_later),
		cmocka_unit_test(fatal_goes_to_a_log_opened_later),
		cmocka_unit_test(
		    a_privileged_process_prints_reports_and_what_it_dies_of),
		cmocka_unit_test(an_ordinary_process_is_not_privileged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
