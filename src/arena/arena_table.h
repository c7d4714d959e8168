/*
 * arena_table: index -> arena, and which arena a thread gets.
 *
 * Owns:       the table and the threads' counts.
 * Invariants: arena 0 exists after init; an arena once made stays at its
 *             index; automatic arenas have the indices below automatic().
 * Locking:    LOCK_ARENA_TABLE to add and to count; reading a slot takes none.
 * Used by:    cache/thread, api/, ctl/.
 */
#ifndef ARENA_ARENA_TABLE_H
#define ARENA_ARENA_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct arena;
struct extent_hooks;
struct lock;

#define ARENAS_MAX 4095

/**
 * Makes arena 0.
 * @param nautomatic  arenas that threads are spread over
 * @param nreserved   indices behind them that no manual arena gets
 * @return            false without memory
 */
bool arena_table_init(unsigned nautomatic, unsigned nreserved);

/*
 * From now on a thread gets the arena of the CPU that it runs on, which are the
 * first `count` automatic ones; 0 = no more.
 */
void arena_table_set_per_cpu(unsigned count);

/* How many such arenas there are, or 0. */
unsigned arena_table_per_cpu(void);

/*
 * The arena of the CPU that the caller runs on, or NULL. Made now if need be;
 * another one if the kernel's number is above all of them.
 */
struct arena *arena_table_of_cpu(void);

/* The arena for oversized requests, made now if need be; NULL: there is none. */
struct arena *arena_table_oversize(void);

/* The number of automatic arenas. */
unsigned arena_table_automatic(void);

/*
 * Threads born later share the first `most` automatic arenas; 0 = all of them.
 * More than there are is as many as there are.
 */
void arena_table_limit(unsigned most);

/* One more than the highest index that may be in use. */
unsigned arena_table_count(void);

/* The arena at `index`, or NULL. */
struct arena *arena_table_get(unsigned index);

/*
 * The arena at `index`, made now if it is an automatic one or the one for
 * oversized requests; or NULL.
 */
struct arena *arena_table_need(unsigned index);

/* A new manual arena, or NULL: no memory, no index. NULL = default hooks. */
struct arena *arena_table_create(struct extent_hooks *hooks);

/**
 * Frees all objects of a manual arena and gives its memory back.
 * @return  false: there is no such arena, or a thread is bound to it
 */
bool arena_table_destroy(unsigned index);

/*
 * Ages the pages of `arena`, and now and then those of arenas that nobody has
 * come by for their whole decay time.
 */
void arena_table_tick(struct arena *arena, uint64_t now_ns);

/* All dirty and muzzy pages of all arenas go back to the kernel. */
void arena_table_purge(void);

/* The automatic arena with the fewest threads; counts one more. Not NULL. */
struct arena *arena_table_bind(void);
void arena_table_unbind(struct arena *arena);

/* Counts one more thread for a given arena. */
void arena_table_bind_to(struct arena *arena);

struct lock *arena_table_lock(void);

#endif
