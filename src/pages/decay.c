#include "pages/decay.h"

#include <string.h>

#include "util/bits.h"
#include "util/compiler.h"

AT_START void
decay_init(struct decay *decay, int64_t time_ms, uint64_t now_ns)
{
	memset(decay, 0, sizeof(*decay));
	decay->time_ms = time_ms;
	if (time_ms > 0) {
		decay->step_ns = (uint64_t)time_ms * 1000000u / DECAY_STEPS;
		if (decay->step_ns == 0)
			decay->step_ns = 1;
	}
	decay->step_start_ns = now_ns;
}

/*
 * The share that may stay after `age` of DECAY_STEPS steps, times 2^16:
 * x^2 (3 - 2x), where x is the share of the time that is left. This curve is
 * flat at both ends, so purging begins slowly after a free and ends slowly.
 */
static size_t
share(unsigned age)
{
	uint64_t x = ((uint64_t)(DECAY_STEPS - age) << 16) / DECAY_STEPS;

	return (size_t)((x * x >> 16) * ((3u << 16) - 2 * x) >> 16);
}

/* size * share >> 16, without a product that is too large; share <= 2^16. */
static size_t
take_share(size_t size, size_t share)
{
	return (size >> 16) * share + ((size & 0xffff) * share >> 16);
}

static size_t
limit(const struct decay *decay)
{
	size_t sum = 0;

	for (unsigned age = 0; age < DECAY_STEPS; age++) {
		unsigned i = (decay->newest + DECAY_STEPS - age) % DECAY_STEPS;

		if (decay->added[i] != 0)
			sum += take_share(decay->added[i], share(age));
	}
	return sum;
}

size_t
decay_advance(struct decay *decay, uint64_t now_ns, size_t size)
{
	uint64_t passed = now_ns - decay->step_start_ns;
	uint64_t steps;

	/* The clock went back: count from now on, but keep the ring. */
	if ((int64_t)passed < 0) {
		decay->step_start_ns = now_ns;
		passed = 0;
	}
	/*
	 * Bytes that were freed since the last call count from now, not from
	 * the last call. So a burst of frees after a long pause may stay as
	 * long as any other.
	 */
	steps = passed / decay->step_ns;
	if (steps >= DECAY_STEPS) {
		memset(decay->added, 0, sizeof(decay->added));
		decay->step_start_ns = now_ns;
		steps = 0;
	}
	decay->step_start_ns += steps * decay->step_ns;
	while (steps-- > 0) {
		decay->newest = (decay->newest + 1) % DECAY_STEPS;
		decay->added[decay->newest] = 0;
	}
	if (size > decay->last_size)
		decay->added[decay->newest] += size - decay->last_size;
	decay->last_size = size;
	decay->keep = limit(decay);
	decay->owed = size > decay->keep ? size - decay->keep : 0;
	return decay->keep;
}

size_t
decay_owed(struct decay *decay, size_t size)
{
	/* What was taken meanwhile need not be purged any more. */
	decay->owed = min_size(decay->owed,
	    size > decay->keep ? size - decay->keep : 0);
	return decay->owed;
}

void
decay_purged(struct decay *decay, size_t size)
{
	decay->last_size -= min_size(size, decay->last_size);
	decay->owed -= min_size(size, decay->owed);
}
