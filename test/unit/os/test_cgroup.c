#include "os/cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "../unit.h"

#define G ((size_t)1 << 30)

/* A tree of files in a temporary folder stands for the machine. */
static char root[64];

ssize_t __real_file_read(const char *path, char *buf, size_t size);
ssize_t __wrap_file_read(const char *path, char *buf, size_t size);
ssize_t __wrap_file_read_line(const char *path, char *buf, size_t size);

ssize_t
__wrap_file_read(const char *path, char *buf, size_t size)
{
	char full[2048];

	assert_true(snprintf(full, sizeof(full), "%s%s", root, path) <
	    (int)sizeof(full));
	return __real_file_read(full, buf, size);
}

ssize_t
__wrap_file_read_line(const char *path, char *buf, size_t size)
{
	return __wrap_file_read(path, buf, size);
}

static void
put(const char *path, const char *text)
{
	char full[512];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')) != NULL;
	     p++) {
		*p = '\0';
		mkdir(full, 0700);
		*p = '/';
	}
	file = fopen(full, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int
setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/test_cgroup.XXXXXX");
	return mkdtemp(root) == NULL;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

static void
assert_memory(size_t high, size_t max, size_t current)
{
	struct cgroup_memory memory = cgroup_memory();

	assert_int_equal(memory.high, high);
	assert_int_equal(memory.max, max);
	assert_int_equal(memory.current, current);
}

static void
without_groups_there_is_no_limit(void **state)
{
	(void)state;
	assert_memory(0, 0, 0);
	put("/proc/self/cgroup", "");
	assert_memory(0, 0, 0);
	put("/proc/self/cgroup", "nonsense\n0::\n0:\n");
	assert_memory(0, 0, 0);
	put("/proc/self/cgroup", "0::/gone\n");
	assert_memory(0, 0, 0);
}

static void
the_least_limit_on_the_way_up_counts(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "0::/a.slice/b\n");
	put("/sys/fs/cgroup/a.slice/memory.max", "2147483648\n");
	put("/sys/fs/cgroup/a.slice/memory.high", "max\n");
	put("/sys/fs/cgroup/a.slice/memory.current", "9000000\n");
	put("/sys/fs/cgroup/a.slice/b/memory.max", "3221225472\n");
	put("/sys/fs/cgroup/a.slice/b/memory.high", "1073741824\n");
	put("/sys/fs/cgroup/a.slice/b/memory.current", "5000000\n");
	assert_memory(G, 2 * G, 5000000);
	put("/sys/fs/cgroup/a.slice/memory.max", "max\n");
	assert_memory(G, 3 * G, 5000000);
	put("/sys/fs/cgroup/a.slice/b/memory.max", "max");
	put("/sys/fs/cgroup/a.slice/b/memory.high", "max");
	assert_memory(0, 0, 5000000);
}

/* The path that the kernel tells is one of the host then. */
static void
in_a_container_the_mounted_group_counts(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "0::/docker/0123456789abcdef\n");
	put("/sys/fs/cgroup/memory.max", "1073741824\n");
	put("/sys/fs/cgroup/memory.current", "77\n");
	assert_memory(0, G, 77);
	put("/proc/self/cgroup", "0::/\n");
	assert_memory(0, G, 77);
	put("/proc/self/cgroup", "0::/../outside\n");
	assert_memory(0, G, 77);
}

static void
version_1_is_known(void **state)
{
	(void)state;
	put("/proc/self/cgroup",
	    "11:cpu,cpuacct:/x\n"
	    "4:memory:/service\n0::/service\n");
	put("/sys/fs/cgroup/memory/memory.limit_in_bytes",
	    "9223372036854771712\n");
	put("/sys/fs/cgroup/memory/service/memory.limit_in_bytes",
	    "1073741824\n");
	put("/sys/fs/cgroup/memory/service/memory.usage_in_bytes", "12345\n");
	assert_memory(0, G, 12345);
	/* Its number for "none". */
	put("/sys/fs/cgroup/memory/service/memory.limit_in_bytes",
	    "9223372036854771712\n");
	assert_memory(0, 0, 12345);
	/* The order of the lines says nothing. */
	put("/proc/self/cgroup", "0::/service\n4:memory:/service\n");
	assert_memory(0, 0, 12345);
}

static void
odd_files_are_no_limit(void **state)
{
	char line[3000];

	(void)state;
	put("/proc/self/cgroup", "0::/a\n");
	put("/sys/fs/cgroup/a/memory.max", "99999999999999999999999\n");
	put("/sys/fs/cgroup/a/memory.high", "-5\n");
	put("/sys/fs/cgroup/a/memory.current", "");
	assert_memory(0, 0, 0);
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	memcpy(line, "0::/", 4);
	put("/proc/self/cgroup", line);
	assert_memory(0, 0, 0);
}

static void
a_container_has_the_limit_of_the_mounted_group(void **state)
{
	(void)state;
	assert_int_equal(cgroup_container_limit(), 0);
	put("/proc/self/cgroup", "0::/a\n");
	put("/sys/fs/cgroup/a/memory.max", "4096\n");
	put("/sys/fs/cgroup/memory.high", "4096\n");
	assert_int_equal(cgroup_container_limit(), 0);
	put("/sys/fs/cgroup/memory.max", "max\n");
	put("/sys/fs/cgroup/memory.high", "max\n");
	assert_int_equal(cgroup_container_limit(), 0);
	put("/sys/fs/cgroup/memory.max", "1073741824\n");
	assert_int_equal(cgroup_container_limit(), G);
	put("/sys/fs/cgroup/memory.high", "1073741823\n");
	assert_int_equal(cgroup_container_limit(), G - 1);
	put("/sys/fs/cgroup/memory.max", "max\n");
	assert_int_equal(cgroup_container_limit(), G - 1);
}

int
main(void)
{
#define WITH_TREE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_TREE(without_groups_there_is_no_limit),
		WITH_TREE(the_least_limit_on_the_way_up_counts),
		WITH_TREE(in_a_container_the_mounted_group_counts),
		WITH_TREE(version_1_is_known),
		WITH_TREE(odd_files_are_no_limit),
		WITH_TREE(a_container_has_the_limit_of_the_mounted_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
