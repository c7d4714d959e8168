#include "api/inspect.h"

#include <sys/mman.h>

#include "../unit.h"
#include "api/boot.h"
#include "api/checked.h"
#include "api/release.h"
#include "api/request.h"
#include "conf/options.h"
#include "extent/pagemap.h"
#include "modes.h"

/* The library is a part of this program. Reports come here, and it goes on. */

static struct {
	unsigned count;
	const char *kind;
	const void *object;
} reports;

void __wrap_safety_report(const char *kind, const void *addr,
    const char *details, ...) PRINTF(3, 4);

void
__wrap_safety_report(const char *kind, const void *addr, const char *details,
    ...)
{
	(void)details;
	reports.count++;
	reports.kind = kind;
	reports.object = addr;
}

/* The answer is `want`; a no is reported once, for this pointer. */
static void
expect(bool is, bool want, const char *kind, const void *ptr)
{
	if (is != want || reports.count != !want)
		fail_msg("%s of %p: %d, %u reports", kind, ptr, is,
		    reports.count);
	if (!want) {
		assert_string_equal(reports.kind, kind);
		assert_ptr_equal(reports.object, ptr);
	}
	reports.count = 0;
}

static char *
take(size_t size, size_t align)
{
	char *object = request_run(&(struct request){
	    .size = size, .align = align, .function = "mallocx" });

	assert_non_null(object);
	return object;
}

static const size_t sizes[] = { 1, 8, 16, 24, 100, 1000, 3000, 5000, 14336,
	14337, 16384, 40000, 262144, 262145, 3000000 };

/* --- where objects begin -------------------------------------------------- */

/* Of all addresses in an object only the first is that of an object. */
static void
only_the_start_of_an_object_is_one(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		char *object = take(sizes[i], 1);
		size_t usable = inspect_usable(object);
		size_t step = usable > 50000 ? 1021 : 1;
		uint16_t kind = pagemap_kind(object);

		if (usable > (size_t)1 << 20)
			step = 4093;
		expect(inspect_is_object(object, "invalid-free"), true, "",
		    object);
		for (size_t at = 1; at < usable; at += step) {
			if (kind_is_bin(kind) &&
			    kind == pagemap_kind(object + at))
				assert_false(inspect_starts_object(object + at,
				    bin_of_kind(kind)));
			expect(inspect_is_object(object + at, "invalid-free"),
			    false, "invalid-free", object + at);
		}
		expect(inspect_is_object(object, "invalid-realloc"), true, "",
		    object);
		release_object(object);
	}
}

/* Nothing is read where such pointers lead to: most of it would be a fault. */
static void
what_is_not_ours_is_no_object(void **state)
{
	char *none = mmap(NULL, UNIT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
	    -1, 0);
	uint64_t seed = 1;

	(void)state;
	assert_ptr_not_equal(none, MAP_FAILED);
	expect(inspect_is_object(none, "invalid-free"), false, "invalid-free",
	    none);
	assert_int_equal(inspect_usable(NULL), 0);
	assert_int_equal(inspect_query(NULL), 0);
	for (unsigned i = 0; i < 20000; i++) {
		char *ptr = (char *)(uintptr_t)(random_next(&seed) >>
		    random_below(&seed, 64));

		if (i % 3 == 0)
			ptr = (char *)-(uintptr_t)ptr;
		if (pagemap_kind(ptr) != KIND_NONE)
			continue;
		expect(inspect_is_object(ptr, "invalid-realloc"), false,
		    "invalid-realloc", ptr);
		assert_true(inspect_size_fits(ptr, 100, 1));
		expect(true, true, "", ptr);
	}
	munmap(none, UNIT);
}

/* --- sizes ---------------------------------------------------------------- */

/* Does an object of this request take that size? By the table of classes. */
static bool
fits(size_t usable, size_t asked, size_t size, size_t align)
{
	if (size == 0)
		size = 1;
	if (opt.safety == SAFETY_OFF)
		return true;
	if (opt.canary)
		return size == asked;
	return request_usable(size, align) == usable;
}

static void
check_sizes(size_t asked, size_t align)
{
	char *object = take(asked, align);
	size_t usable = inspect_class(object), size;
	uint64_t seed = 1;

	assert_int_equal(usable, request_usable(asked, align));
	assert_int_equal(inspect_query(object),
	    opt.canary || pagemap_kind(object) == KIND_GUARDED ? asked
							       : usable);
	for (unsigned i = 0; i < 600; i++) {
		size = i < 20 ? asked - 10 + i
		    : i < 40  ? usable - 30 + i
		    : i < 50  ? (size_t)0 - i + 41
			      : random_below(&seed, 2 * usable);
		expect(inspect_size_fits(object, size, align),
		    fits(usable, asked, size, align), "size-mismatch", object);
	}
	release_object(object);
}

/* Each size of the same class fits, no other does, and odd ones do no harm. */
static void
sizes_of_the_same_class_fit(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
		for (size_t align = 1; align <= 8 * UNIT; align *= 8)
			check_sizes(sizes[i], align);
}

/* --- freed objects -------------------------------------------------------- */

static void
freed_objects_are_none(void **state)
{
	(void)state;
	/* With safety:basic the mark of the thread's cache tells. */
	if (opt.safety == SAFETY_OFF ||
	    (opt.safety == SAFETY_BASIC && !thread_self->tcache.enabled))
		return;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		char *object = take(sizes[i], 1);
		bool large = inspect_usable(object) > SMALL_MAX;

		if (large)
			continue;
		release_object(object);
		expect(true, true, "", object);
		expect(inspect_is_object(object, "invalid-realloc"), false,
		    "invalid-realloc", object);
		release_object(object);
		expect(false, false, "double-free", object);
	}
}

int
main(int argc, char **argv)
{
	static const char *const modes[] = { "junk:false", "safety:off",
		"safety:full,quarantine:1048576", "canary:true",
		"prof:true,lg_prof_sample:0", "junk:false,tcache:false" };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_start_of_an_object_is_one),
		cmocka_unit_test(what_is_not_ours_is_no_object),
		cmocka_unit_test(sizes_of_the_same_class_fit),
		cmocka_unit_test(freed_objects_are_none),
	};

	if (argc == 1)
		return modes_run(argv[0], modes, ARRAY_LEN(modes));
	assert_non_null(boot_thread());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
