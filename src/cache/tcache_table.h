/*
 * tcache_table: explicit caches, found by a small number.
 *
 * Owns:       the caches that tcache.create made, by id.
 * Invariants: ids are reused, last destroyed first. One thread at a time uses
 *             an id; that is the program's duty.
 * Locking:    LOCK_TCACHE_TABLE to create, to destroy and to visit all;
 *             finding takes none.
 */
#ifndef CACHE_TCACHE_TABLE_H
#define CACHE_TCACHE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct lock;
struct tcache;

#define TCACHES_MAX 4094

/* `key` marks freed objects, see cache_bin.h. */
void tcache_table_init(uintptr_t key);

/**
 * Makes an empty cache.
 * @param arena  where it fills from when a call names none
 * @param id     out
 * @return       false: no more ids, or no memory
 */
bool tcache_table_create(struct arena *arena, unsigned *id);

/*
 * The cache of an id that the program uses, or NULL if there is none. It stays
 * by the program's duty.
 */
struct tcache *tcache_table_get(unsigned id);

/* Calls `visit` for each cache, under LOCK_TCACHE_TABLE: none goes meanwhile. */
void tcache_table_each(void (*visit)(struct tcache *tcache, void *context),
    void *context);

/* False: there is no such cache. */
bool tcache_table_flush(unsigned id);
bool tcache_table_destroy(unsigned id);

struct lock *tcache_table_lock(void);

#endif
