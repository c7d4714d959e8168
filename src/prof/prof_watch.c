#include "prof/prof_watch.h"

#include "conf/options.h"
#include "prof/prof_hooks.h"
#include "prof/prof_log.h"
#include "prof/prof_stats.h"
#include "prof/prof_trace.h"

AT_START void
prof_watch_init(void)
{
	prof_stats_init();
	prof_recent_init(opt.prof_recent_alloc_max);
	prof_log_init();
	prof_trace_init();
}

void
prof_watch_each_lock(void (*step)(struct lock *))
{
	step(prof_stats_lock());
	step(prof_recent_lock());
	step(prof_log_lock());
	step(prof_trace_lock());
}

void
prof_watch_taken(struct prof_sample *sample, const struct prof_doer *doer)
{
	if (opt.prof_stats)
		prof_stats_begin(sample->requested, sample->usable);
	if (prof_recent_wanted())
		prof_recent_begin(&sample->record, sample->requested,
		    sample->usable, doer);
	prof_hooks_sampled(sample->object, sample->requested, doer->pcs,
	    doer->depth, sample->usable);
}

void
prof_watch_end(struct prof_sample *sample, const struct prof_doer *doer)
{
	prof_hooks_freed(sample->object, sample->usable);
	if (opt.prof_stats)
		prof_stats_end(sample->requested, sample->usable);
	if (prof_watch_wants_stack(sample))
		prof_recent_end(&sample->record, doer);
}
