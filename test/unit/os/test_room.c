#include "os/room.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#include "../unit.h"
#include "os/pages.h"

#define MIB ((size_t)1 << 20)

/* What the files of /proc say; NULL: they can't be read. */
static const char *status;
static bool lock_limit;

ssize_t __wrap_file_read(const char *path, char *buf, size_t size);
bool __wrap_pages_lock_limit_hit(void);

ssize_t
__wrap_file_read(const char *path, char *buf, size_t size)
{
	const char *text = status;

	assert_string_equal(path, "/proc/thread-self/status");
	buf[0] = '\0';
	if (text == NULL)
		return -1;
	assert_true(strlen(text) < size);
	strcpy(buf, text);
	return (ssize_t)strlen(text);
}

bool
__wrap_pages_lock_limit_hit(void)
{
	return lock_limit;
}

static struct rlimit saved[RLIM_NLIMITS];

static int
setup(void **state)
{
	(void)state;
	for (int i = 0; i < RLIM_NLIMITS; i++)
		getrlimit((__rlimit_resource_t)i, &saved[i]);
	status = "Name:\tx\nVmPeak:\t 999999 kB\nVmSize:\t  204800 kB\n"
		 "VmLck:\t    1024 kB\nVmData:\t  102400 kB\nVmStk:\t 132 kB\n";
	lock_limit = false;
	room_init();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (int i = 0; i < RLIM_NLIMITS; i++)
		setrlimit((__rlimit_resource_t)i, &saved[i]);
	return 0;
}

static void
set_limit(__rlimit_resource_t resource, size_t bytes)
{
	struct rlimit limit = saved[resource];

	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(resource, &limit), 0);
	room_init();
}

static void
without_a_limit_nothing_lacks(void **state)
{
	(void)state;
	assert_int_equal(room_lack(64 * MIB, MIB, MIB), 0);
	status = NULL;
	assert_int_equal(room_lack(64 * MIB, MIB, MIB), 0);
}

/* Pages of address space that the process has. */
static unsigned
mapped(void)
{
	char text[64] = "";
	int fd = open("/proc/self/statm", O_RDONLY);

	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return (unsigned)strtoul(text, NULL, 10);
}

static void
asking_leaves_nothing_behind(void **state)
{
	unsigned before;

	(void)state;
	if (under_valgrind())
		SKIP_TEST("it maps memory of its own");
	before = mapped();
	for (unsigned i = 0; i < 1000; i++)
		(void)room_lack(64 * MIB, MIB, MIB);
	assert_true(mapped() < before + 500);
}

static void
who_can_map_a_page_is_not_asked(void **state)
{
	struct rlimit limit = saved[RLIMIT_AS];
	size_t lack;

	(void)state;
	if (UNDER_ASAN || UNDER_TSAN || under_valgrind())
		SKIP_TEST("such tools map more than the limit");
	limit.rlim_cur = 250 * MIB;
	assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
	lack = room_lack(500 * MIB, MIB, 0);
	limit.rlim_cur = MIB;
	assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
	lack += room_lack(50 * MIB, MIB, 0);
	teardown(NULL);
	assert_int_equal(lack, 250 * MIB);
}

static void
the_tightest_limit_counts(void **state)
{
	size_t first, second, third, unlocked;

	(void)state;
	/* What cmocka allocates meanwhile must not depend on the limits. */
	set_limit(RLIMIT_AS, 250 * MIB);
	first = room_lack(50 * MIB, 0, 0);
	second = room_lack(50 * MIB, MIB, 500 * MIB);
	set_limit(RLIMIT_DATA, 100 * MIB);
	third = room_lack(50 * MIB, MIB, 0);
	set_limit(RLIMIT_MEMLOCK, MIB / 2);
	unlocked = room_lack(50 * MIB, MIB, 0);
	teardown(NULL);
	assert_int_equal(first, 0);
	assert_int_equal(second, MIB);
	assert_int_equal(third, 51 * MIB);
	assert_int_equal(unlocked, 51 * MIB);
}

static void
what_proc_does_not_tell_is_at_least_what_is_mapped(void **state)
{
	size_t lack, none;

	(void)state;
	set_limit(RLIMIT_AS, 250 * MIB);
	status = NULL;
	lack = room_lack(50 * MIB, MIB, 240 * MIB);
	status = "Name:\tx\nState:\tZ (zombie)\n";
	none = room_lack(50 * MIB, MIB, 100 * MIB);
	teardown(NULL);
	assert_int_equal(lack, 41 * MIB);
	assert_int_equal(none, 0);
}

static void
locked_memory_has_a_limit_of_its_own(void **state)
{
	size_t some, never;

	(void)state;
	lock_limit = true;
	set_limit(RLIMIT_MEMLOCK, MIB);
	some = room_lack(MIB / 2, 0, 0);
	never = room_lack(MIB + 1, 0, 0);
	assert_int_equal(some, MIB / 2);
	assert_true(never == SIZE_MAX);
}

static void
no_machine_has_so_much(void **state)
{
	size_t most = SIZE_MAX / 2 + 1;

	(void)state;
	assert_false(room_is_too_large(1));
	assert_false(room_is_too_large(64 * MIB));
	if (sizeof(void *) < 8)
		return;
	assert_true(room_is_too_large(most));
	/* 32 TiB are in the address space, but not in the machine. */
	most = (size_t)1 << (sizeof(void *) < 8 ? 31 : 45);
	assert_true(room_is_too_large(most));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(without_a_limit_nothing_lacks),
		TEST(asking_leaves_nothing_behind),
		TEST(who_can_map_a_page_is_not_asked),
		TEST(the_tightest_limit_counts),
		TEST(what_proc_does_not_tell_is_at_least_what_is_mapped),
		TEST(locked_memory_has_a_limit_of_its_own),
		TEST(no_machine_has_so_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
