#include "prof/prof_pprof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit.h"
#include "dump_files.h"
#include "extent/metadata.h"
#include "mapped.h"
#include "os/system.h"
#include "pprof_reader.h"
#include "prof/prof_mappings.h"
#include "prof/prof_table.h"
#include "util/build.h"

/* --- what is written ------------------------------------------------------ */

static struct prof_thread *thread[2];
static unsigned base; /* number of the test's first thread */

/* An object of which there is no other: it stands for itself alone. */
static const struct prof_counts exact = { 1, 1000, PROF_WEIGHT_ONE,
	1000 * PROF_WEIGHT_BYTE };

static struct prof_pair *
sample(struct prof_thread *self, uintptr_t pc)
{
	void *pcs[] = { (void *)pc, (void *)(pc + 0x1000), (void *)0x9000 };

	return prof_table_add(self, pcs, 3, &exact);
}

static struct prof_pprof_form form = { 524288, 1234567890123456789, false };

static bool
format(void)
{
	struct prof_mappings mappings;
	struct prof_snapshot snapshot;
	bool done;

	length = 0;
	assert_true(prof_mappings_take(&mappings));
	assert_true(prof_snapshot_take(&snapshot));
	done = prof_pprof_format(&snapshot, &mappings, &form, keep, NULL);
	prof_snapshot_end(&snapshot);
	prof_mappings_end(&mappings);
	if (done)
		decode();
	return done;
}

static int
start(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		thread[i] = prof_table_enter();
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	map_fault = (struct fault){ 0 };
	form = (struct prof_pprof_form){ 524288, 1234567890123456789, false };
	prof_table_accumulate(false);
	prof_table_reset();
	for (unsigned i = 0; i < 2; i++)
		prof_table_leave(thread[i]);
	base += 2;
	return 0;
}

static void
an_empty_profile_says_what_it_would_count(void **state)
{
	(void)state;
	assert_true(format());
	assert_int_equal(got.nsamples, 0);
	assert_int_equal(got.nlocations, 0);
	assert_int_equal(got.ntypes, 2);
	assert_true(is(got.type[0], "inuse_objects"));
	assert_true(is(got.unit[0], "count"));
	assert_true(is(got.type[1], "inuse_space"));
	assert_true(is(got.unit[1], "bytes"));
	assert_true(is(got.scalar[14], "inuse_space"));
	assert_true(is(got.period_type, "space"));
	assert_true(is(got.period_unit, "bytes"));
	assert_int_equal(got.scalar[12], 524288);
	assert_int_equal(got.scalar[9], 1234567890123456789);
	assert_true(got.nmappings >= 2);
}

static void
with_accumulated_samples_there_are_more_types(void **state)
{
	static const char *const names[] = { "freed_objects", "lifetime",
		"alloc_objects", "alloc_space", "inuse_objects",
		"inuse_space" };
	static const char *const units[] = { "count", "microseconds", "count",
		"bytes", "count", "bytes" };

	(void)state;
	form.accumulated = true;
	assert_true(format());
	assert_int_equal(got.ntypes, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_true(is(got.type[i], names[i]));
		assert_true(is(got.unit[i], units[i]));
	}
}

static void
a_stack_is_a_sample_for_each_of_its_threads(void **state)
{
	char label[32];

	(void)state;
	prof_table_set_name(thread[1], "worker 1");
	for (unsigned i = 0; i < 3; i++)
		assert_non_null(sample(thread[0], 0x5000));
	assert_non_null(sample(thread[1], 0x5000));
	assert_true(format());
	assert_int_equal(got.nsamples, 2);
	assert_int_equal(value(&got.sample[0], "inuse_objects"), 3);
	assert_int_equal(value(&got.sample[0], "inuse_space"), 3000);
	assert_int_equal(value(&got.sample[1], "inuse_objects"), 1);
	assert_int_equal(value(&got.sample[1], "inuse_space"), 1000);
	assert_int_equal(got.sample[0].nlabels, 1);
	assert_int_equal(got.sample[1].nlabels, 2);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(label, sizeof(label), "t%u", base + i);
		assert_true(is(got.sample[i].key[0], "thread"));
		assert_true(is(got.sample[i].label[0], label));
	}
	assert_true(is(got.sample[1].key[1], "thread_name"));
	assert_true(is(got.sample[1].label[1], "worker 1"));
}

static void
addresses_are_those_of_calls_and_there_once(void **state)
{
	struct sample *one = got.sample, *two = one + 1;

	(void)state;
	/*
	 * The second one's first frame is where the first one's second returns.
	 */
	assert_non_null(sample(thread[0], 0x5000));
	assert_non_null(sample(thread[0], 0x6000));
	assert_true(format());
	assert_int_equal(got.nsamples, 2);
	if (address(one, 0) != 0x5000) {
		one = got.sample + 1;
		two = got.sample;
	}
	assert_int_equal(address(one, 0), 0x5000);
	assert_int_equal(address(one, 1), 0x5fff);
	assert_int_equal(address(one, 2), 0x8fff);
	assert_int_equal(address(two, 0), 0x6000);
	assert_int_equal(address(two, 1), 0x6fff);
	assert_int_equal(address(two, 2), 0x8fff);
	assert_int_equal(one->location[2], two->location[2]);
	assert_int_equal(got.nlocations, 5);
}

static void
addresses_know_their_mapping(void **state)
{
	char path[4096] = "";
	uint64_t first;

	(void)state;
	assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	assert_non_null(sample(thread[0], (uintptr_t)format - 0x1000 + 1));
	assert_true(format());
	assert_int_equal(address(got.sample, 1), (uintptr_t)format);
	first = got.sample[0].location[1];
	assert_int_equal(got.location_mapping[first], 1);
	assert_true(is(got.mapping[1][5], path));
	assert_in_range((uintptr_t)format, got.mapping[1][2],
	    got.mapping[1][3] - 1);
	assert_int_equal(got.location_mapping[got.sample[0].location[2]], 0);
}

static void
format_with(const struct prof_mappings *mappings)
{
	struct prof_snapshot snapshot;

	length = 0;
	assert_true(prof_snapshot_take(&snapshot));
	assert_true(prof_pprof_format(&snapshot, mappings, &form, keep, NULL));
	prof_snapshot_end(&snapshot);
	decode();
}

static void
the_program_is_the_first_mapping(void **state)
{
	struct prof_mapping item[] = {
		{ 0x1000, 0x3000, 0x100, 0, 0, "a", 1, 0, { 0 } },
		{ 0x3000, 0x5000, 0x200, 0, 0, "bb", 2, 3,
		    { 0x0f, 0xf0, 0x01 } },
		{ 0x6000, 0x7000, 0x300, 0, 0, "ccc", 3, 0, { 0 } },
	};
	struct prof_mappings mappings = { .item = item, .count = 3 };
	void *pcs[] = { (void *)0x1000, (void *)0x3001, (void *)0x5001,
		(void *)0x7000 };

	(void)state;
	assert_non_null(prof_table_add(thread[0], pcs, 4, &exact));
	/* Without one, they stay as they are. */
	for (size_t program = 0; program <= 3; program++) {
		static const unsigned place[4][3] = {
			{ 1, 2, 3 },
			{ 2, 1, 3 },
			{ 2, 3, 1 },
			{ 1, 2, 3 },
		};

		mappings.program = program;
		format_with(&mappings);
		assert_int_equal(got.nmappings, 3);
		for (size_t i = 0; i < 3; i++) {
			const uint64_t *mapping =
			    got.mapping[place[program][i]];

			assert_int_equal(mapping[2], item[i].start);
			assert_int_equal(mapping[3], item[i].end);
			assert_int_equal(mapping[4], item[i].offset);
			assert_true(is(mapping[5], item[i].name));
			assert_true(is(mapping[6], i == 1 ? "0ff001" : ""));
		}
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(
			    got.location_mapping[got.sample[0].location[i]],
			    i == 2 ? 0 : place[program][i == 3 ? 2 : i]);
	}
}

static void
closed_files_come_behind_those_that_are_there(void **state)
{
	struct prof_mapping item[] = {
		{ 0x1000, 0x3000, 0x100, 0, 0, "a", 1, 0, { 0 } },
		{ 0x3000, 0x5000, 0x200, 0, 0, "bb", 2, 0, { 0 } },
	};
	struct prof_mapping closed[] = {
		{ 0x4000, 0x6000, 0x300, 0, 0, "ccc", 3, 1, { 0xc } },
		{ 0x6000, 0x7000, 0x400, 0, 0, "dd", 2, 1, { 0xd } },
		{ 0x7000, 0x8000, 0x500, 0, 0, "e", 1, 1, { 0xe } },
	};
	struct prof_mappings mappings = { .item = item,
		.count = 2,
		.closed = { .item = closed, .count = 3 } };
	static const char *const ids[] = { "0c", "0d", "0e" };
	void *pcs[] = { (void *)0x1000, (void *)0x3001, (void *)0x4001,
		(void *)0x5001, (void *)0x6001, (void *)0x7001,
		(void *)0x8001 };
	/* At 0x4000 two files had code. */
	static const unsigned expected[] = { 2, 1, 0, 3, 4, 5, 0 };

	(void)state;
	assert_non_null(prof_table_add(thread[0], pcs, ARRAY_LEN(pcs), &exact));
	/* The second is the program, or none is. */
	for (mappings.program = 1; mappings.program <= 2; mappings.program++) {
		format_with(&mappings);
		assert_int_equal(got.nmappings, 5);
		for (size_t i = 0; i < 3; i++) {
			const uint64_t *mapping = got.mapping[3 + i];

			assert_int_equal(mapping[2], closed[i].start);
			assert_int_equal(mapping[3], closed[i].end);
			assert_int_equal(mapping[4], closed[i].offset);
			assert_true(is(mapping[5], closed[i].name));
			assert_true(is(mapping[6], ids[i]));
		}
		for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
			unsigned id = mappings.program == 2 && i < 2
			    ? (unsigned)i + 1
			    : expected[i];
			size_t place = got.sample[0].location[i];

			assert_int_equal(got.location_mapping[place], id);
		}
	}
}

/* `names` and what is cut off for a library of that name. */
static void
frames_of_the_library_are_left_out(void **state)
{
	static const char *const names[] = { "/x/libjemalloc.so.2",
		"/libjemalloc_a.so", "/libjemalloc", "/x/libother.so",
		"libjemalloc.so", "/libjemalloc/x.so" };
	uintptr_t own = (uintptr_t)prof_pprof_format;
	struct prof_mapping item = { .start = own - 4096, .end = own + 65536 };
	struct prof_mappings one = { .item = &item, .count = 1, .program = 1 };
	void *pcs[] = { (void *)own, (void *)(own + 5), (void *)0x5001,
		(void *)(own + 9), (void *)0x6001 };

	(void)state;
	assert_non_null(prof_table_add(thread[0], pcs, 5, &exact));
	assert_non_null(prof_table_add(thread[1], pcs, 2, &exact));
	for (size_t i = 0; i <= ARRAY_LEN(names); i++) {
		bool cut = i < 2, swapped;

		/* At last, it is a part of the program. */
		one.program = i < ARRAY_LEN(names);
		item.name = names[i % ARRAY_LEN(names)];
		item.name_length = strlen(item.name);
		format_with(&one);
		assert_int_equal(got.nsamples, 2);
		swapped = got.sample[0].depth == 2;
		assert_int_equal(got.sample[!swapped].depth, 2);
		assert_int_equal(address(&got.sample[!swapped], 0), own);
		assert_int_equal(got.sample[swapped].depth, cut ? 3 : 5);
		assert_int_equal(address(&got.sample[swapped], 0),
		    cut ? 0x5000 : own);
	}
}

static void
stacks_of_any_depth(void **state)
{
	static void *deep[PROF_DEPTH_MAX];

	(void)state;
	for (size_t i = 0; i < PROF_DEPTH_MAX; i++)
		deep[i] = (void *)(UINTPTR_MAX - i * 64);
	assert_non_null(prof_table_add(thread[0], NULL, 0, &exact));
	assert_true(format());
	assert_int_equal(got.nsamples, 1);
	assert_int_equal(got.sample[0].depth, 0);
	prof_table_reset();
	assert_non_null(prof_table_add(thread[0], deep, PROF_DEPTH_MAX,
	    &exact));
	assert_true(format());
	assert_int_equal(got.nsamples, 1);
	assert_int_equal(got.sample[0].depth, PROF_DEPTH_MAX);
	for (size_t i = 0; i < PROF_DEPTH_MAX; i++)
		assert_int_equal(address(got.sample, i),
		    UINTPTR_MAX - i * 64 - (i != 0));
}

static void
values_are_estimates_for_all_objects(void **state)
{
	const struct prof_counts small = sample_of(100, 524288);
	const struct prof_counts large = sample_of(3 << 20, 524288);
	void *pc = (void *)0x5000;
	double expected = 2 * 524288 + 50;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		assert_non_null(prof_table_add(thread[0], &pc, 1, &small));
	assert_true(format());
	assert_in_range(value(got.sample, "inuse_space"),
	    (uint64_t)(expected * 0.9999), (uint64_t)(expected * 1.0001));
	assert_in_range(value(got.sample, "inuse_objects"),
	    (uint64_t)(expected * 0.009999), (uint64_t)(expected * 0.010001));
	prof_table_reset();
	assert_non_null(prof_table_add(thread[0], &pc, 1, &large));
	assert_true(format());
	assert_int_equal(value(got.sample, "inuse_objects"), 1);
	assert_in_range(value(got.sample, "inuse_space"), 3 << 20,
	    (3 << 20) * 1.01);
}

static void
what_is_freed_has_had_a_lifetime(void **state)
{
	struct prof_pair *pair[3];
	/* One in ten such objects is a sample. */
	const struct prof_counts tenth = { 1, 64, 10 * PROF_WEIGHT_ONE,
		640 * PROF_WEIGHT_BYTE };
	void *pc = (void *)0x7000;

	(void)state;
	form.accumulated = true;
	prof_table_accumulate(true);
	for (unsigned i = 0; i < 3; i++)
		pair[i] = sample(thread[0], 0x5000);
	prof_table_remove(pair[0], &exact, 2000000);
	prof_table_remove(pair[1], &exact, 3);
	assert_true(format());
	assert_int_equal(got.nsamples, 1);
	assert_int_equal(value(got.sample, "freed_objects"), 2);
	assert_int_equal(value(got.sample, "lifetime"), 2000003);
	assert_int_equal(value(got.sample, "alloc_objects"), 3);
	assert_int_equal(value(got.sample, "alloc_space"), 3000);
	assert_int_equal(value(got.sample, "inuse_objects"), 1);
	assert_int_equal(value(got.sample, "inuse_space"), 1000);
	prof_table_remove(pair[2], &exact, 7);
	assert_true(format());
	assert_int_equal(value(got.sample, "lifetime"), 2000010);
	assert_int_equal(value(got.sample, "inuse_objects"), 0);
	prof_table_reset();
	assert_true(format());
	assert_int_equal(got.nsamples, 0);

	/* Those that were no samples have lived as long, we think. */
	pair[0] = prof_table_add(thread[0], &pc, 1, &tenth);
	prof_table_remove(pair[0], &tenth, 500);
	assert_true(format());
	assert_int_equal(value(got.sample, "freed_objects"), 10);
	assert_int_equal(value(got.sample, "lifetime"), 5000);
	/* More than a number holds is the most that it holds. */
	for (unsigned i = 0; i < 3; i++) {
		pair[0] = prof_table_add(thread[0], &pc, 1, &tenth);
		prof_table_remove(pair[0], &tenth, UINT64_MAX / 30);
	}
	assert_true(format());
	assert_int_equal(value(got.sample, "lifetime"), INT64_MAX);
}

static void
a_reset_forgets_lifetimes(void **state)
{
	struct prof_pair *before, *after;

	(void)state;
	form.accumulated = true;
	prof_table_accumulate(true);
	before = sample(thread[0], 0x5000);
	prof_table_reset();
	after = sample(thread[0], 0x5000);
	prof_table_remove(before, &exact, 1000);
	prof_table_remove(after, &exact, 1);
	assert_true(format());
	assert_int_equal(got.nsamples, 1);
	assert_int_equal(value(got.sample, "freed_objects"), 1);
	assert_int_equal(value(got.sample, "lifetime"), 1);
}

static void
freed_samples_are_left_out_unless_accumulated(void **state)
{
	struct prof_pair *pair;

	(void)state;
	prof_table_accumulate(true);
	pair = sample(thread[0], 0x5000);
	assert_non_null(sample(thread[1], 0x6000));
	prof_table_remove(pair, &exact, 5);
	assert_true(format());
	assert_int_equal(got.nsamples, 1);
	assert_int_equal(address(got.sample, 0), 0x6000);
	assert_int_equal(got.nlocations, 3);
}

static void
names_are_valid_text(void **state)
{
	(void)state;
	prof_table_set_name(thread[0], "\xff\xc3\xa4 cut \xe2\x82");
	assert_non_null(sample(thread[0], 0x5000));
	assert_true(format());
	assert_true(is(got.sample[0].label[1], "?\xc3\xa4 cut ??"));
}

/* Many stacks that share most of their addresses. */
static void
many_stacks(void **state)
{
	enum { MANY = 3000 };
	static bool seen[MANY];

	(void)state;
	memset(seen, 0, sizeof(seen));
	for (uintptr_t i = 0; i < MANY; i++) {
		void *pcs[20];

		for (uintptr_t k = 0; k < 20; k++)
			pcs[k] = (void *)(0x100000 + (k < 2 ? i >> k : k) * 64 +
			    k * 0x1000000);
		assert_non_null(prof_table_add(thread[i % 2], pcs, 20, &exact));
	}
	assert_true(format());
	assert_int_equal(got.nsamples, MANY);
	assert_int_equal(got.nlocations, MANY + MANY / 2 + 18);
	for (size_t i = 0; i < MANY; i++) {
		uint64_t which = (address(&got.sample[i], 0) - 0x100000) / 64;

		assert_true(which < MANY && !seen[which]);
		seen[which] = true;
		assert_int_equal(address(&got.sample[i], 1),
		    0x1100000 + which / 2 * 64 - 1);
		for (uintptr_t k = 2; k < 20; k++)
			assert_int_equal(address(&got.sample[i], k),
			    0x100000 + k * 64 + k * 0x1000000 - 1);
	}
}

/* --- files ---------------------------------------------------------------- */

static bool
write_file(const char *path)
{
	struct prof_snapshot snapshot;
	bool done;

	assert_true(prof_snapshot_take(&snapshot));
	map_fault.calls = 0;
	done = prof_pprof_file(path, &snapshot, &form) == 0;
	prof_snapshot_end(&snapshot);
	return done;
}

static void
read_file(const char *path)
{
	char command[400];
	FILE *file;

	snprintf(command, sizeof(command), "%s %s",
	    BUILD_PROF_GZIP ? "gzip -dc" : "cat", path);
	file = popen(command, "r");
	length = fread(bytes, 1, sizeof(bytes), file);
	assert_int_equal(pclose(file), 0);
	decode();
}

static void
a_file_is_compressed_if_it_can_be(void **state)
{
	const char *path = in_folder("x.pb.gz");
	uint8_t magic[2];
	struct stat status;
	FILE *file;

	(void)state;
	assert_string_equal(prof_pprof_suffix,
	    BUILD_PROF_GZIP ? ".pb.gz" : ".pb");
	for (uintptr_t pc = 0; pc < 3000; pc++)
		assert_non_null(sample(thread[0], 0x5000 + pc * 64));
	assert_true(write_file(path));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0644);
	file = fopen(path, "r");
	assert_int_equal(fread(magic, 2, 1, file), 1);
	fclose(file);
	assert_true((magic[0] == 0x1f && magic[1] == 0x8b) == BUILD_PROF_GZIP);
	read_file(path);
	assert_int_equal(got.nsamples, 3000);
	if (BUILD_PROF_GZIP)
		assert_true((size_t)status.st_size < length / 2);
	unlink(path);
	check_empty_folder();
}

static void
what_cant_be_written_leaves_nothing(void **state)
{
	(void)state;
	for (uintptr_t pc = 0; pc < 3000; pc++)
		assert_non_null(sample(thread[0], 0x5000 + pc * 64 + pc % 61));
	check_unwritable(write_file, 9000);
}

static void
without_memory_there_is_no_file(void **state)
{
	size_t before;
	unsigned at = 0;
	bool done = false;

	(void)state;
	assert_non_null(sample(thread[0], 0x5000));
	before = mapped;
	while (!done && at++ < 10) {
		map_fault.at = at + 1; /* one is for the snapshot */
		map_fault.calls = 0;
		struct prof_snapshot snapshot;
		assert_true(prof_snapshot_take(&snapshot));
		done = prof_pprof_file(in_folder("z.pb.gz"), &snapshot,
			   &form) == 0;
		prof_snapshot_end(&snapshot);
		assert_int_equal(mapped, before);
		if (!done)
			check_empty_folder();
	}
	map_fault.at = 0;
	/* The file, two tables of mappings, the profile's, the compressor's. */
	assert_int_equal(at, 4 + BUILD_PROF_GZIP + 1);
	read_file(in_folder("z.pb.gz"));
	assert_int_equal(got.nsamples, 1);
	unlink(in_folder("z.pb.gz"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_profile_says_what_it_would_count),
		TEST(with_accumulated_samples_there_are_more_types),
		TEST(a_stack_is_a_sample_for_each_of_its_threads),
		TEST(addresses_are_those_of_calls_and_there_once),
		TEST(addresses_know_their_mapping),
		TEST(the_program_is_the_first_mapping),
		TEST(closed_files_come_behind_those_that_are_there),
		TEST(frames_of_the_library_are_left_out),
		TEST(stacks_of_any_depth),
		TEST(values_are_estimates_for_all_objects),
		TEST(what_is_freed_has_had_a_lifetime),
		TEST(a_reset_forgets_lifetimes),
		TEST(freed_samples_are_left_out_unless_accumulated),
		TEST(names_are_valid_text),
		TEST(many_stacks),
		TEST(a_file_is_compressed_if_it_can_be),
		TEST(what_cant_be_written_leaves_nothing),
		TEST(without_memory_there_is_no_file),
	};
	int failed;

	system_init();
	metadata_init();
	prof_table_init();
	if (mkdtemp(folder) == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
