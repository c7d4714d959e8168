/*
 * arena: bins, large objects and pages that share a set of threads.
 *
 * Owns:       struct arena (memory from metadata).
 * Invariants: what was taken from an arena returns to it, whoever frees it.
 * Locking:    its parts lock themselves; nthreads is the arena table's.
 * Used by:    cache/, api/, ctl/, stats/.
 */
#ifndef ARENA_ARENA_H
#define ARENA_ARENA_H

#include "arena/bin.h"
#include "arena/large.h"
#include "extent/page_source.h"

struct arena {
	unsigned index;
	unsigned nthreads;
	uint64_t created_ns;
	struct page_source pages;
	struct large large;
	struct bin bins[SMALL_CLASSES_MAX];
};

/* Memory for an arena, or NULL. May call the kernel. */
struct arena *arena_create(void);

/* Makes it an empty arena. No system call. */
void arena_init(struct arena *arena, unsigned index);

/* Ages the arena's unused pages if something is due. */
void arena_tick(struct arena *arena, uint64_t now_ns);

/* The three steps of fork (os/lock.h) for all locks of the arena. */
void arena_fork(struct arena *arena, void (*step)(struct lock *));

/* Usable bytes that have left the arena and not returned. */
size_t arena_allocated(struct arena *arena);

void arena_check(struct arena *arena);

#endif
