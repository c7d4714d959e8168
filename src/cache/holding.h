/*
 * holding: how much the caches of all threads may hold.
 *
 * Owns:       the sum over these caches.
 * Invariants: a cache counts with what its stacks have room for, not with what
 *             is in them: that changes with every call. When trim.c has emptied
 *             it, it counts nothing until its owner's next slow path. Explicit
 *             caches don't count, because nobody empties them.
 * Locking:    none. The owner calls these in its slow paths, except for what
 *             says that others do.
 *
 * If the sum is as large as upkeep wants it (arena_upkeep.wants_held), each of
 * these calls wakes it. It may be the last call that the program makes for a
 * long time.
 */
#ifndef CACHE_HOLDING_H
#define CACHE_HOLDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tcache;

/* Bytes; any thread may ask. */
size_t holding_sum(void);

/* The cache is that of a thread, has no stack yet, and counts from now on. */
void holding_begin(struct tcache *tcache);

/* The limit of a bin has changed. */
void holding_change(struct tcache *tcache, unsigned bin, uint32_t from,
    uint32_t to);

/* Does upkeep want to be left alone for a time that is not over? */
bool holding_rests(uint64_t now_ns);

/* Wakes upkeep, too, if such a time is over. */
void holding_look(uint64_t now_ns);

/* For trim.c, under the guard: it has emptied the cache. */
void holding_leave(struct tcache *tcache);

/* The owner is back after that. */
void holding_return(struct tcache *tcache);

/*
 * In the child of a fork: the caches of other threads are lost. `survivor` may
 * be NULL.
 */
void holding_fork_child(const struct tcache *survivor);

#endif
