/*
 * What the names of the heap profile answer to calls that are not quite right:
 * with the profile, without it, and where an option forbids it.
 */
#include "mallctl-answers.h"

static const char *const prof_hooks[] = { "experimental.hooks.prof_backtrace",
	"experimental.hooks.prof_dump", "experimental.hooks.prof_sample",
	"experimental.hooks.prof_sample_free" };

/* Neither input nor output, wrong lengths: the same with and without it. */
static void
hooks_of_the_profile(int written)
{
	for (unsigned i = 0; i < 4; i++) {
		void *old = NULL;
		size_t length = sizeof(old);

		ACT(prof_hooks[i], EINVAL);
		for (int room = 0; room < 16; room++)
			READ(prof_hooks[i], room > 8 ? 8 : room,
			    room >= 8 ? 0 : EINVAL);
		ASK(prof_hooks[i], 12, NULL, 0, EINVAL, 8);
		CHECK(mallctl(prof_hooks[i], &old, &length, NULL, 0) == 0);
		for (size_t size = 0; size < 16; size++)
			ASK(prof_hooks[i], NO_OUTPUT, &old, size,
			    size != 8                   ? EINVAL
				: written != 0          ? written
				: i == 0 && old == NULL ? EINVAL
							: 0,
			    KEPT);
		ASK(prof_hooks[i], 4, &old, 8, EINVAL, KEPT);
	}
	WRITE(prof_hooks[0], void *, NULL, written != 0 ? written : EINVAL);
}

static void
without_the_profile(void)
{
	ACT("thread.prof.name", ENOENT);
	ACT("prof.dump", ENOENT);
	ACT("prof.prefix", ENOENT);
	ACT("prof.reset", ENOENT);
	ACT("prof.log_start", ENOENT);
	ACT("prof.log_stop", ENOENT);
	ACT("experimental.prof_recent.alloc_max", ENOENT);
	ACT("experimental.prof_recent.alloc_dump", ENOENT);
	ACT("prof.stats.bins.0.live", ENOENT);
	CHECK(get("prof.active") == 0 && get("prof.gdump") == 0);
	CHECK(get("thread.prof.active") == 0);
	CHECK(get("prof.thread_active_init") == 0);
	CHECK(get("prof.interval") == 0 && get("prof.lg_sample") == 0);
	WRITE("prof.active", bool, true, ENOENT);
	WRITE("prof.active", bool, false, 0);
	WRITE("prof.gdump", bool, true, ENOENT);
	WRITE("prof.thread_active_init", bool, false, ENOENT);
	WRITE("thread.prof.active", bool, false, ENOENT);
	hooks_of_the_profile(ENOENT);
}

static void
names_of_threads(void)
{
	const char *name = "thread.prof.name", *given = "a name",
		   *bad[] = { "a\nb", "\x01", "x\x7f", "\x1f" };

	CHECK(strcmp(text(name), "") == 0);
	for (size_t size = 0; size < 16; size++)
		ASK(name, NO_OUTPUT, &given, size, size == 8 ? 0 : EINVAL,
		    KEPT);
	CHECK(strcmp(text(name), "a name") == 0);
	for (unsigned i = 0; i < 4; i++)
		WRITE(name, const char *, bad[i], EINVAL);
	WRITE(name, const char *, NULL, EINVAL);
	ASK(name, 8, &given, 8, EPERM, KEPT);
	UNTOUCHED();
	READ(name, 4, EINVAL);
	ASK(name, 12, NULL, 0, EINVAL, 8);
	CHECK(strcmp(text(name), "a name") == 0);
	WRITE(name, const char *, "tab\tand blank", 0);
	CHECK(strcmp(text(name), "tab\tand blank") == 0);
	WRITE(name, const char *, "0123456789abcdef", 0);
	CHECK(strcmp(text(name), "0123456789abcde") == 0);
}

static void
with_the_profile(void)
{
	const char *nothing = NULL, *path = "/no/such/folder/file";
	struct {
		void *callback, *context;
	} sink = { NULL, NULL };

	names_of_threads();
	for (size_t size = 0; size < 20; size++) {
		if (size != 8) {
			ASK("prof.reset", NO_OUTPUT, &(size_t){ 3 }, size,
			    EINVAL, KEPT);
			ASK("prof.dump", NO_OUTPUT, &path, size, EINVAL, KEPT);
			ASK("prof.prefix", NO_OUTPUT, &path, size, EINVAL,
			    KEPT);
			ASK("prof.log_start", NO_OUTPUT, &path, size, EINVAL,
			    KEPT);
		}
		if (size != sizeof(sink))
			ASK("experimental.prof_recent.alloc_dump", NO_OUTPUT,
			    &sink, size, EINVAL, KEPT);
	}
	ACT("experimental.prof_recent.alloc_dump", EINVAL);
	CHECK(get("prof.lg_sample") == 12 && get("prof.interval") == 1 << 20);
	ACT("prof.reset", 0);
	CHECK(get("prof.lg_sample") == 12);
	WRITE("prof.reset", size_t, 63, 0);
	CHECK(get("prof.lg_sample") == 63);
	WRITE("prof.reset", size_t, 20, 0);
	WRITE("prof.reset", size_t, 64, 0);
	CHECK(get("prof.lg_sample") == 63);
	WRITE("prof.dump", const char *, path, EFAULT);
	/* There is no prefix that a name could be made with. */
	WRITE("prof.dump", const char *, nothing, EFAULT);
	ACT("prof.dump", EFAULT);
	ACT("prof.prefix", EFAULT);
	WRITE("prof.prefix", const char *, nothing, EFAULT);
	ACT("prof.log_stop", EFAULT);
	READ("experimental.prof_recent.alloc_max", 8, 0);
	WRITE("experimental.prof_recent.alloc_max", ssize_t, -2, EINVAL);
	WRITE("experimental.prof_recent.alloc_max", ssize_t, -1, 0);
	CHECK((ssize_t)get("experimental.prof_recent.alloc_max") == -1);
	WRITE("experimental.prof_recent.alloc_max", ssize_t, 5, 0);
	CHECK(get("experimental.prof_recent.alloc_max") == 5);
	for (unsigned i = 0; i < 2; i++) {
		bool on = i == 1;

		WRITE("prof.active", bool, on, 0);
		WRITE("prof.thread_active_init", bool, on, 0);
		WRITE("thread.prof.active", bool, on, 0);
		CHECK(get("prof.active") == on);
		CHECK(get("prof.thread_active_init") == on);
		CHECK(get("thread.prof.active") == on);
	}
	READ("prof.stats.bins.0.live", 16, 0);
	READ("prof.stats.lextents.0.accum", 16, 0);
	ACT(named("prof.stats.bins.%u.live", (unsigned)get("arenas.nbins")),
	    ENOENT);
	hooks_of_the_profile(0);
	ACT("experimental.hooks.prof_sample", EINVAL);
}

static const struct {
	const char *what, *conf;
} runs[] = {
	{ "off", "narenas:1" },
	{ "on",
	    "prof:true,prof_active:false,prof_prefix:,prof_stats:true,"
	    "lg_prof_sample:12,lg_prof_interval:20" },
	{ "names", "prof:true,prof_prefix:,prof_sys_thread_name:true" },
};

int
main(int argc, char **argv)
{
	const char *what = answers_start(argc, argv);

	if (!built_with("prof"))
		stress_skip("built without the heap profile");
	if (what == NULL) {
		for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
			answers_start_again(argv, runs[i].what, runs[i].conf);
		return 0;
	}
	if (strcmp(what, "off") == 0)
		without_the_profile();
	else if (strcmp(what, "on") == 0)
		with_the_profile();
	else
		WRITE("thread.prof.name", const char *, "mine", ENOENT);
	return failures == 0 ? 0 : 1;
}
