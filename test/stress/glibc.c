/*
 * glibc: malloc_trim, mallinfo, mallinfo2, malloc_stats, malloc_info and
 * mallopt do what programs written for glibc rely on. The structures are those
 * of <malloc.h>, so that their layout is checked too.
 */
#include "stress.h"

#include <limits.h>

enum { NSMALL = 1000, NPARKED = 3 };

static size_t
live(void)
{
	struct mallinfo2 info = mallinfo2();

	CHECK(info.arena == info.uordblks + info.fordblks);
	CHECK(info.fsmblks <= info.fordblks);
	CHECK(info.usmblks == 0);
	return info.uordblks;
}

static void
small_objects_count_by_their_usable_size(void)
{
	static void *objects[NSMALL];
	size_t before = live(), sum = 0;

	for (unsigned i = 0; i < NSMALL; i++) {
		objects[i] = needed(malloc(i * 14));
		sum += malloc_usable_size(objects[i]);
	}
	CHECK(live() == before + sum);
	for (unsigned i = 0; i < NSMALL; i += 2) {
		sum -= malloc_usable_size(objects[i]);
		free(objects[i]);
	}
	CHECK(live() == before + sum);
	for (unsigned i = 1; i < NSMALL; i += 2)
		free(objects[i]);
	CHECK(live() == before);
}

static void
large_objects_count_as_mapped(void)
{
	struct mallinfo2 before = mallinfo2(), info;
	void *a = needed(malloc(MIB)), *b = needed(malloc(20 * KIB));

	info = mallinfo2();
	CHECK(info.hblks == before.hblks + 2);
	CHECK(info.hblkhd ==
	    before.hblkhd + malloc_usable_size(a) + malloc_usable_size(b));
	CHECK(info.uordblks == before.uordblks);
	free(a);
	free(b);
	info = mallinfo2();
	CHECK(info.hblks == before.hblks && info.hblkhd == before.hblkhd);
}

/* Are objects filled, so that a huge one would occupy memory? */
static bool
is_filled(void)
{
	unsigned char *object = hidden(needed(malloc(200 * KIB)));
	bool filled = object[100 * KIB] != 0;

	free(object);
	return filled;
}

static void
old_figures_are_the_new_ones_saturated(void)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	struct mallinfo old = mallinfo();
	struct mallinfo2 new = mallinfo2();
	void *huge;

	CHECK((size_t)old.uordblks == new.uordblks);
	CHECK((size_t)old.arena == new.arena);
	CHECK((size_t)old.keepcost == new.keepcost);
	if (!is_filled()) {
		huge = malloc((size_t)INT_MAX + MIB);
		if (huge != NULL)
			CHECK(mallinfo().hblkhd == INT_MAX);
		free(huge);
		malloc_trim(0);
	}
#pragma GCC diagnostic pop
}

/* --- what other threads hold ------------------------------------------- */

static pthread_barrier_t parked;
static size_t kept_size[NPARKED];
static void *kept[NPARKED];

static void *
park(void *argument)
{
	unsigned self = (unsigned)(uintptr_t)argument;

	for (unsigned i = 1; i < 300; i++)
		free(needed(malloc(i * 50)));
	kept[self] = needed(malloc(100 * (self + 1)));
	kept_size[self] = malloc_usable_size(kept[self]);
	pthread_barrier_wait(&parked);
	pthread_barrier_wait(&parked);
	return NULL;
}

static void
what_idle_threads_have_cached_is_free(void)
{
	pthread_t ids[NPARKED];
	size_t before, during, sum = 0;

	/* The library's own objects for a thread are there from the first. */
	CHECK(pthread_barrier_init(&parked, NULL, 1) == 0);
	for (uintptr_t i = 0; i < NPARKED; i++)
		CHECK(pthread_create(&ids[i], NULL, park, (void *)0) == 0 &&
		    pthread_join(ids[i], NULL) == 0);
	for (unsigned i = 0; i < NPARKED; i++)
		kept[i] = NULL;
	CHECK(pthread_barrier_init(&parked, NULL, NPARKED + 1) == 0);
	for (uintptr_t i = 0; i < NPARKED; i++)
		CHECK(pthread_create(&ids[i], NULL, park, (void *)i) == 0);
	pthread_barrier_wait(&parked);
	during = live();
	for (unsigned i = 0; i < NPARKED; i++) {
		sum += kept_size[i];
		free(kept[i]);
	}
	before = live();
	CHECK(during == before + sum);
	pthread_barrier_wait(&parked);
	for (unsigned i = 0; i < NPARKED; i++)
		CHECK(pthread_join(ids[i], NULL) == 0);
}

/* --- trimming ------------------------------------------------------------ */

static void
trimming_gives_memory_back(void)
{
	enum { COUNT = 48000, SIZE = 1000 };
	static void *objects[COUNT];
	size_t full, freed, trimmed;

	for (unsigned i = 0; i < COUNT; i++)
		objects[i] = memset(needed(malloc(SIZE)), 1, SIZE);
	full = memory_rss();
	for (unsigned i = 0; i < COUNT; i++)
		free(objects[i]);
	freed = mallinfo2().keepcost;
	errno = 5;
	CHECK(malloc_trim((size_t)1 << 40) == 0);
	CHECK(mallinfo2().keepcost >= freed);
	CHECK(malloc_trim(0) == 1);
	CHECK(errno == 5);
	CHECK(mallinfo2().keepcost == 0);
	CHECK(mallinfo2().fsmblks == 0);
	trimmed = memory_rss();
	if (trimmed + COUNT * SIZE * 8L / 10 > full)
		stress_fail(
		    "%zu bytes in memory, %zu after trimming", full, trimmed);
	CHECK(malloc_trim(0) == 0);
	for (unsigned i = 0; i < COUNT; i++)
		objects[i] = memset(needed(malloc(SIZE)), 2, SIZE);
	for (unsigned i = 0; i < COUNT; i++)
		free(objects[i]);
}

/* --- text ----------------------------------------------------------------- */

static void
print_stats(void *argument)
{
	(void)argument;
	errno = 5;
	malloc_stats();
	CHECK(errno == 5);
}

static void
statistics_go_to_standard_error(void)
{
	static struct child child;
	size_t system, used, regions, bytes;
	const char *total;
	void *object = needed(malloc(3 * MIB));

	child_run(&child, print_stats, NULL, 10);
	CHECK(WIFEXITED(child.status) && WEXITSTATUS(child.status) == 0);
	CHECK(strncmp(child.text, "Arena 0:\nsystem bytes     =", 26) == 0);
	total = strstr(child.text, "\nTotal (incl. mmap):\n");
	CHECK(total != NULL);
	CHECK(sscanf(total,
		  "\nTotal (incl. mmap):\nsystem bytes     = %zu\n"
		  "in use bytes     = %zu\nmax mmap regions = %zu\n"
		  "max mmap bytes   = %zu\n",
		  &system, &used, &regions, &bytes) == 4);
	CHECK(regions >= 1 && bytes >= 3 * MIB);
	CHECK(used >= bytes && system >= used);
	free(object);
}

static void
information_is_written_to_a_stream(void)
{
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	CHECK(stream != NULL);
	errno = 5;
	CHECK(malloc_info(0, stream) == 0);
	CHECK(errno == 5);
	fclose(stream);
	CHECK(strncmp(text, "<malloc version=\"1\">\n<heap nr=\"0\">\n", 35) ==
	    0);
	CHECK(strcmp(text + length - 10, "</malloc>\n") == 0);
	free(text);
	CHECK(malloc_info(1, stdout) == EINVAL);
	stream = fopen("/dev/full", "w");
	if (stream != NULL) {
		setvbuf(stream, NULL, _IONBF, 0);
		CHECK(malloc_info(0, stream) == -1 && errno == ENOSPC);
		fclose(stream);
	}
}

static bool informed;

static void *
inform_cancelled(void *argument)
{
	pthread_cancel(pthread_self());
	informed = malloc_info(0, argument) == 0;
	pthread_testcancel();
	stress_fail("still here after cancellation");
}

static void
nobody_is_cancelled_inside(void)
{
	FILE *stream = fopen("/dev/null", "w");

	CHECK(stream != NULL);
	setvbuf(stream, NULL, _IONBF, 0);
	thread_run(inform_cancelled, stream);
	CHECK(informed);
	fclose(stream);
}

/* --- settings ------------------------------------------------------------- */

static unsigned
count_heaps(void)
{
	char *text = NULL;
	size_t length;
	unsigned count = 0;
	FILE *stream = open_memstream(&text, &length);

	CHECK(stream != NULL && malloc_info(0, stream) == 0);
	fclose(stream);
	for (char *at = text; (at = strstr(at, "<heap ")) != NULL; at++)
		count++;
	free(text);
	return count;
}

static void *
allocate(void *argument)
{
	(void)argument;
	free(needed(malloc(100)));
	return NULL;
}

static void
arenas_can_be_limited(void)
{
	CHECK(mallopt(M_ARENA_MAX, 1) == 1);
	threads_run(8, allocate);
	CHECK(count_heaps() == 1);
	CHECK(mallopt(M_ARENA_MAX, -1) == 0);
	CHECK(mallopt(M_ARENA_MAX, 0) == 1);
}

static void
settings_without_effect_say_so(void)
{
	errno = 5;
	CHECK(mallopt(M_TRIM_THRESHOLD, 1) == 0);
	CHECK(mallopt(M_TOP_PAD, 1) == 0);
	CHECK(mallopt(M_MMAP_THRESHOLD, 1) == 0);
	CHECK(mallopt(M_MMAP_MAX, 1) == 0);
	CHECK(mallopt(M_PERTURB, 1) == 0);
	CHECK(mallopt(M_ARENA_TEST, 1) == 0);
	CHECK(mallopt(M_MXFAST, 1) == 0);
	CHECK(mallopt(12345, 1) == 0);
	CHECK(mallopt(M_CHECK_ACTION, 3) == 1);
	CHECK(mallopt(M_CHECK_ACTION, 0) == 0);
	CHECK(errno == 5);
}

/* --- all at once ---------------------------------------------------------- */

static _Atomic bool finished;

static void *
work(void *argument)
{
	struct prng prng = { .state = (uintptr_t)argument };
	void *objects[200] = { NULL };

	while (!finished) {
		size_t i = prng_below(&prng, 200);

		free(objects[i]);
		objects[i] = needed(malloc(prng_size(&prng, 300 * KIB)));
	}
	for (unsigned i = 0; i < 200; i++)
		free(objects[i]);
	return NULL;
}

static void
figures_and_trimming_hold_beside_other_threads(unsigned rounds)
{
	FILE *stream = fopen("/dev/null", "w");
	pthread_t ids[4];

	CHECK(stream != NULL);
	for (uintptr_t i = 0; i < 4; i++)
		CHECK(pthread_create(&ids[i], NULL, work, (void *)i) == 0);
	for (unsigned i = 0; i < rounds; i++) {
		struct mallinfo2 info = mallinfo2();

		CHECK(info.arena < (size_t)1 << 40);
		CHECK(info.uordblks < (size_t)1 << 40);
		CHECK(malloc_info(0, stream) == 0);
		malloc_trim(0);
	}
	finished = true;
	for (unsigned i = 0; i < 4; i++)
		CHECK(pthread_join(ids[i], NULL) == 0);
	fclose(stream);
}

int
main(int argc, char **argv)
{
	unsigned scale = stress_start(argc, argv, 60);

	arenas_can_be_limited();
	small_objects_count_by_their_usable_size();
	large_objects_count_as_mapped();
	old_figures_are_the_new_ones_saturated();
	what_idle_threads_have_cached_is_free();
	trimming_gives_memory_back();
	statistics_go_to_standard_error();
	information_is_written_to_a_stream();
	nobody_is_cancelled_inside();
	settings_without_effect_say_so();
	figures_and_trimming_hold_beside_other_threads(300 * scale);
	return 0;
}
