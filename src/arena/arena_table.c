#include "arena/arena_table.h"

#include <assert.h>
#include <stddef.h>

#include "arena/arena.h"

static struct {
	struct lock lock;
	unsigned nautomatic;
	unsigned limit;		/* how many of them new threads get */
	struct arena *spare;	/* made, but another thread was first */
	_Atomic unsigned count;
	_Atomic(struct arena *) slot[ARENAS_MAX];
} table;

static void
publish_locked(struct arena *arena, unsigned index)
{
	arena_init(arena, index);
	/* Publishes *arena; pairs with the acquire in arena_table_get(). */
	assert(index < ARENAS_MAX);
	atomic_store_explicit(&table.slot[index], arena, memory_order_release);
	if (index >= atomic_load_explicit(&table.count, memory_order_relaxed))
		atomic_store_explicit(&table.count, index + 1,
		    memory_order_release);
}

bool
arena_table_init(unsigned nautomatic)
{
	struct arena *arena = arena_create();

	if (arena == NULL)
		return false;
	lock_init(&table.lock, LOCK_ARENA_TABLE);
	table.nautomatic = nautomatic < 1 ? 1 : nautomatic;
	table.limit = table.nautomatic;
	publish_locked(arena, 0);
	return true;
}

struct lock *
arena_table_lock(void)
{
	return &table.lock;
}

unsigned
arena_table_automatic(void)
{
	return table.nautomatic;
}

void
arena_table_limit(unsigned most)
{
	lock_acquire(&table.lock);
	table.limit = most == 0 || most > table.nautomatic ?
	    table.nautomatic : most;
	lock_release(&table.lock);
}

unsigned
arena_table_count(void)
{
	return atomic_load_explicit(&table.count, memory_order_acquire);
}

struct arena *
arena_table_get(unsigned index)
{
	if (index >= ARENAS_MAX)
		return NULL;
	return atomic_load_explicit(&table.slot[index], memory_order_acquire);
}

/* The least loaded automatic arena; an empty one, made or not, is best. */
static unsigned
least_loaded_locked(void)
{
	unsigned best = 0, free_slot = ARENAS_MAX;

	for (unsigned i = 0; i < table.limit; i++) {
		struct arena *arena = arena_table_get(i);

		if (arena == NULL) {
			if (free_slot == ARENAS_MAX)
				free_slot = i;
			continue;
		}
		if (arena->nthreads < arena_table_get(best)->nthreads)
			best = i;
	}
	if (arena_table_get(best)->nthreads != 0 && free_slot < ARENAS_MAX)
		return free_slot;
	return best;
}

struct arena *
arena_table_bind(void)
{
	struct arena *arena, *made = NULL;
	unsigned index;

	lock_acquire(&table.lock);
	index = least_loaded_locked();
	if (arena_table_get(index) == NULL && table.spare == NULL) {
		/* Memory may have to come from the kernel: not under a lock. */
		lock_release(&table.lock);
		made = arena_create();
		lock_acquire(&table.lock);
		if (made != NULL && table.spare == NULL)
			table.spare = made;
		index = least_loaded_locked();
	}
	/* The compiler does not know that an index is below ARENAS_MAX. */
	if (arena_table_get(index) == NULL && table.spare != NULL &&
	    index < ARENAS_MAX) {
		publish_locked(table.spare, index);
		table.spare = NULL;
	}
	arena = arena_table_get(index);
	if (arena == NULL)
		arena = arena_table_get(0);
	arena->nthreads++;
	lock_release(&table.lock);
	return arena;
}

void
arena_table_bind_to(struct arena *arena)
{
	lock_acquire(&table.lock);
	arena->nthreads++;
	lock_release(&table.lock);
}

void
arena_table_unbind(struct arena *arena)
{
	lock_acquire(&table.lock);
	arena->nthreads--;
	lock_release(&table.lock);
}
