#include "prof/prof_output.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/metadata.h"
#include "os/clock.h"
#include "os/error_text.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/message.h"
#include "os/syscalls.h"
#include "prof/prof.h"
#include "prof/prof_dump.h"
#include "prof/prof_hooks.h"
#include "prof/prof_log.h"
#include "prof/prof_pprof.h"
#include "prof/prof_table.h"
#include "util/format.h"

#define MIDDLE_SIZE	96

static struct {
	struct lock lock;	/* protects all */
	char prefix[PATH_MAX];
	uint64_t nnames;
	uint64_t nmanual;
	uint64_t ninterval;
	uint64_t npeak;
} names;

static struct {
	_Atomic uint64_t allocated;	/* bytes that ticks have counted */
	_Atomic size_t peak;		/* bytes of active pages */
	_Atomic bool gdump;
	atomic_flag log_registered;	/* the function for the exit */
} due;

struct lock *
prof_names_lock(void)
{
	return &names.lock;
}

void
prof_output_init(void)
{
	lock_init(&names.lock, LOCK_PROF_NAMES);
	prof_set_prefix(opt.prof_prefix);
	prof_set_gdump(opt.prof_gdump);
}

void
prof_set_prefix(const char *prefix)
{
	size_t length = strnlen(prefix, sizeof(names.prefix) - 1);

	lock_acquire(&names.lock);
	memcpy(names.prefix, prefix, length);
	names.prefix[length] = '\0';
	lock_release(&names.lock);
}

/* The part of a name after the prefix: [.<namespace>].<pid> */
static void
name_middle(char text[MIDDLE_SIZE])
{
	long pid = os_syscall3(SYS_getpid, 0, 0, 0);
	const char *digits = NULL;
	char link[64];

	if (!opt.prof_pid_namespace) {
		format_text(text, MIDDLE_SIZE, ".%ld", pid);
		return;
	}
	if (file_link("/proc/self/ns/pid", link, sizeof(link)) > 0)
		digits = strchr(link, '[');
	format_text(text, MIDDLE_SIZE, ".%.*s.%ld", digits == NULL ? 1 :
	    (int)strcspn(digits + 1, "]"), digits == NULL ? "0" : digits + 1,
	    pid);
}

/*
 * Makes a name <prefix>[.<namespace>].<pid>.<seq>.<kind>[<number>].heap. For
 * pprof it has the ending of such files instead.
 * @param count  numbers the names of this kind, or NULL
 * @param error  receives why there is no name; 0: the prefix is empty
 * @return       the name, to be given to name_end(); NULL: there is none
 */
static char *
name_make(const char *kind, uint64_t *count, int *error)
{
	char middle[MIDDLE_SIZE], number[32] = "";
	char *path = metadata_take_piece(PATH_MAX);
	size_t length = 0;

	*error = ENOMEM;
	if (path == NULL)
		return NULL;
	name_middle(middle);
	lock_acquire(&names.lock);
	if (names.prefix[0] != '\0') {
		if (count != NULL)
			format_text(number, sizeof(number), "%llu",
			    (unsigned long long)(*count)++);
		length = format_text(path, PATH_MAX, "%s%s.%llu.%s%s%s",
		    names.prefix, middle,
		    (unsigned long long)names.nnames++, kind, number,
		    opt.prof_format == PROF_FORMAT_PPROF ? prof_pprof_suffix :
		    ".heap");
	}
	lock_release(&names.lock);
	if (length != 0 && length < PATH_MAX)
		return path;
	*error = length == 0 ? 0 : ENAMETOOLONG;
	metadata_give_piece(path, PATH_MAX);
	return NULL;
}

static void
name_end(char *path)
{
	if (path != NULL)
		metadata_give_piece(path, PATH_MAX);
}

static int
dump(const char *path, struct prof_snapshot *snapshot)
{
	uint64_t period = UINT64_C(1) << atomic_load_explicit(&prof.lg_sample,
	    memory_order_relaxed);

	if (opt.prof_format == PROF_FORMAT_PPROF)
		return prof_pprof_file(path, snapshot,
		    &(struct prof_pprof_form){ .period = period,
		    .wall_ns = clock_wall_ns(),
		    .accumulated = opt.prof_accum });
	return prof_dump_file(path, snapshot, &(struct prof_dump_form){
	    .period = period, .unbias = opt.prof_unbias });
}

static int
dump_all(const char *path)
{
	struct prof_snapshot snapshot;
	int error;

	if (!prof_snapshot_take(&snapshot))
		return ENOMEM;
	error = dump(path, &snapshot);
	prof_snapshot_end(&snapshot);
	return error;
}

bool
prof_dump_now(const char *path)
{
	int error;
	char *name = path == NULL ? name_make("m", &names.nmanual, &error) :
	    NULL;

	if (path == NULL && name == NULL)
		return false;
	if (name != NULL)
		path = name;
	error = dump_all(path);
	prof_hooks_dumped(path);
	name_end(name);
	return error == 0;
}

/*
 * Says that a profile could not be written. `path` is NULL if it has no name.
 */
static void
not_written(const char *path, int error)
{
	char why[ERROR_TEXT_MAX];

	if (path == NULL)
		path = "The heap profile";
	if (opt.abort)
		fatal("%s can't be written: %s", path, error_text(error, why));
	else
		message("%s can't be written: %s", path,
		    error_text(error, why));
}

/* An automatic profile has no name. That is no error if the prefix is empty. */
static void
not_named(int error)
{
	if (error != 0)
		not_written(NULL, error);
}

void
prof_dump_told(void)
{
	int error;
	char *path = name_make("m", &names.nmanual, &error);

	if (path == NULL) {
		if (error == 0)
			message("No profile is written: prof_prefix is empty");
		not_named(error);
		return;
	}
	error = dump_all(path);
	if (error == 0)
		message("The heap profile was written to %s", path);
	else
		not_written(path, error);
	prof_hooks_dumped(path);
	name_end(path);
}

/* --- automatic dumps ------------------------------------------------------ */

bool
prof_gdump(void)
{
	return atomic_load_explicit(&due.gdump, memory_order_relaxed);
}

void
prof_set_gdump(bool on)
{
	atomic_store_explicit(&due.gdump, on, memory_order_relaxed);
}

/* Has the sum of allocated bytes passed another multiple of the interval? */
static bool
interval_is_over(struct thread *thread)
{
	uint64_t now = thread->tcache.event_bytes +
	    thread->tcache.uncached_taken;
	uint64_t more = now - thread->prof_seen, before;
	unsigned lg = (unsigned)opt.lg_prof_interval;

	thread->prof_seen = now;
	before = atomic_fetch_add_explicit(&due.allocated, more,
	    memory_order_relaxed);
	return before >> lg != (before + more) >> lg;
}

static void
add_active(struct arena *arena, void *sum)
{
	*(size_t *)sum += READ_RELAXED(arena->pages.active);
}

static bool
is_new_peak(void)
{
	size_t active = 0, peak = atomic_load_explicit(&due.peak,
	    memory_order_relaxed);

	arena_table_each(add_active, &active);
	while (active > peak)
		if (atomic_compare_exchange_weak_explicit(&due.peak, &peak,
		    active, memory_order_relaxed, memory_order_relaxed))
			return true;
	return false;
}

static void
dump_by_itself(struct thread *thread, const char *kind,
    uint64_t *count)
{
	int error;
	char *path = name_make(kind, count, &error);

	if (path == NULL) {
		not_named(error);
		return;
	}
	thread->prof_busy = true;
	error = dump_all(path);
	if (error != 0)
		not_written(path, error);
	thread->prof_busy = false;
	prof_hooks_dumped(path);
	name_end(path);
}

void
prof_output_tick(struct thread *thread, bool sampled)
{
	if (thread->prof_busy || !atomic_load_explicit(&prof.active,
	    memory_order_relaxed))
		return;
	if (sampled && opt.lg_prof_interval >= 0 && interval_is_over(thread))
		dump_by_itself(thread, "i", &names.ninterval);
	if (prof_gdump() && is_new_peak())
		dump_by_itself(thread, "u", &names.npeak);
}

/* --- at exit -------------------------------------------------------------- */

/*
 * Reports what is not freed: an estimate, the same as readers of a dump make.
 */
static bool
report_leaks(const struct prof_snapshot *snapshot)
{
	const struct prof_item *item = NULL;
	size_t ncontexts = 0;

	if (snapshot->live.objects == 0)
		return false;
	while ((item = prof_snapshot_next(snapshot, item)) != NULL)
		ncontexts += item->kind == PROF_ITEM_STACK &&
		    item->live.objects != 0;
	message("Leak approximation summary: ~%llu byte%s, ~%llu object%s, "
	    ">= %zu context%s",
	    (unsigned long long)(snapshot->live.weight_bytes /
	    PROF_WEIGHT_BYTE),
	    snapshot->live.weight_bytes == PROF_WEIGHT_BYTE ? "" : "s",
	    (unsigned long long)(snapshot->live.weight_objects /
	    PROF_WEIGHT_ONE),
	    snapshot->live.weight_objects == PROF_WEIGHT_ONE ? "" : "s",
	    ncontexts, ncontexts == 1 ? "" : "s");
	return true;
}

void
prof_at_exit(void)
{
	struct prof_snapshot snapshot;
	int error = 0;
	char *path = prof_is_on() ? name_make("f", NULL, &error) : NULL;
	bool leaks;

	if (path == NULL && error == 0)
		return;
	if (!prof_snapshot_take(&snapshot)) {
		not_written(path, ENOMEM);
		name_end(path);
		return;
	}
	/* Leaks are reported even if the dump has no name. */
	if (path != NULL)
		error = dump(path, &snapshot);
	leaks = opt.prof_leak && report_leaks(&snapshot);
	if (leaks && error == 0)
		message("Run %s on dump output \"%s\" for leak detail",
		    opt.prof_format == PROF_FORMAT_PPROF ? "pprof" : "jeprof",
		    path);
	if (error != 0)
		not_written(path, error);
	prof_snapshot_end(&snapshot);
	if (path != NULL)
		prof_hooks_dumped(path);
	name_end(path);
	if (leaks && opt.prof_leak_error) {
		message("Memory leak detected; exiting with status 1");
		_exit(1);
	}
}

/* --- the log -------------------------------------------------------------- */

static bool
name_log(char *path, uint64_t number)
{
	char middle[MIDDLE_SIZE];
	size_t length = 0;

	name_middle(middle);
	lock_acquire(&names.lock);
	if (names.prefix[0] != '\0')
		length = format_text(path, PATH_MAX, "%s%s.%llu.json",
		    names.prefix, middle, (unsigned long long)number);
	lock_release(&names.lock);
	return length != 0 && length < PATH_MAX;
}

int
prof_output_stop_log(void)
{
	return prof_log_stop(name_log, atomic_load_explicit(&prof.lg_sample,
	    memory_order_relaxed));
}

static bool
has_prefix(void)
{
	bool has;

	lock_acquire(&names.lock);
	has = names.prefix[0] != '\0';
	lock_release(&names.lock);
	return has;
}

static void
stop_log_at_exit(void)
{
	char why[ERROR_TEXT_MAX];
	int error = prof_log_is_own() ? prof_output_stop_log() : 0;

	if (error == 0)
		return;
	message("The log of allocations can't be written: %s", has_prefix() ?
	    error_text(error, why) : "prof_prefix is empty");
}

bool
prof_output_start_log(const char *path)
{
	if ((path == NULL && !has_prefix()) || !prof_log_start(path))
		return false;
	if (!atomic_flag_test_and_set(&due.log_registered))
		atexit(stop_log_at_exit);
	return true;
}
