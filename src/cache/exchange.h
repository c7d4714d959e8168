/*
 * exchange: moves objects between caches and arenas.
 *
 * Owns:       nothing.
 * Invariants: each object that comes back is checked. If it is free already, or
 *             if no object starts there, it is reported and nothing changes.
 * Locking:    none held by the caller.
 */
#ifndef CACHE_EXCHANGE_H
#define CACHE_EXCHANGE_H

struct arena;

/* Takes up to `count` objects of a bin; only one if the bin is a large one. */
unsigned exchange_take(struct arena *arena, unsigned shard, unsigned bin,
    void **objects, unsigned count);

/* Gives objects of one bin back to their arenas. Overwrites the array. */
void exchange_give(unsigned bin, void **objects, unsigned count);

/* Takes one object for the program, past all caches. NULL: no memory. */
void *exchange_take_one(struct arena *arena, unsigned bin);

/* The same as exchange_take(), but each object counts as a request. */
unsigned exchange_take_many(struct arena *arena, unsigned shard, unsigned bin,
    void **objects, unsigned count);

/* The same as exchange_take_one(), for a sample of the heap profile. */
void *exchange_take_sample(struct arena *arena, unsigned size_class);

/* Gives one object of the program back, past all caches. */
void exchange_give_one(unsigned bin, void *object);

#endif
