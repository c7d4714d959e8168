#include "os/node.h"

#include <errno.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../unit.h"
#include "os/loaded_symbol.h"

/* The kernel's function: its own, none, or this test's. */
static enum { KERNEL, NOBODY, TEST } source;
static unsigned told;

static long
tell(unsigned *cpu, unsigned *node, void *unused)
{
	assert_null(unused);
	if (cpu != NULL)
		*cpu = 77;
	if (node != NULL)
		*node = told;
	return told == 99 ? -EFAULT : 0;
}

uintptr_t __real_loaded_symbol(uintptr_t object, const char *name);
uintptr_t __wrap_loaded_symbol(uintptr_t object, const char *name);
unsigned long __real_getauxval(unsigned long type);
unsigned long __wrap_getauxval(unsigned long type);

uintptr_t
__wrap_loaded_symbol(uintptr_t object, const char *name)
{
	assert_string_equal(name, "__vdso_getcpu");
	return source == TEST ? (uintptr_t)tell
			      : __real_loaded_symbol(object, name);
}

unsigned long
__wrap_getauxval(unsigned long type)
{
	if (source == KERNEL || type != AT_SYSINFO_EHDR)
		return __real_getauxval(type);
	errno = ENOENT;
	return source == NOBODY ? 0 : 1;
}

static bool
has_reader(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return true;
#else
	return false;
#endif
}

static void
the_number_is_the_kernels_and_one_more(void **state)
{
	unsigned node = 0;

	(void)state;
	source = KERNEL;
	node_init();
	if (node_now() == 0)
		SKIP_TEST("the kernel has no function that tells the node");
	assert_int_equal(syscall(SYS_getcpu, NULL, &node, NULL), 0);
	/* With several nodes, this thread may just have moved. */
	for (unsigned i = 0; i < 100 && node_now() != node + 1; i++)
		syscall(SYS_getcpu, NULL, &node, NULL);
	assert_int_equal(node_now(), node + 1);
}

static void
a_node_that_nobody_tells_is_0(void **state)
{
	(void)state;
	if (!has_reader())
		SKIP_TEST("no function is looked for on this machine");
	source = TEST;
	errno = 55;
	node_init();
	for (told = 0; told < 5; told++)
		assert_int_equal(node_now(), told + 1);
	told = 99;
	assert_int_equal(node_now(), 0);
	source = NOBODY;
	node_init();
	assert_int_equal(errno, 55);
}

static void
before_the_start_it_is_not_known(void **state)
{
	(void)state;
	assert_int_equal(node_now(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_the_start_it_is_not_known),
		cmocka_unit_test(the_number_is_the_kernels_and_one_more),
		cmocka_unit_test(a_node_that_nobody_tells_is_0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
