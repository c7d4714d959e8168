/*
 * exchange: objects on their way between caches and arenas.
 *
 * Owns:       nothing.
 * Invariants: an object that comes back is checked here: one that is free
 *             already, or is none, is reported and goes nowhere.
 * Locking:    none held by the caller.
 */
#ifndef CACHE_EXCHANGE_H
#define CACHE_EXCHANGE_H

struct arena;

/* Takes up to `count` objects of a bin; of a large one, one. */
unsigned exchange_take(struct arena *arena, unsigned shard, unsigned bin,
    void **objects, unsigned count);

/* Gives objects of one bin back to where they are from; the array is garbage then. */
void exchange_give(unsigned bin, void **objects, unsigned count);

/* The same for one object that no cache has to do with; NULL: no memory. */
void *exchange_take_one(struct arena *arena, unsigned bin);

/* Several, which count as requests; of a large size no more than one. */
unsigned exchange_take_many(struct arena *arena, unsigned shard, unsigned bin,
    void **objects, unsigned count);

/* The same for a sample of the heap profile, of a small class. */
void *exchange_take_sample(struct arena *arena, unsigned size_class);
void exchange_give_one(unsigned bin, void *object);

#endif
