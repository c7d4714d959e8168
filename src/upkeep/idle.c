#include "upkeep/idle.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/holding.h"
#include "cache/thread.h"
#include "extent/limit.h"
#include "os/clock.h"
#include "pages/ageing.h"
#include "upkeep/trim.h"
#include "util/bits.h"

#define MS      UINT64_C(1000000)
#define STEP_NS (250 * MS)
/* A thread without an event for this time counts as asleep. */
#define SILENT_NS (500 * MS)
/* This much unused memory is worth a thread, or this part of a limit. */
#define WORTH         ((size_t)32 << 20)
#define PART_OF_LIMIT 8
/* A program with one thread may keep so much when it frees long objects. */
#define KEPT_ALONE ((size_t)128 << 20)
/* So little may stay when the thread leaves. */
#define LITTLE ((size_t)1 << 20)
/*
 * The sum over all arenas is computed when one arena has grown by its share of
 * this part.
 */
#define PART_TO_LOOK   4
#define ARENAS_GUESSED 8 /* before the first look */
/*
 * How long it waits for threads to fall asleep that have full caches. They may
 * do so one after the other, over a longer time.
 */
#define WATCH_NS (20000 * MS)
/* So much from caches was worth the thread: this part of what is worth one. */
#define PART_MUCH 4
/* How long none is started for caches, after one that was not worth it. */
#define REST_MIN_NS (1000 * MS)
#define REST_MAX_NS (3600 * 1000 * MS)

/*
 * A program may end all its threads again and again, and use the same memory
 * again at once, which costs it more than giving it back. So threads that end
 * spend this part of the time on that, at the most, and a larger one if more is
 * left than KEPT_ALONE. What the last ones leave may stay then.
 */
#define PART_OF_TIME 64
#define PART_IF_MUCH 16

/*
 * When a thread last gave back what others left, and how long it ran for that.
 * Two that end at the same time may do it once more.
 */
static struct {
	_Atomic uint64_t end_ns;
	_Atomic uint64_t cost_ns;
} last;

/* `worth`, or so much less as the limits of memory demand. */
static size_t
part_of_limit(size_t worth)
{
	_Atomic size_t *limits[] = { &limit.room, &limit.soft, &limit.hard };

	for (unsigned i = 0; i < ARRAY_LEN(limits); i++) {
		size_t most = atomic_load_explicit(limits[i],
		    memory_order_relaxed);

		if (most != 0)
			worth = min_size(worth, most / PART_OF_LIMIT);
	}
	return worth;
}

static size_t
worth_a_thread(void)
{
	return part_of_limit(WORTH);
}

static void
want_growth(size_t bytes)
{
	atomic_store_explicit(&arena_upkeep.wants_growth, bytes,
	    memory_order_relaxed);
}

static void
want_held(size_t bytes)
{
	atomic_store_explicit(&arena_upkeep.wants_held, bytes,
	    memory_order_relaxed);
}

static void
rest(uint64_t now_ns, uint64_t rest_ns)
{
	atomic_store_explicit(&arena_upkeep.rests_since_ns, now_ns,
	    memory_order_relaxed);
	atomic_store_explicit(&arena_upkeep.rest_ns, rest_ns,
	    memory_order_relaxed);
}

AT_START void
idle_look_out(void)
{
	want_growth(WORTH / PART_TO_LOOK / ARENAS_GUESSED);
	want_held(WORTH / PART_TO_LOOK / ARENAS_GUESSED);
}

void
idle_stop_looking(void)
{
	want_growth(SIZE_MAX);
	want_held(SIZE_MAX);
}

void
idle_ask_again(void)
{
	if (atomic_load_explicit(&arena_upkeep.wants_growth,
		memory_order_relaxed) != SIZE_MAX)
		want_growth(0);
}

static bool
is_served(const struct arena *arena)
{
	return page_source_is_plain(&arena->pages) &&
	    !ageing_is_refused(&arena->pages);
}

static void
add_unused(struct arena *arena, void *sum)
{
	if (is_served(arena))
		*(size_t *)sum += ageing_unused(&arena->pages);
}

static size_t
unused(void)
{
	size_t sum = 0;

	arena_table_each(add_unused, &sum);
	return sum;
}

static void
find_hooked(struct arena *arena, void *found)
{
	if (!page_source_is_plain(&arena->pages))
		*(bool *)found = true;
}

static bool
may_trim(void)
{
	bool hooked = false;

	arena_table_each(find_hooked, &hooked);
	return !hooked;
}

/*
 * Bytes in the caches of threads. If pages stay for ever, it is no use to take
 * these.
 */
static size_t
cached(void)
{
	size_t held = holding_sum();

	return held != 0 && may_trim() &&
		pools_stay_ns(&arena_table_first()->pages, 0) != UINT64_MAX
	    ? held
	    : 0;
}

/* Notes the same number that it adds, so all later bytes count as growth. */
static void
note_and_add(struct arena *arena, void *sum)
{
	size_t bytes = ageing_unused(&arena->pages);

	atomic_store_explicit(&arena->unused_seen, bytes, memory_order_relaxed);
	if (is_served(arena))
		*(size_t *)sum += bytes;
}

bool
idle_is_worth_it(void)
{
	size_t worth, held, part, sum = 0;

	if (thread_living() < 2)
		return false;
	arena_table_each(note_and_add, &sum);
	held = cached();
	worth = worth_a_thread();
	if (sum + (holding_rests(clock_now_ns()) ? 0 : held) >= worth)
		return true;
	part = worth / PART_TO_LOOK;
	want_growth(max_size(part / arena_table_count(), 1));
	want_held(min_size(held + part, worth));
	return false;
}

static void
age(struct arena *arena, void *now_ns)
{
	if (is_served(arena))
		ageing_tick(&arena->pages, *(uint64_t *)now_ns);
}

static uint64_t
period(void)
{
	return ageing_period(&arena_table_first()->pages);
}

static void
begin(struct idle *idle, size_t worth)
{
	size_t pages = unused();

	if (!idle->has_begun)
		idle->for_caches = pages < worth && pages + cached() >= worth;
	idle->has_begun = true;
}

/* Since when has something been so? */
static void
note_since(uint64_t *since_ns, bool is_so, uint64_t now_ns)
{
	if (!is_so)
		*since_ns = 0;
	else if (*since_ns == 0)
		*since_ns = now_ns;
}

/* Since when have caches been full, without much that could be taken? */
static void
note_full(struct idle *idle, size_t worth, uint64_t now_ns)
{
	if (idle->taken - idle->taken_before >= worth / PART_MUCH) {
		idle->taken_before = idle->taken;
		idle->full_since_ns = 0;
	}
	note_since(&idle->full_since_ns, cached() >= worth / 2, now_ns);
}

uint64_t
idle_step(struct idle *idle, uint64_t now_ns)
{
	size_t left, worth = worth_a_thread();
	bool trims, is_low;

	begin(idle, worth);
	trims = may_trim() &&
	    trim_patient(now_ns, now_ns - SILENT_NS, &idle->taken);
	arena_table_each(age, &now_ns);
	left = unused();
	is_low = left < worth / 2;
	note_since(&idle->low_since_ns, is_low, now_ns);
	note_full(idle, worth, now_ns);
	/* A program that is awake always leaves something to do. */
	if (idle->full_since_ns != 0)
		return is_low && now_ns - idle->full_since_ns > WATCH_NS
		    ? 0
		    : STEP_NS;
	if (left < LITTLE && !trims)
		return 0;
	return is_low && now_ns - idle->low_since_ns > 2 * period() ? 0
								    : STEP_NS;
}

static uint64_t
longer_rest(void)
{
	uint64_t longer_ns = 2 *
	    atomic_load_explicit(&arena_upkeep.rest_ns, memory_order_relaxed);

	if (longer_ns == 0)
		return REST_MIN_NS;
	return longer_ns < REST_MAX_NS ? longer_ns : REST_MAX_NS;
}

void
idle_end(struct idle *idle, uint64_t now_ns)
{
	size_t worth = worth_a_thread(), much = worth / PART_MUCH;

	if (cached() >= worth || (idle->for_caches && idle->taken < much))
		rest(now_ns, longer_rest());
	else if (idle->taken >= much)
		rest(now_ns, 0);
	idle->for_caches = false; /* once for each life */
	idle_look_out();
}

typedef void source_step(struct page_source *source);

static void
step_if_it_ages(struct arena *arena, void *step)
{
	if (is_served(arena) && pools_stay_ns(&arena->pages, 0) != UINT64_MAX)
		(*(source_step **)step)(&arena->pages);
}

void
idle_freed_long(struct arena *arena, size_t size)
{
	size_t keep = max_size(part_of_limit(KEPT_ALONE), size);

	if (thread_living() < 2 && is_served(arena) &&
	    !atomic_load_explicit(&arena_upkeep.by_threads,
		memory_order_relaxed))
		ageing_keep(&arena->pages, keep, size);
}

void
idle_last(void)
{
	source_step *shed = ageing_shed, *purge = ageing_purge;
	size_t left = unused();
	unsigned part = left > part_of_limit(KEPT_ALONE) ? PART_IF_MUCH
							 : PART_OF_TIME;
	uint64_t begin_ns;

	/* If the clock went back, the difference wraps to a huge number. */
	if (left < worth_a_thread() ||
	    clock_now_ns() - last.end_ns < part * last.cost_ns)
		return;
	/* On a busy machine it may take long, but cost little. */
	begin_ns = clock_thread_ns();
	arena_table_each(step_if_it_ages, &shed);
	arena_table_each(step_if_it_ages, &purge);
	last.cost_ns = clock_thread_ns() - begin_ns;
	last.end_ns = clock_now_ns();
}

void
idle_fork_child(void)
{
	rest(0, 0);
}
