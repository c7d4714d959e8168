#include "prof/prof_output.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "conf/options.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/message.h"
#include "os/syscalls.h"
#include "prof/prof.h"
#include "prof/prof_dump.h"
#include "prof/prof_pprof.h"
#include "prof/prof_table.h"
#include "util/format.h"

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

void
prof_output_init(void)
{
	lock_init(&names.lock, LOCK_PROF_NAMES);
	prof_set_prefix(opt.prof_prefix);
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

/*
 * <prefix>[.<namespace>].<pid>.<seq>.<kind>[<number>].heap, or as files for
 * pprof end
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
	return format_text(path, size, "%s%s.%ld.%llu.%s%s%s", prefix, space,
	    os_syscall3(SYS_getpid, 0, 0, 0), (unsigned long long)
	    atomic_fetch_add_explicit(&names.nnames, 1, memory_order_relaxed),
	    kind, number, opt.prof_format == PROF_FORMAT_PPROF ?
	    prof_pprof_suffix : ".heap") < size;
}

static bool
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
	message("Run %s on dump output \"%s\" for leak detail",
	    opt.prof_format == PROF_FORMAT_PPROF ? "pprof" : "jeprof", path);
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
