/*
 * start-settings: what the library makes of its options on this machine, with
 * its number of CPUs and its kernel; and what it says about it.
 */
#include "stress.h"

#include <sched.h>

static uint64_t
get(const char *name)
{
	uint64_t value = 0;
	size_t length;

	for (size_t size = 8; size >= 1; size /= 2) {
		length = size;
		value = 0;
		if (control(name, &value, &length, NULL, 0) == 0)
			return value;
	}
	stress_fail("%s can't be read", name);
}

static const char *
text(const char *name)
{
	return (const char *)(uintptr_t)get(name);
}

/* CPUs that this process may run on. */
static uint64_t
cpus(void)
{
	cpu_set_t set;

	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
	return (uint64_t)CPU_COUNT(&set);
}

static void
arenas_are(uint64_t count, bool oversize)
{
	if (get("opt.narenas") != count)
		stress_fail("%u arenas, not %u", (unsigned)get("opt.narenas"),
		    (unsigned)count);
	CHECK(get("arenas.narenas") == count + oversize);
}

/* ---- what is seen with each ---- */

static void
three(void)
{
	arenas_are(3, true);
}

static void
one(void)
{
	arenas_are(1, false);
}

static void
two(void)
{
	arenas_are(2, false);
}

static void
most(void)
{
	arenas_are(4094, true);
}

static void
four_for_a_cpu(void)
{
	uint64_t count = get("opt.narenas");

	CHECK(count == 1 || count % 4 == 0);
	CHECK(count <= 4 * cpus());
}

/* Half of them more than there are CPUs, rounded; one CPU has one arena. */
static void
one_and_a_half_for_a_cpu(void)
{
	uint64_t count = get("opt.narenas");

	CHECK(count == 1 || (count * 2 + 1) / 3 * 3 / 2 + 1 >= count);
	CHECK(count <= (cpus() * 3 + 1) / 2);
	CHECK(cpus() != 2 || count == 3 || count == 1);
}

static void
one_for_each_cpu(void)
{
	arenas_are(cpus(), false);
	CHECK(strcmp(text("opt.percpu_arena"), "percpu") == 0);
}

static void
one_for_two_cpus(void)
{
	uint64_t count = cpus();

	arenas_are(count == 1 ? 1 : (count + 1) / 2, false);
	CHECK(strcmp(text("opt.percpu_arena"), "phycpu") == 0);
}

/* More than that may be wished for. */
static void
five_and_by_cpu(void)
{
	arenas_are(cpus() > 5 ? cpus() : 5, false);
}

/* What the kernel makes huge by itself; NULL: it knows no huge pages. */
static const char *
huge_pages(void)
{
	static char line[128];
	char *begin, *end;
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");

	if (file == NULL)
		return NULL;
	begin = fgets(line, sizeof(line), file);
	fclose(file);
	begin = begin == NULL ? NULL : strchr(line, '[');
	end = begin == NULL ? NULL : strchr(begin, ']');
	if (end == NULL)
		return NULL;
	*end = '\0';
	return begin + 1;
}

static void
style_of_the_kernel(void)
{
	const char *mode = huge_pages();

	CHECK(strcmp(text("opt.hpa_hugify_style"),
		  mode == NULL                       ? "auto"
		      : strcmp(mode, "madvise") == 0 ? "lazy"
						     : "none") == 0);
	CHECK(strcmp(text("opt.thp"),
		  mode == NULL ? "not supported" : "default") == 0);
}

static void
style_as_it_was_set(void)
{
	CHECK(strcmp(text("opt.hpa_hugify_style"), "eager") == 0);
}

static void
advice_as_it_was_set(void)
{
	CHECK(strcmp(text("opt.thp"),
		  huge_pages() == NULL ? "not supported" : "always") == 0);
}

/* The first need for one comes after a fork, in the parent. */
static void
a_thread_of_its_own(void)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0)
		_exit(0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	for (unsigned i = 0; i < 500 * STRESS_PATIENCE; i++) {
		free(hidden(needed(malloc(3 * MIB))));
		CHECK(control("epoch", NULL, NULL, &(uint64_t){ 1 }, 8) == 0);
		if (get("stats.background_thread.num_threads") > 0)
			return;
		usleep(10000);
	}
	stress_fail("no background thread has come after a fork");
}

#define NO_OVERSIZE ",oversize_threshold:0"

static const struct way {
	const char *conf;
	void (*see)(void);
	const char *says; /* to standard error; NULL: nothing */
} ways[] = {
	{ "narenas:3", three, NULL },
	{ "narenas:1" NO_OVERSIZE, one, NULL },
	{ "narenas:2" NO_OVERSIZE, two, NULL },
	{ "narenas:4094", most, NULL },
	{ "narenas:4095", most, "Reducing narenas to limit (4094)" },
	{ "", four_for_a_cpu, NULL },
	{ "narenas_ratio:0.001" NO_OVERSIZE, one, NULL },
	{ "narenas_ratio:1.5", one_and_a_half_for_a_cpu, NULL },
	{ "percpu_arena:percpu,narenas:1" NO_OVERSIZE, one_for_each_cpu, NULL },
	{ "percpu_arena:percpu,narenas:5" NO_OVERSIZE, five_and_by_cpu, NULL },
	{ "percpu_arena:phycpu,narenas:1" NO_OVERSIZE, one_for_two_cpus, "" },
	{ "hpa:true,hpa_hugify_style:auto", style_of_the_kernel, NULL },
	{ "hpa:true,hpa_hugify_style:eager", style_as_it_was_set, NULL },
	{ "background_thread:true", a_thread_of_its_own, NULL },
	{ "thp:always", advice_as_it_was_set, "" },
};

/* Starts this program again; "" as `says`: whatever it is. */
static void
start(void *argument)
{
	const struct way *way = argument;
	char number[16];
	char *const again[] = { "start-settings", NULL };

	snprintf(number, sizeof(number), "%u", (unsigned)(way - ways));
	setenv("START_SETTINGS", number, 1);
	stress_conf(way->conf);
	execv("/proc/self/exe", again);
	_exit(1);
}

int
main(int argc, char **argv)
{
	static struct child child;

	stress_start(argc, argv, 60);
	if (getenv("START_SETTINGS") != NULL) {
		ways[atoi(getenv("START_SETTINGS"))].see();
		return 0;
	}
	if (!built_with("stats"))
		stress_skip("built without statistics");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		const struct way *way = &ways[i];

		child_run(&child, start, (void *)(uintptr_t)way, 20);
		if (child.status != 0)
			stress_fail("%s: status %d: %s", way->conf,
			    child.status, child.text);
		if (way->says == NULL ? child.length != 0
				      : strstr(child.text, way->says) == NULL)
			stress_fail("%s says: %s", way->conf, child.text);
	}
	return 0;
}
