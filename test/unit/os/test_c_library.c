#include "os/c_library.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <sys/auxv.h>

#include "os/system.h"

#include "../unit.h"

static bool no_headers; /* as if the kernel did not tell where they are */

unsigned long __real_getauxval(unsigned long type);
unsigned long __wrap_getauxval(unsigned long type);

unsigned long
__wrap_getauxval(unsigned long type)
{
	return no_headers && type == AT_PHDR ? 0 : __real_getauxval(type);
}

/*
 * Calls of what other libraries may replace. Sanitizers call it, too, also
 * before they have started.
 */
#if __has_attribute(disable_sanitizer_instrumentation)
#define PLAIN __attribute__((disable_sanitizer_instrumentation))
#else
#define PLAIN UNSANITIZED
#endif
static unsigned walks;

int __real_dl_iterate_phdr(int (*visit)(struct dl_phdr_info *, size_t, void *),
    void *context);
int __wrap_dl_iterate_phdr(int (*visit)(struct dl_phdr_info *, size_t, void *),
    void *context);

PLAIN int
__wrap_dl_iterate_phdr(int (*visit)(struct dl_phdr_info *, size_t, void *),
    void *context)
{
	walks++;
	return __real_dl_iterate_phdr(visit, context);
}

static void *libc;

/* The program has one, too, as a library that wraps it would. */
EXPORT int
puts(const char *text)
{
	(void)text;
	return -1;
}

static int
set_up(void **state)
{
	(void)state;
	system_init();
	libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	return 0;
}

static void
nothing_is_known_before_the_start(void **state)
{
	(void)state;
	assert_null(c_library_find("pthread_create"));
	assert_ptr_equal(c_library_next("malloc"), dlsym(RTLD_NEXT, "malloc"));
}

static void
functions_are_those_of_the_c_library(void **state)
{
	static const char *const names[] = { "puts", "dlsym", "dlopen",
		"pthread_create", "pthread_join", "pthread_detach" };

	(void)state;
	if (libc == NULL || dlsym(libc, "dlopen") == NULL)
		SKIP_TEST("needs glibc from 2.34 on");
	walks = 0;
	c_library_init();
	assert_int_equal(walks, 0);
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		assert_non_null(c_library_find(names[i]));
		assert_ptr_equal(c_library_find(names[i]),
		    dlsym(libc, names[i]));
	}
	assert_ptr_not_equal(c_library_find("puts"), (void *)puts);
	assert_ptr_equal(c_library_next("puts"), dlsym(RTLD_NEXT, "puts"));
	assert_null(c_library_find("no_such_function"));
	assert_null(c_library_next("no_such_function"));
}

/* As in another namespace of the loader, whose list has other objects. */
static void
without_the_list_all_objects_are_looked_at(void **state)
{
	(void)state;
	if (libc == NULL || dlsym(libc, "dlopen") == NULL)
		SKIP_TEST("needs glibc from 2.34 on");
	walks = 0;
	no_headers = true;
	c_library_init();
	no_headers = false;
	assert_int_equal(walks, 1);
	assert_non_null(c_library_find("puts"));
	assert_ptr_equal(c_library_find("puts"), dlsym(libc, "puts"));
	assert_ptr_equal(c_library_behind("puts", NULL),
	    dlsym(RTLD_NEXT, "puts"));
}

/* As if a dlsym of another library had found our own. */
static void
what_is_behind_is_never_our_own(void **state)
{
	(void)state;
	assert_ptr_equal(c_library_behind("puts", dlsym(RTLD_NEXT, "puts")),
	    c_library_find("puts"));
	assert_null(c_library_behind("no_such_function", NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_known_before_the_start),
		cmocka_unit_test(functions_are_those_of_the_c_library),
		cmocka_unit_test(without_the_list_all_objects_are_looked_at),
		cmocka_unit_test(what_is_behind_is_never_our_own),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
