/*
 * Keys of the heap profile.
 */
#include "option-effects.h"

#include <math.h>

#include "profile.h"

/* Keeps what it gets alive, and each call alike. */
static void *kept[200000];
static size_t nkept;

static void
keep(size_t size)
{
	CHECK(nkept < sizeof(kept) / sizeof(kept[0]));
	kept[nkept++] = needed(malloc(size));
}

static void
keep_thousand(void)
{
	for (unsigned i = 0; i < 1000; i++)
		keep(500);
}

/* The figures of all objects in a new profile. */
struct total {
	unsigned long objects, bytes, all_objects, all_bytes;
};

static struct total
profile_total(void)
{
	struct total total;
	FILE *file;

	profile_dump("now.heap");
	file = fopen("now.heap", "r");
	CHECK(file != NULL &&
	    fscanf(file, "heap_v2/%*u t*: %lu: %lu [%lu: %lu]", &total.objects,
		&total.bytes, &total.all_objects, &total.all_bytes) == 4);
	fclose(file);
	return total;
}

static void
a_profile_can_be_had(void)
{
	const char *name = "now.heap";

	seen(put("prof.dump", &name, sizeof(name)) == 0 &&
	    access(name, R_OK) == 0);
}

static void
objects_are_sampled(void)
{
	keep_thousand();
	seen(profile_total().objects >= 1000);
}

static void *
keep_in_thread(void *argument)
{
	keep_thousand();
	return argument;
}

static void
objects_of_a_thread_are_sampled(void)
{
	thread_run(keep_in_thread, NULL);
	seen(profile_total().objects >= 1000);
}

static void
use_memory(void)
{
	for (unsigned i = 0; i < 32; i++)
		(void)hidden(used_block(MIB));
}

static void
the_first_profile_stays(void)
{
	use_memory();
	CHECK(file_exists(".heap"));
	seen(file_exists(".u0.heap"));
}

static void
freed_objects_are_counted(void)
{
	for (unsigned i = 0; i < 1000; i++)
		free(needed(malloc(500)));
	seen(profile_total().all_objects >= 1000);
}

static void
depth_note(void *deepest, const struct profile_stack *stack)
{
	if (*(unsigned *)deepest < stack->depth)
		*(unsigned *)deepest = stack->depth;
}

__attribute__((noinline)) static unsigned
recurse(unsigned depth)
{
	unsigned result = 0;

	if (depth == 0)
		keep(500);
	else
		result = recurse(depth - 1);
	/* Not a tail call. */
	(void)hidden(&result);
	return result + 1;
}

static void
stacks_are_deep(void)
{
	unsigned deepest = 0;

	recurse(60);
	profile_dump("now.heap");
	profile_read("now.heap", depth_note, &deepest);
	CHECK(deepest > 0);
	seen(deepest > 50);
}

static void
name_has_the_namespace(void)
{
	char link[100] = "", number[100];
	unsigned long space = 0;
	const char *none = NULL;

	if (readlink("/proc/self/ns/pid", link, sizeof(link) - 1) <= 0 ||
	    sscanf(link, "pid:[%lu]", &space) != 1)
		cannot("there are no namespaces");
	CHECK(put("prof.dump", &none, sizeof(none)) == 0);
	snprintf(number, sizeof(number), ".%lu.", space);
	CHECK(file_exists("jeprof."));
	seen(file_exists(number));
}

/* ---- records of samples ---- */

static char records[1 << 16];

static void
records_receive(void *opaque, const char *text)
{
	(void)opaque;
	snprintf(records, sizeof(records), "%s", text);
}

static const char *
records_read(void)
{
	struct {
		void (*write)(void *, const char *);
		void *opaque;
	} sink = { records_receive, NULL };

	CHECK(put("experimental.prof_recent.alloc_dump", &sink, sizeof(sink)) ==
	    0);
	return records;
}

static void
recent_objects_are_known(void)
{
	keep(777);
	seen(strstr(records_read(), "\"size\":777,") != NULL);
}

static void *
have_a_name(void *argument)
{
	CHECK(pthread_setname_np(pthread_self(), "a-worker") == 0);
	keep(777);
	return argument;
}

static void
records_have_names_of_the_system(void)
{
	thread_run(have_a_name, NULL);
	CHECK(strstr(records_read(), "\"size\":777,") != NULL);
	seen(strstr(records, "a-worker") != NULL);
}

/* The monotonic clock counts from when the machine was started. */
static void
records_have_the_time_of_day(void)
{
	const char *at;

	keep(777);
	at = strstr(records_read(), "\"alloc_time\":");
	CHECK(at != NULL);
	seen(strtoull(at + 13, NULL, 10) / 1000000000 + 86400 >
	    (unsigned long long)time(NULL));
}

static void
samples_are_counted_by_size(void)
{
	uint64_t live[2] = { 0, 0 };
	size_t size = sizeof(live);

	keep(64);
	seen(control("prof.stats.bins.4.live", live, &size, NULL, 0) == 0 &&
	    live[0] >= 1);
}

/* ---- by signal ---- */

static void
signal_turns_the_profile_on(void)
{
	struct sigaction action;

	CHECK(!figure("prof.active"));
	CHECK(sigaction(SIGUSR2, NULL, &action) == 0);
	if (action.sa_handler == SIG_DFL)
		seen(false);
	CHECK(raise(SIGUSR2) == 0);
	for (unsigned i = 0;
	     i < 1000 * STRESS_PATIENCE && !figure("prof.active"); i++)
		sleep_ms(10);
	seen(figure("prof.active"));
}

static void
raise_and_await(const char *file, const char *said)
{
	CHECK(raise(SIGUSR2) == 0);
	for (unsigned i = 0; i < 1000 * STRESS_PATIENCE; i++) {
		if (file_exists(file) || has_said(said))
			return;
		sleep_ms(10);
	}
	stress_fail("neither %s nor '%s'", file, said);
}

/* Both write one; after it the profile may be off, and the next turns it on. */
static void
each_signal_writes_a_profile(void)
{
	CHECK(figure("prof.active"));
	raise_and_await(".m0.heap", "The heap profile is off");
	CHECK(file_exists(".m0.heap"));
	raise_and_await(".m1.heap", "The heap profile is on");
	seen(file_exists(".m1.heap"));
}

/* ---- estimates ---- */

static void
estimate_note(void *most, const struct profile_stack *stack)
{
	double objects = stack->objects * profile_factor(stack);

	if (*(double *)most < objects)
		*(double *)most = objects;
}

/*
 * Small and large objects from one place: a sample of a small one stands for
 * many, which their average does not know.
 */
static void
mixed_sizes_are_estimated(void)
{
	double most = 0;

	for (unsigned i = 0; i < 100000; i++)
		keep(i % 1000 == 0 ? 65536 : 64);
	profile_dump("now.heap");
	profile_read("now.heap", estimate_note, &most);
	CHECK(most > 0);
	seen(most > 50000 && most < 200000);
}

#define ON        "prof:true,lg_prof_sample:0"
#define FINAL     "prof:true,prof_final:true,lg_prof_sample:0"
#define RECORDS   ON ",prof_recent_alloc_max:100"
#define WITH_PROF .needs = "config.prof"

const struct effect effects_prof[] = {
	{ "prof", "true", "false", NULL, a_profile_can_be_had, WITH_PROF },
	{ "prof_active", "true", "false", ON, objects_are_sampled, WITH_PROF },
	{ "prof_thread_active_init", "true", "false", ON,
	    objects_of_a_thread_are_sampled, WITH_PROF },
	{ "prof_prefix", "other", "jeprof", FINAL, use_memory,
	    .writes = "other.", WITH_PROF },
	{ "lg_prof_sample", "0", "30", "prof:true", objects_are_sampled,
	    WITH_PROF },
	{ "lg_prof_interval", "20", "-1", ON, use_memory, .writes = ".i0.heap",
	    WITH_PROF },
	{ "prof_gdump", "true", "false", ON, use_memory, .writes = ".u0.heap",
	    WITH_PROF },
	{ "prof_dump_most", "-1", "3", ON ",prof_gdump:true",
	    the_first_profile_stays, WITH_PROF },
	{ "prof_final", "true", "false", ON, use_memory, .writes = ".f.heap",
	    WITH_PROF },
	{ "prof_leak", "true", "false", FINAL, use_memory,
	    .says = "Leak approximation summary", WITH_PROF },
	{ "prof_leak_error", "true", "false", FINAL, use_memory, .status = 1,
	    WITH_PROF },
	{ "prof_accum", "true", "false", ON, freed_objects_are_counted,
	    WITH_PROF },
	{ "prof_bt_max", "128", "8", ON, stacks_are_deep, WITH_PROF },
	{ "prof_pid_namespace", "true", "false", ON, name_has_the_namespace,
	    WITH_PROF },
	{ "prof_recent_alloc_max", "100", "0", ON, recent_objects_are_known,
	    WITH_PROF },
	{ "prof_stats", "true", "false", ON, samples_are_counted_by_size,
	    WITH_PROF },
	{ "prof_holes", "true", "false", FINAL, use_memory,
	    .writes = ".h0.heap", WITH_PROF },
	{ "prof_sys_thread_name", "true", "false", RECORDS,
	    records_have_names_of_the_system, WITH_PROF },
	{ "prof_time_resolution", "high", "default", RECORDS,
	    records_have_the_time_of_day, WITH_PROF },
	{ "prof_format", "pprof", "text", FINAL, use_memory, .writes = ".pb",
	    WITH_PROF },
	{ "prof_log", "true", "false", ON, use_memory, .writes = ".json",
	    WITH_PROF },
	{ "prof_signal", "USR2", "HUP", NULL, signal_turns_the_profile_on,
	    WITH_PROF },
	{ "prof_signal_action", "dump", "toggle", ON ",prof_signal:USR2",
	    each_signal_writes_a_profile, WITH_PROF },
	{ "prof_unbias", "true", "false", "prof:true,lg_prof_sample:12",
	    mixed_sizes_are_estimated, WITH_PROF },
	{ .key = NULL },
};
