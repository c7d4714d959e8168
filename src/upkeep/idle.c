#include "upkeep/idle.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/thread.h"
#include "extent/limit.h"
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
/* So little may stay when the thread leaves. */
#define LITTLE ((size_t)1 << 20)
/*
 * The sum over all arenas is computed when one arena has grown by its share of
 * this part.
 */
#define PART_TO_LOOK   4
#define ARENAS_GUESSED 8 /* before the first look */

static size_t
smaller_limit(size_t worth, size_t limit)
{
	return limit != 0 && limit / PART_OF_LIMIT < worth
	    ? limit / PART_OF_LIMIT
	    : worth;
}

static size_t
worth_a_thread(void)
{
	size_t worth = smaller_limit(WORTH,
	    atomic_load_explicit(&limit.room, memory_order_relaxed));

	worth = smaller_limit(worth,
	    atomic_load_explicit(&limit.soft, memory_order_relaxed));
	return smaller_limit(worth,
	    atomic_load_explicit(&limit.hard, memory_order_relaxed));
}

static void
want_growth(size_t bytes)
{
	atomic_store_explicit(&arena_upkeep.wants_growth, bytes,
	    memory_order_relaxed);
}

void
idle_look_out(void)
{
	want_growth(WORTH / PART_TO_LOOK / ARENAS_GUESSED);
}

void
idle_stop_looking(void)
{
	want_growth(SIZE_MAX);
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
	size_t worth, sum = 0;

	if (thread_living() < 2)
		return false;
	arena_table_each(note_and_add, &sum);
	worth = worth_a_thread();
	if (sum >= worth)
		return true;
	want_growth(max_size(worth / PART_TO_LOOK /
		max_size(arena_table_count(), 1),
	    1));
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

uint64_t
idle_step(struct idle *idle, uint64_t now_ns)
{
	bool trims = trim_patient(now_ns, now_ns - SILENT_NS);
	size_t left;

	arena_table_each(age, &now_ns);
	left = unused();
	if (left < LITTLE && !trims)
		return 0;
	/* A program that is awake always leaves something to do. */
	if (left >= worth_a_thread() / 2)
		idle->low_since_ns = 0;
	else if (idle->low_since_ns == 0)
		idle->low_since_ns = now_ns;
	else if (now_ns - idle->low_since_ns > 2 * period())
		return 0;
	return STEP_NS;
}
