#include "cache/tcache.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/exchange.h"
#include "cache/holding.h"
#include "cache/pace.h"
#include "cache/shrink.h"
#include "cache/stack.h"
#include "cache/stride.h"
#include "cache/tcache_counts.h"
#include "cache/tcache_guard.h"
#include "conf/options.h"
#include "extent/metadata.h"
#include "os/clock.h"

/* Bins that one event ages. */
#define AGE_BINS 6
/* Ticks that an arena gets in a row from a thread that does not use it. */
#define TICKS_HERE 64
/* The mark is changed after the program has stored it this many times. */
#define WRONG_MARKS 64
/* Regions taken under one acquisition of a bin's lock. */
#define REFILL_MAX 128

/*
 * A size whose bin does not cache leads to the dummy, so each call is slow. So
 * does every size with opt.checked.
 */
static uint16_t
kind_if_cached(const struct tcache *tcache, unsigned size_class)
{
	return tcache->cold[size_class].max != 0 && !opt.checked
	    ? kind_of_bin(size_class)
	    : KIND_NONE;
}

static void
fill_tables(struct tcache *tcache)
{
	for (unsigned i = 0; i < CLASS_FINE_LEN; i++)
		tcache->fine[i] = kind_if_cached(tcache,
		    size_class_tables.fine[i]);
	for (unsigned i = 0; i < CLASS_COARSE_LEN; i++)
		tcache->coarse[i] = kind_if_cached(tcache,
		    size_class_tables.coarse[i]);
}

static void
set_maxima(struct tcache *tcache)
{
	for (unsigned i = 0; i < CACHE_BINS; i++)
		tcache->cold[i].max = stack_most(tcache, i);
	fill_tables(tcache);
}

void
tcache_init(struct tcache *tcache, struct arena *arena, uintptr_t random)
{
	size_t threshold;

	tcache->arena = arena;
	tcache->shard = atomic_fetch_add_explicit(&arena->next_shard, 1,
	    memory_order_relaxed);
	tcache->random = random;
	tcache->mark = cache_mark_of(random);
	tcache->tick_cursor = arena->index;
	tcache->enabled = opt.tcache && !options_fill();
	tcache->max_size = opt.tcache_max;
	/* Larger objects are taken from the arena for oversized requests. */
	threshold = READ_RELAXED(arena->oversize_threshold);
	if (threshold != 0)
		tcache->max_size = min_size(tcache->max_size, threshold - 1);
	stack_init_room(tcache);
	stride_init(tcache);
	set_maxima(tcache);
}

/* --- hidden stacks ---------------------------------------------------- */

void
tcache_hide(struct tcache *tcache, bool hidden)
{
	assert(!tcache_is_busy(tcache));
	tcache_enter(tcache);
	for (unsigned i = 0; i < CACHE_BINS; i++)
		if (hidden && !tcache->hidden)
			stack_conceal(tcache, i);
		else if (!hidden && tcache->hidden)
			stack_show(tcache, i);
	tcache->hidden = hidden;
	tcache_leave(tcache);
}

/*
 * Moves the counts of a bin to its arena and to the totals of the cache. The
 * counts of a bin belong to the cache's arena, which is about to change.
 */
static void
leave_counts(struct tcache *tcache, unsigned i)
{
	struct cache_bin_cold *cold = &tcache->cold[i];
	size_t usable = tcache->bins[i + 1].usable;

	tcache_settle(tcache, i);
	if (BUILD_STATS)
		atomic_fetch_add_explicit(&tcache->arena->requests[i],
		    cold->taken, memory_order_relaxed);
	tcache->uncached_taken += cold->taken * usable;
	tcache->uncached_given += cold->given * usable;
	ADD_RELAXED(cold->taken, -cold->taken);
	cold->given = 0;
}

void
tcache_leave_counts(struct tcache *tcache)
{
	tcache_enter(tcache);
	for (unsigned i = 0; i < CACHE_BINS; i++)
		leave_counts(tcache, i);
	tcache_leave(tcache);
}

/* --- the stacks ----------------------------------------------------- */

void
tcache_follow_cpu(struct tcache *tcache)
{
	struct arena *old = tcache->arena, *arena = arena_table_of_cpu();

	if (arena == NULL || arena == old)
		return;
	tcache_leave_counts(tcache);
	SET_RELAXED(tcache->arena, arena_table_bind_to(arena->index));
	arena_table_unbind(old);
}

/*
 * A refill or a flush is needed. If a report comes meanwhile, the program may
 * have used the bin.
 */
static void
missed(struct tcache *tcache, unsigned i, enum miss kind)
{
	uint32_t limit = stack_missed(tcache, i, kind);

	if (unlikely(limit != 0) && shrink_may_ask(tcache, i) &&
	    shrink_others(tcache, i, limit))
		stack_grow(tcache, i, limit);
}

static void
refill(struct tcache *tcache, unsigned i)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	struct cache_bin_cold *cold = &tcache->cold[i];
	unsigned want, got;

	missed(tcache, i, MISS_TAKE);
	if (cold->limit == 0 || bin->head != bin->empty)
		return;
	stack_open(tcache, i);
	want = i < SMALL_CLASSES ? (cold->limit + 1) / 2 : 1;
	if (want > REFILL_MAX)
		want = REFILL_MAX;
	flight_begin(&tcache->flight, FLIGHT_FILL, i, bin->head - want, want);
	got = exchange_take(tcache->arena, tcache->shard, i, bin->head - want,
	    want);
	if (unlikely(got < want))
		memmove(bin->head - got, bin->head - want,
		    got * sizeof(void *));
	SET_RELAXED(bin->head, bin->head - got);
	flight_end(&tcache->flight);
	cold->counted += got;
}

struct other_tick {
	uint64_t now_ns;
	bool purged;
};

static void
tick_other(struct arena *arena, void *context)
{
	struct other_tick *other = context;

	other->purged = arena_tick(arena, other->now_ns);
}

/*
 * The users of an arena tick it. Those without a user get ticks here, in turn;
 * one with more to purge has several.
 */
static bool
tick_others(struct tcache *tcache, uint64_t now_ns)
{
	struct other_tick other = { .now_ns = now_ns, .purged = false };

	if (++tcache->tick_cursor >= arena_table_count())
		tcache->tick_cursor = 0;
	arena_table_visit(tcache->tick_cursor, tick_other, &other);
	if (!other.purged || ++tcache->ticks_here > TICKS_HERE)
		tcache->ticks_here = 0;
	else
		tcache->tick_cursor--; /* back again */
	return other.purged;
}

/* Returns whether pages were purged; then there may be more. */
static bool
tick(struct tcache *tcache, uint64_t now_ns)
{
	atomic_store_explicit(&tcache->guard.event_ns, now_ns,
	    memory_order_relaxed);
	holding_look(now_ns);
	/* One purge is enough for one call of the program. */
	return arena_tick_and_sweep(tcache->arena, now_ns) ||
	    tick_others(tcache, now_ns);
}

/* Objects went back to their arenas. */
static void
tick_given(struct tcache *tcache)
{
	uint64_t now_ns = clock_coarse_ns();

	stride_look(tcache, now_ns);
	tick(tcache, now_ns);
}

static void
event(struct tcache *tcache, unsigned i, uint32_t least)
{
	uint32_t granted = tcache->cold[i].granted;
	uint64_t now_ns = clock_coarse_ns();
	uint64_t since_ns = stride_event(tcache, i, least, now_ns);

	/* Inside of another slow path a stack may be half changed. */
	for (unsigned n = 0; n < AGE_BINS && tcache->guard.depth == 1; n++) {
		/* In a hidden cache that of the caller may be in sight. */
		bool shown = tcache->bins[tcache->age_cursor + 1].head != NULL;

		if (tcache->cold[tcache->age_cursor].limit != 0) {
			if (!shown)
				stack_show(tcache, tcache->age_cursor);
			shrink_age(tcache, tcache->age_cursor);
			if (!shown)
				stack_conceal(tcache, tcache->age_cursor);
		}
		if (++tcache->age_cursor >= CACHE_BINS)
			tcache->age_cursor = 0;
	}
	/* There may be more to purge, and this thread may have few events. */
	if (tick(tcache, now_ns))
		stride_shorten(tcache, i,
		    (uint32_t)pace_soon(granted, since_ns));
}

/* An object from no stack also counts towards the next sample. */
static COLD void
count_past(struct tcache *tcache, unsigned i)
{
	struct cache_bin *bin = &tcache->bins[i + 1];

	tcache->uncached_taken += bin->usable;
	if (!sampler_is_on(&tcache->sampler))
		return;
	ADD_RELAXED(bin->countdown, -1);
	ADD_RELAXED(tcache->cold[i].granted, -1u);
}

/*
 * The program's message function allocates inside of another slow path, which
 * may be giving back the objects of this stack, and knows where it is. So the
 * stack stays as it is.
 */
static COLD void *
take_inside(struct tcache *tcache, unsigned i)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	void *object = exchange_take_one(tcache->arena, i);

	/* The call that lowered it below 0 got no object. */
	if (bin->countdown < 0)
		SET_RELAXED(bin->countdown, 0);
	if (object != NULL)
		tcache->uncached_taken += bin->usable;
	return object;
}

void *
tcache_take_slow(struct tcache *tcache, unsigned i)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	struct cache_bin_cold *cold = &tcache->cold[i];
	bool shown;
	void *object;

	tcache_enter(tcache);
	if (unlikely(tcache->guard.depth > 1)) {
		object = take_inside(tcache, i);
		tcache_leave(tcache);
		return object;
	}
	shown = !tcache->hidden;
	if (unlikely(!shown))
		stack_show(tcache, i);
	if (bin->countdown <= 0) {
		/* The call that lowered it below 0 got no object. */
		SET_RELAXED(bin->countdown, 0);
		event(tcache, i, 1); /* the caller draws no sample */
	}
	if (bin->head == bin->empty)
		bin->empty = cold->bottom; /* the mark was reached */
	if (bin->head == bin->empty && cold->max != 0)
		refill(tcache, i);
	object = opt.checked ? cache_bin_take_as_it_is(bin)
			     : cache_bin_take(bin);
	if (object == NULL && cold->limit == 0) {
		object = exchange_take_one(tcache->arena, i);
		if (object != NULL)
			count_past(tcache, i);
	}
	if (unlikely(!shown))
		stack_conceal(tcache, i);
	tcache_leave(tcache);
	return object;
}

/* Are all stacks in sight, and none of them half changed? */
static bool
can_be_used(const struct tcache *tcache)
{
	return !tcache->hidden && tcache->guard.depth == 1;
}

size_t
tcache_take_many(struct tcache *tcache, unsigned i, void **objects,
    size_t count)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	const struct cache_bin_cold *cold = &tcache->cold[i];
	size_t taken = 0, n;

	tcache_enter(tcache);
	while (can_be_used(tcache) && taken < count &&
	    stack_count(tcache, i) > 0) {
		if (bin->countdown <= 0) {
			SET_RELAXED(bin->countdown, 0); /* see take() */
			event(tcache, i, 1);
			/*
			 * event() had flights of its own, so this one begins
			 * again.
			 */
			flight_begin(&tcache->flight, FLIGHT_OUT, i, objects,
			    (uint32_t)min_size(count, UINT32_MAX));
		}
		n = min_size(count - taken,
		    min_size(stack_count(tcache, i), (size_t)bin->countdown));
		memcpy(objects + taken, bin->head, n * sizeof(void *));
		taken += n;
		SET_RELAXED(bin->head, bin->head + n);
		ADD_RELAXED(bin->countdown, -(int32_t)n);
		if (bin->head > bin->empty)
			bin->empty = cold->bottom; /* past the mark */
	}
	tcache_leave(tcache);
	return taken;
}

static void
give(struct tcache *tcache, unsigned i, void *object)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	struct cache_bin_cold *cold = &tcache->cold[i];

	stack_open(tcache, i);
	if (bin->head == bin->full && cold->max != 0) {
		missed(tcache, i, MISS_GIVE);
		if (bin->head == bin->full && cold->limit != 0) {
			shrink_drop(tcache, i, (cold->limit + 1) / 2);
			tick_given(tcache);
		}
	}
	if (bin->head == bin->full) {
		tcache->uncached_given += bin->usable;
		exchange_give_one(i, object);
		/* Such a bin has no events that tick. */
		tick_given(tcache);
		return;
	}
	if (!opt.checked)
		cache_set_mark(object, tcache->mark);
	cache_bin_give(bin, bin->head, object);
}

void
tcache_give_slow(struct tcache *tcache, unsigned i, void *object)
{
	tcache_enter(tcache);
	if (unlikely(tcache->guard.depth > 1)) {
		/* See take_inside(). */
		tcache->uncached_given += tcache->bins[i + 1].usable;
		exchange_give_one(i, object);
	} else if (likely(!tcache->hidden)) {
		give(tcache, i, object);
	} else {
		stack_show(tcache, i);
		give(tcache, i, object);
		stack_conceal(tcache, i);
	}
	tcache_leave(tcache);
}

void *
tcache_take_aside(struct tcache *tcache, unsigned i)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	struct cache_bin_cold *cold = &tcache->cold[i];
	void *object = NULL;

	tcache_enter(tcache);
	if (can_be_used(tcache) && cold->limit != 0 && bin->countdown > 0) {
		if (bin->head == bin->empty)
			bin->empty = cold->bottom; /* see take_slow() */
		if (bin->head == bin->empty)
			refill(tcache, i);
		object = cache_bin_take(bin);
	}
	if (object != NULL) {
		/* Takes back what makes it one of the program's. */
		ADD_RELAXED(bin->countdown, 1);
		cold->counted--;
	}
	tcache_leave(tcache);
	return object != NULL ? object : exchange_take_one(tcache->arena, i);
}

void
tcache_give_aside(struct tcache *tcache, unsigned i, void *object)
{
	uint64_t given = tcache->uncached_given;

	tcache_enter(tcache);
	if (can_be_used(tcache) && tcache->cold[i].limit != 0) {
		give(tcache, i, object);
		/* Takes back that the program has freed it. */
		if (tcache->uncached_given == given)
			tcache->cold[i].counted++;
		tcache->uncached_given = given;
		object = NULL;
	}
	tcache_leave(tcache);
	if (object != NULL)
		exchange_give_one(i, object);
}

void
tcache_sample(struct tcache *tcache, const struct sampler *sampler)
{
	tcache_enter(tcache);
	tcache->sampler = *sampler;
	for (unsigned i = 0; i < CACHE_BINS; i++) {
		struct cache_bin *bin = &tcache->bins[i + 1];

		if (bin->countdown < 0)
			SET_RELAXED(bin->countdown, 0);
		tcache->cold[i].until_sample = !sampler_is_on(sampler)
		    ? 0
		    : sampler_draw(&tcache->sampler, bin->usable);
		stride_grant(tcache, i, 0);
	}
	tcache_leave(tcache);
}

bool
tcache_sample_due(struct tcache *tcache, unsigned i)
{
	struct cache_bin *bin = &tcache->bins[i + 1];

	if (bin->countdown > 0)
		return false;
	SET_RELAXED(bin->countdown, 0); /* see take() */
	return tcache->cold[i].until_sample == 0;
}

void
tcache_sampled(struct tcache *tcache, unsigned i)
{
	tcache_enter(tcache);
	tcache->cold[i].until_sample = sampler_draw(&tcache->sampler,
	    tcache->bins[i + 1].usable);
	event(tcache, i, 0);
	tcache_leave(tcache);
}

/* Cached objects get the new mark, too, so a second free is still noticed. */
static void
change_mark(struct tcache *tcache)
{
	tcache->random = tcache->random *
		(uintptr_t)UINT64_C(6364136223846793005) +
	    12345;
	tcache->mark = cache_mark_of(tcache->random >> (sizeof(uintptr_t) * 4));
	for (unsigned i = 0; !opt.checked && i < CACHE_BINS; i++) {
		const struct cache_bin_cold *cold = &tcache->cold[i];

		for (uint32_t n = tcache_count(tcache, i); n > 0; n--)
			cache_set_mark(*(cold->bottom - n), tcache->mark);
	}
}

void
tcache_met_mark(struct tcache *tcache)
{
	if (++tcache->wrong_marks < WRONG_MARKS)
		return;
	tcache->wrong_marks = 0;
	tcache_enter(tcache);
	/*
	 * Inside another slow path a stack may have objects that are being
	 * given back.
	 */
	if (tcache->guard.depth == 1)
		change_mark(tcache);
	tcache_leave(tcache);
}

static void
flush_bin(struct tcache *tcache, unsigned i)
{
	bool hidden = tcache->hidden;

	if (tcache->cold[i].limit == 0)
		return;
	if (hidden)
		stack_show(tcache, i);
	tcache_settle(tcache, i);
	shrink_drop(tcache, i, stack_count(tcache, i));
	/* A report may have called the program, which frees objects. */
	if (stack_count(tcache, i) == 0)
		stack_restart(tcache, i);
	if (hidden)
		stack_conceal(tcache, i);
}

void
tcache_flush(struct tcache *tcache)
{
	if (tcache_is_busy(tcache))
		return;
	tcache_enter(tcache);
	for (unsigned i = 0; i < CACHE_BINS; i++)
		flush_bin(tcache, i);
	tcache_leave(tcache);
}

/* Empties a bin and frees its stack. The bin starts again without a stack. */
static void
reset_bin(struct tcache *tcache, unsigned i)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	struct cache_bin_cold *cold = &tcache->cold[i];

	assert(tcache->guard.depth == 1);
	flush_bin(tcache, i);
	if (cold->bottom == NULL)
		return;
	stack_lower(tcache, i, 0);
	leave_counts(tcache, i);
	tcache->used[i / 64] &= ~((uint64_t)1 << (i % 64));
	metadata_give_piece(cold->bottom - cold->capacity,
	    cold->capacity * sizeof(void *));
	SET_RELAXED(cold->capacity, 0);
	SET_RELAXED(cold->bottom, NULL);
	SET_RELAXED(cold->hidden_head, NULL);
	SET_RELAXED(bin->head, NULL);
	bin->full = bin->empty = NULL;
}

void
tcache_configure(struct tcache *tcache, bool enabled, size_t max_size)
{
	tcache_enter(tcache);
	for (unsigned i = 0; i < CACHE_BINS; i++)
		reset_bin(tcache, i);
	tcache->enabled = enabled && !options_fill();
	tcache->max_size = max_size;
	set_maxima(tcache);
	tcache_leave(tcache);
}

unsigned
tcache_bin_max(const struct tcache *tcache, unsigned bin)
{
	return tcache->cold[bin].max;
}

void
tcache_bin_set_max(struct tcache *tcache, unsigned bin, unsigned max)
{
	tcache_enter(tcache);
	reset_bin(tcache, bin);
	tcache->cold[bin].max = stack_may_be(bin) ? max : 0;
	fill_tables(tcache);
	tcache_leave(tcache);
}

void
tcache_fini(struct tcache *tcache)
{
	tcache_enter(tcache);
	for (unsigned i = 0; i < CACHE_BINS; i++)
		reset_bin(tcache, i);
	assert(tcache->held == 0);
	tcache_leave_counts(tcache);
	tcache_leave(tcache);
	arena_tick_and_sweep(tcache->arena, clock_coarse_ns());
}
