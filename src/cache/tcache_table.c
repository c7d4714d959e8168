#include "cache/tcache_table.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "cache/tcache.h"
#include "extent/metadata.h"
#include "os/lock.h"
#include "util/heap_part.h"

static struct {
	struct lock lock;
	unsigned count; /* ids that were ever in use */
	uint16_t free;  /* 1 + the id destroyed last, or 0 */
	uint16_t next_free[TCACHES_MAX];
	_Atomic(struct tcache *) slot[TCACHES_MAX];
} table SPARSE;

static uintptr_t mark_key;

static const struct heap_field heap_fields[] = {
	HEAP_ROW(TCACHES, COUNT, __typeof__(table), count),
	HEAP_ROW_ARRAY(TCACHES, SLOT, __typeof__(table), slot),
};

const struct heap_part tcache_table_heap_part = HEAP_VARIABLE(HEAP_ROOT_TCACHES,
    table, heap_fields);

AT_START void
tcache_table_init(uintptr_t key)
{
	mark_key = key;
	lock_init_zeroed(&table.lock, LOCK_TCACHE_TABLE);
}

AT_START struct lock *
tcache_table_lock(void)
{
	return &table.lock;
}

static bool
take_id_locked(unsigned *id)
{
	LOCK_ASSERT_HELD(&table.lock);
	if (table.free != 0) {
		*id = table.free - 1u;
		table.free = table.next_free[*id];
		return true;
	}
	if (table.count == TCACHES_MAX)
		return false;
	*id = table.count++;
	return true;
}

static void
give_id_locked(unsigned id)
{
	LOCK_ASSERT_HELD(&table.lock);
	table.next_free[id] = table.free;
	table.free = (uint16_t)(id + 1);
}

bool
tcache_table_create(struct arena *arena, unsigned *id)
{
	struct tcache *tcache = metadata_take_piece(sizeof(*tcache));
	bool found;

	if (tcache == NULL)
		return false;
	memset(tcache, 0, sizeof(*tcache));
	tcache_init(tcache, arena, mark_key);
	lock_acquire(&table.lock);
	found = take_id_locked(id);
	if (found)
		/* Pairs with the acquire in tcache_table_get(). */
		atomic_store_explicit(&table.slot[*id], tcache,
		    memory_order_release);
	lock_release(&table.lock);
	if (!found)
		metadata_give_piece(tcache, sizeof(*tcache));
	return found;
}

struct tcache *
tcache_table_get(unsigned id)
{
	if (id >= TCACHES_MAX)
		return NULL;
	return atomic_load_explicit(&table.slot[id], memory_order_acquire);
}

void
tcache_table_each(void (*visit)(struct tcache *tcache, void *context),
    void *context)
{
	lock_acquire(&table.lock);
	for (unsigned id = 0; id < table.count; id++)
		if (tcache_table_get(id) != NULL)
			visit(tcache_table_get(id), context);
	lock_release(&table.lock);
}

bool
tcache_table_flush(unsigned id)
{
	struct tcache *tcache = tcache_table_get(id);

	if (tcache == NULL)
		return false;
	tcache_flush(tcache);
	return true;
}

bool
tcache_table_destroy(unsigned id)
{
	struct tcache *tcache;

	/*
	 * It is flushed while it is in the table, so that tools find its
	 * objects.
	 */
	if (!tcache_table_flush(id))
		return false;
	/*
	 * Another thread may visit this cache under the lock; this waits for
	 * it.
	 */
	lock_acquire(&table.lock);
	tcache = atomic_exchange_explicit(&table.slot[id], NULL,
	    memory_order_acq_rel);
	lock_release(&table.lock);
	if (tcache == NULL)
		return false;
	tcache_fini(tcache);
	metadata_give_piece(tcache, sizeof(*tcache));
	lock_acquire(&table.lock);
	give_id_locked(id);
	lock_release(&table.lock);
	return true;
}
