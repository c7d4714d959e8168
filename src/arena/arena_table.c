#include "arena/arena_table.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "arena/arena.h"
#include "extent/extent_hooks.h"
#include "os/node.h"
#include "os/os_thread.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "pages/borrow.h"
#include "pages/mapped.h"
#include "util/format.h"
#include "util/heap_part.h"

static struct {
	struct lock lock;
	unsigned nautomatic;
	unsigned nreserved;
	unsigned per_cpu;     /* arenas by CPU, or 0 */
	unsigned limit;       /* new threads get an index below this */
	struct arena *spare;  /* memory of arenas that are not in use */
	struct arena *making; /* have an index, but are in no slot yet */
	unsigned top;         /* above all indices that are in use */
	unsigned ndestroyed;  /* free indices, the last one is used first */
	_Atomic unsigned count;
	uint32_t generation; /* number of forks up to this process */
	_Atomic(struct arena *) slot[ARENAS_MAX];
	/* The number of holders of the arena in a slot, and ENDING. */
	_Atomic uint32_t holders[ARENAS_MAX];
	uint16_t destroyed[ARENAS_MAX];
} table SPARSE;

static const struct heap_field heap_fields[] = {
	HEAP_ROW(ARENAS, COUNT, __typeof__(table), count),
	HEAP_ROW_ARRAY(ARENAS, SLOT, __typeof__(table), slot),
	HEAP_ROW(ARENAS, AUTOMATIC, __typeof__(table), nautomatic),
};

const struct heap_part arena_table_heap_part = HEAP_VARIABLE(HEAP_ROOT_ARENAS,
    table, heap_fields);

/*
 * Set in `holders` while an arena is being destroyed, until its slot is empty.
 */
#define ENDING ((uint32_t)1 << 31)
/* A thread that destroys an arena looks again after this time at the latest. */
#define WAIT_NS UINT64_C(10000000)

bool
arena_table_is_ours(unsigned index)
{
	return index < table.nautomatic + table.nreserved;
}

static void
publish_locked(struct arena *arena)
{
	unsigned index = arena->index;

	LOCK_ASSERT_HELD(&table.lock);
	assert(index < ARENAS_MAX);
	/* Publishes *arena; pairs with the acquire in at(). */
	atomic_store_explicit(&table.slot[index], arena, memory_order_release);
	if (index >= atomic_load_explicit(&table.count, memory_order_relaxed))
		atomic_store_explicit(&table.count, index + 1,
		    memory_order_release);
}

/*
 * Makes an arena that is not manual. Only such arenas lend each other pages: a
 * manual arena can be destroyed, and it is there to keep memory separate.
 */
static void
publish_ours_locked(struct arena *arena, unsigned index)
{
	arena_init(arena, index);
	if (index >= table.nautomatic)
		format_text(arena->name, sizeof(arena->name), "auto_oversize");
	borrow_share(&arena->pages);
	publish_locked(arena);
}

/*
 * Makes sure that `table.spare` has memory for an arena. This may ask the
 * kernel, so the lock is released meanwhile; false: there is no memory.
 */
static bool
need_spare_locked(void)
{
	struct arena *made;

	LOCK_ASSERT_HELD(&table.lock);
	if (table.spare != NULL)
		return true;
	lock_release(&table.lock);
	made = arena_create();
	lock_acquire(&table.lock);
	if (made != NULL) {
		made->next_spare = table.spare;
		table.spare = made;
	}
	return table.spare != NULL;
}

static struct arena *
take_spare_locked(void)
{
	struct arena *arena = table.spare;

	LOCK_ASSERT_HELD(&table.lock);
	table.spare = arena->next_spare;
	return arena;
}

AT_START bool
arena_table_init(unsigned nautomatic, unsigned nreserved)
{
	struct arena *arena = arena_create();

	if (arena == NULL)
		return false;
	arena_defaults_init();
	lock_init_zeroed(&table.lock, LOCK_ARENA_TABLE);
	table.nautomatic = nautomatic == 0 ? 1 : nautomatic;
	table.limit = table.nautomatic;
	table.nreserved = nreserved;
	table.top = table.nautomatic + nreserved;
	lock_acquire(&table.lock);
	publish_ours_locked(arena, 0);
	lock_release(&table.lock);
	atomic_store_explicit(&table.count, table.top, memory_order_release);
	return true;
}

AT_START struct lock *
arena_table_lock(void)
{
	return &table.lock;
}

unsigned
arena_table_automatic(void)
{
	return table.nautomatic;
}

AT_START void
arena_table_limit(unsigned most)
{
	lock_acquire(&table.lock);
	table.limit = most == 0 || most > table.nautomatic ? table.nautomatic
							   : most;
	lock_release(&table.lock);
}

unsigned
arena_table_count(void)
{
	return atomic_load_explicit(&table.count, memory_order_acquire);
}

static struct arena *
at(unsigned index)
{
	if (index >= ARENAS_MAX)
		return NULL;
	return atomic_load_explicit(&table.slot[index], memory_order_acquire);
}

struct arena *
arena_table_first(void)
{
	return at(0);
}

struct arena *
arena_table_owner(unsigned index)
{
	return at(index);
}

bool
arena_table_has(unsigned index)
{
	return at(index) != NULL;
}

/* --- visiting and holding arenas ------------------------------------------ */

static void
let_go(unsigned index)
{
	if (atomic_fetch_sub_explicit(&table.holders[index], 1,
		memory_order_acq_rel) == ENDING + 1)
		os_thread_wake(&table.holders[index]);
}

struct arena *
arena_table_hold(unsigned index)
{
	struct arena *arena;

	if (index >= ARENAS_MAX)
		return NULL;
	/* These arenas are never destroyed, so nobody has to hold them. */
	if (likely(arena_table_is_ours(index)))
		return at(index);
	/*
	 * This and the atomic_fetch_or() in begin_end_locked() change the same
	 * word. So either this sees ENDING, or the other side sees this holder
	 * and waits for it.
	 */
	if ((atomic_fetch_add(&table.holders[index], 1) & ENDING) == 0) {
		arena = at(index);
		if (likely(arena != NULL))
			return arena;
	}
	let_go(index);
	return NULL;
}

void
arena_table_let_go(struct arena *arena)
{
	if (!arena_table_is_ours(arena->index))
		let_go(arena->index);
}

bool
arena_table_visit(unsigned index, arena_visit *visit, void *context)
{
	struct arena *arena = arena_table_hold(index);
	uint32_t generation = table.generation;

	if (arena == NULL)
		return false;
	visit(arena, context);
	/*
	 * A function of the program may have forked, and this may be the child,
	 * where the counts of holders have been reset to 0.
	 */
	if (likely(table.generation == generation))
		arena_table_let_go(arena);
	return true;
}

void
arena_table_each(arena_visit *visit, void *context)
{
	for (unsigned i = 0; i < arena_table_count(); i++)
		arena_table_visit(i, visit, context);
}

void
arena_table_each_locked(arena_visit *visit, void *context)
{
	for (unsigned i = 0; i < arena_table_count(); i++)
		if (at(i) != NULL)
			visit(at(i), context);
}

/* --- the arena of a thread ------------------------------------------------ */

static unsigned
index_of_cpu(void)
{
	int cpu = system_cpu();

	return cpu < 0 ? 0 : (unsigned)cpu % table.per_cpu;
}

/* Its pages are in the memory of the node on which its threads ran. */
static bool
is_near(const struct arena *arena, unsigned node)
{
	unsigned at = READ_RELAXED(arena->pages.node);

	return at == node || at == 0 || node == 0;
}

/*
 * The index of the automatic arena with the fewest threads, if possible one of
 * the node. If every arena has threads, an index without an arena is better: a
 * new one is made there. It is also better than one whose pages are far away.
 */
static unsigned
least_loaded_locked(unsigned node)
{
	unsigned near = ARENAS_MAX, best = 0, free_slot = ARENAS_MAX;

	if (table.per_cpu != 0)
		return index_of_cpu();
	for (unsigned i = 0; i < table.limit; i++) {
		struct arena *arena = at(i);

		if (arena == NULL) {
			if (free_slot == ARENAS_MAX)
				free_slot = i;
			continue;
		}
		if (arena->nthreads < at(best)->nthreads)
			best = i;
		if (is_near(arena, node) &&
		    (near == ARENAS_MAX ||
			arena->nthreads < at(near)->nthreads))
			near = i;
	}
	if (near < ARENAS_MAX && at(near)->nthreads == 0)
		return near;
	if (free_slot < ARENAS_MAX)
		return free_slot;
	return near < ARENAS_MAX && at(best)->nthreads != 0 ? near : best;
}

/* Counts a thread that runs on `node` now. */
static void
add_thread_locked(struct arena *arena, unsigned node)
{
	if (arena->nthreads == 0)
		SET_RELAXED(arena->pages.node, node);
	ADD_RELAXED(arena->nthreads, 1);
}

struct arena *
arena_table_bind(void)
{
	unsigned index, node = node_now();
	struct arena *arena;

	lock_acquire(&table.lock);
	index = least_loaded_locked(node);
	if (at(index) == NULL && need_spare_locked()) {
		index = least_loaded_locked(node);
		if (at(index) == NULL && index < ARENAS_MAX)
			publish_ours_locked(take_spare_locked(), index);
	}
	arena = at(index);
	if (arena == NULL)
		arena = at(0);
	add_thread_locked(arena, node);
	lock_release(&table.lock);
	return arena;
}

struct arena *
arena_table_need(unsigned index)
{
	struct arena *arena = at(index);

	if (likely(arena != NULL) || !arena_table_is_ours(index))
		return arena;
	lock_acquire(&table.lock);
	if (at(index) == NULL && need_spare_locked() && at(index) == NULL &&
	    index < ARENAS_MAX)
		publish_ours_locked(take_spare_locked(), index);
	lock_release(&table.lock);
	return at(index);
}

struct arena *
arena_table_oversize(void)
{
	return table.nreserved == 0 ? NULL : arena_table_need(table.nautomatic);
}

AT_START void
arena_table_set_per_cpu(unsigned count)
{
	table.per_cpu = count < table.nautomatic ? count : table.nautomatic;
}

unsigned
arena_table_per_cpu(void)
{
	return table.per_cpu;
}

struct arena *
arena_table_of_cpu(void)
{
	return arena_table_need(index_of_cpu());
}

/* --- making a manual arena ------------------------------------------------ */

static void
give_index_locked(unsigned index)
{
	LOCK_ASSERT_HELD(&table.lock);
	if (index + 1 == table.top &&
	    index >= atomic_load_explicit(&table.count, memory_order_relaxed))
		table.top--;
	else
		table.destroyed[table.ndestroyed++] = (uint16_t)index;
}

/* Reserves memory and an index for a new arena; NULL: there is none. */
static struct arena *
reserve(void)
{
	struct arena *arena = NULL;

	lock_acquire(&table.lock);
	if (need_spare_locked() &&
	    (table.ndestroyed > 0 || table.top < ARENAS_MAX)) {
		arena = take_spare_locked();
		SET_RELAXED(arena->index,
		    table.ndestroyed > 0 ? table.destroyed[--table.ndestroyed]
					 : table.top++);
		arena->maker = os_thread_self();
		arena->next_spare = table.making;
		table.making = arena;
	}
	lock_release(&table.lock);
	return arena;
}

static void
end_making_locked(struct arena *arena)
{
	struct arena **place = &table.making;

	LOCK_ASSERT_HELD(&table.lock);
	while (*place != arena)
		place = &(*place)->next_spare;
	*place = arena->next_spare;
}

/* Gives memory and index back, because the reserved arena is not made. */
static void
give_reserved_locked(struct arena *arena)
{
	end_making_locked(arena);
	give_index_locked(arena->index);
	arena->next_spare = table.spare;
	table.spare = arena;
}

/* `hooks` and `block` may be NULL. */
static void
make_reserved(struct arena *arena, struct extent_hooks *hooks,
    struct region_block *block)
{
	arena_init(arena, arena->index);
	arena_make_manual(arena);
	if (hooks != NULL)
		page_source_set_hooks(&arena->pages, hooks);
	if (block != NULL)
		regions_add_block(&arena->pages.regions, block);
	lock_acquire(&table.lock);
	end_making_locked(arena);
	publish_locked(arena);
	lock_release(&table.lock);
}

struct arena *
arena_table_create(struct extent_hooks *hooks, bool records)
{
	struct arena *arena = reserve();
	struct region_block *block = NULL;

	if (arena == NULL)
		return NULL;
	if (records && hooks != NULL && hooks != &extent_hooks_default) {
		/* This calls a function of the program, so hold no lock. */
		block = mapped_ask_block(hooks, arena->index,
		    MAPPED_FIRST_BLOCK);
		if (block == NULL) {
			lock_acquire(&table.lock);
			give_reserved_locked(arena);
			lock_release(&table.lock);
			return NULL;
		}
	}
	make_reserved(arena, hooks, block);
	return arena;
}

/*
 * In the child of a fork, other threads that were making an arena do not exist.
 * The caller may be making one, too, if an extent hook has forked. It still
 * finishes that one.
 */
static void
forget_makers(void)
{
	struct arena *arena, *next;

	lock_acquire(&table.lock);
	for (arena = table.making; arena != NULL; arena = next) {
		next = arena->next_spare;
		if (arena->maker != os_thread_self())
			give_reserved_locked(arena);
	}
	lock_release(&table.lock);
}

/* --- destroying a manual arena -------------------------------------------- */

static struct arena *
begin_end_locked(unsigned index)
{
	struct arena *arena = at(index);

	LOCK_ASSERT_HELD(&table.lock);
	if (arena == NULL || !arena->manual || arena->nthreads != 0 ||
	    (atomic_fetch_or(&table.holders[index], ENDING) & ENDING) != 0)
		return NULL;
	return arena;
}

void
arena_table_keep(struct arena *arena)
{
	atomic_fetch_and_explicit(&table.holders[arena->index], ~ENDING,
	    memory_order_release);
}

struct arena *
arena_table_begin_destroy(unsigned index, bool wait)
{
	struct arena *arena;
	uint32_t holders;

	lock_acquire(&table.lock);
	arena = begin_end_locked(index);
	lock_release(&table.lock);
	if (arena == NULL)
		return NULL;
	while ((holders = atomic_load_explicit(&table.holders[index],
		    memory_order_acquire)) != ENDING) {
		if (!wait) {
			arena_table_keep(arena);
			return NULL;
		}
		os_thread_sleep(&table.holders[index], holders, WAIT_NS);
	}
	return arena;
}

void
arena_table_end_destroy(struct arena *arena)
{
	unsigned index = arena->index;

	arena_destroy(arena, arena_table_first());
	lock_acquire(&table.lock);
	atomic_store_explicit(&table.slot[index], NULL, memory_order_release);
	arena_table_keep(arena);
	give_index_locked(index);
	arena->next_spare = table.spare;
	table.spare = arena;
	lock_release(&table.lock);
}

void
arena_table_fork_child(void)
{
	table.generation++;
	forget_makers();
	/*
	 * If an arena was being destroyed, nobody continues that. ENDING stays
	 * set, because some of the memory may already be given back.
	 */
	for (unsigned i = 0; i < arena_table_count(); i++)
		atomic_fetch_and_explicit(&table.holders[i], ENDING,
		    memory_order_relaxed);
}

/* An arena that is being destroyed has no threads, and must not get one. */
struct arena *
arena_table_bind_to(unsigned index)
{
	struct arena *arena = arena_table_need(index);
	unsigned node = node_now();

	lock_acquire(&table.lock);
	/* It may have been destroyed in between. */
	arena = arena == NULL ? NULL : at(index);
	if (arena != NULL &&
	    (atomic_load_explicit(&table.holders[index], memory_order_relaxed) &
		ENDING) != 0)
		arena = NULL;
	if (arena != NULL)
		add_thread_locked(arena, node);
	lock_release(&table.lock);
	return arena;
}

void
arena_table_unbind(struct arena *arena)
{
	lock_acquire(&table.lock);
	ADD_RELAXED(arena->nthreads, -1u);
	lock_release(&table.lock);
}

void
arena_table_name(const struct arena *arena, char *name)
{
	lock_acquire(&table.lock);
	memcpy(name, arena->name, ARENA_NAME_SIZE);
	lock_release(&table.lock);
}

void
arena_table_set_name(struct arena *arena, const char *name)
{
	lock_acquire(&table.lock);
	memcpy(arena->name, name, ARENA_NAME_SIZE);
	lock_release(&table.lock);
}

static void
add_unused(struct arena *arena, void *sum)
{
	*(size_t *)sum += ageing_unused(&arena->pages);
}

size_t
arena_table_unused(void)
{
	size_t sum = 0;

	arena_table_each(add_unused, &sum);
	return sum;
}

typedef void source_step(struct page_source *source);

static void
step_pages(struct arena *arena, void *step)
{
	(*(source_step **)step)(&arena->pages);
}

/* See ageing_shed() for why that is done for all arenas first. */
static void
shed_and(source_step *step)
{
	source_step *shed = ageing_shed;

	arena_table_each(step_pages, &shed);
	arena_table_each(step_pages, &step);
}

void
arena_table_purge(void)
{
	shed_and(ageing_purge);
}

void
arena_table_release(void)
{
	shed_and(ageing_release);
}

static void
add_space(struct arena *arena, void *sum)
{
	struct arena_space *space = sum;

	space->mapped += READ_RELAXED(arena->pages.mapped);
	space->spare += ageing_spare(&arena->pages);
}

struct arena_space
arena_table_space(void)
{
	struct arena_space sum = { 0, 0 };

	arena_table_each(add_space, &sum);
	return sum;
}

struct unmapping {
	enum extent_state state;
	size_t left;
};

static void
loosen(struct arena *arena, void *unused)
{
	(void)unused;
	ageing_loosen(&arena->pages);
}

static void
unmap_some(struct arena *arena, void *unmapping)
{
	struct unmapping *u = unmapping;
	struct page_source *source = &arena->pages;

	if (u->left == 0 || !page_source_is_plain(source))
		return;
	u->left -= min_size(u->left, ageing_unmap(source, u->state, u->left));
}

void
arena_table_unmap(size_t enough)
{
	struct unmapping u = { .left = enough };

	arena_table_each(loosen, NULL);
	/* Those first that cost the least to get again. */
	for (u.state = EXTENT_RETAINED; u.state >= EXTENT_DIRTY; u.state--)
		arena_table_each(unmap_some, &u);
}

ROUGHLY bool
arena_table_copy_slab(const struct extent *e, struct bin_slab *s,
    struct bin_copy *copy)
{
	unsigned shard = READ_RELAXED(e->shard);
	struct arena *arena;
	bool found = false;

	*s = (struct bin_slab){ .slab = (struct extent *)(uintptr_t)e,
		.addr = READ_RELAXED(e->addr),
		.arena_index = extent_arena(e),
		.size_class = READ_RELAXED(e->size_class) };
	if (s->size_class >= SMALL_CLASSES)
		return false;
	arena = arena_table_hold(s->arena_index);
	if (arena == NULL)
		return false;
	if (shard < arena_nbins(arena, s->size_class))
		found = bin_copy(arena_bin(arena, s->size_class, shard), s,
		    copy);
	arena_table_let_go(arena);
	return found;
}
