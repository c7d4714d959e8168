#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit.h"
static struct {
	char folder[64];
	char path[96];
} fixture;

static int
make_folder(void **state)
{
	(void)state;
	strcpy(fixture.folder, "/tmp/test_file.XXXXXX");
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
	return rmdir(fixture.folder);
}

static void
make_file(const void *bytes, size_t size)
{
	int fd = open(fixture.path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static void
a_file_is_read_whole_and_terminated(void **state)
{
	char buf[32];

	(void)state;
	make_file("two\nlines\0.", 11);
	memset(buf, '#', sizeof(buf));
	assert_int_equal(file_read(fixture.path, buf, sizeof(buf)), 11);
	assert_memory_equal(buf, "two\nlines\0.\0#", 13);
}

/* A pipe that is not closed would wait for ever after its last line. */
static void
a_line_is_read_up_to_its_end(void **state)
{
	char buf[8];
	int fd;

	(void)state;
	assert_int_equal(mkfifo(fixture.path, 0600), 0);
	fd = open(fixture.path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "max\n", 4), 4);
	alarm(20);
	assert_int_equal(file_read_line(fixture.path, buf, sizeof(buf)), 4);
	alarm(0);
	assert_string_equal(buf, "max\n");
	close(fd);
	unlink(fixture.path);
	/* One that has no newline at its end is read whole. */
	make_file("a\nb", 3);
	assert_int_equal(file_read_line(fixture.path, buf, sizeof(buf)), 3);
	assert_string_equal(buf, "a\nb");
}

static void
a_long_file_is_cut_to_the_buffer(void **state)
{
	char buf[8];

	(void)state;
	make_file("0123456789", 10);
	memset(buf, '#', sizeof(buf));
	assert_int_equal(file_read(fixture.path, buf, 5), 4);
	assert_memory_equal(buf, "0123\0###", 8);
	assert_int_equal(file_read(fixture.path, buf, 1), 0);
	assert_string_equal(buf, "");
}

static void
an_empty_file_is_no_failure(void **state)
{
	char buf[8] = "#";

	(void)state;
	make_file("", 0);
	assert_int_equal(file_read(fixture.path, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "");
}

/* The kernel gives such a file in pieces. */
static void
a_file_that_comes_in_pieces_is_read_to_its_end(void **state)
{
	static char ours[1 << 20], theirs[1 << 20];
	FILE *file = fopen("/proc/kallsyms", "r");
	size_t length;

	(void)state;
	if (file == NULL)
		SKIP_TEST("/proc/kallsyms can't be read here");
	length = fread(theirs, 1, sizeof(theirs) - 1, file);
	fclose(file);
	assert_int_equal(file_read("/proc/kallsyms", ours, sizeof(ours)),
	    length);
	assert_memory_equal(ours, theirs, length);
}

static void
what_cannot_be_read_gives_the_empty_string(void **state)
{
	static const char *const paths[] = { "/nonexistent/x", "/tmp", "" };
	char buf[8];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		strcpy(buf, "#");
		errno = ERANGE;
		assert_int_equal(file_read(paths[i], buf, sizeof(buf)), -1);
		assert_int_equal(errno, ERANGE);
		assert_string_equal(buf, "");
	}
}

static void
no_descriptor_stays_open(void **state)
{
	char buf[8];
	int before = dup(0), after;

	(void)state;
	close(before);
	make_file("x", 1);
	for (unsigned i = 0; i < 10; i++) {
		file_read(fixture.path, buf, sizeof(buf));
		file_read("/tmp", buf, sizeof(buf));
		file_link("/proc/self/exe", buf, sizeof(buf));
	}
	after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

static void
a_link_gives_its_text_even_if_it_dangles(void **state)
{
	char buf[32];

	(void)state;
	assert_int_equal(symlink("narenas:1,x:y", fixture.path), 0);
	memset(buf, '#', sizeof(buf));
	errno = ERANGE;
	assert_int_equal(file_link(fixture.path, buf, sizeof(buf)), 13);
	assert_memory_equal(buf, "narenas:1,x:y\0#", 15);
	assert_int_equal(file_link(fixture.path, buf, 4), 3);
	assert_string_equal(buf, "nar");
	assert_int_equal(errno, ERANGE);
}

static void
a_link_to_itself_gives_its_text(void **state)
{
	char buf[128];

	(void)state;
	assert_int_equal(symlink(fixture.path, fixture.path), 0);
	assert_int_equal(file_link(fixture.path, buf, sizeof(buf)),
	    strlen(fixture.path));
	assert_string_equal(buf, fixture.path);
	errno = 0;
	assert_int_equal(file_read(fixture.path, buf, sizeof(buf)), -1);
	assert_int_equal(errno, 0);
}

static void
what_is_no_link_writes_nothing(void **state)
{
	char buf[8] = "#";

	(void)state;
	make_file("x", 1);
	errno = ERANGE;
	assert_int_equal(file_link(fixture.path, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(file_link("/nonexistent", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(file_link("/nonexistent", buf, 1), -ENAMETOOLONG);
	assert_string_equal(buf, "#");
	assert_int_equal(errno, ERANGE);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_read_whole_and_terminated),
		TEST(a_line_is_read_up_to_its_end),
		TEST(a_long_file_is_cut_to_the_buffer),
		TEST(an_empty_file_is_no_failure),
		TEST(a_file_that_comes_in_pieces_is_read_to_its_end),
		TEST(what_cannot_be_read_gives_the_empty_string),
		TEST(no_descriptor_stays_open),
		TEST(a_link_gives_its_text_even_if_it_dangles),
		TEST(a_link_to_itself_gives_its_text),
		TEST(what_is_no_link_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
