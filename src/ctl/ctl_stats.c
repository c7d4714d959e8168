#include "ctl/ctl_stats.h"

#include <errno.h>

#include "conf/safety.h"
#include "guard/guard_pool.h"
#include "ctl/ctl_arena.h"
#include "stats/report_sections.h"
#include "stats/snapshot.h"

int
ctl_stats_epoch(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->u64 = snapshot_epoch();
	return 0;
}

int
ctl_stats_refresh(const struct ctl_call *call, const union ctl_value *value)
{
	(void)call;
	(void)value;
	return snapshot_refresh() ? 0 : EAGAIN;
}

const char *
ctl_stats_enter(const char *place, size_t index)
{
	(void)place;
	(void)index;
	return (const char *)snapshot_get();
}

void
ctl_stats_leave(const char *place)
{
	snapshot_release((struct stats_snapshot *)(uintptr_t)place);
}

/* The figures of all arenas or of the destroyed ones. NULL: another index. */
static NOINLINE const char *
enter_sum(const struct stats_snapshot *snapshot, size_t index)
{
	if (index == CTL_ARENAS_DESTROYED)
		return snapshot->any_destroyed
		    ? (const char *)&snapshot->destroyed
		    : NULL;
	return ctl_arena_means_all(index) ? (const char *)&snapshot->merged
					  : NULL;
}

const char *
ctl_stats_arena_enter(const char *place, size_t index)
{
	const struct stats_snapshot *snapshot = (const void *)place;

	if (likely(index < snapshot->narenas))
		return (const char *)snapshot->arenas[index];
	return enter_sum(snapshot, index);
}

int
ctl_stats_safety_reports(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->u64 = safety_reports();
	return 0;
}

int
ctl_stats_guarded_now(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->size = guard_pool_stats().live;
	return 0;
}

int
ctl_stats_unguarded(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->u64 = report_unguarded();
	return 0;
}

int
ctl_stats_active_now(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->size = snapshot_active_now();
	return 0;
}

int
ctl_stats_reset_mutexes(const struct ctl_call *call)
{
	(void)call;
	snapshot_reset_mutexes();
	return 0;
}
