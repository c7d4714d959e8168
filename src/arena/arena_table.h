/*
 * arena_table: index -> arena, and which arena a thread gets.
 *
 * Owns:       the table, the threads' counts, and who looks at which arena.
 * Invariants: arena 0 exists after init; automatic arenas have the indices
 *             below automatic() and never end. A manual one ends by
 *             arena_table_end_destroy() alone, and only while nobody holds it
 *             and no thread is bound to it.
 * Locking:    LOCK_ARENA_TABLE to add, to count and to begin an end; looking
 *             takes none.
 *
 * There is no bare look-up. Who looks at an arena that others may destroy
 * visits it (arena_table_each(), arena_table_visit()) or holds it; who begins
 * to destroy one waits until nobody does. Without that, an arena is there for
 * two reasons only: a thread is bound to it, or somebody has memory of it
 * (arena_table_owner()).
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

/* Neither made nor ended by the program, unlike manual ones. */
bool arena_table_is_ours(unsigned index);

/* The number of automatic arenas. */
unsigned arena_table_automatic(void);

/*
 * Threads born later share the first `most` automatic arenas; 0 = all of them.
 * More than there are is as many as there are.
 */
void arena_table_limit(unsigned most);

/* One more than the highest index that may be in use. */
unsigned arena_table_count(void);

typedef void arena_visit(struct arena *arena, void *context);

/*
 * Calls `visit` for each arena that is there. It stays until `visit` returns,
 * which may call functions of the program; so no lock of ours is held.
 */
void arena_table_each(arena_visit *visit, void *context);

/* The same for the arena at `index`; false: there is none, or it is ending. */
bool arena_table_visit(unsigned index, arena_visit *visit, void *context);

/*
 * The arena at `index`, which stays until arena_table_let_go(); NULL: there is
 * none. No function of the program may run in between: it might fork.
 */
struct arena *arena_table_hold(unsigned index);
void arena_table_let_go(struct arena *arena);

/* For fork: also those that are ending. Nobody adds or removes any. */
void arena_table_each_locked(arena_visit *visit, void *context);

/*
 * The arena with the index that extent_arena() tells of an object or slab of
 * the caller, whose duty it is that it is not destroyed meanwhile. NULL: the
 * object was of an arena that is gone.
 */
struct arena *arena_table_owner(unsigned index);

/* Arena 0. */
struct arena *arena_table_first(void);

/* Is there one? By the time that the caller knows, it may be gone. */
bool arena_table_has(unsigned index);

/*
 * The arena that a call of the program names, made now if it is an automatic
 * one or the one for oversized requests; or NULL. A manual one stays by the
 * program's duty.
 */
struct arena *arena_table_need(unsigned index);

/**
 * A new manual arena.
 * @param hooks    NULL = the default ones
 * @param records  do hooks of the program give memory for its records, too?
 * @return         NULL: no memory, no index
 */
struct arena *arena_table_create(struct extent_hooks *hooks, bool records);

/**
 * First half of the end of a manual arena: from now on nobody finds it, and
 * nobody holds it any more.
 * @param wait  true: wait for those who do; false: then it is refused, for a
 *              caller that may be inside of a visit itself
 * @return      NULL: there is no such arena, a thread is bound to it, or it is
 *              held
 */
struct arena *arena_table_begin_destroy(unsigned index, bool wait);

/* Frees all its objects and gives its memory back; its index is free. */
void arena_table_end_destroy(struct arena *arena);

/* Or it stays after all. */
void arena_table_keep(struct arena *arena);

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

/* Counts one more thread for a given arena; NULL: it is not there. */
struct arena *arena_table_bind_to(unsigned index);

/* Reads and sets the name of an arena, ARENA_NAME_SIZE bytes ended by zeros. */
void arena_table_name(const struct arena *arena, char *name);
void arena_table_set_name(struct arena *arena, const char *name);

struct lock *arena_table_lock(void);

/* In the child of a fork nobody holds an arena. */
void arena_table_fork_child(void);

#endif
