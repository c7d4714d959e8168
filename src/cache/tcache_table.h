/*
 * tcache_table: explicit caches, found by a small number.
 *
 * Owns:       the caches that tcache.create made, by id.
 * Invariants: ids are reused, last destroyed first. The program must use an id
 *             in only one thread at a time.
 * Locking:    LOCK_TCACHE_TABLE to create, to destroy and to visit all;
 *             finding takes none.
 */
#ifndef CACHE_TCACHE_TABLE_H
#define CACHE_TCACHE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/compiler.h"

struct arena;
struct heap_part;
struct lock;
struct tcache;

#define TCACHES_MAX 4094

/* The marks of freed objects are made from the random `key`. */
void tcache_table_init(uintptr_t key);

/**
 * Makes an empty cache.
 * @param arena  where it fills from if a call names no arena
 * @param id     out
 * @return       false: no more ids, or no memory
 */
bool tcache_table_create(struct arena *arena, unsigned *id);

/*
 * The cache of an id that the program uses, or NULL if there is none. The
 * program must not destroy it while it is in use.
 */
struct tcache *tcache_table_get(unsigned id);

/*
 * Calls `visit` for each cache. Under LOCK_TCACHE_TABLE, so none is destroyed.
 */
void tcache_table_each(void (*visit)(struct tcache *tcache, void *context),
    void *context);

/* Both return false if there is no such cache. */
bool tcache_table_flush(unsigned id);
bool tcache_table_destroy(unsigned id);

struct lock *tcache_table_lock(void);

/* For tools that read the heap. */
extern HIDDEN const struct heap_part tcache_table_heap_part;

#endif
