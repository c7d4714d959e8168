#include "upkeep/due.h"

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "os/clock.h"
#include "pages/ageing.h"
#include "util/wait.h"

/* One more thread is useful for this much unused memory. */
#define WORTH_A_THREAD ((size_t)16 << 20)

struct round {
	uint64_t now_ns;
	uint64_t wait_ns; /* until the next thing is due */
};

static void
age_one(struct arena *arena, void *context)
{
	struct round *round = context;
	uint64_t due_ns = ageing_wait(&arena->pages, round->now_ns);

	if (due_ns == 0) {
		ageing_tick(&arena->pages, round->now_ns);
		round->now_ns = clock_now_ns();
		due_ns = ageing_wait(&arena->pages, round->now_ns);
	}
	round->wait_ns = wait_min(round->wait_ns, due_ns);
}

uint64_t
due_age(size_t share, size_t of)
{
	struct round round = { clock_now_ns(), UINT64_MAX };

	for (unsigned i = (unsigned)share; i < arena_table_count();
	     i += (unsigned)of)
		arena_table_visit(i, age_one, &round);
	return round.wait_ns;
}

static void
find_much(struct arena *arena, void *found)
{
	if (ageing_unused(&arena->pages) >= WORTH_A_THREAD &&
	    ageing_wait(&arena->pages, clock_now_ns()) == 0)
		*(bool *)found = true;
}

bool
due_is_much(size_t share, size_t of)
{
	bool found = false;

	for (unsigned i = (unsigned)share; i < arena_table_count() && !found;
	     i += (unsigned)of)
		arena_table_visit(i, find_much, &found);
	return found;
}
