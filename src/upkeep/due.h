/*
 * due: which unused pages are to be given back now.
 *
 * Owns:       nothing.
 * Invariants: threads may share the arenas: thread `share` of `of` has those
 *             whose index is `share` modulo `of`.
 * Locking:    none; an arena is held while it is visited.
 */
#ifndef UPKEEP_DUE_H
#define UPKEEP_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Ages the arenas of a share; returns the nanoseconds until something is due
 * again, or UINT64_MAX.
 */
uint64_t due_age(size_t share, size_t of);

/* Does an arena of this share have much to give back now? */
bool due_is_much(size_t share, size_t of);

#endif
