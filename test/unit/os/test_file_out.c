#include "os/file_out.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../seccomp.h"
#include "../unit.h"
#include "os/system.h"

enum { LARGE = 3 * 64 * 1024 + 77 };

static struct {
	char folder[64];
	char path[96];
} fixture;

static char written[LARGE], found[LARGE + 10];

static int
make_folder(void **state)
{
	(void)state;
	strcpy(fixture.folder, "/tmp/test_file_out.XXXXXX");
	if (mkdtemp(fixture.folder) == NULL)
		return -1;
	snprintf(fixture.path, sizeof(fixture.path), "%s/x", fixture.folder);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	unlink(fixture.path);
	/* Nothing else is left in it. */
	return rmdir(fixture.folder);
}

static size_t
read_back(void)
{
	FILE *file = fopen(fixture.path, "r");
	size_t n;

	assert_non_null(file);
	n = fread(found, 1, sizeof(found), file);
	fclose(file);
	return n;
}

static struct file_out *
create(void)
{
	int error = 0;
	struct file_out *out = file_create(fixture.path, &error);

	assert_non_null(out);
	return out;
}

/* Pages that the process has mapped. */
static unsigned long
mapped(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu", &pages), 1);
	fclose(file);
	return pages;
}

static int
next_descriptor(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void
a_file_holds_what_was_written_whatever_the_pieces(void **state)
{
	static const size_t pieces[] = { 1, 77, 4096, 65535, 65536, 65537,
		LARGE };
	uint64_t seed = 1;

	(void)state;
	for (size_t i = 0; i < LARGE; i++)
		written[i] = (char)random_next(&seed);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct file_out *out = create();
		size_t done = 0;

		while (done < LARGE) {
			size_t n = LARGE - done < pieces[i] ? LARGE - done
							    : pieces[i];

			file_write(out, written + done, n);
			done += n;
		}
		assert_int_equal(file_finish(out), 0);
		/* The second one takes the place of the first. */
		assert_int_equal(read_back(), LARGE);
		assert_memory_equal(found, written, LARGE);
	}
}

static void
the_name_is_taken_at_the_end_alone(void **state)
{
	struct file_out *first = create(), *second = create();
	struct stat status;

	(void)state;
	file_write(first, "first", 5);
	file_write(second, "second", 6);
	assert_int_not_equal(access(fixture.path, F_OK), 0);
	assert_int_equal(file_finish(second), 0);
	assert_int_equal(read_back(), 6);
	assert_int_equal(file_finish(first), 0);
	assert_int_equal(read_back(), 5);
	assert_memory_equal(found, "first", 5);
	assert_int_equal(stat(fixture.path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0644);
}

static void
lines_are_formatted_and_cut(void **state)
{
	struct file_out *out = create();
	char expected[3 + FILE_LINE_MAX];

	(void)state;
	memset(written, 'x', 300);
	written[300] = '\0';
	memcpy(expected, "7 a", 3);
	memset(expected + 3, 'x', FILE_LINE_MAX);
	file_print(out, "%d %s", 7, "a");
	file_print(out, "%s", written);
	assert_int_equal(file_finish(out), 0);
	assert_int_equal(read_back(), sizeof(expected));
	assert_memory_equal(found, expected, sizeof(expected));
}

static void
mappings_follow_their_heading(void **state)
{
	struct file_out *out = create();
	size_t n;

	(void)state;
	file_write(out, "before\n", 7);
	assert_true(file_append_maps(out, "HEADING\n"));
	file_write(out, "after\n", 6);
	assert_int_equal(file_finish(out), 0);
	n = read_back();
	found[n] = '\0';
	assert_memory_equal(found, "before\nHEADING\n", 15);
	assert_non_null(strstr(found, "[stack]"));
	assert_string_equal(found + n - 7, "\nafter\n");
}

static void
what_cannot_be_created_says_why(void **state)
{
	char longest[PATH_MAX + 1];
	int error = 0;

	(void)state;
	assert_null(file_create("/nonexistent/x", &error));
	assert_int_equal(error, ENOENT);
	memset(longest, 'x', PATH_MAX);
	longest[PATH_MAX] = '\0';
	assert_null(file_create(longest, &error));
	assert_int_equal(error, ENAMETOOLONG);
	/* This fits, but no file has such a name. */
	longest[PATH_MAX - 1] = '\0';
	assert_null(file_create(longest, &error));
	assert_int_equal(error, ENAMETOOLONG);
	assert_null(file_create(fixture.folder, &error));
	assert_int_equal(error, EISDIR);
}

static void
what_is_no_file_is_written_to_as_it_is(void **state)
{
	int error = 0;
	struct file_out *out = file_create("/dev/null", &error);

	(void)state;
	assert_non_null(out);
	file_write(out, "x", 1);
	assert_int_equal(file_finish(out), 0);
	out = file_create("/dev/full", &error);
	assert_non_null(out);
	file_write(out, written, LARGE);
	assert_true(file_append_maps(out, ""));
	assert_int_equal(file_finish(out), ENOSPC);
	assert_int_equal(access("/dev/full", F_OK), 0);
}

/* The folder goes meanwhile, so the file can't take its name. */
static void
a_file_that_fails_is_gone(void **state)
{
	struct file_out *out;

	(void)state;
	out = create();
	assert_int_equal(mkdir(fixture.path, 0700), 0);
	file_write(out, "x", 1);
	assert_int_equal(file_finish(out), EISDIR);
	assert_int_equal(rmdir(fixture.path), 0);
	/* A failed write: the first reason counts, and nothing is renamed. */
	out = create();
	close((int)out->fd);
	file_write(out, "x", 1);
	assert_int_equal(file_finish(out), EBADF);
	assert_int_not_equal(access(fixture.path, F_OK), 0);
}

/* A kernel, or a filter, that takes nothing and reports no error, for ever. */
static void
writes_that_do_nothing_end(void **state)
{
	struct file_out *out = create();
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)out->fd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_LEN(code), code };
	int status;
	pid_t pid;

	(void)state;
	if (seccomp_missing() != NULL) {
		file_finish(out);
		SKIP_TEST(seccomp_missing());
	}
	pid = fork();
	if (pid == 0) {
		alarm(60);
		if (!seccomp_install(&program, 0))
			_exit(1);
		file_write(out, written, LARGE);
		_exit(file_finish(out) == EIO ? 0 : 2);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_not_equal(access(fixture.path, F_OK), 0);
	/* The child has removed the temporary file. */
	assert_int_equal(file_finish(out), ENOENT);
}

static void
memory_and_descriptors_come_back(void **state)
{
	unsigned long pages = 0;
	int fd = next_descriptor(), error;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct file_out *out = create();

		file_append_maps(out, "x");
		file_finish(out);
		assert_null(file_create("/nonexistent/x", &error));
		if (i == 0)
			pages = mapped();
	}
	/* Sanitizers map memory of their own. */
	if (!UNDER_ASAN && !UNDER_TSAN)
		assert_int_equal(mapped(), pages);
	assert_int_equal(next_descriptor(), fd);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_holds_what_was_written_whatever_the_pieces),
		TEST(the_name_is_taken_at_the_end_alone),
		TEST(lines_are_formatted_and_cut),
		TEST(mappings_follow_their_heading),
		TEST(what_cannot_be_created_says_why),
		TEST(what_is_no_file_is_written_to_as_it_is),
		TEST(a_file_that_fails_is_gone),
		TEST(writes_that_do_nothing_end),
		TEST(memory_and_descriptors_come_back),
	};

	system_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
