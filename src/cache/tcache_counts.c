#include "cache/tcache_counts.h"

#include <stdatomic.h>

#include "cache/tcache_state.h"
#include "util/bits.h"
#include "util/compiler.h"

ROUGHLY uint32_t
tcache_count(const struct tcache *tcache, unsigned i)
{
	const struct cache_bin_cold *cold = &tcache->cold[i];
	/*
	 * Another thread may move its stack while we read the two ends of it.
	 * That does no harm: we read no object, and an impossible length counts
	 * as 0.
	 */
	uintptr_t shown = (uintptr_t)READ_RELAXED(tcache->bins[i + 1].head);
	uintptr_t hidden = (uintptr_t)READ_RELAXED(cold->hidden_head);
	uintptr_t bottom = (uintptr_t)READ_RELAXED(cold->bottom);
	size_t count = (bottom - (shown != 0 ? shown : hidden)) /
		sizeof(void *) -
	    atomic_load_explicit(&cold->vacated, memory_order_relaxed);

	return count <= READ_RELAXED(cold->capacity) ? (uint32_t)count : 0;
}

/* Adds what one bin has counted to *taken and *given. */
static inline void
add_bytes(const struct tcache *tcache, unsigned i, uint64_t *taken,
    uint64_t *given)
{
	const struct cache_bin *bin = &tcache->bins[i + 1];
	const struct cache_bin_cold *cold = &tcache->cold[i];
	void **head = tcache->hidden ? cold->hidden_head : bin->head;
	uint32_t count = (uint32_t)(cold->bottom - head);
	uint32_t since = cold->granted - (uint32_t)bin->countdown;

	*taken += (cold->taken + since) * bin->usable;
	*given += (cold->given + (uint32_t)(count - cold->counted + since)) *
	    bin->usable;
}

void
tcache_bytes(const struct tcache *tcache, uint64_t *taken, uint64_t *given)
{
	*taken = tcache->uncached_taken;
	*given = tcache->uncached_given;
	for (unsigned w = 0; w < ARRAY_LEN(tcache->used); w++)
		for (uint64_t used = tcache->used[w]; used != 0;
		     used &= used - 1)
			add_bytes(tcache, w * 64 + lowest_bit(used), taken,
			    given);
}

void
tcache_settle(struct tcache *tcache, unsigned i)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	struct cache_bin_cold *cold = &tcache->cold[i];
	uint32_t taken = cold->granted - (uint32_t)bin->countdown;
	uint32_t count = tcache_count(tcache, i);

	ADD_RELAXED(cold->taken, taken);
	/* count = counted + given - taken */
	cold->given += (uint32_t)(count - cold->counted + taken);
	cold->counted = count;
	SET_RELAXED(cold->granted, (uint32_t)bin->countdown);
}

ROUGHLY uint64_t
tcache_requests(const struct tcache *tcache, unsigned i)
{
	const struct cache_bin_cold *cold = &tcache->cold[i];
	uint32_t granted = READ_RELAXED(cold->granted);
	uint32_t countdown = (uint32_t)
	    READ_RELAXED(tcache->bins[i + 1].countdown);

	/*
	 * A countdown below 0 is a huge number here: an event is due, and the
	 * owner is about to settle. Until then only settled objects count.
	 */
	return READ_RELAXED(cold->taken) +
	    (countdown <= granted ? granted - countdown : 0);
}
