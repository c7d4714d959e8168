/*
 * arena_table: index -> arena, and which arena a thread gets.
 *
 * Owns:       the table, the numbers of threads, and of holders of each arena.
 * Invariants: arena 0 exists after init. Automatic arenas have the indices
 *             below arena_table_automatic() and are never destroyed. A manual
 *             one is destroyed only by arena_table_end_destroy(), while nobody
 *             holds it and no thread is bound to it.
 * Locking:    LOCK_ARENA_TABLE to add an arena, to count threads and to begin
 *             to destroy one; a look-up takes no lock.
 *
 * A plain look-up would not be safe, because other threads may destroy the
 * arena. So code that looks at an arena visits it (arena_table_each(),
 * arena_table_visit()) or holds it, and destroying one waits until nobody does.
 * There are two exceptions: an arena stays while a thread is bound to it, and
 * while the caller has memory of it (arena_table_owner()).
 */
#ifndef ARENA_ARENA_TABLE_H
#define ARENA_ARENA_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/compiler.h"

struct arena;
struct extent_hooks;
struct heap_part;
struct lock;

#define ARENAS_MAX 4095

/**
 * Makes arena 0.
 * @param nautomatic  arenas that threads are spread over
 * @param nreserved   indices after them that no manual arena gets
 * @return            false: there is no memory
 */
bool arena_table_init(unsigned nautomatic, unsigned nreserved);

/*
 * From now on a thread gets the arena of the CPU that it runs on. These are the
 * first `count` automatic arenas; 0: threads no longer get arenas by CPU.
 */
void arena_table_set_per_cpu(unsigned count);

/* The number of such arenas, or 0. */
unsigned arena_table_per_cpu(void);

/*
 * The arena of the CPU that the caller runs on, or NULL; it is made now if
 * there is none yet. If the CPU has a higher number than there are arenas, it
 * shares an arena with another CPU.
 */
struct arena *arena_table_of_cpu(void);

/*
 * The arena for oversized requests, which is made now if there is none yet.
 * NULL: the options want none, or there is no memory.
 */
struct arena *arena_table_oversize(void);

/* Is it an index of ours? The program makes and destroys only manual arenas. */
bool arena_table_is_ours(unsigned index);

/* The number of automatic arenas. */
unsigned arena_table_automatic(void);

/*
 * Threads that start later share the first `most` automatic arenas; 0, or more
 * than there are: all of them.
 */
void arena_table_limit(unsigned most);

/* One more than the highest index that may be in use. */
unsigned arena_table_count(void);

typedef void arena_visit(struct arena *arena, void *context);

/*
 * Calls `visit` for each arena. The arena stays until `visit` returns. `visit`
 * may call functions of the program, so no lock is held.
 */
void arena_table_each(arena_visit *visit, void *context);

/* The same for the arena at `index`; false: there is none, or it is ending. */
bool arena_table_visit(unsigned index, arena_visit *visit, void *context);

/*
 * The arena at `index`, which stays until arena_table_let_go(); NULL: there is
 * none. No function of the program may run in between: it might fork, and the
 * child has no hold to let go of.
 */
struct arena *arena_table_hold(unsigned index);
void arena_table_let_go(struct arena *arena);

struct bin_copy;
struct bin_slab;
struct extent;

/*
 * Copies the slab that the page map leads to, without any lock of the caller.
 * False: it is gone. `s` says which slab it is now.
 */
bool arena_table_copy_slab(const struct extent *e, struct bin_slab *s,
    struct bin_copy *copy);

/*
 * For fork: visits also arenas that are ending. The caller makes sure that
 * nobody adds or removes one.
 */
void arena_table_each_locked(arena_visit *visit, void *context);

/*
 * The arena that an object or a slab of the caller belongs to; `index` comes
 * from extent_arena(). The program must not destroy that arena meanwhile. NULL:
 * the arena has been destroyed.
 */
struct arena *arena_table_owner(unsigned index);

/* Arena 0. */
struct arena *arena_table_first(void);

/* Is there an arena? It may be destroyed at once after this call. */
bool arena_table_has(unsigned index);

/*
 * The arena that the program names in a call, or NULL. An automatic arena and
 * the oversize arena are made now if they do not exist yet. The program must
 * not destroy a manual arena meanwhile.
 */
struct arena *arena_table_need(unsigned index);

/**
 * Makes a manual arena.
 * @param hooks    NULL: the default ones
 * @param records  do hooks of the program also give memory for its records?
 * @return         NULL: there is no memory, or no free index
 */
struct arena *arena_table_create(struct extent_hooks *hooks, bool records);

/**
 * Begins to destroy a manual arena: after this returned it, nobody holds it and
 * nobody can look it up.
 * @param wait  true: wait while others hold it; false: fail in this case,
 *              because the caller may be inside a visit itself
 * @return      NULL: there is no such arena, a thread is bound to it, or it is
 *              held
 */
struct arena *arena_table_begin_destroy(unsigned index, bool wait);

/* Destroys it: frees all its objects, gives its memory and its index back. */
void arena_table_end_destroy(struct arena *arena);

/* Undoes arena_table_begin_destroy(): the arena stays. */
void arena_table_keep(struct arena *arena);

/* Bytes that wait to be given back, in all arenas. */
size_t arena_table_unused(void);

/* Gives all dirty and muzzy pages of all arenas back to the kernel. */
void arena_table_purge(void);

/* Gives all unused memory of all arenas back, also address space. */
void arena_table_release(void);

/*
 * The same, but only about `enough` bytes of address space, and first such that
 * is not in memory.
 */
void arena_table_unmap(size_t enough);

/* Address space of all arenas, in bytes. */
struct arena_space {
	size_t mapped;
	size_t spare; /* what arena_table_release() may give back */
};

struct arena_space arena_table_space(void);

/*
 * The automatic arena with the fewest threads, which has one more now; never
 * NULL.
 */
struct arena *arena_table_bind(void);
void arena_table_unbind(struct arena *arena);

/* Counts one more thread for the arena at `index`; NULL: there is none. */
struct arena *arena_table_bind_to(unsigned index);

/* Reads and sets the name of an arena, ARENA_NAME_SIZE bytes ended by zeros. */
void arena_table_name(const struct arena *arena, char *name);
void arena_table_set_name(struct arena *arena, const char *name);

struct lock *arena_table_lock(void);

/* For the child of a fork: threads that held or made arenas do not exist. */
void arena_table_fork_child(void);

/* For tools that read the heap. */
extern HIDDEN const struct heap_part arena_table_heap_part;

#endif
