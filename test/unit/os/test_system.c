#include "os/file.h"

#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "../unit.h"
#include "os/system.h"

/* The files and the auxiliary vector, as this test wants them. */
static struct {
	const char *cpu_max, *quota, *period; /* NULL: no such file */
	const char *enabled, *huge_size;
	unsigned long page_size;
	bool fake_vector;
	bool no_headers;
} machine;

ssize_t __wrap_file_read_line(const char *path, char *buf, size_t size);
unsigned long __real_getauxval(unsigned long type);
unsigned long __wrap_getauxval(unsigned long type);

ssize_t
__wrap_file_read_line(const char *path, char *buf, size_t size)
{
	const char *text = strstr(path, "cpu.max") != NULL ? machine.cpu_max
	    : strstr(path, "quota") != NULL                ? machine.quota
	    : strstr(path, "period") != NULL               ? machine.period
	    : strstr(path, "/enabled") != NULL             ? machine.enabled
	    : strstr(path, "hpage_pmd_size") != NULL       ? machine.huge_size
							   : NULL;

	if (text == NULL) {
		buf[0] = '\0';
		return -1;
	}
	assert_true(strlen(text) < size);
	strcpy(buf, text);
	return (ssize_t)strlen(text);
}

unsigned long
__wrap_getauxval(unsigned long type)
{
	if (machine.fake_vector && type == AT_PAGESZ)
		return machine.page_size;
	if (machine.no_headers && type == AT_PHDR)
		return 0;
	return __real_getauxval(type);
}

static unsigned
ncpus_with(const char *cpu_max, const char *quota, const char *period)
{
	machine.cpu_max = cpu_max;
	machine.quota = quota;
	machine.period = period;
	system_init();
	return system_info.ncpus;
}

static void
page_size_and_cpus_are_those_of_the_machine(void **state)
{
	cpu_set_t set;

	(void)state;
	memset(&system_info, 0, sizeof(system_info));
	ncpus_with(NULL, NULL, NULL);
	assert_int_equal(system_info.page_size, sysconf(_SC_PAGESIZE));
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	assert_int_equal(system_info.ncpus_affinity, CPU_COUNT(&set));
	assert_int_equal(system_info.ncpus, CPU_COUNT(&set));
}

static void
a_quota_bounds_the_cpus_and_is_rounded_up(void **state)
{
	unsigned all = ncpus_with(NULL, NULL, NULL);

	(void)state;
	if (all < 2)
		SKIP_TEST("there is one CPU only");
	assert_int_equal(ncpus_with("100000 100000\n", NULL, NULL), 1);
	assert_int_equal(ncpus_with("100001 100000\n", NULL, NULL), 2);
	assert_int_equal(ncpus_with("1000 100000\n", NULL, NULL), 1);
	assert_int_equal(ncpus_with("0 100000\n", NULL, NULL), 1);
	assert_int_equal(ncpus_with("900000000 100000\n", NULL, NULL), all);
	assert_int_equal(ncpus_with("max 100000\n", NULL, NULL), all);
	assert_int_equal(ncpus_with(NULL, "50000\n", "100000\n"), 1);
	assert_int_equal(ncpus_with(NULL, "150000\n", "100000\n"), 2);
	assert_int_equal(ncpus_with(NULL, "-1\n", "100000\n"), all);
	assert_int_equal(system_info.ncpus_affinity, all);
}

static void
one_cpu_is_one_whatever_the_quota(void **state)
{
	cpu_set_t all, one;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(ncpus_with(NULL, NULL, NULL), 1);
	assert_int_equal(ncpus_with("1000 100000\n", NULL, NULL), 1);
	assert_int_equal(ncpus_with("300000 100000\n", NULL, NULL), 1);
	assert_int_equal(system_info.ncpus_affinity, 1);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

static void
broken_files_leave_all_cpus(void **state)
{
	unsigned all = ncpus_with(NULL, NULL, NULL);
	static const char *const broken[] = { "", "\n", "x", "100000",
		"100000 ", "100000 x", "100000 0", "100000,100000" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(broken); i++)
		assert_int_equal(ncpus_with(broken[i], NULL, NULL), all);
	assert_int_equal(ncpus_with(NULL, "100000", NULL), all);
	assert_int_equal(ncpus_with(NULL, "100000", "0"), all);
	assert_int_equal(ncpus_with(NULL, "", "100000"), all);
}

static void
a_vector_without_sense_leaves_the_defaults(void **state)
{
	static const unsigned long odd[] = { 0, 1, 2048, 5000 };

	(void)state;
	machine.fake_vector = true;
	for (unsigned i = 0; i < ARRAY_LEN(odd); i++) {
		machine.page_size = odd[i];
		system_info.page_size = 4096;
		system_init();
		assert_int_equal(system_info.page_size, 4096);
	}
	machine.page_size = 65536;
	system_init();
	assert_int_equal(system_info.page_size, 65536);
	machine.fake_vector = false;
	system_init();
}

/* Where a huge page is what one page table covers, the kernel is not asked. */
static size_t
as_told(size_t told)
{
#if defined(__x86_64__) || defined(__aarch64__)
	(void)told;
	return system_info.page_size / 8 * system_info.page_size;
#else
	return told;
#endif
}

static void
huge_pages_are_as_the_kernel_says(void **state)
{
	static const struct {
		const char *enabled;
		enum system_thp thp;
		const char *text;
	} modes[] = {
		{ NULL, SYSTEM_THP_MISSING, "not supported" },
		{ "", SYSTEM_THP_MISSING, "not supported" },
		{ "always madvise never\n", SYSTEM_THP_MISSING,
		    "not supported" },
		{ "always madvise [never]\n", SYSTEM_THP_NEVER, "never" },
		{ "always [madvise] never\n", SYSTEM_THP_MADVISE, "madvise" },
		{ "[always] madvise never\n", SYSTEM_THP_ALWAYS, "always" },
	};
	size_t page = system_info.page_size, guess = page / 8 * page;

	(void)state;
	machine.huge_size = "1048576\n";
	for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
		machine.enabled = modes[i].enabled;
		system_init();
		assert_int_equal(system_info.thp, modes[i].thp);
		assert_string_equal(system_thp_text(), modes[i].text);
		assert_int_equal(system_info.huge_page,
		    modes[i].thp == SYSTEM_THP_MISSING ? guess
						       : as_told(1048576));
	}
}

static void
a_huge_page_has_a_size_that_makes_sense(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text;
		size_t size;	/* 0: the guess */
	} sizes[] = {
		{ NULL, 0 }, { "", 0 }, { "x", 0 }, { "0\n", 0 },
		{ "4096\n", 0 }, { "8192\n", 8192 }, { "3000000\n", 0 },
		{ "2097152\n", 2097152 }, { "1073741824\n", 1073741824 },
		{ "2147483648\n", 0 },
	};
	/* clang-format on */

	(void)state;
	machine.fake_vector = true;
	machine.page_size = 4096;
	machine.enabled = "[always] madvise never\n";
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		machine.huge_size = sizes[i].text;
		system_init();
		assert_int_equal(system_info.huge_page,
		    sizes[i].size != 0 ? as_told(sizes[i].size)
				       : 4096 / 8 * 4096);
	}
	machine.fake_vector = false;
	system_init();
}

static void
random_bytes_fill_the_buffer_and_nothing_else(void **state)
{
	unsigned char buf[1000], seen[256] = { 0 };
	unsigned kinds = 0;
	uint64_t a, b;

	(void)state;
	errno = 77;
	for (size_t size = 0; size < 40; size++) {
		memset(buf, 0x5a, sizeof(buf));
		system_random(buf + 8, size);
		assert_int_equal(buf[7], 0x5a);
		assert_int_equal(buf[8 + size], 0x5a);
	}
	system_random(buf, sizeof(buf));
	for (unsigned i = 0; i < sizeof(buf); i++)
		kinds += seen[buf[i]]++ == 0;
	assert_in_range(kinds, 200, 256);
	system_random(&a, sizeof(a));
	system_random(&b, sizeof(b));
	assert_int_not_equal(a, b);
	assert_int_equal(errno, 77);
}

static char in_bss[100];

static void
the_program_ends_behind_its_own_variables(void **state)
{
	uintptr_t end = system_program().end;

	(void)state;
	assert_true(end >= (uintptr_t)in_bss + sizeof(in_bss));
	assert_true(end >= (uintptr_t)&machine + sizeof(machine));
	assert_true(end < (uintptr_t)in_bss + ((size_t)1 << 30));
	/* The heap lies behind it. */
	assert_true((uintptr_t)sbrk(0) >= end);
}

/* Its own functions are no stubs, and without its headers nothing is known. */
static void
what_is_no_stub_is_not_called_one(void **state)
{
	(void)state;
	for (int missing = 0; missing < 2; missing++) {
		machine.no_headers = missing;
		assert_false(system_is_stub((uintptr_t)
			what_is_no_stub_is_not_called_one));
		assert_false(system_is_stub(0x10));
	}
	machine.no_headers = false;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_size_and_cpus_are_those_of_the_machine),
		cmocka_unit_test(a_quota_bounds_the_cpus_and_is_rounded_up),
		cmocka_unit_test(one_cpu_is_one_whatever_the_quota),
		cmocka_unit_test(broken_files_leave_all_cpus),
		cmocka_unit_test(a_vector_without_sense_leaves_the_defaults),
		cmocka_unit_test(huge_pages_are_as_the_kernel_says),
		cmocka_unit_test(a_huge_page_has_a_size_that_makes_sense),
		cmocka_unit_test(random_bytes_fill_the_buffer_and_nothing_else),
		cmocka_unit_test(what_is_no_stub_is_not_called_one),
		cmocka_unit_test(the_program_ends_behind_its_own_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
