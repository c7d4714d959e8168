/*
 * by-bytes: what is promised after a number of bytes comes in time.
 *
 * Provokes: objects that a cache serves by itself for long, after the thread
 * has made many quick calls. An event for each 64 KiB, the peak of a thread,
 * and reports by opt.stats_interval: these in a process of their own.
 * Must hold: one call of the function for each two intervals at least, also of
 * frees past the cache; the peak is right but for some 100 KiB; a report for
 * about each interval, and with the interval 0 one for each call that
 * allocates.
 */
#include "stress.h"

enum { INTERVAL = 64 << 10, REPORT = 1000000, PEAK_OFF = 100 << 10 };

/* The headers say that malloc() calls no function of this file. */
static volatile unsigned nevents, nfreed;

static void
note(bool taking, uint64_t taken, uint64_t given)
{
	(void)given;
	(void)taken;
	nevents = nevents + taking;
}

static void
note_freed(bool taking, uint64_t taken, uint64_t given)
{
	(void)given;
	(void)taken;
	nfreed = nfreed + !taking;
}

static void
pairs(size_t size, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char *block = needed(malloc(size));

		block[0] = 1;
		free(block);
	}
}

static bool
register_events(void (*call)(bool, uint64_t, uint64_t), bool taken_only)
{
	struct {
		void (*call)(bool, uint64_t, uint64_t);
		uint64_t interval;
		bool taken_only;
	} registered = { call, INTERVAL, taken_only };

	return control("experimental.hooks.thread_event", NULL, NULL,
		   &registered, sizeof(registered)) == 0;
}

static void
events_come_in_time(void)
{
	static const size_t sizes[] = { 1000, 10000, 30000 };

	if (!register_events(note, true))
		return;
	for (unsigned i = 0; i < 3; i++) {
		size_t bytes = 4 << 20;

		nevents = 0;
		pairs(sizes[i], (unsigned)(bytes / sizes[i]));
		if (nevents < bytes / INTERVAL / 2)
			stress_fail("%u events, size %zu", nevents, sizes[i]);
	}
}

/* A cache takes up to 128 objects before it looks; past it each call looks. */
static void
events_of_frees_come_in_time(void)
{
	enum { SIZE = 30000, N = 300, PAST_CACHES = 1 << 8 };
	static char *blocks[N];
	void (*dallocx)(void *, int), (*sdallocx)(void *, size_t, int);

	if (!symbol_find("dallocx", &dallocx) ||
	    !symbol_find("sdallocx", &sdallocx) ||
	    !register_events(note_freed, false))
		return;
	for (unsigned way = 0; way < 4; way++) {
		for (unsigned i = 0; i < N; i++)
			blocks[i] = needed(malloc(SIZE));
		nfreed = 0;
		for (unsigned i = 0; i < N; i++)
			if (way == 0)
				free(blocks[i]);
			else if (way == 1)
				dallocx(blocks[i], 0);
			else if (way == 2)
				dallocx(blocks[i], PAST_CACHES);
			else
				sdallocx(blocks[i], SIZE, PAST_CACHES);
		if (nfreed < (way < 2 ? N / 128 : SIZE * N / INTERVAL / 2))
			stress_fail("%u events, way %u", nfreed, way);
	}
}

/*
 * Objects of a cache rise to a peak, and fall, again and again, so that in most
 * rounds the cache has all of them.
 */
static void
peaks_are_seen(void)
{
	enum { SIZE = 10240, N = 24 };
	char *blocks[N];
	uint64_t peak = 0;
	size_t length = sizeof(peak);

	for (unsigned round = 0; round < 100; round++) {
		if (control("thread.peak.reset", NULL, NULL, NULL, 0) != 0)
			return;
		for (unsigned i = 0; i < N; i++)
			blocks[i] = needed(malloc(SIZE));
		for (unsigned i = 0; i < N; i++)
			free(blocks[i]);
		CHECK(control("thread.peak.read", &peak, &length, NULL, 0) ==
		    0);
		if (peak + PEAK_OFF < (size_t)SIZE * N)
			stress_fail("round %u: peak %ju of %u", round,
			    (uintmax_t)peak, SIZE * N);
	}
}

/* The reports of this program with another number as its argument. */
static unsigned
reports(const char *conf, const char *calls)
{
	char text[4096];
	unsigned n = 0;
	FILE *out;

	snprintf(text, sizeof(text),
	    "MALLOC_CONF=abort_conf:true,stats_interval:%s,"
	    "stats_interval_opts:gmdablxeh "
	    "/proc/%d/exe calls %s 2>&1",
	    conf, (int)getpid(), calls);
	out = popen(text, "r");
	CHECK(out != NULL);
	while (fgets(text, sizeof(text), out) != NULL)
		n += strstr(text, "Begin") != NULL;
	CHECK(pclose(out) == 0);
	return n;
}

static void
reports_come_in_time(void)
{
	unsigned n = reports("1000000", "1000");

	if (n < 90 || n > 130)
		stress_fail("%u reports, not about 110", n);
	n = reports("0", "10");
	if (n < 10)
		stress_fail("%u reports, not one for each call", n);
}

int
main(int argc, char **argv)
{
	int64_t interval;
	size_t length = sizeof(interval);

	if (argc == 3 && strcmp(argv[1], "calls") == 0) {
		pairs(100000, (unsigned)atoi(argv[2]));
		return 0;
	}
	stress_start(argc, argv, 120);
	if (control("opt.stats_interval", &interval, &length, NULL, 0) == 0)
		reports_come_in_time();
	events_come_in_time();
	events_of_frees_come_in_time();
	peaks_are_seen();
	return 0;
}
