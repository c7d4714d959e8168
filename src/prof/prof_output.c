#include "prof/prof_output.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "os/clock.h"
#include "os/error_text.h"
#include "os/message.h"
#include "prof/prof.h"
#include "prof/prof_dump.h"
#include "prof/prof_holes.h"
#include "prof/prof_hooks.h"
#include "prof/prof_kept.h"
#include "prof/prof_log.h"
#include "prof/prof_names.h"
#include "prof/prof_pprof.h"
#include "prof/prof_table.h"

static struct {
	_Atomic uint64_t allocated; /* bytes that ticks have counted */
	_Atomic size_t peak;        /* bytes of active pages */
	_Atomic bool gdump;
	_Atomic bool at_peak;       /* a thread writes a dump of a new peak */
	atomic_flag log_registered; /* the function for the exit */
} due;

/* Automatic dumps that could not be written. */
static struct {
	_Atomic uint64_t count;
	_Atomic uint64_t told[4]; /* one bit for each error number */
} failures;

AT_START void
prof_output_init(void)
{
	prof_names_init(opt.prof_prefix);
	prof_set_gdump(opt.prof_gdump);
}

static int
dump(const char *path, struct prof_snapshot *snapshot)
{
	uint64_t period = UINT64_C(1)
	    << atomic_load_explicit(&prof.lg_sample, memory_order_relaxed);

	if (opt.prof_format == PROF_FORMAT_PPROF)
		return prof_pprof_file(path, snapshot,
		    &(struct prof_pprof_form){ .period = period,
			.wall_ns = clock_wall_ns(),
			.accumulated = opt.prof_accum });
	return prof_dump_file(path, snapshot,
	    &(struct prof_dump_form){
		.period = period, .unbias = opt.prof_unbias });
}

/* `live` receives an estimate of the bytes that are live, times a constant. */
static int
dump_all(const char *path, uint64_t *live)
{
	struct prof_snapshot snapshot;
	int error;

	*live = 0;
	if (!prof_snapshot_take(&snapshot))
		return ENOMEM;
	*live = snapshot.live.weight_bytes;
	error = dump(path, &snapshot);
	prof_snapshot_end(&snapshot);
	return error;
}

bool
prof_dump_now(const char *path)
{
	int error;
	uint64_t live;
	char *name = path == NULL ? prof_names_make(PROF_NAME_MANUAL, &error)
				  : NULL;

	if (path == NULL && name == NULL)
		return false;
	if (name != NULL)
		path = name;
	error = dump_all(path, &live);
	prof_hooks_dumped(path);
	if (name != NULL)
		prof_names_end(name);
	return error == 0;
}

/*
 * The counts are estimates already. With the shortest period readers take them
 * as they are: a slab has more holes than that.
 */
static int
write_holes(const char *path)
{
	struct prof_snapshot holes;
	int error;

	if (!prof_holes_take(&holes))
		return ENOMEM;
	error = prof_dump_file(path, &holes,
	    &(struct prof_dump_form){ .period = 1, .unbias = false });
	prof_snapshot_end(&holes);
	return error;
}

bool
prof_dump_holes(const char *path)
{
	int error;
	char *name = path == NULL ? prof_names_make(PROF_NAME_HOLES, &error)
				  : NULL;

	if (path == NULL && name == NULL)
		return false;
	error = write_holes(name != NULL ? name : path);
	if (name != NULL)
		prof_names_end(name);
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

/* With opt.prof_holes: goes with each dump that is asked for from outside. */
static void
add_holes(bool tell)
{
	int error;
	char *path = !opt.prof_holes ? NULL
				     : prof_names_make(PROF_NAME_HOLES, &error);

	if (path == NULL)
		return;
	error = write_holes(path);
	if (error != 0)
		not_written(path, error);
	else if (tell)
		message("The profile of holes was written to %s", path);
	prof_names_end(path);
}

void
prof_dump_told(void)
{
	int error;
	uint64_t live;
	char *path = prof_names_make(PROF_NAME_MANUAL, &error);

	if (path == NULL) {
		if (error == 0)
			message("No profile is written: prof_prefix is empty");
		else
			not_written(NULL, error);
		return;
	}
	error = dump_all(path, &live);
	if (error == 0)
		message("The heap profile was written to %s", path);
	else
		not_written(path, error);
	prof_hooks_dumped(path);
	prof_names_end(path);
	add_holes(true);
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
	uint64_t now, given, more, before;
	unsigned lg = (unsigned)opt.lg_prof_interval;

	thread_counters(thread, &now, &given);
	more = now - thread->prof_seen;
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
	size_t active = 0,
	       peak = atomic_load_explicit(&due.peak, memory_order_relaxed);

	arena_table_each(add_active, &active);
	while (active > peak)
		if (atomic_compare_exchange_weak_explicit(&due.peak, &peak,
			active, memory_order_relaxed, memory_order_relaxed))
			return true;
	return false;
}

/* Is it 10, 100, 1000 and so on? */
static bool
is_round(uint64_t n)
{
	while (n > 10 && n % 10 == 0)
		n /= 10;
	return n == 10;
}

/*
 * Nobody reads one line for each of a thousand profiles on a full disk. So each
 * reason is told once, and later the number of those that failed.
 */
static void
failed_by_itself(const char *path, int error)
{
	uint64_t bit = UINT64_C(1) << error % 64, n;
	_Atomic uint64_t *told =
	    &failures.told[(unsigned)error / 64 % ARRAY_LEN(failures.told)];
	char why[ERROR_TEXT_MAX];

	n = atomic_fetch_add_explicit(&failures.count, 1,
		memory_order_relaxed) +
	    1;
	if ((atomic_fetch_or_explicit(told, bit, memory_order_relaxed) & bit) ==
		0 ||
	    opt.abort)
		not_written(path, error);
	else if (is_round(n))
		message("%llu heap profiles could not be written, the last one "
			"because: %s",
		    (unsigned long long)n, error_text(error, why));
}

static void
dump_by_itself(struct thread *thread, enum prof_name kind)
{
	int error;
	uint64_t live;
	char *path = prof_names_make(kind, &error);

	if (path == NULL) {
		/* That is no error if the prefix is empty. */
		if (error != 0)
			failed_by_itself(NULL, error);
		return;
	}
	thread->prof_busy = true;
	error = dump_all(path, &live);
	if (error != 0)
		failed_by_itself(path, error);
	thread->prof_busy = false;
	prof_hooks_dumped(path);
	if (error == 0)
		prof_kept_add(kind == PROF_NAME_PEAK ? PROF_SERIES_PEAK
						     : PROF_SERIES_INTERVAL,
		    path, live, opt.prof_dump_most);
	prof_names_end(path);
}

void
prof_output_tick(struct thread *thread, bool sampled)
{
	if (thread->prof_busy ||
	    !atomic_load_explicit(&prof.active, memory_order_relaxed))
		return;
	if (sampled && opt.lg_prof_interval >= 0 && interval_is_over(thread))
		dump_by_itself(thread, PROF_NAME_INTERVAL);
	/*
	 * One at a time: threads that wait for a dump of their own may be new
	 * peaks themselves. The next tick of any thread finds what this misses.
	 */
	if (!prof_gdump() ||
	    atomic_exchange_explicit(&due.at_peak, true, memory_order_acquire))
		return;
	if (is_new_peak())
		dump_by_itself(thread, PROF_NAME_PEAK);
	atomic_store_explicit(&due.at_peak, false, memory_order_release);
}

void
prof_output_fork_child(void)
{
	atomic_store_explicit(&due.at_peak, false, memory_order_relaxed);
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
	char *path = prof_is_on() ? prof_names_make(PROF_NAME_FINAL, &error)
				  : NULL;
	bool leaks;

	if (path == NULL && error == 0)
		return;
	if (!prof_snapshot_take(&snapshot)) {
		not_written(path, ENOMEM);
		if (path != NULL)
			prof_names_end(path);
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
	if (path != NULL) {
		prof_hooks_dumped(path);
		prof_names_end(path);
		add_holes(false);
	}
	if (leaks && opt.prof_leak_error) {
		message("Memory leak detected; exiting with status 1");
		_exit(1);
	}
}

/* --- the log -------------------------------------------------------------- */

int
prof_output_stop_log(void)
{
	return prof_log_stop(prof_names_log,
	    atomic_load_explicit(&prof.lg_sample, memory_order_relaxed));
}

static void
stop_log_at_exit(void)
{
	char why[ERROR_TEXT_MAX];
	int error = prof_log_is_own() ? prof_output_stop_log() : 0;

	if (error == 0)
		return;
	message("The log of allocations can't be written: %s",
	    prof_names_has_prefix() ? error_text(error, why)
				    : "prof_prefix is empty");
}

bool
prof_output_start_log(const char *path)
{
	if ((path == NULL && !prof_names_has_prefix()) || !prof_log_start(path))
		return false;
	if (!atomic_flag_test_and_set(&due.log_registered))
		atexit(stop_log_at_exit);
	return true;
}
