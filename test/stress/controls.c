/*
 * controls: every control against every other, two at a time.
 *
 * Usage: controls [-s SEED] [-t THREADS] [-d SECONDS] [-n COUNT] [-c CONF]
 *   [PAIR]
 *   SECONDS are of CPU time, of all threads of a pair.
 *   PAIR is `one x other`, or `one` for all pairs with it; without it all, in
 *   an order that depends on the seed, or the first COUNT of them, with options
 *   that the seed chooses, or CONF. -l lists the actions. CONTROLS_DEBUGGER=1
 *   in the environment: a process that crashes or hangs shows the stacks of its
 *   threads, by gdb.
 *
 * Provokes: each pair of some fifty actions, in two threads and in four: what
 * walks all arenas, caches and threads; what makes, ends and changes them;
 * fork, threads, modules; the heap profile; callbacks; blocks of all sizes.
 * Each pair runs in a process of its own, with options that the seed chooses.
 * Must hold: no crash, no hang; blocks keep their contents; answers are those
 * that the contract has; when all is over, all is free again.
 */
#include "controls.h"

#include <dirent.h>
#include <sys/prctl.h>

struct library lib;

/* ---- the actions ---- */

enum { ACTIONS_MAX = 64 };

static struct {
	const struct action *at[ACTIONS_MAX];
	unsigned count;
} actions;

static void
actions_add(const struct action *table)
{
	for (; table->name != NULL; table++) {
		CHECK(actions.count < ACTIONS_MAX);
		actions.at[actions.count++] = table;
	}
}

static unsigned
action_index(const char *name, size_t length)
{
	for (unsigned i = 0; i < actions.count; i++)
		if (strlen(actions.at[i]->name) == length &&
		    memcmp(actions.at[i]->name, name, length) == 0)
			return i;
	stress_fail("no action %.*s", (int)length, name);
}

/* ---- options ---- */

/* What makes the library do the most, often. */
static const char *const confs[] = {
	"narenas:2,dirty_decay_ms:0",
	"narenas:2,dirty_decay_ms:50,muzzy_decay_ms:50,background_thread:true",
	"dirty_decay_ms:100,limit_soft:1000000,background_thread:auto",
	"narenas:2,tcache:false,retain:false",
	"narenas:2,hpa:true,dirty_decay_ms:100,hpa_min_purge_interval_ms:10",
	"narenas:3,tcache_trim:true,dirty_decay_ms:20",
	"percpu_arena:percpu,dirty_decay_ms:100,muzzy_decay_ms:20",
	"narenas:2,safety:full,tcache_max:4096",
};

static const char profile_conf[] =
    ",prof:true,lg_prof_sample:9,prof_prefix:,"
    "prof_recent_alloc_max:50,prof_stats:true,prof_accum:true,prof_holes:true";

struct pair {
	unsigned one, other; /* actions */
	const char *conf;    /* or NULL: the seed chooses */
	unsigned nthreads;
	unsigned seed;
	double seconds;
};

static void
conf_write(char *to, size_t size, const struct pair *pair)
{
	bool profile = actions.at[pair->one]->profile ||
	    actions.at[pair->other]->profile;
	struct prng prng = { pair->seed };

	for (unsigned i = 0; i <= pair->one + pair->other; i++)
		prng_next(&prng);
	snprintf(to, size, "%s%s",
	    pair->conf != NULL
		? pair->conf
		: confs[prng_below(&prng, sizeof(confs) / sizeof(*confs))],
	    profile || (pair->conf == NULL && prng_below(&prng, 4) == 0)
		? profile_conf
		: "");
}

/* ---- a crash tells where it was ---- */

static struct {
	char pair[128];
	char text[2048]; /* what the library said last */
	size_t length;
	_Atomic bool busy;
} last;

static _Thread_local struct actor *self;

static void
say(const char *text)
{
	if (write(2, text, strlen(text)) < 0)
		_exit(2);
}

/* In place of malloc_message: kept for a crash. */
static void
keep_message(void *context, const char *text)
{
	size_t length = strlen(text);

	(void)context;
	/* What two threads say at once, one of them says for both. */
	if (length >= sizeof(last.text) / 2 ||
	    atomic_exchange(&last.busy, true))
		return;
	if (last.length + length >= sizeof(last.text))
		last.length = 0;
	memcpy(last.text + last.length, text, length);
	last.length += length;
	atomic_store(&last.busy, false);
}

static void
show_stacks(void)
{
	char pid[16],
	    *argv[] = { "gdb", "-q", "-batch", "-p", pid, "-ex",
		    "thread apply all bt 24", NULL };
	unsigned digits = 0;
	pid_t debugger;

	for (pid_t rest = getpid(); rest != 0; rest /= 10)
		digits++;
	pid[digits] = '\0';
	for (pid_t rest = getpid(); rest != 0; rest /= 10)
		pid[--digits] = (char)('0' + rest % 10);
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	debugger = _Fork();
	if (debugger == 0) {
		unsetenv("LD_PRELOAD");
		dup2(2, 1);
		execv("/usr/bin/gdb", argv);
		_exit(1);
	}
	while (debugger > 0 && waitpid(debugger, NULL, 0) < 0 && errno == EINTR)
		;
}

static void
crashed(int number)
{
	char digits[] = "signal 00 in ";

	digits[7] = (char)('0' + number / 10);
	digits[8] = (char)('0' + number % 10);
	say(digits);
	say(self == NULL ? "no action" : self->action->name);
	say(number == SIGALRM ? " (hangs)\n" : "\n");
	say(last.text);
	if (getenv("CONTROLS_DEBUGGER") != NULL)
		show_stacks();
	signal(number, SIG_DFL);
	raise(number);
	_exit(1);
}

static void
watch_crashes(void)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE,
		SIGALRM };
	struct sigaction action = { .sa_handler = crashed,
		.sa_flags = SA_NODEFER };

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigaction(numbers[i], &action, NULL);
}

/* ---- one pair, in a process of its own ---- */

static struct {
	struct actor actor[ACTORS_MAX];
	double cpu_until, until;
	pthread_barrier_t start;
} run;

/*
 * How long a pair runs is CPU time: on a busy machine it would do less in the
 * same time. But what mostly waits, comes to an end as well.
 */
enum { WAITING_MOST = 10 };

static double
cpu_seconds(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
}

static bool
run_is_over(void)
{
	return cpu_seconds() >= run.cpu_until || clock_seconds() >= run.until;
}

static void *
act(void *argument)
{
	struct actor *actor = argument;

	self = actor;
	pthread_barrier_wait(&run.start);
	do {
		actor->nsteps++;
		actor->action->step(actor);
		/* Not in step with the others. */
		for (size_t i = prng_below(&actor->prng, 64); i > 0; i--)
			(void)hidden(&i);
	} while (!run_is_over());
	if (actor->action->end != NULL)
		actor->action->end(actor);
	return NULL;
}

static void
run_threads(const struct pair *pair)
{
	pthread_t id[ACTORS_MAX];

	pthread_barrier_init(&run.start, NULL, pair->nthreads);
	for (unsigned i = 0; i < pair->nthreads; i++) {
		struct actor *actor = &run.actor[i];

		actor->index = i;
		actor->action = actions.at[i % 2 ? pair->other : pair->one];
		actor->prng.state = ((uint64_t)pair->seed << 32) +
		    pair->one * 4096 + pair->other * 64 + i;
		if (actor->action->begin != NULL)
			actor->action->begin(actor);
	}
	run.cpu_until = cpu_seconds() + pair->seconds;
	run.until = clock_seconds() + pair->seconds * WAITING_MOST;
	for (unsigned i = 0; i < pair->nthreads; i++)
		CHECK(pthread_create(&id[i], NULL, act, &run.actor[i]) == 0);
	for (unsigned i = 0; i < pair->nthreads; i++)
		CHECK(pthread_join(id[i], NULL) == 0);
}

static void
all_off(void)
{
	struct {
		void *callback, *context;
	} nobody = { NULL, NULL };

	control_set_bool("background_thread", false, NO_ERROR);
	control_set_size("experimental.x.limit.hard", 0, NO_ERROR);
	control_set_size("experimental.x.limit.soft", 0, NO_ERROR);
	control_do("experimental.x.limit.callback", NULL, NULL, &nobody,
	    sizeof(nobody), NO_ERROR);
	arenas_end();
	control_void("thread.tcache.flush", ERRORS(EFAULT));
	/* What a quarantine holds counts as allocated. */
	if (lib.trim != NULL)
		lib.trim(0);
	control_void("arena.4096.purge", NO_ERROR);
	control_epoch();
}

/* What threads and their stacks keep in the C library is little. */
static void
check_all_is_free(size_t before)
{
	size_t allocated = control_size("stats.allocated");
	size_t in_memory = control_size("experimental.x.limit.in_memory");

	if (allocated > before + MIB)
		stress_fail("%zu bytes are allocated at the end, and %zu were "
			    "at the start",
		    allocated, before);
	if (in_memory > before + 32 * MIB)
		stress_fail("%zu bytes are in memory at the end", in_memory);
	if (control_size("stats.active") < allocated)
		stress_fail("fewer bytes are active than allocated");
}

static void
find_library(void)
{
	bool found = symbol_find(CONTROLS_PREFIX "malloc", &lib.malloc) &&
	    symbol_find(CONTROLS_PREFIX "calloc", &lib.calloc) &&
	    symbol_find(CONTROLS_PREFIX "realloc", &lib.realloc) &&
	    symbol_find(CONTROLS_PREFIX "aligned_alloc", &lib.aligned_alloc) &&
	    symbol_find(CONTROLS_PREFIX "free", &lib.free) &&
	    symbol_find(CONTROLS_PREFIX "mallocx", &lib.mallocx) &&
	    symbol_find(CONTROLS_PREFIX "dallocx", &lib.dallocx) &&
	    symbol_find(CONTROLS_PREFIX "mallctl", &lib.mallctl) &&
	    symbol_find(CONTROLS_PREFIX "malloc_stats_print", &lib.print);

	if (!found)
		stress_fail("the library has not all functions");
	symbol_find(CONTROLS_PREFIX "malloc_trim", &lib.trim);
	symbol_find(CONTROLS_PREFIX "mallinfo2", &lib.mallinfo2);
	symbol_find(CONTROLS_PREFIX "malloc_info", &lib.info);
	symbol_find(CONTROLS_PREFIX "malloc_stats", &lib.stats);
	symbol_find(CONTROLS_PREFIX "mallopt", &lib.mallopt);
}

static int
run_pair(const struct pair *pair, const char *folder)
{
	void (**message)(void *, const char *);
	struct rlimit none = { 0, 0 };
	size_t before;

	setrlimit(RLIMIT_CORE, &none);
	CHECK(chdir(folder) == 0);
	find_library();
	if (symbol_find(CONTROLS_PREFIX "malloc_message", &message))
		*message = keep_message;
	watch_crashes();
	alarm((30 + 10 * WAITING_MOST * (unsigned)pair->seconds) *
	    STRESS_PATIENCE);
	control_epoch();
	before = control_size("stats.allocated");
	run_threads(pair);
	all_off();
	check_all_is_free(before);
	return 0;
}

/* ---- all of them ---- */

static char **own_argv;

/* The process that runs a pair; it starts anew, to read its options. */
_Noreturn static void
become_pair(const struct pair *pair, const char *conf, char *folder)
{
	char number[5][32],
	    *argv[] = { own_argv[0], "--pair", number[0], number[1], number[2],
		    number[3], number[4], folder, NULL };

	snprintf(number[0], 32, "%u", pair->one);
	snprintf(number[1], 32, "%u", pair->other);
	snprintf(number[2], 32, "%u", pair->nthreads);
	snprintf(number[3], 32, "%u", pair->seed);
	snprintf(number[4], 32, "%f", pair->seconds);
	stress_conf(conf);
	setenv("JE_MALLOC_CONF", getenv("MALLOC_CONF"), 1);
	if (strstr(conf, "percpu") != NULL)
		setenv("CONTROLS_BY_CPU", "1", 1);
	execv("/proc/self/exe", argv);
	_exit(127);
}

static int
wait_until(pid_t pid, double until)
{
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (clock_seconds() > until)
			kill(pid, SIGKILL);
		nanosleep(&(struct timespec){ .tv_nsec = 3000000 }, NULL);
	}
	return status;
}

/* What a pair that crashed has left there. */
static void
folder_remove(const char *folder)
{
	DIR *files = opendir(folder);
	struct dirent *file;

	CHECK(files != NULL);
	while ((file = readdir(files)) != NULL)
		unlinkat(dirfd(files), file->d_name, 0);
	closedir(files);
	rmdir(folder);
}

static bool
pair_passes(const struct pair *pair)
{
	char conf[400], folder[] = "/tmp/controls.XXXXXX";
	double start = clock_seconds();
	int status;
	pid_t pid;

	conf_write(conf, sizeof(conf), pair);
	CHECK(mkdtemp(folder) != NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		become_pair(pair, conf, folder);
	status = wait_until(pid,
	    start + (90 + 10 * WAITING_MOST * pair->seconds) * STRESS_PATIENCE);
	/* Who ends well has no file left. */
	if (status == 0 && rmdir(folder) == 0)
		return true;
	folder_remove(folder);
	fprintf(stderr,
	    "FAIL: '%s x %s' -t %u -s %u, MALLOC_CONF=%s: %s %d "
	    "after %.2f s\n",
	    actions.at[pair->one]->name, actions.at[pair->other]->name,
	    pair->nthreads, pair->seed, conf,
	    WIFSIGNALED(status) ? "signal" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
	    clock_seconds() - start);
	return false;
}

struct plan {
	unsigned seed, nthreads, most;
	double seconds;
	const char *filter, *conf;
};

/* The pairs that `filter` means, each once. */
static unsigned
pairs_list(struct pair *to, const struct plan *plan)
{
	const char *x = plan->filter ? strstr(plan->filter, " x ") : NULL;
	unsigned count = 0, one = 0, other = 0;

	if (plan->filter != NULL)
		one = action_index(plan->filter,
		    x != NULL ? (size_t)(x - plan->filter)
			      : strlen(plan->filter));
	if (x != NULL)
		other = action_index(x + 3, strlen(x + 3));
	for (unsigned i = 0; i < actions.count; i++)
		for (unsigned j = i; j < actions.count; j++) {
			bool wanted = plan->filter == NULL ||
			    (x == NULL && (i == one || j == one)) ||
			    (x != NULL &&
				((i == one && j == other) ||
				    (i == other && j == one)));

			if (wanted)
				to[count++] = (struct pair){ i, j, plan->conf,
					plan->nthreads, plan->seed,
					plan->seconds };
		}
	return count;
}

static void
shuffle(struct pair *pairs, unsigned count, unsigned seed)
{
	struct prng prng = { seed };

	for (unsigned i = count; i > 1; i--) {
		unsigned j = (unsigned)prng_below(&prng, i);
		struct pair pair = pairs[i - 1];

		pairs[i - 1] = pairs[j];
		pairs[j] = pair;
	}
}

static unsigned
run_plan(const struct plan *plan)
{
	static struct pair pairs[ACTIONS_MAX * ACTIONS_MAX];
	unsigned count = pairs_list(pairs, plan), nfailed = 0;

	CHECK(count > 0);
	shuffle(pairs, count, plan->seed);
	if (plan->most != 0 && count > plan->most)
		count = plan->most;
	for (unsigned i = 0; i < count; i++) {
		/* Without a number given, two threads and four in turn. */
		if (plan->nthreads == 0)
			pairs[i].nthreads = i % 2 ? 4 : 2;
		nfailed += !pair_passes(&pairs[i]);
	}
	printf("%u pairs of %u actions, seed %u: %u failed\n", count,
	    actions.count, plan->seed, nfailed);
	return nfailed;
}

/* Those that have failed once, with the options that made them. */
#define PURGES "narenas:2,dirty_decay_ms:100,limit_soft:1000000"
#define AGES \
	"narenas:2,dirty_decay_ms:20,muzzy_decay_ms:20," \
	"background_thread:true"

static const struct {
	const char *pair, *conf;
} dangerous[] = {
	{ "arena-destroy x mallinfo2", "narenas:1" },
	{ "arena-destroy x purge-all", AGES },
	{ "arena-destroy x tcache-flush", PURGES },
	{ "arena-destroy x thread-bound", "narenas:2" },
	{ "arena-destroy x arena-write", AGES },
	{ "arena-destroy x fork", PURGES },
	{ "arena-reset x purge-all", "narenas:1" },
	{ "arena-reset x load-peaks", PURGES },
	{ "arena-cached x background", AGES },
	{ "hooks x soft-limit", "narenas:2,tcache_trim:true" },
	{ "tcache-destroy x epoch", "narenas:1" },
	{ "listeners x soft-limit", "narenas:2" },
	{ "load-peaks x load-peaks", "narenas:4,dirty_decay_ms:-1" },
	{ "background x fork", "narenas:2,dirty_decay_ms:20" },
	{ "prof-enable x prof-dump", "narenas:2" },
	{ "prof-reset x prof-dump-holes", "narenas:2" },
};

/*
 * As a test: these, and a sample of all. The sample is always the same, so that
 * what passed once passes again; at full length, all pairs run, with options
 * that are others each day.
 */
static unsigned
run_test(bool lengthened)
{
	struct plan plan = { .seed = lengthened ? (unsigned)(time(NULL) / 86400)
						: 1,
		.nthreads = 4,
		.seconds = lengthened ? 40 : 0.4 };
	unsigned nfailed = 0;

	for (unsigned i = 0; i < sizeof(dangerous) / sizeof(*dangerous); i++) {
		plan.filter = dangerous[i].pair;
		plan.conf = dangerous[i].conf;
		nfailed += run_plan(&plan);
	}
	plan = (struct plan){ .seed = plan.seed,
		.seconds = lengthened ? 1 : 0.15,
		.most = lengthened ? 0 : 40 };
	return nfailed + run_plan(&plan);
}

static unsigned
run_arguments(int argc, char **argv)
{
	struct plan plan = { .seed = (unsigned)time(NULL), .seconds = 1 };
	int option;

	while ((option = getopt(argc, argv, "s:t:d:n:c:l")) != -1) {
		switch (option) {
		/* clang-format off */
		case 's': plan.seed = (unsigned)atoi(optarg); break;
		case 't': plan.nthreads = (unsigned)atoi(optarg); break;
		case 'd': plan.seconds = atof(optarg); break;
		case 'c': plan.conf = optarg; break;
		case 'n': plan.most = (unsigned)atoi(optarg); break;
		/* clang-format on */
		case 'l':
			for (unsigned i = 0; i < actions.count; i++)
				puts(actions.at[i]->name);
			return 0;
		default:
			stress_fail("unknown option");
		}
	}
	CHECK(plan.nthreads <= ACTORS_MAX);
	plan.filter = argv[optind];
	return run_plan(&plan);
}

int
main(int argc, char **argv)
{
	own_argv = argv;
	if (*CONTROLS_PREFIX == '\0')
		stress_check_library(argv);
	actions_add(ordinary_actions);
	actions_add(arena_actions);
	actions_add(control_actions);
	actions_add(profile_actions);
	if (argc == 8 && strcmp(argv[1], "--pair") == 0)
		return run_pair(&(struct pair){ (unsigned)atoi(argv[2]),
				    (unsigned)atoi(argv[3]), NULL,
				    (unsigned)atoi(argv[4]),
				    (unsigned)atoi(argv[5]), atof(argv[6]) },
		    argv[7]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1)
		return run_arguments(argc, argv) != 0;
	return run_test(stress_is_long()) != 0;
}
