#include "cache/shrink.h"

#include <string.h>

#include "cache/exchange.h"
#include "cache/stack.h"
#include "cache/tcache_counts.h"
#include "util/bits.h"

/*
 * A bin that has lacked room SHRINK_LACKS times asks the others for it. It gets
 * the room of those that were not used since it last asked. So sizes that are
 * used in turn, and are too many, don't take it from each other all the time.
 * Each time that it gets none it waits for twice as long, up to so many times,
 * because asking takes time.
 */
#define LACKS_MAX 256
/* Bins in use give up to this many slots to one that has fewer. */
#define FAIR_SLOTS 2

/*
 * A fault may be reported meanwhile, and the program's message function may
 * allocate. So the stack stays usable for fast paths: `empty` protects these
 * objects, and the number of the others is read only afterwards.
 */
void
shrink_drop(struct tcache *tcache, unsigned i, uint32_t count)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	struct cache_bin_cold *cold = &tcache->cold[i];
	uint32_t rest;

	bin->empty = cold->bottom - count;
	flight_begin(&tcache->flight, FLIGHT_FLUSH, i, cold->bottom - count,
	    count);
	exchange_give(i, cold->bottom - count, count);
	rest = stack_count(tcache, i) - count;
	if (rest != 0)
		flight_begin(&tcache->flight, FLIGHT_MOVE, i, bin->head,
		    rest + count);
	memmove(bin->head + count, bin->head, rest * sizeof(void *));
	SET_RELAXED(bin->head, bin->head + count);
	flight_end(&tcache->flight);
	bin->empty = cold->bottom;
	cold->counted -= count;
}

/* --- ageing --------------------------------------------------------------- */

static void
lower_to(struct tcache *tcache, unsigned i, uint32_t limit)
{
	uint32_t count = stack_count(tcache, i);

	if (limit < count)
		limit = count;
	if (limit < tcache->cold[i].limit)
		stack_lower(tcache, i, limit);
}

/* Half of the idle objects go. A stack that is nearly empty shrinks. */
static void
age_small(struct tcache *tcache, unsigned i)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	struct cache_bin_cold *cold = &tcache->cold[i];
	uint32_t idle = (uint32_t)(cold->bottom - bin->empty);
	uint32_t count;

	if (idle > 0) {
		shrink_drop(tcache, i, (idle + 1) / 2);
		if (stack_count(tcache, i) < cold->limit / 4)
			lower_to(tcache, i, cold->limit / 2);
	}
	count = stack_count(tcache, i);
	if (count >= 2)
		bin->empty = cold->bottom - (count + 1) / 2;
}

/*
 * Large objects take much memory, so all idle ones go at once, and with them
 * their slots. The upper slots go if they were not used either: a second mark,
 * `full`, stands in the middle of the free slots. If the stack rises to it,
 * give() removes the mark and they stay.
 */
static void
age_large(struct tcache *tcache, unsigned i)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	struct cache_bin_cold *cold = &tcache->cold[i];
	uint32_t idle = (uint32_t)(cold->bottom - bin->empty);
	uint32_t slots = (uint32_t)(cold->bottom - bin->full), count;

	if (idle > 0)
		shrink_drop(tcache, i, idle);
	lower_to(tcache, i, slots - idle);
	count = stack_count(tcache, i);
	bin->empty = cold->bottom - (count + 1) / 2;
	bin->full = cold->bottom - (cold->limit + count) / 2;
}

/*
 * The objects between the mark `empty` and the bottom were not used since the
 * last visit. The new mark is set in the middle of the stack. If the stack
 * sinks to it, take() removes the mark and the objects stay.
 */
void
shrink_age(struct tcache *tcache, unsigned i)
{
	if (i < SMALL_CLASSES)
		age_small(tcache, i);
	else
		age_large(tcache, i);
	tcache->cold[i].misses = 0;
}

/* --- room for others ------------------------------------------------------ */

/* The bins that share their room with bin `i`. */
static unsigned
first_of_kind(unsigned i)
{
	return i < SMALL_CLASSES ? 0 : SMALL_CLASSES;
}

static unsigned
end_of_kind(unsigned i)
{
	return i < SMALL_CLASSES ? SMALL_CLASSES : CACHE_BINS;
}

/* Finds out which bins were used since somebody last looked. */
static void
look(struct tcache *tcache, unsigned i)
{
	tcache->looks++;
	for (unsigned k = first_of_kind(i); k < end_of_kind(i); k++) {
		struct cache_bin_cold *cold = &tcache->cold[k];
		uint16_t uses;

		if (cold->limit <= stack_gratis(k))
			continue;
		/* Each object that is handed out or taken back adds 1. */
		uses = (uint16_t)(2 * tcache_requests(tcache, k) +
		    tcache_count(tcache, k));
		if (uses != cold->seen_uses)
			cold->used_at = tcache->looks;
		cold->seen_uses = uses;
	}
}

/* The bytes that bin `k` can give if it keeps `slots`. */
static int64_t
spare_of(const struct tcache *tcache, unsigned k, uint32_t slots)
{
	uint32_t limit = tcache->cold[k].limit;

	return limit <= slots
	    ? 0
	    : (int64_t)(limit - slots) * tcache->bins[k + 1].usable;
}

/* Looks ago that somebody saw a use of bin `k`. */
static uint16_t
age_of(const struct tcache *tcache, unsigned k)
{
	return (uint16_t)(tcache->looks - tcache->cold[k].used_at);
}

/*
 * The bin that was not used since bin `i` last asked, and for the longest time;
 * `i` if there is none.
 */
static unsigned
most_idle(const struct tcache *tcache, unsigned i)
{
	uint16_t least = (uint16_t)(tcache->looks - tcache->cold[i].asked_at);
	unsigned best = i;

	for (unsigned k = first_of_kind(i); k < end_of_kind(i); k++)
		if (k != i && spare_of(tcache, k, stack_gratis(k)) > 0 &&
		    age_of(tcache, k) >= least) {
			least = age_of(tcache, k);
			best = k;
		}
	return best;
}

/* The bin that can give most; `i` if none can give anything. */
static unsigned
richest(const struct tcache *tcache, unsigned i, uint32_t slots)
{
	unsigned best = i;
	int64_t most = 0;

	for (unsigned k = first_of_kind(i); k < end_of_kind(i); k++)
		if (k != i && spare_of(tcache, k, slots) > most) {
			most = spare_of(tcache, k, slots);
			best = k;
		}
	return best;
}

static int64_t
spare_of_others(const struct tcache *tcache, unsigned i, uint32_t slots)
{
	int64_t sum = 0;

	for (unsigned k = first_of_kind(i); k < end_of_kind(i); k++)
		sum += k != i ? spare_of(tcache, k, slots) : 0;
	return sum;
}

/*
 * Bin `i` gives up to `bytes`, but keeps `slots`, or as many as it needs after
 * a report. Returns whether it gave any.
 */
static bool
give_way(struct tcache *tcache, unsigned i, int64_t bytes, uint32_t slots)
{
	bool shown = tcache->bins[i + 1].head != NULL;
	int64_t usable = tcache->bins[i + 1].usable;
	uint32_t limit = tcache->cold[i].limit, before = limit;

	bytes = bytes < spare_of(tcache, i, slots) ? bytes
						   : spare_of(tcache, i, slots);
	limit -= (uint32_t)((bytes + usable - 1) / usable);
	if (!shown)
		stack_show(tcache, i);
	if (stack_count(tcache, i) > limit)
		shrink_drop(tcache, i, stack_count(tcache, i) - limit);
	lower_to(tcache, i, limit);
	if (!shown)
		stack_conceal(tcache, i);
	return tcache->cold[i].limit < before;
}

static void
take_from_idle(struct tcache *tcache, unsigned i, uint32_t limit)
{
	int64_t lacking;

	while ((lacking = stack_lacks(tcache, i, limit)) > 0) {
		unsigned k = most_idle(tcache, i);

		if (k == i || !give_way(tcache, k, lacking, stack_gratis(k)))
			return;
	}
}

/* Those in use give what they have beyond `slots`, if that is enough. */
static void
take_from_used(struct tcache *tcache, unsigned i, uint32_t slots)
{
	int64_t lacking = stack_lacks(tcache, i, slots);

	if (lacking > spare_of_others(tcache, i, slots))
		return;
	while ((lacking = stack_lacks(tcache, i, slots)) > 0) {
		unsigned k = richest(tcache, i, slots);

		if (k == i || !give_way(tcache, k, lacking, slots))
			return;
	}
}

bool
shrink_others(struct tcache *tcache, unsigned i, uint32_t limit)
{
	struct cache_bin_cold *cold = &tcache->cold[i];
	int64_t lacking = stack_lacks(tcache, i, limit);
	bool gained;

	cold->lacks = 0;
	look(tcache, i);
	take_from_idle(tcache, i, limit);
	if (cold->limit < FAIR_SLOTS && i >= SMALL_CLASSES)
		take_from_used(tcache, i, cold->limit + 1);
	cold->asked_at = tcache->looks;
	gained = stack_lacks(tcache, i, limit) < lacking;
	cold->wait = gained
	    ? SHRINK_LACKS
	    : (uint16_t)min_size(2 * (size_t)cold->wait, LACKS_MAX);
	return gained;
}
