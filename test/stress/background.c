/*
 * The library's own threads: they come when they are needed, give memory back,
 * sleep, go, and come again in the child of a fork; and a process in which
 * they can't be, or whose last thread ends, is none the worse.
 */
#include "stress.h"

#include <dirent.h>
#include <poll.h>

static void
put(const char *name, const void *value, size_t size)
{
	int error = control(name, NULL, NULL, (void *)(uintptr_t)value, size);

	if (error != 0)
		stress_fail("%s: error %d", name, error);
}

static bool
is_on(void)
{
	bool on;
	size_t size = sizeof(on);

	if (control("background_thread", &on, &size, NULL, 0) != 0)
		stress_fail("background_thread can't be read");
	return on;
}

static void
turn(bool on)
{
	put("background_thread", &on, sizeof(on));
	if (is_on() != on)
		stress_fail("background_thread stayed %d", !on);
}

/* Threads of the process by name; all switches of those. */
struct tasks {
	unsigned n;
	unsigned long switches;
};

static struct tasks
own_tasks(void)
{
	struct tasks tasks = { 0, 0 };
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char path[300], line[200];
		bool ours = false;
		FILE *status;

		snprintf(path, sizeof(path), "/proc/self/task/%s/status",
		    entry->d_name);
		status = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
		while (status != NULL &&
		    fgets(line, sizeof(line), status) != NULL) {
			unsigned long count;

			if (strcmp(line, "Name:\tjemalloc_bg_thd\n") == 0)
				ours = true;
			if (ours &&
			    sscanf(line, "voluntary_ctxt_switches: %lu",
				&count) == 1)
				tasks.switches += count;
		}
		if (status != NULL)
			fclose(status);
		tasks.n += ours;
	}
	if (dir != NULL)
		closedir(dir);
	return tasks;
}

static void
wait_ms(int ms)
{
	poll(NULL, 0, ms);
}

/* Some MiB that are used, freed, and then in nobody's hands. */
static void
use_memory(void)
{
	char *block[64];

	for (unsigned i = 0; i < 64; i++) {
		block[i] = malloc(300000);
		if (block[i] == NULL)
			stress_fail("no memory");
		memset(block[i], 1, 300000);
	}
	for (unsigned i = 0; i < 64; i++)
		free(block[i]);
}

static size_t
dirty_pages(void)
{
	uint64_t epoch = 1;
	size_t pages = 0, size = sizeof(pages);

	put("epoch", &epoch, sizeof(epoch));
	if (control("stats.arenas.4096.pdirty", &pages, &size, NULL, 0) != 0)
		stress_fail("no pdirty");
	return pages;
}

/* So many looks, 50 ms apart, that only a stuck thread is not done. */
enum { LOOKS = 400 * STRESS_PATIENCE };

static void
expect_clean(const char *when)
{
	for (unsigned i = 0; i < LOOKS; i++) {
		if (dirty_pages() == 0)
			return;
		wait_ms(50);
	}
	stress_fail("%s: %zu dirty pages stay", when, dirty_pages());
}

static void
memory_goes_back_by_itself(void)
{
	turn(true);
	/* They may be done before we look. */
	do
		use_memory();
	while (dirty_pages() == 0);
	expect_clean("turned on");
	if (own_tasks().n == 0)
		stress_fail("no thread of that name");
}

/* The figures are read with files: those calls must not allocate anew. */
static void
they_sleep_when_nothing_is_due(void)
{
	struct tasks before, after;

	for (unsigned i = 0; i < 40; i++) {
		before = own_tasks();
		wait_ms(3000);
		after = own_tasks();
		/* Reading allocates, which may wake them; once it must not. */
		if (after.switches - before.switches <= 8)
			return;
	}
	stress_fail("they wake up %lu times in 3 s of silence",
	    after.switches - before.switches);
}

/* Who has waited for a thread's end may still see it for a moment. */
static void
expect_none(const char *when)
{
	for (unsigned i = 0; own_tasks().n != 0; i++) {
		if (i == LOOKS)
			stress_fail("%s: %u threads", when, own_tasks().n);
		wait_ms(50);
	}
}

static void
they_go_when_they_are_turned_off(void)
{
	turn(false);
	expect_none("turned off");
	use_memory();
	if (dirty_pages() == 0)
		stress_fail("somebody else purged");
	turn(true);
	expect_clean("turned on again");
}

static _Atomic bool over;

static void *
keep_busy(void *arg)
{
	struct prng prng = { (uintptr_t)arg };
	void *block[100] = { NULL };

	while (!over)
		for (unsigned i = 0; i < 100; i++) {
			free(block[i]);
			block[i] = malloc(1 + prng_size(&prng, 100000));
			if (block[i] != NULL)
				*(char *)block[i] = 1;
		}
	for (unsigned i = 0; i < 100; i++)
		free(block[i]);
	return NULL;
}

static void
they_are_turned_on_and_off_under_load(unsigned rounds)
{
	pthread_t thread[4];
	size_t most;

	over = false;
	for (uintptr_t i = 0; i < 4; i++)
		if (pthread_create(&thread[i], NULL, keep_busy,
			(void *)(i + 1)) != 0)
			stress_fail("no thread");
	for (unsigned i = 0; i < rounds; i++) {
		turn(i % 2 == 0);
		most = 1 + i % 4;
		put("max_background_threads", &most, sizeof(most));
		wait_ms(i % 7);
	}
	over = true;
	for (unsigned i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

/* ---- a cache that was trimmed ---- */

enum { NOBJECTS = 60 };

static const size_t object_sizes[] = { 16, 48, 200, 1000, 4000, 20000 };

/* Each object is filled; another one at the same place would show. */
static void
fill_objects(char *object[6][NOBJECTS], uint64_t seed)
{
	for (unsigned i = 0; i < 6; i++)
		for (unsigned k = 0; k < NOBJECTS; k++) {
			object[i][k] = needed(malloc(object_sizes[i]));
			bytes_fill(object[i][k], object_sizes[i], seed);
		}
}

static void
free_objects(char *object[6][NOBJECTS], uint64_t seed)
{
	for (unsigned i = 0; i < 6; i++)
		for (unsigned k = 0; k < NOBJECTS; k++) {
			bytes_verify(object[i][k], object_sizes[i], seed);
			free(object[i][k]);
		}
}

static struct {
	_Atomic unsigned step;
	bool frees; /* the sleeper's first act */
} sleeper;

static void
await(unsigned step)
{
	while (sleeper.step < step)
		wait_ms(1);
}

static void *
sleep_with_a_cache(void *arg)
{
	char *object[6][NOBJECTS], *one[6];

	(void)arg;
	fill_objects(object, 1);
	for (unsigned i = 0; i < 6; i++)
		one[i] = needed(malloc(object_sizes[i]));
	free_objects(object, 1);
	sleeper.step = 1;
	await(2);
	for (unsigned i = 0; sleeper.frees && i < 6; i++)
		free(one[i]);
	fill_objects(object, 2);
	sleeper.step = 3;
	await(4);
	free_objects(object, 2);
	return NULL;
}

static size_t
cached_bytes(void)
{
	uint64_t epoch = 1;
	size_t bytes = 0, size = sizeof(bytes);

	put("epoch", &epoch, sizeof(epoch));
	control("stats.arenas.4096.tcache_bytes", &bytes, &size, NULL, 0);
	return bytes;
}

/* What was taken out of its cache stays out of it, whoever runs then. */
static void
a_trimmed_thread_wakes(bool off, bool frees)
{
	char *object[6][NOBJECTS];
	pthread_t thread;
	size_t before;

	turn(false);
	sleeper.step = 0;
	sleeper.frees = frees;
	CHECK(pthread_create(&thread, NULL, sleep_with_a_cache, NULL) == 0);
	await(1);
	before = cached_bytes();
	turn(true);
	for (unsigned i = 0; cached_bytes() > before - 1000000; i++) {
		if (i == LOOKS)
			stress_fail("its cache is not trimmed: "
				    "%zu bytes of %zu",
			    cached_bytes(), before);
		wait_ms(50);
	}
	turn(!off);
	fill_objects(object, 3);
	sleeper.step = 2;
	await(3);
	free_objects(object, 3);
	sleeper.step = 4;
	pthread_join(thread, NULL);
}

static int
child_body(void)
{
	if (is_on())
		stress_fail("a child has threads that nobody started");
	/* They come again by themselves, when it lives for a while. */
	for (unsigned i = 0; i < LOOKS && !is_on(); i++) {
		use_memory();
		wait_ms(50);
	}
	if (!is_on() || own_tasks().n == 0)
		stress_fail("they are not born again");
	use_memory();
	expect_clean("in the child");
	return 0;
}

static void *
use_memory_once(void *argument)
{
	use_memory();
	return argument;
}

/* All at once, and then nobody calls any more. */
static void
burst_and_sleep(bool in_thread)
{
	pthread_t thread;

	if (!in_thread)
		use_memory();
	else if (pthread_create(&thread, NULL, use_memory_once, NULL) != 0)
		_exit(1);
	else
		pthread_join(thread, NULL);
	poll(NULL, 0, -1);
}

static size_t
rss_of(pid_t pid)
{
	char path[64];
	unsigned long size, resident = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	file = fopen(path, "r");
	if (file == NULL || fscanf(file, "%lu %lu", &size, &resident) != 2)
		stress_fail("no figures of the child");
	fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/*
 * Where the kernel gives huge pages to all, the stack of a thread that is over
 * has one, and so have objects that stay.
 */
enum { STAYS = 8 * MIB };

/* A daemon: what it has used within its first second goes back by itself. */
static void
a_child_that_falls_silent_gives_back(bool in_thread)
{
	size_t before, now = 0;
	pid_t child;

	turn(true);
	use_memory();
	expect_clean("before the fork");
	child = fork();
	if (child == 0) {
		child_starts(60);
		burst_and_sleep(in_thread);
	}
	before = rss_of(child);
	/* It has come (19 MiB) and gone. */
	for (unsigned i = 0, peak = 0; i < LOOKS; i++) {
		now = rss_of(child);
		peak |= now > before + 15 * MIB;
		if (peak && now < before + STAYS)
			break;
		/* It may be over before we look. */
		if (i > 100 && now < before + STAYS)
			break;
		wait_ms(50);
	}
	if (now >= before + STAYS)
		stress_fail("%zu KiB stay with a child that sleeps%s",
		    (now - before) / KIB, in_thread ? " (thread)" : "");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void
they_are_born_again_in_a_child(void)
{
	int status;
	pid_t child;

	turn(true);
	use_memory();
	child = fork();
	if (child == 0) {
		child_starts(60);
		_exit(child_body());
	}
	if (waitpid(child, &status, 0) != child || status != 0)
		stress_fail("child: status %x", status);
	use_memory();
	expect_clean("in the parent");
}

/* One message, then all is as without them. */
static void
where_they_can_not_be_all_goes_on(void)
{
	struct rlimit none = { 0, 0 };
	bool on = true;
	int status;
	pid_t child = fork();

	if (child == 0) {
		/* Root's threads are not limited: become somebody else. */
		if (getuid() == 0 && setuid(65534) != 0)
			_exit(0);
		setrlimit(RLIMIT_NPROC, &none);
		if (control("background_thread", NULL, NULL, &on, sizeof(on)) !=
			EFAULT &&
		    own_tasks().n == 0)
			stress_fail("no error though there is no thread");
		use_memory();
		use_memory();
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status != 0)
		stress_fail("child: status %x", status);
}

static void *
leave_last(void *arg)
{
	(void)arg;
	wait_ms(100);
	use_memory();
	return NULL;
}

/* Its last thread ends by itself; ours must not keep the process. */
static void
a_process_ends_with_its_last_thread(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		pthread_t thread;

		child_starts(60);
		turn(true);
		use_memory();
		if (pthread_create(&thread, NULL, leave_last, NULL) != 0)
			_exit(1);
		pthread_exit(NULL);
	}
	for (unsigned i = 0; i < LOOKS; i++) {
		if (waitpid(child, &status, WNOHANG) == child) {
			if (status != 0)
				stress_fail("child: status %x", status);
			return;
		}
		wait_ms(50);
	}
	stress_fail("a process whose threads have ended lives on");
}

int
main(int argc, char **argv)
{
	unsigned scale = stress_start(argc, argv, 240);

	if (control("background_thread", NULL, NULL, NULL, 0) != 0)
		stress_skip_other("background_thread");
	CHECK(stress_set_decay(200) == 0);
	memory_goes_back_by_itself();
	they_go_when_they_are_turned_off();
	for (unsigned i = 0; i < 4; i++)
		a_trimmed_thread_wakes(i / 2, i % 2);
	they_are_turned_on_and_off_under_load(60 * scale);
	they_are_born_again_in_a_child();
	a_child_that_falls_silent_gives_back(false);
	a_child_that_falls_silent_gives_back(true);
	a_process_ends_with_its_last_thread();
	turn(false);
	where_they_can_not_be_all_goes_on();
	turn(true);
	they_sleep_when_nothing_is_due();
	return 0;
}
