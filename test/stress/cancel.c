/*
 * cancel: no call is a point of cancellation.
 *
 * Provokes: each exported function and each name of test/data/mallctl-names.txt
 * in a thread with a cancellation pending: reading, writing what was read, and
 * calling; the switches of background threads in all orders; dumps, logs and
 * reports into files.
 * Must hold: each call returns, and the thread ends at its own point of
 * cancellation afterwards; nothing is left locked.
 */
#include "stress.h"

typedef void action(const char *name);

static struct {
	action *act;
	const char *name;
	_Atomic bool returned;
} now;

static void *
run_cancelled(void *argument)
{
	CHECK(pthread_cancel(pthread_self()) == 0);
	now.act(now.name);
	atomic_store(&now.returned, true);
	pthread_testcancel();
	return argument;
}

static void
pending(const char *what, action *act, const char *name)
{
	pthread_t id;
	void *result;

	now.act = act;
	now.name = name;
	now.returned = false;
	CHECK(pthread_create(&id, NULL, run_cancelled, NULL) == 0);
	CHECK(pthread_join(id, &result) == 0);
	if (!now.returned)
		stress_fail("%s %s is a point of cancellation", what, name);
	/* Else the test is none. */
	CHECK(result == PTHREAD_CANCELED);
}

/* ---- control ---- */

/* Reads with whatever size is right, writes that back, and calls. */
static void
act_on_name(const char *name)
{
	char value[256] = ""; /* an address in it is none */

	for (size_t size = 1; size <= 16; size *= 2) {
		size_t length = size;

		if (control(name, value, &length, NULL, 0) == 0)
			control(name, NULL, NULL, value, size);
	}
	control(name, NULL, NULL, NULL, 0);
}

static void
set_bool(const char *name, bool value)
{
	control(name, NULL, NULL, &value, sizeof(value));
}

static void
switch_on(const char *name)
{
	set_bool(name, true);
}

static void
switch_off(const char *name)
{
	set_bool(name, false);
}

static void
set_most(const char *name)
{
	size_t most = 1;

	control(name, NULL, NULL, &most, sizeof(most));
}

static void
make_and_destroy_arena(const char *name)
{
	unsigned index = 0;
	size_t size = sizeof(index);
	void *(*take)(size_t, int);
	char path[64];

	if (control(name, &index, &size, NULL, 0) != 0)
		return;
	if (symbol_find("mallocx", &take))
		needed(take(100000, (int)(index + 1) << 20 | 1 << 8));
	snprintf(path, sizeof(path), "arena.%u.purge", index);
	control(path, NULL, NULL, NULL, 0);
	snprintf(path, sizeof(path), "arena.%u.reset", index);
	control(path, NULL, NULL, NULL, 0);
	snprintf(path, sizeof(path), "arena.%u.destroy", index);
	control(path, NULL, NULL, NULL, 0);
}

static void
make_and_destroy_cache(const char *name)
{
	unsigned index = 0;
	size_t size = sizeof(index);

	if (control(name, &index, &size, NULL, 0) != 0)
		return;
	control("tcache.flush", NULL, NULL, &index, sizeof(index));
	control("tcache.destroy", NULL, NULL, &index, sizeof(index));
}

static void
write_file(const char *name)
{
	const char *file = "cancel.out";

	control(name, NULL, NULL, &file, sizeof(file));
}

static FILE *
names_open(void)
{
	const char *folder = getenv("srcdir");
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/test/data/mallctl-names.txt",
	    folder != NULL ? folder : ".");
	file = fopen(path, "r");
	if (file == NULL)
		stress_fail("can't read %s", path);
	return file;
}

static void
all_names(FILE *file)
{
	char line[256], name[128], filled[256];

	while (fgets(line, sizeof(line), file) != NULL) {
		char *to = filled;

		if (line[0] == '#' || sscanf(line, "%127s", name) != 1)
			continue;
		for (const char *from = name; *from != '\0'; from++) {
			*to++ = *from == '<' ? '0' : *from;
			if (*from == '<')
				from = strchr(from, '>');
		}
		*to = '\0';
		pending("mallctl", act_on_name, filled);
	}
	fclose(file);
}

/* Whoever was interrupted left a lock behind that the next one waits for. */
static void
background_threads(void)
{
	for (unsigned i = 0; i < 3; i++) {
		pending("on:", switch_on, "background_thread");
		pending("number of:", set_most, "max_background_threads");
		pending("off:", switch_off, "background_thread");
	}
	switch_on("background_thread");
	switch_off("background_thread");
}

/* ---- functions ---- */

static void
allocate(const char *name)
{
	char *block = needed(malloc(100));
	void *other = NULL;

	(void)name;
	block = needed(realloc(block, 3000000));
	block = needed(realloc(block, 6000000));
	free(block);
	free(needed(calloc(10, 100000)));
	free(needed(aligned_alloc(65536, 65536)));
	CHECK(posix_memalign(&other, 4096, 100) == 0);
	CHECK(malloc_usable_size(needed(other)) >= 100);
	free(other);
	free(needed(memalign(64, 100)));
	free(needed(valloc(100)));
	free(needed(pvalloc(100)));
	free(needed(reallocarray(NULL, 10, 10)));
	for (unsigned i = 0; i < 300; i++)
		free(needed(malloc((size_t)1 << (i % 24))));
	errno = 0;
	CHECK(hidden(malloc(PTRDIFF_MAX)) == NULL && errno == ENOMEM);
}

static void
allocate_otherwise(const char *name)
{
	static struct {
		void *(*mallocx)(size_t, int);
		void *(*rallocx)(void *, size_t, int);
		size_t (*xallocx)(void *, size_t, size_t, int);
		size_t (*sallocx)(const void *, int);
		size_t (*nallocx)(size_t, int);
		void (*dallocx)(void *, int);
		void (*sdallocx)(void *, size_t, int);
		void (*free_sized)(void *, size_t);
		void (*free_aligned_sized)(void *, size_t, size_t);
		void *(*operator_new)(size_t);
		void (*operator_delete)(void *);
	} f;
	void *block;

	(void)name;
	if (!symbol_find("mallocx", &f.mallocx) ||
	    !symbol_find("rallocx", &f.rallocx) ||
	    !symbol_find("xallocx", &f.xallocx) ||
	    !symbol_find("sallocx", &f.sallocx) ||
	    !symbol_find("nallocx", &f.nallocx) ||
	    !symbol_find("dallocx", &f.dallocx) ||
	    !symbol_find("sdallocx", &f.sdallocx))
		return;
	block = needed(f.rallocx(needed(f.mallocx(100, 0)), 200000, 0));
	f.xallocx(block, 200000, 100000, 0);
	CHECK(f.sallocx(block, 0) >= 200000 && f.nallocx(100, 0) >= 100);
	f.dallocx(block, 0);
	f.sdallocx(needed(f.mallocx(100, 0)), 100, 0);
	if (symbol_find("free_sized", &f.free_sized))
		f.free_sized(needed(malloc(100)), 100);
	if (symbol_find("free_aligned_sized", &f.free_aligned_sized))
		f.free_aligned_sized(needed(aligned_alloc(64, 128)), 64, 128);
	if (symbol_find("_Znw" SIZE_LETTER, &f.operator_new) &&
	    symbol_find("_ZdlPv", &f.operator_delete))
		f.operator_delete(needed(f.operator_new(100)));
}

static void
take_text(void *opaque, const char *text)
{
	*(size_t *)opaque += strlen(text);
}

static void
report(const char *form)
{
	void (*print)(void (*)(void *, const char *), void *, const char *);
	size_t length = 0;

	if (!symbol_find("malloc_stats_print", &print))
		return;
	print(take_text, &length, form);
	/* To standard error, which leads nowhere here. */
	print(NULL, NULL, form);
}

static FILE *nowhere;

static void
as_glibc(const char *name)
{
	(void)name;
	malloc_trim(0);
	(void)mallinfo2();
	mallopt(M_TRIM_THRESHOLD, 1000000);
	malloc_stats();
	CHECK(malloc_info(0, nowhere) == 0);
}

static void
fork_and_wait(const char *name)
{
	int state, status;
	pid_t child = fork();

	(void)name;
	if (child == 0) {
		free(needed(malloc(100)));
		_exit(0);
	}
	/* This is one. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	pthread_setcancelstate(state, NULL);
}

static void
functions(void)
{
	int saved = dup(2), to = open("/dev/null", O_WRONLY);

	CHECK(saved >= 0 && to >= 0);
	nowhere = fopen("/dev/null", "w");
	CHECK(nowhere != NULL);
	pending("standard functions", allocate, "");
	pending("extended functions", allocate_otherwise, "");
	dup2(to, 2);
	pending("report", report, "");
	pending("report", report, "J");
	pending("report", report, "P");
	pending("glibc's functions", as_glibc, "");
	dup2(saved, 2);
	close(saved);
	close(to);
	fclose(nowhere);
	pending("fork", fork_and_wait, "");
}

int
main(int argc, char **argv)
{
	char folder[] = "/tmp/cancelXXXXXX";
	FILE *names;

	stress_start(argc, argv, 120);
	if (getenv("CANCEL_AGAIN") == NULL &&
	    control("epoch", NULL, NULL, NULL, 0) == 0) {
		setenv("CANCEL_AGAIN", "1", 1);
		if (getenv("MALLOC_CONF") == NULL && built_with("prof"))
			stress_conf("prof:true,prof_active:true,"
				    "lg_prof_sample:12,prof_prefix:cancel");
		execv("/proc/self/exe", argv);
		stress_fail("can't start again");
	}
	functions();
	if (control("epoch", NULL, NULL, NULL, 0) != 0)
		stress_skip_other("mallctl");
	/* Dumps go where they are in nobody's way. */
	names = names_open();
	CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0);
	all_names(names);
	pending("mallctl", write_file, "prof.dump");
	pending("mallctl", write_file, "prof.log_start");
	pending("mallctl", act_on_name, "prof.log_stop");
	pending("mallctl", act_on_name, "prof.dump");
	pending("mallctl", make_and_destroy_arena, "arenas.create");
	pending("mallctl", make_and_destroy_cache, "tcache.create");
	background_threads();
	functions();
	return system("rm -rf \"$PWD\"") != 0;
}
