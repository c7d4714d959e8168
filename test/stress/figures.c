/*
 * figures: what the statistics say while threads allocate fits together.
 *
 * Provokes: threads fill slabs and empty them, and take and give large objects,
 * so that pages come and go all the time; other threads read all figures by
 * mallctl and in reports.
 * Must hold in each answer, for each arena and in sum: the bytes in objects are
 * at most those of the pages that hold objects, and these at most what is
 * resident, and that at most what is mapped; no part of the memory of the
 * process is negative, and the parts add up. So do those of mallinfo2().
 *
 * Each reader reads 300 times, `scale` times as often with a scale.
 */
#include "stress.h"

enum {
	WORKERS = 4,
	READERS = 4,
	READS = 300,
	OBJECTS = 600,
	REPORT_MAX = 1 << 20
};

static struct {
	_Atomic bool stop;
	_Atomic unsigned long worked;
	unsigned reads;
	mallctl_function *ctl;
	void (*print)(void (*write)(void *, const char *), void *opaque,
	    const char *letters);
	_Atomic unsigned long judged;
} race;

/* --- what changes the figures --------------------------------------------- */

/* Afterwards the slabs of these objects are empty: their pages go back. */
static void
fill_and_empty(size_t size)
{
	void *kept[OBJECTS];

	for (unsigned i = 0; i < OBJECTS; i++)
		kept[i] = needed(malloc(size));
	for (unsigned i = 0; i < OBJECTS; i++)
		free(kept[i]);
}

static void *
work(void *argument)
{
	struct prng prng = { (uintptr_t)argument + 1 };

	for (; !race.stop; race.worked++) {
		void *large = needed(malloc(MIB + prng_below(&prng, MIB)));

		fill_and_empty(1 + prng_below(&prng, 4000));
		free(large);
		for (unsigned i = 0; i < 20; i++)
			free(needed(malloc(64 * KIB << i % 6)));
	}
	return NULL;
}

/* --- by mallctl ----------------------------------------------------------- */

static size_t
number(const char *name)
{
	size_t value = 0, length = sizeof(value);

	CHECK(race.ctl(name, &value, &length, NULL, 0) == 0);
	return value;
}

static uint64_t
epoch(bool next)
{
	uint64_t now = 1;
	size_t length = sizeof(now);

	CHECK(race.ctl("epoch", &now, &length, next ? &now : NULL,
		  next ? sizeof(now) : 0) == 0);
	return now;
}

/* All that the judgement needs, of one snapshot. */
struct totals {
	size_t allocated, active, resident, mapped, small, large, pactive;
};

static void
judge(const struct totals *t, const char *how)
{
	if (t->allocated > t->active || t->active > t->resident ||
	    t->resident > t->mapped)
		stress_fail("%s: allocated %zu, active %zu, resident %zu, "
			    "mapped %zu",
		    how, t->allocated, t->active, t->resident, t->mapped);
	if (t->small + t->large > t->pactive * (size_t)getpagesize())
		stress_fail("%s: in an arena %zu + %zu bytes in %zu pages", how,
		    t->small, t->large, t->pactive);
	race.judged++;
}

/* Another thread may make the next snapshot meanwhile: then nothing is said. */
static void
read_by_mallctl(unsigned arena)
{
	uint64_t before = epoch(true);
	struct totals t;
	char name[64];

	t.allocated = number("stats.allocated");
	t.active = number("stats.active");
	t.resident = number("stats.resident");
	t.mapped = number("stats.mapped");
	snprintf(name, sizeof(name), "stats.arenas.%u.small.allocated", arena);
	t.small = number(name);
	snprintf(name, sizeof(name), "stats.arenas.%u.large.allocated", arena);
	t.large = number(name);
	snprintf(name, sizeof(name), "stats.arenas.%u.pactive", arena);
	t.pactive = number(name);
	if (epoch(false) == before)
		judge(&t, "mallctl");
}

/* --- by reports ----------------------------------------------------------- */

struct report {
	size_t length;
	char text[REPORT_MAX];
};

static void
receive(void *opaque, const char *text)
{
	struct report *report = opaque;
	size_t length = strlen(text);

	CHECK(report->length + length < REPORT_MAX);
	memcpy(report->text + report->length, text, length + 1);
	report->length += length;
}

/* The number behind this key, the first one from `*at` on; moves `*at`. */
static long long
find(const char **at, const char *key)
{
	const char *found = strstr(*at, key);

	if (found == NULL)
		stress_fail("the report lacks %s", key);
	*at = found + strlen(key);
	return strtoll(*at, NULL, 10);
}

static void
judge_memory(const char *at)
{
	static const char *const parts[] = { "live", "caches", "holes",
		"rounding", "dirty", "muzzy", "metadata", "rest", "untouched",
		"process" };
	long long value[10], sum = 0;

	find(&at, "\"memory\":{");
	for (unsigned i = 0; i < 10; i++) {
		char key[32];

		snprintf(key, sizeof(key), "\"%s\":", parts[i]);
		value[i] = find(&at, key);
		if (value[i] < 0)
			stress_fail("%s is %lld", parts[i], value[i]);
		sum += i < 8 ? value[i] : -value[i];
	}
	CHECK(sum == 0);
}

/* The sums of a report come first, then each arena. */
static void
read_report(struct report *report)
{
	const char *at = report->text;
	struct totals t = { 0 };

	report->length = 0;
	race.print(receive, report, "Jblxeh");
	t.allocated = (size_t)find(&at, "\"stats\":{\"allocated\":");
	t.active = (size_t)find(&at, "\"active\":");
	t.resident = (size_t)find(&at, "\"resident\":");
	t.mapped = (size_t)find(&at, "\"mapped\":");
	judge(&t, "a report");
	while (strstr(at, "\"pactive\":") != NULL) {
		t.pactive = (size_t)find(&at, "\"pactive\":");
		t.small = (size_t)find(&at, "\"small\":{\"allocated\":");
		t.large = (size_t)find(&at, "\"large\":{\"allocated\":");
		judge(&t, "a report");
	}
	judge_memory(report->text);
}

/* --- glibc's -------------------------------------------------------------- */

/* The struct of glibc from 2.33 on, which older headers do not have. */
struct info {
	size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks,
	    uordblks, fordblks, keepcost;
};

static void
read_info(void)
{
	struct info (*read)(void);
	struct info info;

	if (!symbol_find("mallinfo2", &read))
		return;
	info = read();
	if (info.uordblks + info.fordblks != info.arena)
		stress_fail("mallinfo2: %zu + %zu of %zu bytes", info.uordblks,
		    info.fordblks, info.arena);
}

static void *
read_figures(void *argument)
{
	unsigned reader = (unsigned)(uintptr_t)argument;
	struct report *report = needed(malloc(sizeof(*report)));

	for (unsigned i = 0; i < race.reads; i++) {
		if (reader % 2 == 0)
			read_by_mallctl(i % 2);
		else
			read_report(report);
		read_info();
	}
	free(report);
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t worker[WORKERS], reader[READERS];
	unsigned scale = stress_start(argc, argv, 120);
	unsigned narenas = 0;
	size_t size = sizeof(narenas);

	if (!symbol_find("mallctl", &race.ctl) ||
	    !symbol_find("malloc_stats_print", &race.print))
		stress_skip_other("mallctl");
	if (!built_with("stats"))
		stress_skip("built without statistics");
	/* Without caches and ageing each object comes and goes by itself. */
	if (race.ctl("opt.narenas", &narenas, &size, NULL, 0) != 0 ||
	    narenas != 2) {
		stress_conf("narenas:2,tcache:false,dirty_decay_ms:0,"
			    "oversize_threshold:0");
		execv("/proc/self/exe", argv);
		stress_fail("can't start again");
	}
	race.reads = READS * scale;
	for (uintptr_t i = 0; i < WORKERS; i++)
		CHECK(pthread_create(&worker[i], NULL, work, (void *)i) == 0);
	while (race.worked < WORKERS)
		usleep(1000);
	for (uintptr_t i = 0; i < READERS; i++)
		CHECK(pthread_create(&reader[i], NULL, read_figures,
			  (void *)i) == 0);
	for (unsigned i = 0; i < READERS; i++)
		CHECK(pthread_join(reader[i], NULL) == 0);
	race.stop = true;
	for (unsigned i = 0; i < WORKERS; i++)
		CHECK(pthread_join(worker[i], NULL) == 0);
	printf("%lu answers, %lu rounds meanwhile\n", race.judged, race.worked);
	/* Reports alone are as many, each with two arenas at the least. */
	CHECK(race.judged > race.reads * READERS);
	return 0;
}
