#include "api/resize.h"

#include "../unit.h"
#include "api/boot.h"
#include "api/checked.h"
#include "api/inspect.h"
#include "api/release.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "arena/canary.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "conf/safety.h"
#include "extent/pagemap.h"
#include "modes.h"
#include "pages/page_source.h"

/* The library is a part of this program. */

static struct {
	bool no_room; /* behind any extent */
	unsigned extended;
} world;

bool __real_page_source_extend(struct page_source *source, struct extent *e,
    size_t size, bool *zeroed);
bool __wrap_page_source_extend(struct page_source *source, struct extent *e,
    size_t size, bool *zeroed);

bool
__wrap_page_source_extend(struct page_source *source, struct extent *e,
    size_t size, bool *zeroed)
{
	bool done = !world.no_room &&
	    __real_page_source_extend(source, e, size, zeroed);

	world.extended += done;
	return done;
}

static unsigned char *
take(size_t size)
{
	unsigned char *object = request_run(&(struct request){
	    .size = size, .align = 1, .function = "mallocx" });

	assert_non_null(object);
	return object;
}

/* Whatever the program may use is filled with `byte`. */
static size_t
fill(unsigned char *object, unsigned char byte)
{
	size_t usable = checked_size(object);

	memset(object, byte, usable);
	return usable;
}

/* Only with opt.checked there is something to look at. */
static void
check_whole(const unsigned char *object)
{
	assert_true(!opt.checked || checked_is_whole(object));
}

static void
check_from(const unsigned char *object, size_t from, unsigned char byte)
{
	size_t size = checked_size(object);

	if (from < size)
		assert_filled(object + from, size - from, byte);
}

/* What it has gained is filled as the options say, or with zeroes. */
static void
check_gained(const unsigned char *object, size_t had, bool zero)
{
	if (zero || opt.zero)
		check_from(object, had, 0);
	else if (opt.junk_alloc)
		check_from(object, had, JUNK_ALLOC);
}

/* --- to another place, or not --------------------------------------------- */

static const size_t sizes[] = { 1, 8, 100, 5000, 14336, 14337, 40000, 262144,
	262145, 700000, 1 << 20, 1098517, 1161482, 3000000, 4 << 20 };

/*
 * From each size to each other, where there is room behind the object and where
 * there is none; zeroes, or junk, from the old usable size on.
 */
static void
each_size_becomes_each_other(void **state)
{
	uint64_t before = safety_reports();

	(void)state;
	for (unsigned i = 0; i < 4 * ARRAY_LEN(sizes) * ARRAY_LEN(sizes); i++) {
		size_t from = sizes[i / 4 / ARRAY_LEN(sizes)];
		size_t to = sizes[i / 4 % ARRAY_LEN(sizes)];
		struct request request = { .size = to,
			.align = 1,
			.zero = i % 2 != 0,
			.function = "rallocx" };
		unsigned char *object = take(from);
		size_t had = fill(object, 0xcd);

		world.no_room = i % 4 < 2;
		object = resize_object(object, &request);
		assert_non_null(object);
		assert_filled(object, min_size(had, to), 0xcd);
		check_gained(object, had, request.zero);
		check_whole(object);
		fill(object, 0xee);
		check_whole(object);
		release_object(object);
	}
	world.no_room = false;
	assert_int_equal(safety_reports(), before);
}

static void
what_can_not_grow_keeps_all_it_has(void **state)
{
	static const size_t impossible[] = { LARGE_MAXCLASS, SIZE_MAX,
		WORD_BITS == 64 ? (size_t)LARGE_MAXCLASS / 2 : PTRDIFF_MAX };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		unsigned char *object = take(sizes[i]);
		size_t had = fill(object, 0x77);

		for (unsigned k = 0; k < ARRAY_LEN(impossible); k++) {
			struct request request = { .align = 1,
				.size = impossible[k],
				.function = "rallocx" };

			assert_null(resize_object(object, &request));
			resize_in_place(object, &request);
			assert_int_equal(checked_size(object), had);
		}
		assert_filled(object, had, 0x77);
		check_whole(object);
		release_object(object);
	}
}

/* --- step by step --------------------------------------------------------- */

/*
 * Objects that grow in turns have one another behind them, so that none can
 * grow in place. They are copied some four times while they double, not with
 * each step; and nearly all that is taken for them, they use.
 */
static void
what_grows_by_small_steps_seldom_moves(void **state)
{
	enum { N = 16, STEP = 4000 };
	static const size_t first = 20000, last = 1280000; /* 6 doublings */
	unsigned char *object[N];
	struct page_source *pages = &arena_table_first()->pages;
	size_t before = pages->active;
	unsigned moves = 0;

	(void)state;
	world.no_room = true;
	for (unsigned i = 0; i < N; i++)
		object[i] = take(first);
	for (size_t size = first; size < last; size += STEP)
		for (unsigned i = 0; i < N; i++) {
			struct request request = { .size = size + STEP,
				.align = 1,
				.function = "realloc" };
			unsigned char *old = object[i];
			size_t had = checked_size(old);

			old[size - 1] = (unsigned char)i;
			object[i] = resize_object(old, &request);
			assert_non_null(object[i]);
			check_gained(object[i], had, false);
			assert_int_equal(object[i][size - 1], i);
			check_whole(object[i]);
			moves += object[i] != old;
		}
	world.no_room = false;
	if (!opt.guard_large)
		assert_in_range(moves, N, 5 * 6 * N);
	assert_in_range(pages->active - before, N * last,
	    N * (last + last / 4 + UNIT) + ((size_t)1 << 20));
	for (unsigned i = 0; i < N; i++)
		release_object(object[i]);
}

/* --- in place, with a canary ---------------------------------------------- */

/*
 * As xallocx() has it: the object stays where it is, and gets just `size`
 * bytes, or keeps what it has. A small one keeps its class.
 */
static void
try_in_place(size_t from, size_t size)
{
	unsigned char *object = take(from);
	size_t capacity = inspect_usable(object);
	size_t had = fill(object, 0x3c);
	struct request request = {
		.align = 1, .size = size, .zero = (from + size) % 2 != 0
	};
	size_t got = resize_with_canary(object, &request);

	assert_int_equal(got, checked_size(object));
	assert_true(got == had || got == size);
	if (capacity <= SMALL_MAX)
		assert_int_equal(inspect_usable(object), capacity);
	if (request_usable(size, 1) == capacity)
		assert_int_equal(got, size);
	assert_filled(object, min_size(had, got), 0x3c);
	check_gained(object, had, request.zero);
	check_whole(object);
	fill(object, 0x55);
	check_whole(object);
	release_object(object);
}

/* It has more room than others of its size. */
static void
an_aligned_object_grows_within_its_class(void **state)
{
	struct request request = { .align = 4096, .size = 43 };
	unsigned char *object;

	(void)state;
	if (!opt.canary)
		return;
	object = request_run(&request);
	assert_non_null(object);
	request.size = 52;
	assert_int_equal(resize_with_canary(object, &request), 52);
	fill(object, 0x55);
	check_whole(object);
	/* All of it would leave no room for a canary. */
	request.size = inspect_usable(object);
	assert_int_equal(resize_with_canary(object, &request), 52);
	check_whole(object);
	release_object(object);
}

static void
in_place_it_gets_what_was_wanted_or_keeps_its_size(void **state)
{
	static const size_t froms[] = { 1, 8, 100, 5000, 14328, 14329, 20000,
		40960, 270000, 1098517 };
	uint64_t seed = 1;

	(void)state;
	if (!opt.canary)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(froms) * 400; i++) {
		size_t from = froms[i % ARRAY_LEN(froms)];
		size_t near = from < 16384 ? 64 : 3 * UNIT;
		size_t size = from + random_below(&seed, near);

		if (random_below(&seed, 2) == 0)
			size = 1 + from -
			    min_size(from, random_below(&seed, near));
		world.no_room = random_below(&seed, 2) == 0;
		try_in_place(from, size);
	}
	world.no_room = false;
}

int
main(int argc, char **argv)
{
	static const char *const modes[] = { "", "canary:true", "safety:full",
		"zero:true,canary:true", "uaf_check:true", "tcache:false",
		"junk:true", "junk:true,safety:full", "junk:true,zero:true",
		"disable_large_size_classes:false,canary:true",
		"prof:true,lg_prof_sample:0,canary:true" };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_size_becomes_each_other),
		cmocka_unit_test(what_grows_by_small_steps_seldom_moves),
		cmocka_unit_test(what_can_not_grow_keeps_all_it_has),
		cmocka_unit_test(
		    in_place_it_gets_what_was_wanted_or_keeps_its_size),
		cmocka_unit_test(an_aligned_object_grows_within_its_class),
	};

	if (argc == 1)
		return modes_run(argv[0], modes, ARRAY_LEN(modes));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
