#include "api/checked.h"

#include <stdio.h>

#include "../unit.h"
#include "api/boot.h"
#include "api/checked_small.h"
#include "api/inspect.h"
#include "api/release.h"
#include "api/request.h"
#include "arena/canary.h"
#include "arena/ledger.h"
#include "arena/slab.h"
#include "arena/wipe.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "conf/safety.h"
#include "extent/pagemap.h"
#include "modes.h"

/* The library is a part of this program. Reports come here, and it goes on. */

static struct {
	unsigned count;
	const char *kind;
	const void *object;
	char details[400];
} reports;

void __wrap_safety_report(const char *kind, const void *addr,
    const char *details, ...) PRINTF(3, 4);

void
__wrap_safety_report(const char *kind, const void *addr, const char *details,
    ...)
{
	va_list args;

	reports.count++;
	reports.kind = kind;
	reports.object = addr;
	va_start(args, details);
	vsnprintf(reports.details, sizeof(reports.details), details, args);
	va_end(args);
}

static void
expect_no_report(void)
{
	if (reports.count != 0)
		fail_msg("reported: %s, %s", reports.kind, reports.details);
}

/* One report, of this kind and about this object; `text` is in it. */
static void
expect_report(const char *kind, const void *object, const char *text)
{
	assert_int_equal(reports.count, 1);
	assert_string_equal(reports.kind, kind);
	assert_ptr_equal(reports.object, object);
	if (strstr(reports.details, text) == NULL)
		fail_msg("no '%s' in: %s", text, reports.details);
	reports.count = 0;
}

static char *
take(size_t size)
{
	char *object = request_run(&(struct request){
	    .size = size, .align = 1, .function = "mallocx" });

	assert_non_null(object);
	return object;
}

static const size_t sizes[] = { 0, 1, 7, 8, 9, 24, 100, 120, 121, 1000, 4088,
	14000, 14328, 14329, 16000, 40000, 65536 - 8, 300001 };

/* --- canaries ------------------------------------------------------------- */

/* Where damage is looked for: up to the end, but for very long rests. */
static size_t
end_of(const char *object)
{
	return canary_end(checked_size(object), inspect_usable(object));
}

/*
 * Each byte of the program's own may have any value, and each one behind must
 * stay as it is. A byte that is put back in time has done no harm.
 */
static void
each_byte_behind_the_object_is_watched(void **state)
{
	(void)state;
	if (!opt.canary)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		char *object = take(sizes[i]);
		size_t size = checked_size(object), end = end_of(object);
		size_t step = end - size > 300 ? 97 : 1;
		char text[64];

		assert_int_equal(size, sizes[i]);
		assert_true(opt.guard_large || end >= size + CANARY_MIN);
		for (unsigned byte = 0; byte < 256; byte++) {
			memset(object, (int)byte, size);
			assert_true(checked_is_whole(object));
		}
		expect_no_report();
		for (size_t at = size; at < end; at += step) {
			object[at] ^= 4;
			assert_false(checked_is_whole(object));
			snprintf(text, sizeof(text), "first damaged offset %zu",
			    at);
			/* The last byte is nearest to the object behind. */
			if (at > size && at == inspect_usable(object) - 1)
				expect_report("underflow", object + end, text);
			else
				expect_report("overflow", object, text);
			object[at] ^= 4;
			assert_true(checked_is_whole(object));
		}
		release_object(object);
		expect_no_report();
	}
}

/* --- all sizes in place --------------------------------------------------- */

static void
a_resized_object_has_its_new_size_and_zeroes(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		char *object = take(sizes[i % ARRAY_LEN(sizes)]);
		size_t size = checked_size(object);
		size_t room = inspect_usable(object) -
		    (opt.canary ? CANARY_MIN : 0);
		size_t now = random_below(&seed, room + 1);

		memset(object, 0xa5, size);
		checked_resize(object, now, true);
		assert_int_equal(checked_size(object),
		    opt.canary ? now : inspect_usable(object));
		for (size_t at = 0; at < min_size(size, now); at++)
			assert_int_equal((unsigned char)object[at], 0xa5);
		for (size_t at = size; opt.canary && at < now; at++)
			assert_int_equal(object[at], 0);
		assert_true(checked_is_whole(object));
		release_object(object);
	}
	expect_no_report();
}

/* --- neighbours ----------------------------------------------------------- */

enum { NROW = 64 };

/*
 * Objects of one slab in the order of their addresses; returns how many from
 * the first one on lie side by side.
 */
static unsigned
row_take(char *row[NROW], size_t size)
{
	char *all[4 * NROW];
	unsigned n = 0;
	size_t step;

	for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
		unsigned k = i;

		all[i] = take(size);
		for (; k > 0 && all[k - 1] > all[k]; k--) {
			char *other = all[k - 1];

			all[k - 1] = all[k];
			all[k] = other;
		}
	}
	step = inspect_usable(all[0]);
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		if (n < NROW &&
		    (n == 0 ||
			(all[i] == row[n - 1] + step &&
			    pagemap_find(all[i]) == pagemap_find(row[0]))))
			row[n++] = all[i];
		else if (n < 6)
			n = 0;
	return n;
}

/* Of three side by side: what is written before the one in the middle. */
static void
writes_before_an_object_are_found_when_it_is_freed(void **state)
{
	static const size_t some[] = { 24, 100, 400 };

	(void)state;
	if (!opt.canary)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(some); i++) {
		char *row[NROW];

		assert_true(row_take(row, some[i]) >= 4);
		row[1][-1] ^= 4;
		release_object(row[1]);
		expect_report("underflow", row[1], "written before it");
		/* The damaged one is left alone, and reported no more. */
		row[1][-1] ^= 4;
		release_object(row[0]);
		release_object(row[3]);
		expect_no_report();
	}
}

/* What was freed is as wipe() left it, or its neighbour tells. */
static void
writes_into_a_freed_object_are_found(void **state)
{
	static const size_t some[] = { 24, 100, 400 };

	(void)state;
	if (!opt.uaf_check || opt.quarantine == 0)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(some); i++)
		for (unsigned at = 0; at < 16; at += 5) {
			char *row[NROW];

			assert_true(row_take(row, some[i]) >= 6);
			release_object(row[2]);
			assert_true(wipe_is_whole(row[2],
			    inspect_usable(row[1])));
			expect_no_report();
			row[2][at] ^= 4;
			release_object(row[1]);
			expect_report("use-after-free", row[2], "");
			row[2][at] ^= 4;
			release_object(row[3]);
			expect_no_report();
		}
}

/* --- the life of an object ------------------------------------------------ */

/* Only one of two frees gets it, whichever of the two ways they go. */
static void
an_object_is_taken_back_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3 * ARRAY_LEN(sizes); i++) {
		char *object = take(sizes[i / 3]);
		struct extent *e = pagemap_find(object);
		size_t size = ~(size_t)0;

		if (!e->is_slab)
			continue;
		if (i % 3 == 0) {
			assert_true(inspect_hand_in(object, &size));
			assert_int_equal(size, sizes[i / 3]);
			assert_true(checked_take_back(object, size));
		} else {
			assert_true(checked_take_back_whole(e, object,
			    i % 3 == 1));
		}
		expect_no_report();
		assert_false(checked_take_back_whole(e, object, false));
		assert_false(checked_take_back_whole(e, object + 1, false));
		expect_no_report();
		assert_false(inspect_hand_in(object, &size));
		expect_report("double-free", object, "");
		assert_false(inspect_is_object(object, "invalid-query"));
		expect_report("invalid-query", object, "freed before");
		/* It can be given out again, and has its new size then. */
		assert_true(checked_hand_out(object, sizes[i / 3], true));
		assert_true(checked_is_whole(object));
		assert_true(inspect_is_object(object, "invalid-query"));
		release_object(object);
		expect_no_report();
	}
}

/* Quietly: the usual way reports it, which looks at everything once more. */
static void
the_quick_way_does_nothing_to_what_is_damaged(void **state)
{
	char *object;
	struct extent *slab;
	size_t size;

	(void)state;
	if (!opt.canary)
		return;
	object = take(100);
	slab = pagemap_find(object);
	memset(object, 0x5a, 100);
	object[100] ^= 1;
	assert_false(checked_take_back_whole(slab, object, false));
	expect_no_report();
	assert_int_equal(slab_probe_handed(slab, object, &size), SLAB_GIVEN);
	assert_int_equal(size, 100);
	for (unsigned at = 0; at < 100; at++)
		assert_int_equal(object[at], 0x5a);
	release_object(object);
	expect_report("overflow", object, "first damaged offset 100");
}

int
main(int argc, char **argv)
{
	static const char *const modes[] = {
		"canary:true",
		"uaf_check:true,quarantine:1048576",
		"zero_free:true",
		"safety:full,guard_large:false",
		"safety:full,junk:free",
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_byte_behind_the_object_is_watched),
		cmocka_unit_test(a_resized_object_has_its_new_size_and_zeroes),
		cmocka_unit_test(
		    writes_before_an_object_are_found_when_it_is_freed),
		cmocka_unit_test(writes_into_a_freed_object_are_found),
		cmocka_unit_test(an_object_is_taken_back_once),
		cmocka_unit_test(the_quick_way_does_nothing_to_what_is_damaged),
	};

	if (argc == 1)
		return modes_run(argv[0], modes, ARRAY_LEN(modes));
	assert_non_null(boot_thread());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
