#include "prof/prof_names.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../unit.h"
#include "conf/options.h"
#include "extent/metadata.h"
#include "os/system.h"

/* What stands for the patterns here, asked in another way. */
static char pid[32], space[64], host[256];

static int
start(void **state)
{
	char link[64] = "";

	(void)state;
	system_init();
	metadata_init();
	prof_names_init("jeprof");
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	snprintf(space, sizeof(space), "0");
	if (readlink("/proc/self/ns/pid", link, sizeof(link) - 1) > 0)
		sscanf(link, "pid:[%63[0-9]", space);
	return gethostname(host, sizeof(host));
}

/* The next name, which ends as expected; without this end. */
static const char *
next(enum prof_name kind, const char *end)
{
	static char start_of_name[PATH_MAX];
	int error = -1;
	char *path = prof_names_make(kind, &error);
	size_t length;

	assert_non_null(path);
	length = strlen(path) - strlen(end);
	assert_true(strlen(path) > strlen(end));
	assert_string_equal(path + length, end);
	memcpy(start_of_name, path, length);
	start_of_name[length] = '\0';
	prof_names_end(path);
	return start_of_name;
}

static void
kinds_have_numbers_of_their_own(void **state)
{
	char middle[64];

	(void)state;
	snprintf(middle, sizeof(middle), "jeprof.%s", pid);
	assert_string_equal(next(PROF_NAME_MANUAL, ".0.m0.heap"), middle);
	assert_string_equal(next(PROF_NAME_PEAK, ".1.u0.heap"), middle);
	assert_string_equal(next(PROF_NAME_PEAK, ".2.u1.heap"), middle);
	assert_string_equal(next(PROF_NAME_INTERVAL, ".3.i0.heap"), middle);
	assert_string_equal(next(PROF_NAME_FINAL, ".4.f.heap"), middle);
	assert_string_equal(next(PROF_NAME_MANUAL, ".5.m1.heap"), middle);
}

static const char *
expanded(const char *prefix)
{
	static char text[PATH_MAX];

	prof_names_set_prefix(prefix);
	assert_true(prof_names_log(text, 7));
	return text;
}

static void
patterns_stand_for_what_they_say(void **state)
{
	char want[1024];

	(void)state;
	snprintf(want, sizeof(want), "/a/%s-%s-%s.%s.7.json", pid, space, host,
	    pid);
	assert_string_equal(expanded("/a/%p-%n-%h"), want);
	snprintf(want, sizeof(want), "%%p%%%s%%.%s.7.json", pid, pid);
	assert_string_equal(expanded("%%p%%%p%"), want);
	snprintf(want, sizeof(want), "%%s%%1%%d %%%%n.%s.7.json", pid);
	assert_string_equal(expanded("%s%1%d %%%%n"), want);
}

static void
the_namespace_is_before_the_process(void **state)
{
	char want[1024];

	(void)state;
	opt_at_start.prof_pid_namespace = true;
	snprintf(want, sizeof(want), "x%s.%s.%s.7.json", space, space, pid);
	assert_string_equal(expanded("x%n"), want);
	opt_at_start.prof_pid_namespace = false;
}

/* Whatever the length is, there is a whole name or none. */
static void
a_name_is_whole_or_there_is_none(void **state)
{
	static char prefix[PATH_MAX + 100];
	unsigned nwhole = 0;

	(void)state;
	for (unsigned length = 0; length < PATH_MAX + 90; length++) {
		int error = -1;
		char *path;

		memset(prefix, 'x', length);
		strcpy(prefix + length, "%p");
		prof_names_set_prefix(prefix);
		path = prof_names_make(PROF_NAME_PEAK, &error);
		if (path == NULL) {
			assert_int_equal(error, ENAMETOOLONG);
			continue;
		}
		assert_true(strlen(path) < PATH_MAX);
		assert_string_equal(strrchr(path, '.'), ".heap");
		assert_int_equal(strspn(path, "x"), length);
		prof_names_end(path);
		nwhole++;
	}
	assert_in_range(nwhole, PATH_MAX - 50, PATH_MAX - 10);
}

static void
an_empty_prefix_gives_no_name(void **state)
{
	char path[PATH_MAX];
	int error = -1;

	(void)state;
	prof_names_set_prefix("");
	assert_false(prof_names_has_prefix());
	assert_null(prof_names_make(PROF_NAME_MANUAL, &error));
	assert_int_equal(error, 0);
	assert_false(prof_names_log(path, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_have_numbers_of_their_own),
		cmocka_unit_test(patterns_stand_for_what_they_say),
		cmocka_unit_test(the_namespace_is_before_the_process),
		cmocka_unit_test(a_name_is_whole_or_there_is_none),
		cmocka_unit_test(an_empty_prefix_gives_no_name),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
