#include "api/sampled.h"

#include "cache/thread.h"
#include "extent/extent.h"

/* The profile's period. If it has changed, the thread's sampler gets it. */
static uint64_t
follow_period(struct tcache *tcache)
{
	uint64_t period = prof_period();

	if (unlikely(period == 0)) {
		/*
		 * prof_enable() sets the period, then the flag. We clear the
		 * flag, then read the period again. So the profile can't be on
		 * while this thread's flag is off.
		 */
		tcache_set_rare(tcache, TCACHE_SAMPLED, false);
		period = prof_period();
		if (period != 0)
			tcache_set_rare(tcache, TCACHE_SAMPLED, true);
	}
	if (unlikely(tcache->sampler.period != period))
		tcache_sample(tcache, period, prof_seed());
	return period;
}

enum sampled_draw
sampled_draw(struct tcache *tcache, unsigned bin, size_t usable)
{
	bool hit;

	if (follow_period(tcache) == 0)
		return SAMPLED_OFF;
	hit = bin == CACHE_BINS ? sampler_hits(&tcache->sampler, usable) :
	    tcache_sample_due(tcache, bin);
	if (hit && bin != CACHE_BINS)
		tcache_sampled(tcache, bin);
	return hit ? SAMPLED_HIT : SAMPLED_MISS;
}

bool
sampled_resize_draws(size_t usable)
{
	struct thread *thread = thread_self;

	return thread_is_own(thread) &&
	    (tcache_rare(&thread->tcache) & TCACHE_SAMPLED) != 0 &&
	    follow_period(&thread->tcache) != 0 &&
	    sampler_hits(&thread->tcache.sampler, usable);
}

void
sampled_resized(struct extent *e, size_t size, bool drawn)
{
	struct thread *thread = thread_self;

	if (e->sample != NULL)
		prof_end(thread_is_own(thread) ? thread : NULL, e->sample);
	e->sample = drawn ? prof_begin(thread, size, e->usable) :
	    NULL;
	if (e->sample != NULL)
		prof_taken(thread, e->sample, e->object);
}
