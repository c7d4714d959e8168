#include "prof/prof.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cache/thread.h"
#include "conf/options.h"
#include "extent/metadata.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/message.h"
#include "os/os_thread.h"
#include "os/syscalls.h"
#include "prof/backtrace.h"
#include "prof/prof_dump.h"
#include "prof/prof_table.h"
#include "util/format.h"

#define LG_SAMPLE_MAX	63

struct prof_sample {
	struct prof_pair *pair;
	struct prof_counts counts;
};

static_assert(sizeof(struct prof_sample) <= 64, "a live sample is small");

struct prof_state prof;
static _Atomic uint64_t nseeds;

static struct {
	struct lock lock;	/* protects prefix */
	char prefix[PATH_MAX];
	_Atomic uint64_t nnames;
	_Atomic uint64_t nmanual;
} names;

struct lock *
prof_names_lock(void)
{
	return &names.lock;
}

static void
set_period(unsigned lg_sample)
{
	if (lg_sample > LG_SAMPLE_MAX)
		lg_sample = LG_SAMPLE_MAX;
	atomic_store_explicit(&prof.lg_sample, lg_sample,
	    memory_order_relaxed);
	atomic_store_explicit(&prof.period, UINT64_C(1) << lg_sample,
	    memory_order_relaxed);
}

void
prof_init(void)
{
	prof_table_init();
	prof_table_accumulate(opt.prof_accum);
	lock_init(&names.lock, LOCK_PROF_NAMES);
	prof_set_prefix(opt.prof_prefix);
	atomic_store_explicit(&prof.active, opt.prof && opt.prof_active,
	    memory_order_relaxed);
	atomic_store_explicit(&prof.thread_active_init,
	    opt.prof_thread_active_init, memory_order_relaxed);
	atomic_store_explicit(&prof.lg_sample, (unsigned)opt.lg_prof_sample,
	    memory_order_relaxed);
	if (opt.prof)
		set_period((unsigned)opt.lg_prof_sample);
}

/* --- samples ------------------------------------------------------------------ */

static unsigned
depth_max(void)
{
	return opt.prof_bt_max < PROF_DEPTH_MAX ? opt.prof_bt_max :
	    PROF_DEPTH_MAX;
}

static size_t
pcs_size(void)
{
	return depth_max() * sizeof(void *);
}

/*
 * Who has not been sampled before gets a record, and room for a stack: its own
 * stack may be a small one.
 */
static bool
knows(struct thread *thread)
{
	if (thread->prof == NULL)
		thread->prof = prof_table_enter();
	if (thread->prof_pcs == NULL)
		thread->prof_pcs = metadata_take_piece(pcs_size());
	return thread->prof != NULL && thread->prof_pcs != NULL;
}

uint64_t
prof_seed(void)
{
	/* The key is random; threads begin at distant points. */
	return thread_key() + atomic_fetch_add_explicit(&nseeds, 1,
	    memory_order_relaxed) * UINT64_C(0xd1342543de82ef95);
}

static struct prof_counts
counts_of(uint64_t period, size_t usable)
{
	double chance = sampler_chance(period, usable);

	return (struct prof_counts){ 1, usable,
		(uint64_t)(PROF_WEIGHT_ONE / chance + 0.5),
		(uint64_t)(PROF_WEIGHT_BYTE * (double)usable / chance + 0.5) };
}

static NOINLINE struct prof_pair *
count_here(struct thread *thread, const struct prof_counts *counts)
{
	unsigned depth = backtrace_take(thread->prof_pcs, depth_max());

	return prof_table_add(thread->prof, thread->prof_pcs, depth, counts);
}

struct prof_sample *
prof_begin(struct thread *thread, size_t usable)
{
	struct prof_sample *sample;

	if (!atomic_load_explicit(&prof.active, memory_order_relaxed) ||
	    thread->prof_busy)
		return NULL;
	/* What new threads begin with counts from their first sample. */
	prof_thread_set_active(thread, prof_thread_is_active(thread));
	if (thread->prof_paused || !knows(thread))
		return NULL;
	sample = metadata_take_piece(sizeof(*sample));
	if (sample == NULL)
		return NULL;
	thread->prof_busy = true;
	if (opt.prof_sys_thread_name) {
		char name[PROF_NAME_SIZE] = "";

		os_thread_name(name);
		prof_table_set_name(thread->prof, name);
	}
	sample->counts = counts_of(thread->tcache.sampler.period, usable);
	sample->pair = count_here(thread, &sample->counts);
	thread->prof_busy = false;
	if (sample->pair != NULL)
		return sample;
	metadata_give_piece(sample, sizeof(*sample));
	return NULL;
}

void
prof_end(struct prof_sample *sample)
{
	prof_table_remove(sample->pair, &sample->counts);
	metadata_give_piece(sample, sizeof(*sample));
}

bool
prof_thread_is_active(const struct thread *thread)
{
	return thread->prof_settled ? !thread->prof_paused :
	    atomic_load_explicit(&prof.thread_active_init,
	    memory_order_relaxed);
}

void
prof_thread_set_active(struct thread *thread, bool active)
{
	thread->prof_settled = true;
	thread->prof_paused = !active;
}

const char *
prof_thread_name(const struct thread *thread)
{
	return thread->prof == NULL ? "" : prof_table_name(thread->prof);
}

bool
prof_thread_set_name(struct thread *thread, const char *name)
{
	if (!knows(thread))
		return false;
	prof_table_set_name(thread->prof, name);
	return true;
}

void
prof_thread_end(struct thread *thread)
{
	if (thread->prof != NULL)
		prof_table_leave(thread->prof);
	if (thread->prof_pcs != NULL)
		metadata_give_piece(thread->prof_pcs, pcs_size());
	thread->prof = NULL;
	thread->prof_pcs = NULL;
}

void
prof_reset(unsigned lg_sample)
{
	prof_table_reset();
	set_period(lg_sample);
}

/* --- dumps -------------------------------------------------------------------- */

void
prof_set_prefix(const char *prefix)
{
	size_t length = strnlen(prefix, sizeof(names.prefix) - 1);

	lock_acquire(&names.lock);
	memcpy(names.prefix, prefix, length);
	names.prefix[length] = '\0';
	lock_release(&names.lock);
}

/*
 * <prefix>[.<namespace>].<pid>.<seq>.<kind>[<number>].heap
 * @param count  numbers the names of this kind, or NULL
 * @return       false: there are no such names
 */
static bool
make_name(char *path, size_t size, const char *kind, _Atomic uint64_t *count)
{
	char space[64] = "", number[32] = "";
	char prefix[PATH_MAX];

	lock_acquire(&names.lock);
	memcpy(prefix, names.prefix, sizeof(prefix));
	lock_release(&names.lock);
	if (prefix[0] == '\0')
		return false;
	if (opt.prof_pid_namespace) {
		char link[64];
		ssize_t length = file_link("/proc/self/ns/pid", link,
		    sizeof(link));
		const char *digits = length > 0 ? strchr(link, '[') : NULL;

		format_text(space, sizeof(space), ".%.*s",
		    digits == NULL ? 1 : (int)strcspn(digits + 1, "]"),
		    digits == NULL ? "0" : digits + 1);
	}
	if (count != NULL)
		format_text(number, sizeof(number), "%llu",
		    (unsigned long long)atomic_fetch_add_explicit(count, 1,
		    memory_order_relaxed));
	return format_text(path, size, "%s%s.%ld.%llu.%s%s.heap", prefix, space,
	    os_syscall3(SYS_getpid, 0, 0, 0), (unsigned long long)
	    atomic_fetch_add_explicit(&names.nnames, 1, memory_order_relaxed),
	    kind, number) < size;
}

static bool
dump(const char *path, struct prof_snapshot *snapshot)
{
	const struct prof_dump_form form = { .period = UINT64_C(1) <<
	    atomic_load_explicit(&prof.lg_sample, memory_order_relaxed),
	    .unbias = opt.prof_unbias };

	return prof_dump_file(path, snapshot, &form);
}

bool
prof_dump_now(const char *path)
{
	struct prof_snapshot snapshot;
	char name[PATH_MAX];
	bool done;

	if (path == NULL) {
		if (!make_name(name, sizeof(name), "m", &names.nmanual))
			return false;
		path = name;
	}
	if (!prof_snapshot_take(&snapshot))
		return false;
	done = dump(path, &snapshot);
	prof_snapshot_end(&snapshot);
	return done;
}

/* What is still there, as readers of the dump will estimate it. */
static bool
report_leaks(const struct prof_snapshot *snapshot, const char *path)
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
	message("Run jeprof on dump output \"%s\" for leak detail", path);
	return true;
}

void
prof_at_exit(void)
{
	struct prof_snapshot snapshot;
	char path[PATH_MAX];
	bool leaks = false;

	if (!make_name(path, sizeof(path), "f", NULL) ||
	    !prof_snapshot_take(&snapshot))
		return;
	if (!dump(path, &snapshot))
		message("%s can't be written", path);
	if (opt.prof_leak)
		leaks = report_leaks(&snapshot, path);
	prof_snapshot_end(&snapshot);
	if (leaks && opt.prof_leak_error) {
		message("Memory leak detected; exiting with status 1");
		_exit(1);
	}
}
