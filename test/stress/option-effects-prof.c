/*
 * Keys of the heap profile.
 */
#include "option-effects.h"

#include <sys/prctl.h>

#define DUMP "d.heap"

static void *volatile kept;

/* Frames of their own, so that a stack is longer than one. */
__attribute__((noinline)) static void
keep_one(size_t size)
{
	kept = used_block(size);
}

__attribute__((noinline)) static void
keep(unsigned count, size_t size)
{
	while (count-- > 0)
		keep_one(size);
}

static int
dump(void)
{
	const char *name = DUMP;

	return put("prof.dump", &name, sizeof(name));
}

static void
profile_can_be_dumped(void)
{
	seen(dump() == 0);
}

static void
samples_are_taken(void)
{
	keep(100, 100);
	CHECK(dump() == 0);
	seen(file_contains(DUMP, "\n@ 0x"));
}

static void *
keep_and_dump(void *unused)
{
	(void)unused;
	act("prof.reset");
	keep(100, 100);
	CHECK(dump() == 0);
	return NULL;
}

static void
samples_are_taken_in_new_threads(void)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, keep_and_dump, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	seen(file_contains(DUMP, "\n@ 0x"));
}

static void
freed_objects_are_counted(void)
{
	free(used_block(100));
	CHECK(dump() == 0);
	seen(!file_contains(DUMP, " [0: 0]"));
}

/* Is there a stack of more than one address? */
static void
stacks_are_long(void)
{
	keep(10, 100);
	CHECK(dump() == 0);
	CHECK(file_contains(DUMP, "\n@ 0x"));
	seen(file_contains_after(DUMP, "\n@ 0x", '\n', " 0x"));
}

static void
name_has_the_namespace(void)
{
	char link[64], part[80];
	const char *none = NULL;
	ssize_t length =
	    readlink("/proc/self/ns/pid", link, sizeof(link) - 1);
	unsigned long number;

	CHECK(length > 0);
	link[length] = '\0';
	CHECK(sscanf(link, "pid:[%lu]", &number) == 1);
	CHECK(put("prof.dump", &none, sizeof(none)) == 0);
	snprintf(part, sizeof(part), "p.%lu.%d.", number, (int)getpid());
	seen(file_there(part));
}

static void
classes_are_counted(void)
{
	uint64_t pair[2];
	size_t length = sizeof(pair);

	seen(control("prof.stats.bins.3.live", pair, &length, NULL, 0) == 0);
}

static void
threads_have_names(void)
{
	CHECK(prctl(PR_SET_NAME, "painter", 0, 0, 0) == 0);
	keep(10, 100);
	CHECK(dump() == 0);
	seen(file_contains(DUMP, "painter"));
}

/*
 * Of 4000 small objects some 60 are samples, of 400 large ones all. Readers
 * scale by the mean size, so the counts are corrected unless they are not to be.
 */
static void
samples_stand_for_themselves(void)
{
	unsigned long count = 0;

	for (unsigned i = 0; i < 4400; i++)
		keep(1, i % 11 == 0 ? 8192 : 16);
	CHECK(dump() == 0);
	CHECK(file_number(DUMP, "t*: ", &count));
	seen(count < 1000);
}

static void
keep_a_mebibyte(void)
{
	keep(16, 65536);
}

#define NEEDS .needs = "config.prof"
#define EACH "prof:true,prof_prefix:p,lg_prof_sample:0"

const struct effect effects_prof[] = {
	{ "prof", "true", "false", "prof_prefix:p",
	  .scene = profile_can_be_dumped, NEEDS },
	{ "prof_active", "true", "false", EACH, .scene = samples_are_taken,
	  NEEDS },
	{ "prof_thread_active_init", "true", "false", EACH,
	  .scene = samples_are_taken_in_new_threads, NEEDS },
	{ "prof_prefix", "first", "second", "prof:true,prof_final:true",
	  .writes = "first.", NEEDS },
	{ "lg_prof_sample", "0", "40", "prof:true,prof_prefix:p",
	  .scene = samples_are_taken, NEEDS },
	{ "lg_prof_interval", "16", "-1", EACH,
	  .scene = keep_a_mebibyte, .writes = ".i0.heap", NEEDS },
	{ "prof_gdump", "true", "false", "prof:true,prof_prefix:p",
	  .scene = keep_a_mebibyte, .writes = ".u0.heap", NEEDS },
	{ "prof_final", "true", "false", "prof:true,prof_prefix:p",
	  .writes = ".f.heap", NEEDS },
	{ "prof_leak", "true", "false", EACH ",prof_final:true",
	  .scene = keep_a_mebibyte, .says = "Leak", NEEDS },
	{ "prof_leak_error", "true", "false", EACH ",prof_final:true",
	  .scene = keep_a_mebibyte, .status = 1, NEEDS },
	{ "prof_accum", "true", "false", EACH,
	  .scene = freed_objects_are_counted, NEEDS },
	{ "prof_bt_max", "128", "1", EACH, .scene = stacks_are_long, NEEDS },
	{ "prof_pid_namespace", "true", "false", EACH,
	  .scene = name_has_the_namespace, NEEDS },
	{ "prof_stats", "true", "false", EACH, .scene = classes_are_counted,
	  NEEDS },
	{ "prof_sys_thread_name", "true", "false", EACH,
	  .scene = threads_have_names, NEEDS },
	{ "prof_format", "pprof", "text", EACH ",prof_final:true",
	  .writes = ".f.pb", NEEDS },
	{ "prof_log", "true", "false", EACH, .writes = ".json", NEEDS },
	{ "prof_unbias", "false", "true",
	  "prof:true,prof_prefix:p,lg_prof_sample:10",
	  .scene = samples_stand_for_themselves, NEEDS },
	{ "prof_recent_alloc_max",
	  .shown_by = "test/integration/profile-records.py" },
	{ "prof_time_resolution",
	  .shown_by = "test/integration/profile-records.py" },
	{ "prof_signal", .shown_by = "test/integration/prof-signal.py" },
	{ "prof_signal_action", .shown_by = "test/integration/prof-signal.py" },
	{ .key = NULL },
};
