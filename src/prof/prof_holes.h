/*
 * prof_holes: which code keeps slabs in memory that are mostly empty.
 *
 * Owns:       nothing; a snapshot is made anew each time.
 * Invariants: a slab's holes (the bytes of its free regions) are divided among
 *             the regions that are in use. A sampled object lies in a slab of
 *             samples, so it says nothing itself: its stand-in does, which was
 *             taken from the ordinary slabs with it, and lives as long. It
 *             counts for as many objects as the sample.
 * Locking:    those of prof_live, prof_table and arena/bin, one at a time; the
 *             caller must hold none.
 */
#ifndef PROF_PROF_HOLES_H
#define PROF_PROF_HOLES_H

#include <stdbool.h>

struct prof_snapshot;

/*
 * Takes a snapshot in the form of prof_table. Of each stack, `live.bytes` are
 * the holes that its objects are responsible for, and `live.objects` the number
 * of slabs. Classes of age are in the place of threads. False: no memory.
 */
bool prof_holes_take(struct prof_snapshot *holes);

#endif
