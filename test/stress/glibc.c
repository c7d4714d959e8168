/*
 * glibc: malloc_trim, mallinfo, mallinfo2, malloc_stats, malloc_info and
 * mallopt do what programs written for glibc rely on. The structures are those
 * of <malloc.h>, so that their layout is checked too.
 */
#include "stress.h"

#include <limits.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof(*(a)))

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
	/* Just freed: not all of it has had the time to go back. */
	CHECK(mallinfo2().keepcost != 0);
	CHECK(malloc_trim(0) == 1);
	CHECK(errno == 5);
	CHECK(mallinfo2().keepcost == 0);
	CHECK(mallinfo2().fsmblks == 0);
	trimmed = memory_rss();
	if (trimmed + COUNT * SIZE * 8L / 10 > full)
		stress_fail("%zu bytes in memory, %zu after trimming", full,
		    trimmed);
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

/* ---- against mallctl, at rest ---- */

static size_t
figure(const char *format, unsigned arena, const char *name)
{
	uint64_t value = 0;
	size_t length = sizeof(size_t);
	char path[64];

	snprintf(path, sizeof(path), format, arena, name);
	if (control(path, &value, &length, NULL, 0) != 0) {
		length = sizeof(uint32_t);
		CHECK(control(path, &value, &length, NULL, 0) == 0);
	}
	return (size_t)value;
}

static size_t
of_arena(unsigned arena, const char *name)
{
	return figure("stats.arenas.%u.%s", arena, name);
}

/* Bytes in memory but for large objects. */
static size_t
in_memory(unsigned arena)
{
	size_t pages = of_arena(arena, "pactive") + of_arena(arena, "pdirty") +
	    of_arena(arena, "pmuzzy");

	return pages * (size_t)sysconf(_SC_PAGESIZE) -
	    of_arena(arena, "large.allocated");
}

/* Those that were there when the figures were taken. */
static bool
next_arena(unsigned *arena)
{
	uint32_t count;
	size_t length = sizeof(count);
	bool there = false;
	char path[64];

	CHECK(control("arenas.narenas", &count, &length, NULL, 0) == 0);
	for (; *arena < count && !there; ++*arena) {
		length = sizeof(there);
		snprintf(path, sizeof(path), "arena.%u.initialized", *arena);
		CHECK(control(path, &there, &length, NULL, 0) == 0);
	}
	return there;
}

static void
refresh_figures(void)
{
	CHECK(control("epoch", NULL, NULL, &(uint64_t){ 1 }, 8) == 0);
}

static void
statistics_agree_with_mallctl(void)
{
	static struct child child;
	static char wanted[8192];
	size_t length = 0;

	refresh_figures();
	child_run(&child, print_stats, NULL, 10);
	for (unsigned i = 0; next_arena(&i);)
		length += (size_t)snprintf(wanted + length,
		    sizeof(wanted) - length,
		    "Arena %u:\n"
		    "system bytes     = %10zu\nin use bytes     = %10zu\n",
		    i - 1, in_memory(i - 1),
		    of_arena(i - 1, "small.allocated"));
	length += (size_t)snprintf(wanted + length, sizeof(wanted) - length,
	    "Total (incl. mmap):\nsystem bytes     = ");
	if (length >= sizeof(child.text) / 2 ||
	    strncmp(child.text, wanted, length) != 0)
		stress_fail("printed: %.200s, not %.200s", child.text, wanted);
}

/* Free regions of a class, as malloc_info has to list them. */
static int
size_line(char *line, unsigned arena, unsigned class)
{
	size_t size = figure("arenas.bin.%u.%s", class, "size"), count;
	char name[32];

	snprintf(name, sizeof(name), "bins.%u.curslabs", class);
	count = of_arena(arena, name) *
	    figure("arenas.bin.%u.%s", class, "nregs");
	snprintf(name, sizeof(name), "bins.%u.curregs", class);
	count -= of_arena(arena, name);
	return count == 0 ? 0
			  : sprintf(line,
				"  <size from=\"%zu\" "
				"to=\"%zu\" total=\"%zu\" count=\"%zu\"/>\n",
				size, size, count * size, count);
}

static const char *
check_heap(const char *at, unsigned arena)
{
	static char wanted[8192];
	size_t length = (size_t)sprintf(wanted, "<heap nr=\"%u\">\n<sizes>\n",
		   arena),
	       count, size;
	int end = 0;

	for (unsigned i = 0; i < 36; i++)
		length += (size_t)size_line(wanted + length, arena, i);
	length += (size_t)sprintf(wanted + length,
	    "</sizes>\n"
	    "<total type=\"fast\" count=\"0\" size=\"0\"/>\n");
	if (strncmp(at, wanted, length) != 0)
		stress_fail("arena %u: %.300s, not %.300s", arena, at, wanted);
	at += length;
	CHECK(sscanf(at,
		  "<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>"
		  "\n%n",
		  &count, &size, &end) == 2 &&
	    end > 0);
	CHECK(size == in_memory(arena) - of_arena(arena, "small.allocated"));
	at += end;
	end = 0;
	CHECK(sscanf(at, "<system type=\"current\" size=\"%zu\"/>\n%n", &size,
		  &end) == 1 &&
	    end > 0);
	CHECK(size == in_memory(arena));
	at = strstr(at, "</heap>\n");
	CHECK(at != NULL);
	return at + strlen("</heap>\n");
}

static void
information_agrees_with_mallctl(void)
{
	static char text[1 << 16], buffer[4096];
	FILE *stream = fmemopen(text, sizeof(text), "w");
	const char *at = text;

	CHECK(stream != NULL &&
	    setvbuf(stream, buffer, _IOFBF, sizeof(buffer)) == 0);
	refresh_figures();
	CHECK(malloc_info(0, stream) == 0);
	fflush(stream);
	at += strlen("<malloc version=\"1\">\n");
	for (unsigned i = 0; next_arena(&i);)
		at = check_heap(at, i - 1);
	if (strncmp(at, "<total type=\"fast\"", 18) != 0)
		stress_fail("after the last arena: %.60s", at);
	fclose(stream);
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
	CHECK(mallopt(M_ARENA_MAX, -1) == 1);
	CHECK(mallopt(M_ARENA_MAX, 0) == 1);
}

/*
 * Programs check what mallopt answers, and give up if it is 0: it must be what
 * glibc's answers, which libc.so.6 still has. mallopt itself is ours.
 */
static void
settings_are_answered_as_glibc_does(void)
{
	static const int parameters[] = { M_MXFAST, M_TRIM_THRESHOLD, M_TOP_PAD,
		M_MMAP_THRESHOLD, M_MMAP_MAX, M_CHECK_ACTION, M_PERTURB,
		M_ARENA_TEST, M_ARENA_MAX, 0, 5, 12345 };
	static const int values[] = { INT_MIN, -1, 0, 1, 80, 160, 161, 4096,
		32 << 20, INT_MAX };
	int (*of_glibc)(int, int);

	*(void **)&of_glibc = libc_function("mallopt");
	CHECK(of_glibc != NULL && of_glibc != mallopt);
	for (unsigned i = 0; i < ARRAY_LEN(parameters); i++)
		for (unsigned k = 0; k < ARRAY_LEN(values); k++) {
			errno = 5;
			CHECK(mallopt(parameters[i], values[k]) ==
			    of_glibc(parameters[i], values[k]));
			CHECK(errno == 5);
		}
	CHECK(mallopt(M_ARENA_MAX, 0) == 1);
}

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void *__libc_valloc(size_t);
void *__libc_pvalloc(size_t);
void __libc_free(void *);
struct mallinfo __libc_mallinfo(void);

/* What one name gave, the other takes: all are of this heap. */
static void
second_names_are_the_same_functions(void)
{
	size_t before = live();
	char *object[] = { __libc_malloc(100), __libc_calloc(10, 10),
		__libc_realloc(NULL, 100), __libc_memalign(64, 100),
		__libc_valloc(100), __libc_pvalloc(100) };

	for (unsigned i = 0; i < ARRAY_LEN(object); i++) {
		memset(needed(object[i]), 1, 100);
		object[i] = needed(realloc(object[i], 200));
		CHECK(object[i][99] == 1);
	}
	CHECK(live() >= before + ARRAY_LEN(object) * 200);
	CHECK((size_t)__libc_mallinfo().uordblks == mallinfo2().uordblks);
	for (unsigned i = 0; i < ARRAY_LEN(object); i++)
		free(object[i]);
	__libc_free(needed(malloc(100)));
	CHECK(live() == before);
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
	if (built_with("stats")) {
		statistics_agree_with_mallctl();
		information_agrees_with_mallctl();
	}
	nobody_is_cancelled_inside();
	settings_are_answered_as_glibc_does();
	second_names_are_the_same_functions();
	figures_and_trimming_hold_beside_other_threads(300 * scale);
	return 0;
}
