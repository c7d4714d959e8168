#include "prof/prof_log.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"
#include "extent/metadata.h"
#include "mapped.h"
#include "os/system.h"
#include "pieces.h"
#include "prof/prof_trace.h"

static char path[64], text[1 << 16];
static char message_text[256];

void __wrap_message(const char *template, ...);

void
__wrap_message(const char *template, ...)
{
	va_list args;

	va_start(args, template);
	vsnprintf(message_text, sizeof(message_text), template, args);
	va_end(args);
}

static struct prof_trace *trace[3];

static int
start(void **state)
{
	(void)state;
	system_init();
	metadata_init();
	prof_trace_init();
	prof_log_init();
	snprintf(path, sizeof(path), "/tmp/test_prof_log.%d", (int)getpid());
	message_text[0] = '\0';
	for (uintptr_t i = 0; i < 3; i++)
		trace[i] = prof_trace_take((void *[]){ (void *)(i + 1),
					       (void *)(uintptr_t)0xffffffff },
		    2);
	piece_fault = map_fault = (struct fault){ .at = 0 };
	npieces = 3;
	mapped = 0;
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		prof_trace_give(trace[i]);
	assert_int_equal(npieces, 0);
	assert_int_equal(piece_bytes, 0);
	assert_int_equal(mapped, 0);
	unlink(path);
	return 0;
}

static struct prof_life
life(unsigned taker, unsigned giver, size_t usable)
{
	struct prof_life life = { .run = prof_log_run(),
		.usable = usable,
		.taken = { taker, usable + 1, trace[taker % 3], "" },
		.given = { giver, usable + 2, trace[giver % 3], "" } };

	snprintf(life.given.name, sizeof(life.given.name), "n%u\"\t", giver);
	return life;
}

static void
add(unsigned taker, unsigned giver, size_t usable)
{
	struct prof_life one = life(taker, giver, usable);

	prof_log_add(&one);
}

static const char *
file_text(const char *name)
{
	FILE *file = fopen(name, "r");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static unsigned
occurrences(const char *word)
{
	unsigned count = 0;

	for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
		count++;
	return count;
}

static bool
name_it(char *name, uint64_t number)
{
	snprintf(name, sizeof(path) + 24, "%s.%lu", path,
	    (unsigned long)number);
	return true;
}

static bool
name_nothing(char *name, uint64_t number)
{
	(void)name;
	(void)number;
	return false;
}

static void
the_file_has_each_life_and_each_thread_and_stack_once(void **state)
{
	struct stat status;
	char info[128];

	(void)state;
	assert_int_equal(prof_log_run(), 0);
	assert_int_not_equal(prof_log_stop(name_nothing, 0), 0);
	assert_true(prof_log_start(path));
	assert_false(prof_log_start(path));
	assert_int_not_equal(prof_log_run(), 0);
	add(5, 5, 112);
	add(5, 1, 20480);
	add(1025, 5, 32); /* shares thread 1's bucket */
	assert_int_equal(prof_log_stop(name_nothing, 17), 0);
	assert_int_equal(prof_log_run(), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0644);
	assert_memory_equal(file_text(path), "{\"info\":{\"duration\":", 20);
	snprintf(info, sizeof(info),
	    "\"lg_sample_rate\":17,"
	    "\"prof_time_resolution\":\"default\",\"pid\":%d},",
	    (int)getpid());
	assert_non_null(strstr(text, info));
	assert_string_equal(strstr(text, "\"threads\""),
	    "\"threads\":[{\"thr_uid\":5,\"thr_name\":\"n5\\\"\\u0009\"},"
	    "{\"thr_uid\":1,\"thr_name\":\"n1\\\"\\u0009\"},"
	    "{\"thr_uid\":1025,\"thr_name\":\"\"}],"
	    "\"stack_traces\":[[\"0x3\",\"0xffffffff\"],"
	    "[\"0x2\",\"0xffffffff\"]],"
	    "\"allocations\":["
	    "{\"alloc_thread\":0,\"free_thread\":0,\"alloc_trace\":0,"
	    "\"free_trace\":0,\"alloc_timestamp\":113,\"free_timestamp\":114,"
	    "\"usize\":112},"
	    "{\"alloc_thread\":0,\"free_thread\":1,\"alloc_trace\":0,"
	    "\"free_trace\":1,\"alloc_timestamp\":20481,"
	    "\"free_timestamp\":20482,\"usize\":20480},"
	    "{\"alloc_thread\":2,\"free_thread\":0,\"alloc_trace\":0,"
	    "\"free_trace\":0,\"alloc_timestamp\":33,\"free_timestamp\":34,"
	    "\"usize\":32}]}");
}

static void
an_empty_log_is_a_whole_file(void **state)
{
	(void)state;
	assert_true(prof_log_start(path));
	assert_int_equal(prof_log_stop(name_nothing, 0), 0);
	assert_string_equal(strstr(file_text(path), "\"threads\""),
	    "\"threads\":[],\"stack_traces\":[],\"allocations\":[]}");
}

static void
a_life_of_another_log_is_not_in_it(void **state)
{
	struct prof_life before;

	(void)state;
	assert_true(prof_log_start(path));
	before = life(1, 2, 100);
	prof_log_add(&before);
	assert_int_equal(prof_log_stop(name_nothing, 0), 0);
	prof_log_add(&before);
	assert_true(prof_log_start(path));
	prof_log_add(&before);
	add(2, 0, 200);
	assert_int_equal(prof_log_stop(name_nothing, 0), 0);
	file_text(path);
	assert_int_equal(occurrences("\"usize\""), 1);
	/* Stacks are numbered anew. */
	assert_non_null(strstr(text, "\"alloc_trace\":0,\"free_trace\":1,"));
}

static void
many_lives_take_the_memory_that_they_need_and_give_it_back(void **state)
{
	size_t each;

	(void)state;
	assert_true(prof_log_start("/dev/null"));
	for (unsigned i = 0; i < 50000; i++)
		add(i % 2000, i % 70, i);
	/* 40 bytes each, or less with shorter words, in pieces of 64 KiB. */
	each = WORD_BITS == 64 ? 40 : 32 + _Alignof(struct { uint64_t x; });
	assert_in_range(mapped >> 16, 50000 * each >> 16,
	    (50000 * each >> 16) + 2);
	assert_int_equal(prof_log_stop(name_nothing, 0), 0);
}

static void
what_there_is_no_memory_for_is_told(void **state)
{
	struct prof_life one;

	(void)state;
	assert_true(prof_log_start(path));
	map_fault = (struct fault){ .at = 1 };
	add(1, 2, 100);
	piece_fault = (struct fault){ .at = 1 };
	add(1, 2, 200);
	piece_fault = (struct fault){ .at = 2 };
	add(1, 2, 300);
	add(1, 2, 400);
	one = life(1, 2, 500);
	one.given.trace = NULL;
	prof_log_add(&one);
	assert_int_equal(prof_log_stop(name_nothing, 0), 0);
	file_text(path);
	assert_int_equal(occurrences("\"usize\""), 1);
	assert_int_equal(occurrences("\"usize\":400}"), 1);
	assert_string_equal(message_text,
	    "4 samples are missing in the log: out of memory");
}

static void
a_log_that_cannot_be_written_is_gone(void **state)
{
	static char longest[PATH_MAX + 1];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	assert_false(prof_log_start(longest));
	assert_true(prof_log_start("/nowhere/at/all"));
	add(1, 2, 100);
	assert_int_not_equal(prof_log_stop(name_nothing, 0), 0);
	assert_true(prof_log_start(NULL));
	assert_int_not_equal(prof_log_stop(name_nothing, 0), 0);
	assert_true(prof_log_start(path));
	map_fault = (struct fault){ .at = 1 };
	assert_int_not_equal(prof_log_stop(name_nothing, 0), 0);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void
logs_without_a_name_are_numbered(void **state)
{
	char name[128];

	(void)state;
	for (unsigned i = 1; i < 3; i++) {
		assert_true(prof_log_start(NULL));
		assert_int_equal(prof_log_stop(name_it, 0), 0);
		name_it(name, i); /* the one before had number 0 */
		assert_int_equal(unlink(name), 0);
	}
}

static void
a_child_owns_a_log_that_is_not_named(void **state)
{
	static const struct {
		bool named;
		int status;
	} runs[] = { { true, 1 }, { false, 0 } };

	(void)state;
	assert_false(prof_log_is_own());
	for (unsigned i = 0; i < 2; i++) {
		int status;
		pid_t pid;

		assert_true(prof_log_start(runs[i].named ? path : NULL));
		assert_true(prof_log_is_own());
		pid = fork();
		if (pid == 0) {
			prof_log_fork_child();
			_exit(prof_log_is_own() ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), runs[i].status);
		prof_log_stop(name_nothing, 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_file_has_each_life_and_each_thread_and_stack_once),
		TEST(an_empty_log_is_a_whole_file),
		TEST(a_life_of_another_log_is_not_in_it),
		TEST(
		    many_lives_take_the_memory_that_they_need_and_give_it_back),
		TEST(what_there_is_no_memory_for_is_told),
		TEST(a_log_that_cannot_be_written_is_gone),
		TEST(logs_without_a_name_are_numbered),
		TEST(a_child_owns_a_log_that_is_not_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
