#include "os/dss.h"

#include <errno.h>
#include <unistd.h>

#include "../unit.h"
#include "os/system.h"
#include "util/bits.h"

/* --- a break of our own --------------------------------------------------- */

#define START ((uintptr_t)0x10000000)
#define END   ((uintptr_t)0x20000000)

static struct {
	uintptr_t at;
	size_t others; /* taken by other code before the next move */
	bool enters;   /* a call comes in between */
	unsigned moves;
} brk_now = { .at = START };

void *__wrap_sbrk(intptr_t size);

void *
__wrap_sbrk(intptr_t size)
{
	uintptr_t before;

	if (brk_now.enters) {
		brk_now.enters = false;
		assert_null(dss_take(system_info.page_size));
	}
	if (size != 0) {
		brk_now.at += brk_now.others;
		brk_now.others = 0;
		brk_now.moves++;
	}
	before = brk_now.at;
	assert_true(size >= 0);
	if ((size_t)size > END - before) {
		errno = ENOMEM;
		return (void *)-1;
	}
	brk_now.at += (size_t)size;
	return (void *)before;
}

/* --- tests ---------------------------------------------------------------- */

enum { RANGES = 2000 };

static struct {
	uintptr_t start;
	size_t size;
} ranges[RANGES];
static unsigned nranges;

static size_t
page(void)
{
	return system_info.page_size;
}

/* Ranges are whole pages of ours alone, from below the break. */
static void
adopt(uintptr_t start, size_t size, uintptr_t before)
{
	assert_int_equal(start % page(), 0);
	assert_true(start >= before);
	assert_true(start + size <= brk_now.at);
	for (unsigned i = 0; i < nranges; i++)
		assert_true(start >= ranges[i].start + ranges[i].size ||
		    start + size <= ranges[i].start);
	ranges[nranges].start = start;
	ranges[nranges++].size = size;
	for (unsigned i = 0; i < nranges; i++) {
		assert_true(dss_contains((void *)ranges[i].start));
		assert_true(dss_contains((void *)(ranges[i].start +
		    ranges[i].size - 1)));
	}
}

static void
nothing_is_in_it_at_first(void **state)
{
	(void)state;
	assert_false(dss_contains(NULL));
	assert_false(dss_contains((void *)START));
	assert_false(dss_contains((void *)UINTPTR_MAX));
}

/* Other code moves the break as well, before a call or in the middle of one. */
static void
ranges_are_whole_pages_wherever_the_break_is(void **state)
{
	unsigned lost = 0;
	uint64_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < 1500; i++) {
		size_t size = (1 + random_below(&seed, 8)) * page();
		uintptr_t before, start;
		bool between = random_below(&seed, 4) == 0;

		if (random_below(&seed, 2) == 0)
			brk_now.at += random_below(&seed, 3 * page());
		brk_now.others = between ? random_below(&seed, 3 * page()) : 0;
		before = brk_now.at;
		errno = 4711;
		start = (uintptr_t)dss_take(size);
		assert_int_equal(errno, 4711);
		if (start != 0) {
			adopt(start, size, before);
			continue;
		}
		/* Only then it may have come out too short. */
		assert_true(between);
		lost++;
	}
	assert_true(lost < 400);
	assert_false(dss_contains((void *)(ranges[0].start - 1)));
	assert_false(dss_contains((void *)(ranges[nranges - 1].start +
	    ranges[nranges - 1].size)));
}

static void
what_there_is_not_room_for_is_refused(void **state)
{
	static const size_t sizes[] = { END - START, INTPTR_MAX, SIZE_MAX,
		(size_t)INTPTR_MAX + 1 };
	uintptr_t at;

	(void)state;
	for (unsigned i = 0; i < 4 * ARRAY_LEN(sizes); i++) {
		size_t size = round_down(sizes[i / 4], page());

		brk_now.at += i % 4 == 1;
		at = brk_now.at;
		errno = 4711;
		assert_null(dss_take(size));
		assert_int_equal(errno, 4711);
		assert_int_equal(brk_now.at, at);
	}
	/* The next one is served again. */
	at = (uintptr_t)dss_take(page());
	assert_int_not_equal(at, 0);
	adopt(at, page(), 0);
}

static void
a_second_caller_gets_nothing(void **state)
{
	uintptr_t start;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		brk_now.enters = true;
		start = (uintptr_t)dss_take(2 * page());
		assert_false(brk_now.enters);
		assert_int_not_equal(start, 0);
		adopt(start, 2 * page(), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_in_it_at_first),
		cmocka_unit_test(ranges_are_whole_pages_wherever_the_break_is),
		cmocka_unit_test(what_there_is_not_room_for_is_refused),
		cmocka_unit_test(a_second_caller_gets_nothing),
	};

	system_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
