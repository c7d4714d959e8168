/*
 * profile-hooks: functions of the program hear of samples, of dumps and of
 * bytes; they may allocate and free as they like.
 *
 * Starts itself with every object a sample, without a profile, and with the
 * default period.
 */
#include "stress.h"

typedef void backtrace_hook(void **vec, unsigned *length, unsigned max);
typedef void dump_hook(const char *path);
typedef void sample_hook(const void *object, size_t requested, void **stack,
    unsigned depth, size_t usable);
typedef void free_hook(const void *object, size_t usable);
typedef void event_function(bool taking, uint64_t taken, uint64_t given);

struct event {
	event_function *function;
	uint64_t interval;
	bool taking_only;
};

static mallctl_function *ctl;
static char path[64];

#define HOOK(name) "experimental.hooks." name
#define MARK       ((void *)(uintptr_t)0x123456789)

static int
set_hook(const char *name, void *hook)
{
	return ctl(name, NULL, NULL, &hook, sizeof(hook));
}

static void *
get_hook(const char *name)
{
	void *hook = MARK;
	size_t length = sizeof(hook);

	if (ctl(name, &hook, &length, NULL, 0) != 0)
		stress_fail("%s can't be read", name);
	return hook;
}

/* --- what the hooks see --------------------------------------------------- */

/* Volatile, because compilers know that malloc calls nothing of the program. */

static volatile struct {
	const void *object;
	size_t requested;
	size_t usable;
	unsigned depth;
	bool marked;
	unsigned count;
	void *to_free; /* a sample, of before */
} taken;

static volatile struct {
	const void *object;
	size_t usable;
	unsigned count;
	char last;
} given;

static struct {
	char path[64];
	volatile unsigned count;
} dumped;

static _Atomic unsigned walks;
static backtrace_hook *built_in;

/* A stack of its own making, behind what the library finds. */
static void
walk(void **vec, unsigned *length, unsigned max)
{
	free(malloc(100));
	built_in(vec, length, max - 1);
	vec[(*length)++] = MARK;
	walks++;
	errno = EDOM;
}

static void
see_sample(const void *object, size_t requested, void **stack, unsigned depth,
    size_t usable)
{
	taken.object = object;
	taken.requested = requested;
	taken.usable = usable;
	taken.depth = depth;
	taken.marked = depth > 0 && stack[depth - 1] == MARK;
	taken.count++;
	for (unsigned size = 1; size < 100000; size *= 3)
		free(malloc(size));
	free(taken.to_free);
	taken.to_free = NULL;
	/* The stack is still the same. */
	taken.marked &= depth > 0 && stack[depth - 1] == MARK;
	errno = EDOM;
}

static void
see_free(const void *object, size_t usable)
{
	given.object = object;
	given.usable = usable;
	given.last = *(const char *)object;
	given.count++;
	free(malloc(1000));
	errno = EDOM;
}

static void
see_dump(const char *name)
{
	snprintf(dumped.path, sizeof(dumped.path), "%s", name);
	dumped.count++;
	free(malloc(1000));
}

/* --- every object is a sample --------------------------------------------- */

static void
access_follows_the_rules(void)
{
	static const char *const names[] = { HOOK("prof_backtrace"),
		HOOK("prof_dump"), HOOK("prof_sample"),
		HOOK("prof_sample_free") };
	void *hook = (void *)(uintptr_t)walk;

	for (unsigned i = 0; i < 4; i++) {
		CHECK(ctl(names[i], NULL, NULL, NULL, 0) == EINVAL);
		CHECK(ctl(names[i], NULL, NULL, &hook, 4) == EINVAL);
		CHECK((get_hook(names[i]) != NULL) == (i == 0));
	}
	CHECK(set_hook(names[0], NULL) == EINVAL);
	CHECK(set_hook(names[1], NULL) == 0);
	CHECK(set_hook(HOOK("install"), NULL) == ENOENT);
	CHECK(set_hook(HOOK("remove"), NULL) == ENOENT);
}

static bool
file_contains(const char *text)
{
	static char line[1 << 16];
	FILE *file = fopen(path, "r");
	bool found = false;

	if (file == NULL)
		stress_fail("there is no %s", path);
	while (!found && fgets(line, sizeof(line), file) != NULL)
		found = strstr(line, text) != NULL;
	fclose(file);
	return found;
}

static int
dump_to(const char *name)
{
	return ctl("prof.dump", NULL, NULL, &name, sizeof(name));
}

static void
stacks_come_from_the_hook(void)
{
	void *kept;

	built_in = (backtrace_hook *)(uintptr_t)
	    get_hook(HOOK("prof_backtrace"));
	CHECK(set_hook(HOOK("prof_backtrace"), (void *)(uintptr_t)walk) == 0);
	CHECK(get_hook(HOOK("prof_backtrace")) == (void *)(uintptr_t)walk);
	errno = 0;
	kept = malloc(777);
	CHECK(errno == 0);
	CHECK(walks >= 1);
	CHECK(dump_to(path) == 0);
	CHECK(file_contains(" 0x123456789"));
	free(kept);
}

static void
samples_are_told(void)
{
	char *object;
	unsigned count;

	taken.to_free = malloc(300);
	CHECK(set_hook(HOOK("prof_sample"), (void *)(uintptr_t)see_sample) ==
	    0);
	CHECK(set_hook(HOOK("prof_sample_free"), (void *)(uintptr_t)see_free) ==
	    0);
	count = taken.count;
	errno = 0;
	object = malloc(100);
	CHECK(errno == 0);
	CHECK(taken.count == count + 1 && given.count == 0);
	CHECK(taken.object == object && taken.requested == 100 &&
	    taken.usable == 112 && taken.depth > 2 && taken.marked);
	*object = 'x';
	free(object);
	CHECK(errno == 0);
	CHECK(given.count == 1 && given.object == object &&
	    given.usable == 112 && given.last == 'x');
	/* Another size is another sample. */
	object = malloc(20000);
	object = realloc(object, 60000);
	CHECK(taken.count == count + 3 && taken.object == object &&
	    taken.requested == 60000 &&
	    taken.usable == malloc_usable_size(object));
	CHECK(given.count == 2 && given.usable == 20480);
	free(object);
	CHECK(given.count == 3);
	CHECK(set_hook(HOOK("prof_sample"), NULL) == 0);
	CHECK(set_hook(HOOK("prof_sample_free"), NULL) == 0);
	free(malloc(100));
	CHECK(taken.count == count + 3 && given.count == 3);
}

static void
dumps_are_told(void)
{
	CHECK(set_hook(HOOK("prof_dump"), (void *)(uintptr_t)see_dump) == 0);
	CHECK(dump_to(path) == 0);
	CHECK(dumped.count == 1 && strcmp(dumped.path, path) == 0);
	CHECK(dump_to("/nowhere/at/all") == EFAULT);
	CHECK(dumped.count == 2 && strcmp(dumped.path, "/nowhere/at/all") == 0);
	CHECK(set_hook(HOOK("prof_dump"), NULL) == 0);
}

static void *
allocate_a_lot(void *argument)
{
	for (unsigned i = 0; i < 20000; i++) {
		void *object = malloc(8 + i % 3000);

		free(realloc(object, 8 + i % 7000));
	}
	return argument;
}

static void
hooks_come_and_go_while_threads_allocate(void)
{
	pthread_t thread[3];

	for (unsigned i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, allocate_a_lot, NULL);
	for (unsigned i = 0; i < 200; i++) {
		void *sample = i % 2 ? NULL : (void *)(uintptr_t)see_sample;
		void *end = i % 3 ? NULL : (void *)(uintptr_t)see_free;

		set_hook(HOOK("prof_sample"), sample);
		set_hook(HOOK("prof_sample_free"), end);
		usleep(200);
	}
	set_hook(HOOK("prof_sample"), NULL);
	set_hook(HOOK("prof_sample_free"), NULL);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
}

static void
every_object(void)
{
	access_follows_the_rules();
	stacks_come_from_the_hook();
	samples_are_told();
	dumps_are_told();
	hooks_come_and_go_while_threads_allocate();
	unlink(path);
}

/* --- dumps that come by themselves ---------------------------------------- */

static void
count_dump(const char *name)
{
	dumped.count++;
	if (strncmp(name, path, strlen(path)) != 0 || unlink(name) != 0)
		stress_fail("there is no dump %s", name);
}

static void
dumps_by_themselves(void)
{
	const char *prefix = path;

	CHECK(ctl("prof.prefix", NULL, NULL, &prefix, sizeof(prefix)) == 0);
	CHECK(set_hook(HOOK("prof_dump"), (void *)(uintptr_t)count_dump) == 0);
	for (unsigned i = 0; i < 40000; i++)
		free(malloc(1000));
	/* 41 MB are 39 times 2^20; samples are 2^12 apart. */
	printf("%u dumps\n", dumped.count);
	fflush(stdout);
	CHECK(dumped.count >= 30 && dumped.count <= 45);
	CHECK(ctl("prof.dump", NULL, NULL, NULL, 0) == 0);
}

static struct {
	atomic_uint now, most, count;
} peaks;

static void
be_slow(const char *name)
{
	unsigned now;

	unlink(name);
	/* Others are dumps because of the interval. */
	if (strstr(name + strlen(path), ".u") == NULL)
		return;
	now = atomic_fetch_add(&peaks.now, 1) + 1;
	if (now > atomic_load(&peaks.most))
		atomic_store(&peaks.most, now);
	atomic_fetch_add(&peaks.count, 1);
	usleep(5000);
	atomic_fetch_sub(&peaks.now, 1);
}

static void *
grow(void *argument)
{
	void *blocks[200];

	for (unsigned i = 0; i < 200; i++)
		blocks[i] = needed(malloc(100000));
	for (unsigned i = 0; i < 200; i++)
		free(blocks[i]);
	return argument;
}

/* Each waits for the disk. Threads that wait must not make it worse. */
static void
one_thread_at_a_time_dumps_a_peak(void)
{
	const char *prefix = path;
	bool on = true;

	CHECK(ctl("prof.prefix", NULL, NULL, &prefix, sizeof(prefix)) == 0);
	CHECK(set_hook(HOOK("prof_dump"), (void *)(uintptr_t)be_slow) == 0);
	CHECK(ctl("prof.gdump", NULL, NULL, &on, sizeof(on)) == 0);
	threads_run(8, grow);
	printf("%u dumps of peaks\n", atomic_load(&peaks.count));
	fflush(stdout);
	CHECK(peaks.count > 0 && peaks.most == 1);
	on = false;
	CHECK(ctl("prof.gdump", NULL, NULL, &on, sizeof(on)) == 0);
}

/* --- without a profile ---------------------------------------------------- */

static void
no_profile(void)
{
	CHECK(get_hook(HOOK("prof_backtrace")) != NULL);
	CHECK(set_hook(HOOK("prof_backtrace"), (void *)(uintptr_t)walk) ==
	    ENOENT);
	CHECK(set_hook(HOOK("prof_sample"), (void *)(uintptr_t)see_sample) ==
	    ENOENT);
	CHECK(set_hook(HOOK("prof_dump"), NULL) == ENOENT);
	CHECK(get_hook(HOOK("prof_sample")) == NULL);
}

/* --- bytes of a thread ---------------------------------------------------- */

enum { INTERVAL = 1 << 20, TOTAL = 40 };

static volatile struct {
	unsigned taking, giving;
	uint64_t taken, given;
	bool fell, inside;
} events, only;

static void
see_bytes(bool taking, uint64_t bytes_taken, uint64_t bytes_given)
{
	events.taking += taking;
	events.giving += !taking;
	events.fell |= bytes_taken < events.taken || bytes_given < events.given;
	events.taken = bytes_taken;
	events.given = bytes_given;
	CHECK(!events.inside);
	events.inside = true;
	free(malloc(events.taking == 1 ? 3 * INTERVAL : 1000));
	events.inside = false;
}

static void
see_taken_bytes(bool taking, uint64_t bytes_taken, uint64_t bytes_given)
{
	(void)bytes_taken;
	(void)bytes_given;
	only.taking += taking;
	only.giving += !taking;
}

static void
see_nothing(bool taking, uint64_t bytes_taken, uint64_t bytes_given)
{
	(void)taking;
	(void)bytes_taken;
	(void)bytes_given;
}

static int
add_event(event_function *function, uint64_t interval, bool taking_only)
{
	struct event event;

	memset(&event, 0, sizeof(event));
	event = (struct event){ function, interval, taking_only };
	return ctl(HOOK("thread_event"), NULL, NULL, &event, sizeof(event));
}

static void *
use_bytes(void *argument)
{
	/* TOTAL times INTERVAL. */
	static void *object[TOTAL * INTERVAL / 1024];
	size_t count = sizeof(object) / sizeof(object[0]);

	for (size_t i = 0; i < count; i++)
		object[i] = malloc(1024);
	for (size_t i = 0; i < count; i++)
		free(object[i]);
	/* What the thread's cache gave it counts as well. */
	for (size_t i = 0; i < count; i++)
		free(malloc(1024));
	return argument;
}

static void
bytes(void)
{
	pthread_t thread;

	CHECK(ctl(HOOK("thread_event"), NULL, NULL, NULL, 0) == EINVAL);
	CHECK(add_event(NULL, INTERVAL, false) == EINVAL);
	CHECK(add_event(see_bytes, 0, false) == EINVAL);
	CHECK(add_event(see_bytes, INTERVAL, false) == 0);
	CHECK(add_event(see_bytes, INTERVAL, false) == 0);
	CHECK(add_event(see_taken_bytes, INTERVAL, true) == 0);
	CHECK(add_event(see_nothing, 1, true) == 0);
	CHECK(add_event(see_nothing, UINT64_MAX, false) == 0);
	CHECK(add_event(see_nothing, 2, true) == EINVAL);
	CHECK(add_event(see_bytes, INTERVAL, false) == 0);
	pthread_create(&thread, NULL, use_bytes, NULL);
	pthread_join(thread, NULL);
	printf("%u and %u events\n", events.taking, events.giving);
	fflush(stdout);
	/* Each comes a little late; its own bytes count too. */
	CHECK(events.taking >= TOTAL / 2 && events.taking <= 2 * TOTAL + 1);
	CHECK(events.giving >= TOTAL / 2 && events.giving <= 2 * TOTAL + 1);
	CHECK(only.taking >= TOTAL && only.giving == 0);
	CHECK(!events.fell);
}

/* --- the program ---------------------------------------------------------- */

static void
start(char **argv, const char *what, const char *conf)
{
	stress_start_again(argv, "HOOKS_WHAT", what, conf);
}

/* --- another period ------------------------------------------------------- */

/* What the thread counts down to is drawn anew, in both directions. */
static void
a_new_period_holds_at_once(void)
{
	static void *blocks[20000];
	size_t lg_period = 0, lg_never = 63;
	unsigned count;

	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 20000; i++)
			blocks[i] = needed(malloc(16));
		for (unsigned i = 0; i < 20000; i++)
			free(blocks[i]);
	}
	CHECK(set_hook(HOOK("prof_sample"), (void *)(uintptr_t)see_sample) ==
	    0);
	for (unsigned round = 0; round < 5; round++) {
		CHECK(ctl("prof.reset", NULL, NULL, &lg_period,
			  sizeof(lg_period)) == 0);
		count = taken.count;
		blocks[0] = needed(malloc(16));
		CHECK(taken.count == count + 1 && taken.object == blocks[0]);
		free(blocks[0]);
		CHECK(ctl("prof.reset", NULL, NULL, &lg_never,
			  sizeof(lg_never)) == 0);
		count = taken.count;
		for (unsigned i = 0; i < 1000; i++)
			free(needed(malloc(16)));
		CHECK(taken.count == count);
	}
}

int
main(int argc, char **argv)
{
	const char *what = getenv("HOOKS_WHAT");

	stress_start(argc, argv, 120);
	if (!symbol_find("mallctl", &ctl))
		stress_skip_other("mallctl");
	snprintf(path, sizeof(path), "/tmp/profile-hooks.%d", (int)getpid());
	if (what == NULL) {
		start(argv, "bytes", "");
		start(argv, "bytes", "tcache:false");
		if (!built_with("prof"))
			return 0;
		start(argv, "every", "prof:true,lg_prof_sample:0");
		start(argv, "every",
		    "prof:true,lg_prof_sample:0,tcache:false,"
		    "prof_recent_alloc_max:50,prof_stats:true,prof_accum:true");
		start(argv, "interval",
		    "prof:true,lg_prof_sample:12,"
		    "lg_prof_interval:20");
		start(argv, "reset", "prof:true,prof_prefix:");
		start(argv, "none", "");
	} else if (strcmp(what, "bytes") == 0) {
		bytes();
	} else if (strcmp(what, "every") == 0) {
		every_object();
	} else if (strcmp(what, "reset") == 0) {
		a_new_period_holds_at_once();
	} else if (strcmp(what, "interval") == 0) {
		dumps_by_themselves();
		one_thread_at_a_time_dumps_a_peak();
	} else {
		no_profile();
	}
	return 0;
}
