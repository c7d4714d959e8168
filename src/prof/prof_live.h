/*
 * prof_live: the samples of small objects, found by the object's address.
 *
 * Owns:       a hash table of those samples.
 * Invariants: a sample is in it from when the program has its object until that
 *             is freed. (The extent of a large object names its sample itself.)
 * Locking:    LOCK_PROF_LIVE, one for each part of the table. Memory is mapped
 *             without it.
 */
#ifndef PROF_PROF_LIVE_H
#define PROF_PROF_LIVE_H

struct lock;
struct prof_sample;

void prof_live_init(void);

/* Its object is known from now on. */
void prof_live_add(struct prof_sample *sample);

/* The sample that has this object, out of the table; NULL: there is none. */
struct prof_sample *prof_live_remove(const void *object);

/* A step of fork for all locks. */
void prof_live_fork(void (*step)(struct lock *));

#endif
