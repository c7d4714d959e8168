#include "api/sampled.h"

#include "cache/thread.h"
#include "extent/extent.h"

/*
 * Updates the thread's sampler if the rates have changed. False: no objects are
 * picked now.
 */
static bool
follow(struct tcache *tcache)
{
	uint64_t period = prof_period(), every = guard_every();

	if (unlikely((period | every) == 0)) {
		/*
		 * prof_enable() and guard_set() set the number, then the flag.
		 * We clear the flag, then read the numbers again. So none of
		 * them can be set while this thread's flag is off.
		 */
		tcache_set_rare(tcache, TCACHE_SAMPLED, false);
		period = prof_period();
		every = guard_every();
		if ((period | every) != 0)
			tcache_set_rare(tcache, TCACHE_SAMPLED, true);
	}
	if (unlikely(tcache->sampler.period != period ||
		tcache->sampler.every != every))
		tcache_sample(tcache,
		    &(struct sampler){ .state = prof_seed(),
			.period = period,
			.every = every });
	return (period | every) != 0;
}

unsigned
sampled_draw(struct tcache *tcache, unsigned bin, size_t usable)
{
	if (!follow(tcache))
		return SAMPLER_NOTHING;
	if (bin == CACHE_BINS)
		return sampler_pick(&tcache->sampler, usable);
	if (!tcache_sample_due(tcache, bin))
		return SAMPLER_NOTHING;
	tcache_sampled(tcache, bin);
	return sampler_purpose(&tcache->sampler, usable);
}

bool
sampled_resize_draws(size_t usable)
{
	struct thread *thread = thread_self;

	return thread_is_own(thread) &&
	    (tcache_rare(&thread->tcache) & TCACHE_SAMPLED) != 0 &&
	    follow(&thread->tcache) &&
	    (sampler_pick(&thread->tcache.sampler, usable) & SAMPLER_PROFILE) !=
	    0;
}

void
sampled_resized(struct extent *e, size_t size, bool drawn)
{
	struct thread *thread = thread_self;

	if (e->sample != NULL)
		prof_end(thread_is_own(thread) ? thread : NULL, e->sample);
	e->sample = drawn ? prof_begin(thread, size, e->usable) : NULL;
	if (e->sample != NULL)
		prof_taken(thread, e->sample, e->object);
}
