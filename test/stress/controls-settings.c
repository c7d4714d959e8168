/*
 * controls: what reads and writes the library's own state.
 */
#include "controls.h"

/* ---- settings by name ---- */

int
control_do(const char *name, void *old, size_t *old_size, const void *value,
    size_t size, const int *allowed)
{
	void *given;
	int error;

	memcpy(&given, &value, sizeof(given));
	error = lib.mallctl(name, old, old_size, given, size);
	for (; *allowed != 0 && error != *allowed; allowed++)
		;
	if (error != *allowed)
		stress_fail("%s: %s", name, strerror(error));
	return error;
}

int
control_void(const char *name, const int *allowed)
{
	return control_do(name, NULL, NULL, NULL, 0, allowed);
}

int
control_set_size(const char *name, size_t value, const int *allowed)
{
	return control_do(name, NULL, NULL, &value, sizeof(value), allowed);
}

int
control_set_bool(const char *name, bool value, const int *allowed)
{
	return control_do(name, NULL, NULL, &value, sizeof(value), allowed);
}

int
control_set_text(const char *name, const char *value, const int *allowed)
{
	return control_do(name, NULL, NULL, &value, sizeof(value), allowed);
}

size_t
control_size(const char *name)
{
	size_t value = 0, size = sizeof(value);

	control_do(name, &value, &size, NULL, 0, NO_ERROR);
	return value;
}

unsigned
control_unsigned(const char *name)
{
	unsigned value = 0;
	size_t size = sizeof(value);

	control_do(name, &value, &size, NULL, 0, NO_ERROR);
	return value;
}

void
control_epoch(void)
{
	uint64_t epoch = 1;

	control_do("epoch", NULL, NULL, &epoch, sizeof(epoch), NO_ERROR);
}

const char *
arena_name(char *to, unsigned index, const char *leaf)
{
	snprintf(to, 64, "arena.%u.%s", index, leaf);
	return to;
}

/* ---- figures ---- */

static void
epoch(struct actor *actor)
{
	(void)actor;
	control_epoch();
}

static void
figures(struct actor *actor)
{
	static const char *const name[] = { "stats.allocated", "stats.active",
		"stats.metadata", "stats.resident", "stats.mapped",
		"stats.arenas.4096.pdirty", "stats.arenas.0.small.allocated",
		"stats.arenas.4096.bins.3.curregs", "stats.zero_reallocs",
		"approximate_stats.active", "experimental.x.limit.in_memory" };
	size_t value;

	for (unsigned i = 0; i < sizeof(name) / sizeof(*name); i++) {
		value = control_size(name[i]);
		/* More than there are addresses: something was taken off. */
		if (value >> 47 != 0)
			stress_fail("%s is %zu", name[i], value);
	}
	if (prng_below(&actor->prng, 8) == 0)
		control_void("stats.mutexes.reset", NO_ERROR);
}

static void
take_text(void *context, const char *text)
{
	size_t *length = context;

	*length += strlen(text);
}

static void
print(const char *letters)
{
	size_t length = 0;

	lib.print(take_text, &length, letters);
	CHECK(length > 200);
}

static void
print_text(struct actor *actor)
{
	(void)actor;
	print(NULL);
}

static void
print_json(struct actor *actor)
{
	(void)actor;
	print("J");
}

static void
print_metrics(struct actor *actor)
{
	(void)actor;
	print("P");
}

static void
print_messages(struct actor *actor)
{
	(void)actor;
	if (lib.stats != NULL)
		lib.stats();
}

static void
glibc_figures(struct actor *actor)
{
	(void)actor;
	for (unsigned i = 0; lib.mallinfo2 != NULL && i < 20; i++)
		CHECK(lib.mallinfo2().uordblks >> 47 == 0);
}

static void
glibc_info(struct actor *actor)
{
	FILE *to = fopen("/dev/null", "w");

	if (to == NULL)
		return; /* no memory */
	for (unsigned i = 0; lib.info != NULL && i < 4; i++)
		CHECK(lib.info(0, to) == 0);
	fclose(to);
	(void)actor;
}

static void
trim(struct actor *actor)
{
	if (lib.trim != NULL)
		lib.trim(prng_below(&actor->prng, MIB));
	if (lib.mallopt != NULL)
		lib.mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

static void
utilization(struct actor *actor)
{
	size_t size = block_size(&actor->prng, 64 * KIB), out[6];
	struct block *block = block_fill(lib.malloc(size), size, 1);
	size_t length = sizeof(out);
	unsigned index;

	if (block == NULL)
		return;
	control_do("experimental.utilization.query", out, &length, &block,
	    sizeof(block), NO_ERROR);
	length = sizeof(index);
	control_do("arenas.lookup", &index, &length, &block, sizeof(block),
	    NO_ERROR);
	block_free(block);
}

static void
peak(struct actor *actor)
{
	uint64_t value;
	size_t size = sizeof(value);

	control_do("thread.peak.read", &value, &size, NULL, 0, NO_ERROR);
	if (prng_below(&actor->prng, 2) == 0)
		control_void("thread.peak.reset", NO_ERROR);
}

static void
batches(struct actor *actor)
{
	void *object[200];
	size_t size = 16 + prng_below(&actor->prng, 3000), filled = 0;
	size_t length = sizeof(filled);
	struct {
		void **objects;
		size_t count, size;
		int flags;
	} batch = { object, 200, size, 0 };

	control_do("experimental.batch_alloc", &filled, &length, &batch,
	    sizeof(batch), NO_ERROR);
	CHECK(filled <= 200);
	for (size_t i = 0; i < filled; i++)
		bytes_fill(object[i], size, i);
	for (size_t i = 0; i < filled; i++) {
		bytes_verify(object[i], size, i);
		lib.free(object[i]);
	}
}

/* ---- background threads ---- */

static void
background(struct actor *actor)
{
	/* With a hard limit there may be no memory for a thread. */
	control_set_bool("background_thread", prng_below(&actor->prng, 2),
	    ERRORS(EFAULT));
}

static void
background_max(struct actor *actor)
{
	control_set_size("max_background_threads",
	    1 + prng_below(&actor->prng, 4), ERRORS(EFAULT));
}

/* ---- limits ---- */

#define LIMIT "experimental.x.limit."

static void
cross_soft_limit(size_t distance)
{
	size_t now = control_size(LIMIT "in_memory");
	size_t size = distance + MIB;

	control_set_size(LIMIT "soft", now + distance, NO_ERROR);
	for (unsigned i = 0; i < 4; i++) {
		struct block *block = block_fill(lib.malloc(size), size, i);

		if (block != NULL)
			block_free(block);
	}
}

static void
limits(struct actor *actor)
{
	struct prng *prng = &actor->prng;

	/* Never so low that loader and C library have to end the process. */
	control_set_size(LIMIT "hard",
	    prng_below(prng, 3) == 0
		? 0
		: control_size(LIMIT "in_memory") + 64 * MIB,
	    NO_ERROR);
	cross_soft_limit(prng_below(prng, 3 * MIB));
	if (prng_below(prng, 4) == 0)
		control_set_size(LIMIT "soft", 0, NO_ERROR);
}

static char first, second; /* whose context is whose */

static void
told(size_t in_memory, size_t soft, void *context, const char *who)
{
	size_t size = 1000;
	struct block *block = block_fill(lib.malloc(size), size, soft);

	(void)in_memory;
	if (context != who)
		stress_fail("a listener is told with another's context");
	if (block != NULL)
		block_free(block);
}

static void
first_told(size_t in_memory, size_t soft, void *context)
{
	told(in_memory, soft, context, &first);
}

static void
second_told(size_t in_memory, size_t soft, void *context)
{
	told(in_memory, soft, context, &second);
}

struct listener {
	void (*callback)(size_t, size_t, void *);
	void *context;
};

static void
listeners(struct actor *actor)
{
	static const struct listener all[] = { { first_told, &first },
		{ second_told, &second }, { NULL, NULL } };

	for (unsigned i = 0; i < 200; i++)
		control_do(LIMIT "callback", NULL, NULL, &all[i % 2],
		    sizeof(*all), NO_ERROR);
	if (prng_below(&actor->prng, 8) == 0)
		control_do(LIMIT "callback", NULL, NULL, &all[2], sizeof(*all),
		    NO_ERROR);
}

/* Crossed again with each step, so that somebody is told again. */
static void
soft_limit(struct actor *actor)
{
	(void)actor;
	control_set_size(LIMIT "soft", 1, NO_ERROR);
	lib.free(hidden(lib.malloc(MIB)));
}

/* ---- callbacks ---- */

static _Atomic size_t nevents;

static void
event(bool taking, uint64_t taken, uint64_t given)
{
	(void)taking;
	(void)taken;
	(void)given;
	atomic_fetch_add_explicit(&nevents, 1, memory_order_relaxed);
	lib.free(hidden(lib.malloc(200)));
}

static void
thread_events(struct actor *actor)
{
	struct {
		void (*call)(bool, uint64_t, uint64_t);
		uint64_t interval;
		bool taken_only;
	} registered = { event, 4096, prng_below(&actor->prng, 2) };

	control_do("experimental.hooks.thread_event", NULL, NULL, &registered,
	    sizeof(registered), ERRORS(EINVAL));
	for (unsigned i = 0; i < 100; i++)
		lib.free(hidden(lib.malloc(1000)));
}

static void
safety_hook(struct actor *actor)
{
	void (*hook)(const char *) = NULL;

	(void)actor;
	control_do("experimental.hooks.safety_check_abort", NULL, NULL, &hook,
	    sizeof(hook), NO_ERROR);
}

const struct action control_actions[] = {
	{ "epoch", epoch, NULL, NULL, false },
	{ "figures", figures, NULL, NULL, false },
	{ "print-text", print_text, NULL, NULL, false },
	{ "print-json", print_json, NULL, NULL, false },
	{ "print-metrics", print_metrics, NULL, NULL, false },
	{ "malloc_stats", print_messages, NULL, NULL, false },
	{ "mallinfo2", glibc_figures, NULL, NULL, false },
	{ "malloc_info", glibc_info, NULL, NULL, false },
	{ "malloc_trim", trim, NULL, NULL, false },
	{ "utilization", utilization, NULL, NULL, false },
	{ "peak", peak, NULL, NULL, false },
	{ "batch_alloc", batches, NULL, NULL, false },
	{ "background", background, NULL, NULL, false },
	{ "background-max", background_max, NULL, NULL, false },
	{ "limits", limits, NULL, NULL, false },
	{ "listeners", listeners, NULL, NULL, false },
	{ "soft-limit", soft_limit, NULL, NULL, false },
	{ "thread-events", thread_events, NULL, NULL, false },
	{ "safety-hook", safety_hook, NULL, NULL, false },
	{ NULL, NULL, NULL, NULL, false },
};

/* ---- heap profile ---- */

/* Somebody else may have turned the profile off. */
#define MAY_BE_OFF ERRORS(ENOENT)

static void
sampled(struct actor *actor)
{
	for (unsigned i = 0; i < 20; i++) {
		size_t size = block_size(&actor->prng, 64 * KIB);
		struct block *block = block_fill(lib.malloc(size), size, i);

		if (block != NULL)
			block_free(block);
	}
}

static void
prof_switch(struct actor *actor)
{
	bool on = prng_below(&actor->prng, 2);

	control_set_bool("prof.active", on, MAY_BE_OFF);
	control_set_bool("thread.prof.active", on, ERRORS(ENOENT, EAGAIN));
	control_set_bool("prof.thread_active_init", on, MAY_BE_OFF);
	control_set_bool("prof.active", true, MAY_BE_OFF);
	sampled(actor);
}

static void
prof_enable(struct actor *actor)
{
	control_set_bool("experimental.x.prof.enable",
	    prng_below(&actor->prng, 2), NO_ERROR);
	sampled(actor);
}

/* A file of this process's own, in its folder; gone when it has ended. */
static void
own_file(char *to, struct actor *actor, const char *kind)
{
	snprintf(to, 64, "%s.%u.%u", kind, actor->index, actor->nsteps);
}

static void
prof_dump(struct actor *actor)
{
	char path[64];

	sampled(actor);
	own_file(path, actor, "heap");
	control_set_text("prof.dump", path, ERRORS(ENOENT, EFAULT));
	unlink(path);
}

static void
prof_dump_holes(struct actor *actor)
{
	char path[64];

	sampled(actor);
	own_file(path, actor, "holes");
	control_set_text("experimental.x.prof.dump_holes", path,
	    ERRORS(ENOENT, EFAULT));
	unlink(path);
}

static void
prof_reset(struct actor *actor)
{
	control_set_size("prof.reset", 8 + prng_below(&actor->prng, 6),
	    MAY_BE_OFF);
	sampled(actor);
}

static void
prof_name(struct actor *actor)
{
	static const char *const names[] = { "one", "two", "another one" };
	const char *name;
	size_t size = sizeof(name);

	control_set_text("thread.prof.name", names[prng_below(&actor->prng, 3)],
	    ERRORS(ENOENT, ENOMEM));
	sampled(actor);
	control_do("thread.prof.name", &name, &size, NULL, 0, MAY_BE_OFF);
}

static void
prof_log(struct actor *actor)
{
	char path[64];

	own_file(path, actor, "log");
	if (control_set_text("prof.log_start", path, ERRORS(ENOENT, EFAULT)) !=
	    0)
		return;
	sampled(actor);
	control_void("prof.log_stop", ERRORS(ENOENT, EFAULT));
	unlink(path);
}

static void
prof_recent(struct actor *actor)
{
	size_t length = 0;
	struct {
		void (*write)(void *, const char *);
		void *context;
	} sink = { take_text, &length };

	control_set_size("experimental.prof_recent.alloc_max",
	    prng_below(&actor->prng, 100) - 1, MAY_BE_OFF);
	sampled(actor);
	if (control_do("experimental.prof_recent.alloc_dump", NULL, NULL, &sink,
		sizeof(sink), ERRORS(ENOENT, EAGAIN)) == 0)
		CHECK(length > 0);
}

static void
prof_gdump(struct actor *actor)
{
	control_set_bool("prof.gdump", prng_below(&actor->prng, 8) == 0,
	    MAY_BE_OFF);
	/* Empty: no file. */
	control_set_text("prof.prefix", "", ERRORS(ENOENT, EFAULT));
	sampled(actor);
}

static void
on_sample(const void *object, size_t size, void **stack, unsigned depth,
    size_t usable)
{
	CHECK(object != NULL && size <= usable && stack != NULL && depth > 0);
	lib.free(hidden(lib.malloc(100)));
}

static void
on_free(const void *object, size_t usable)
{
	CHECK(object != NULL && usable > 0);
}

static void
on_dump(const char *path)
{
	CHECK(path != NULL);
}

static void
set_hook(const char *name, void (*hook)(void))
{
	control_do(name, NULL, NULL, &hook, sizeof(hook), MAY_BE_OFF);
}

static void
prof_hooks(struct actor *actor)
{
	bool on = prng_below(&actor->prng, 2);

	set_hook("experimental.hooks.prof_sample",
	    on ? (void (*)(void))on_sample : NULL);
	set_hook("experimental.hooks.prof_sample_free",
	    on ? (void (*)(void))on_free : NULL);
	set_hook("experimental.hooks.prof_dump",
	    on ? (void (*)(void))on_dump : NULL);
	sampled(actor);
}

static void
prof_figures(struct actor *actor)
{
	uint64_t pair[2];
	size_t size = sizeof(pair);
	char name[64];

	snprintf(name, sizeof(name), "prof.stats.bins.%u.live",
	    (unsigned)prng_below(&actor->prng, 30));
	control_do(name, pair, &size, NULL, 0, MAY_BE_OFF);
}

const struct action profile_actions[] = {
	{ "prof-active", prof_switch, NULL, NULL, true },
	{ "prof-enable", prof_enable, NULL, NULL, true },
	{ "prof-dump", prof_dump, NULL, NULL, true },
	{ "prof-dump-holes", prof_dump_holes, NULL, NULL, true },
	{ "prof-reset", prof_reset, NULL, NULL, true },
	{ "prof-name", prof_name, NULL, NULL, true },
	{ "prof-log", prof_log, NULL, NULL, true },
	{ "prof-recent", prof_recent, NULL, NULL, true },
	{ "prof-gdump", prof_gdump, NULL, NULL, true },
	{ "prof-hooks", prof_hooks, NULL, NULL, true },
	{ "prof-figures", prof_figures, NULL, NULL, true },
	{ NULL, NULL, NULL, NULL, false },
};
