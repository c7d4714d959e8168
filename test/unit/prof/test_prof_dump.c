#include "prof/prof_dump.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit.h"
#include "dump_files.h"
#include "extent/metadata.h"
#include "os/system.h"
#include "prof/prof_objects.h"
#include "prof/prof_table.h"
#include "util/compiler.h"

static char text[1 << 16];
static size_t length;

static void
keep(void *context, const char *more, size_t n)
{
	(void)context;
	assert_true(length + n < sizeof(text));
	memcpy(text + length, more, n);
	length += n;
	text[length] = '\0';
}

static unsigned base; /* number of the test's first thread */
static struct prof_thread *thread[2];

/* Threads are numbered from 0 in each test. */
static void
renumber(void)
{
	static char copy[sizeof(text)];
	char *from = copy, *to = text, *end;

	memcpy(copy, text, length + 1);
	while (*from != '\0') {
		if (strncmp(from, "  t", 3) != 0 || from[3] == '*') {
			*to++ = *from++;
			continue;
		}
		to += sprintf(to, "  t%lu", strtoul(from + 3, &end, 10) - base);
		from = end;
	}
	*to = '\0';
}

static void
dump(const struct prof_dump_form *form)
{
	struct prof_snapshot snapshot;

	assert_true(prof_snapshot_take(&snapshot));
	length = 0;
	prof_dump_format(&snapshot, form, keep, NULL);
	renumber();
	prof_snapshot_end(&snapshot);
}

static struct prof_pair *
sample(struct prof_thread *self, uintptr_t pc, uint64_t usable)
{
	const struct prof_counts counts = sample_of(usable, 524288);
	void *pcs[] = { (void *)pc, (void *)(pc + 0x1000) };

	return prof_table_add(self, pcs, 2, &counts);
}

static int
start(void **state)
{
	(void)state;
	system_init();
	metadata_init();
	prof_table_init();
	for (unsigned i = 0; i < 2; i++)
		thread[i] = prof_table_enter();
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	prof_table_accumulate(false);
	prof_table_reset();
	base += 2;
	return 0;
}

static const struct prof_dump_form plain = { 524288, false };
static const struct prof_dump_form fair = { 524288, true };

static void
the_text_is_what_readers_expect(void **state)
{
	struct prof_pair *pair;
	const struct prof_counts big = sample_of(600000, 524288);

	(void)state;
	prof_table_set_name(thread[1], "worker 1");
	for (unsigned i = 0; i < 3; i++)
		assert_non_null(sample(thread[0], 0xabc0, 1000));
	pair = sample(thread[1], 0xabc0, 600000);
	for (unsigned i = 0; i < 2; i++) {
		/* All of a size in each line but the sums: no difference. */
		dump(i == 0 ? &plain : &fair);
		assert_non_null(strstr(text,
		    "\n  t0: 3: 3000 [0: 0]\n"
		    "  t1: 1: 600000 [0: 0] worker 1\n"));
		assert_non_null(strstr(text,
		    "\n  t0: 3: 3000 [0: 0]\n"
		    "  t1: 1: 600000 [0: 0]\n"));
		assert_int_equal(strncmp(text, "heap_v2/524288\n  t*: ", 21),
		    0);
		assert_non_null(strstr(text, "\n@ 0xabc0 0xbbc0\n  t*: "));
	}
	dump(&plain);
	assert_string_equal(text,
	    "heap_v2/524288\n  t*: 4: 603000 [0: 0]\n"
	    "  t0: 3: 3000 [0: 0]\n  t1: 1: 600000 [0: 0] worker 1\n"
	    "@ 0xabc0 0xbbc0\n  t*: 4: 603000 [0: 0]\n"
	    "  t0: 3: 3000 [0: 0]\n  t1: 1: 600000 [0: 0]\n");
	prof_table_remove(pair, &big, 0);
	dump(&plain);
	assert_string_equal(text,
	    "heap_v2/524288\n  t*: 3: 3000 [0: 0]\n"
	    "  t0: 3: 3000 [0: 0]\n  t1: 0: 0 [0: 0] worker 1\n"
	    "@ 0xabc0 0xbbc0\n  t*: 3: 3000 [0: 0]\n"
	    "  t0: 3: 3000 [0: 0]\n");
}

static void
what_is_freed_stays_in_brackets_when_accumulated(void **state)
{
	const struct prof_counts counts = sample_of(1000, 524288);
	struct prof_pair *pair;

	(void)state;
	prof_table_accumulate(true);
	pair = sample(thread[0], 0x10, 1000);
	prof_table_remove(pair, &counts, 0);
	dump(&fair);
	assert_string_equal(text,
	    "heap_v2/524288\n  t*: 0: 0 [1: 1000]\n"
	    "  t0: 0: 0 [1: 1000]\n  t1: 0: 0 [0: 0]\n"
	    "@ 0x10 0x1010\n  t*: 0: 0 [1: 1000]\n"
	    "  t0: 0: 0 [1: 1000]\n");
}

static void
a_stack_without_addresses_is_a_stack(void **state)
{
	const struct prof_counts counts = sample_of(8, 524288);

	(void)state;
	assert_non_null(prof_table_add(thread[0], NULL, 0, &counts));
	dump(&plain);
	assert_non_null(strstr(text, "\n@\n  t*: 1: 8 [0: 0]\n"));
}

/* A reader's estimate from what is written. */
static double
read_back(uint64_t objects, uint64_t bytes, double period, double *number)
{
	double f = objects == 0
	    ? 0
	    : 1 / -expm1(-((double)bytes / (double)objects) / period);

	*number = f * (double)objects;
	return f * (double)bytes;
}

static void
mixed_sizes_are_estimated_without_bias(void **state)
{
	static const uint64_t size[] = { 16, 500, 9000, 300000, 4 << 20 };
	double period = 65536, bytes = 0, objects = 0, got, number;
	double true_bytes = 0, true_objects = 0;
	uint64_t seed = 1, s, c;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(size); i++) {
		true_objects += (double)(100000000 / size[i]);
		true_bytes += (double)(100000000 / size[i] * size[i]);
	}
	for (unsigned run = 0; run < 200; run++) {
		struct prof_counts sum = { 0, 0, 0, 0 };

		for (unsigned i = 0; i < ARRAY_LEN(size); i++) {
			double p = -expm1(-(double)size[i] / period);
			const struct prof_counts one = sample_of(size[i],
			    period);

			/* The next one that is a sample. */
			for (double n = 0;;) {
				double u = (double)((random_next(&seed) >> 11) +
					       1) *
				    0x1p-53;

				n += p == 1 ? 1 : 1 + floor(log(u) / log1p(-p));
				if (n > (double)(100000000 / size[i]))
					break;
				sum.objects++;
				sum.bytes += one.bytes;
				sum.weight_objects += one.weight_objects;
				sum.weight_bytes += one.weight_bytes;
			}
		}
		prof_dump_unbias(&sum, (uint64_t)period, &c, &s);
		assert_true(c >= sum.objects);
		got = read_back(c, s, period, &number);
		bytes += got / 200;
		objects += number / 200;
	}
	/* Standard errors: sqrt(R/B) of 5e8 bytes over 200 runs is 0.08 %. */
	assert_true(fabs(bytes / true_bytes - 1) < 0.003);
	/* Of the objects, most are of 16 bytes: 0.2 %. */
	assert_true(fabs(objects / true_objects - 1) < 0.006);
}

static void
one_size_is_written_as_it_was_counted(void **state)
{
	uint64_t c, s;

	(void)state;
	for (uint64_t usable = 8; usable < (uint64_t)1 << 40; usable *= 3)
		for (uint64_t n = 1; n < 100000; n *= 7) {
			struct prof_counts one = sample_of(usable, 524288);

			one.objects *= n;
			one.bytes *= n;
			one.weight_objects *= n;
			one.weight_bytes *= n;
			if (one.bytes > (uint64_t)1 << 45)
				continue;
			prof_dump_unbias(&one, 524288, &c, &s);
			assert_int_equal(c, n);
			assert_in_range(s, n * usable - n * usable / 1000000,
			    n * usable + n * usable / 1000000);
		}
}

/* --- files ---------------------------------------------------------------- */

static bool
dump_file(const char *path)
{
	struct prof_snapshot snapshot;
	bool done;

	assert_true(prof_snapshot_take(&snapshot));
	done = prof_dump_file(path, &snapshot, &plain) == 0;
	prof_snapshot_end(&snapshot);
	return done;
}

/* What was closed: to be taken when all has been settled, and given back. */
static struct prof_closed closed;
static unsigned nsettled, nlists;

void __wrap_prof_objects_settle(void);
bool __wrap_prof_closed_take(struct prof_closed *list);
void __wrap_prof_closed_end(struct prof_closed *list);

void
__wrap_prof_objects_settle(void)
{
	nsettled++;
}

bool
__wrap_prof_closed_take(struct prof_closed *list)
{
	assert_true(nsettled > 0);
	nlists++;
	*list = closed;
	return true;
}

void
__wrap_prof_closed_end(struct prof_closed *list)
{
	assert_ptr_equal(list->item, closed.item);
	nlists--;
}

/* The lines of a file about what was closed. */
static void
assert_closed_lines(const char *expected)
{
	static char got[1 << 18];
	const char *path = in_folder("x.heap"), *lines;
	ssize_t size;
	int fd;

	nsettled = 0;
	assert_true(dump_file(path));
	assert_int_equal(nlists, 0);
	fd = open(path, O_RDONLY);
	size = read(fd, got, sizeof(got) - 1);
	close(fd);
	unlink(path);
	assert_true(size > 0);
	got[size] = '\0';
	lines = strstr(got, "\nclosed ");
	assert_string_equal(lines == NULL ? "" : lines + 1, expected);
}

static void
closed_files_are_lines_at_the_end(void **state)
{
	static struct prof_mapping item[] = {
		{ 0x7f0000001000, 0x7f0000003000, 0x1000, 0, 0,
		    "/a b.so and more", 7, 3, { 0x0f, 0xf0, 0x01 } },
		{ 0x1000, 0x2000, 0x123456789000, 0, 0, "/new\nline", 9, 0,
		    { 0 } },
		{ 0x3000, 0x4000, 0, 0, 0, "/c", 2, 1, { 0xc } },
	};

	(void)state;
	assert_closed_lines("");
	closed = (struct prof_closed){ .item = item, .count = 3 };
	assert_closed_lines(
	    "closed 7f0000001000-7f0000003000 00001000 0ff001 00:00 0 /a b.so\n"
	    "closed 1000-2000 123456789000 - 00:00 0 /new?line\n"
	    "closed 3000-4000 00000000 0c 00:00 0 /c\n");
	closed.incomplete = true;
	closed.count = 0;
	assert_closed_lines("closed more\n");
	closed = (struct prof_closed){ 0 };
}

static void
a_file_has_the_text_and_the_mappings(void **state)
{
	static char got[1 << 18];
	struct stat status;
	const char *path = in_folder("x.heap"), *maps;
	ssize_t size;
	int fd;

	(void)state;
	for (uintptr_t pc = 0; pc < 3000; pc++)
		assert_non_null(sample(thread[0], pc * 64, 1000));
	assert_true(dump_file(path));
	fd = open(path, O_RDONLY);
	size = read(fd, got, sizeof(got) - 1);
	close(fd);
	assert_true(size > 0);
	assert_int_equal(strncmp(got, "heap_v2/524288\n  t*: 3000: 3000000",
			     34),
	    0);
	maps = strstr(got, "\n\nMAPPED_LIBRARIES:\n");
	assert_non_null(maps);
	assert_non_null(strstr(maps, "[stack]"));
	assert_int_equal(got[size - 1], '\n');
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0644);
	unlink(path);
	check_empty_folder();
}

static void
what_cant_be_written_leaves_nothing(void **state)
{
	(void)state;
	for (uintptr_t pc = 0; pc < 3000; pc++)
		assert_non_null(sample(thread[0], pc * 64, 1000));
	check_unwritable(dump_file, 20000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_text_is_what_readers_expect),
		TEST(what_is_freed_stays_in_brackets_when_accumulated),
		TEST(a_stack_without_addresses_is_a_stack),
		TEST(mixed_sizes_are_estimated_without_bias),
		TEST(one_size_is_written_as_it_was_counted),
		TEST(closed_files_are_lines_at_the_end),
		TEST(a_file_has_the_text_and_the_mappings),
		TEST(what_cant_be_written_leaves_nothing),
	};
	int failed;

	if (mkdtemp(folder) == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
