/*
 * walk: calls a function of the program for each object in the heap, and tells
 * what is at one address.
 *
 * Owns:       nothing; a walk has a copy of what is cached (heap/cached).
 * Invariants: a walk goes up by address, and each slab is copied at one moment.
 *             An object that is live during the whole walk is reported exactly
 *             once, and no address twice. Objects that come or go meanwhile may
 *             be reported or not.
 * Locking:    the bin's lock while a slab is copied; none while the function of
 *             the program runs, which may allocate, free, use mallctl() and
 *             walk itself.
 */
#ifndef HEAP_WALK_H
#define HEAP_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* States of a region, and what a walk reports. */
enum walk_flag {
	WALK_LIVE = 1,
	WALK_CACHED = 2,    /* in a cache, or in the quarantine */
	WALK_FREE = 4,      /* free in its slab */
	WALK_EXTENTS = 8,   /* free pages */
	WALK_INTERNAL = 16, /* the library's own records */
	WALK_MERGE = 32,    /* join neighbours of equal state */
};

#define WALK_VERSION    1
#define WALK_ALL_ARENAS 4096

/* The names of these two in the documents begin with je_heap_. */
struct walk_region {
	uintptr_t addr;
	size_t usize; /* bytes that the program may use */
	uint32_t arena;
	uint32_t state;    /* one of enum walk_flag; 0: not the heap */
	uint64_t reserved; /* free pages: enum extent_state; or 0 */
};

struct walk {
	uint32_t version; /* WALK_VERSION */
	uint32_t flags;   /* enum walk_flag */
	uintptr_t lo;     /* regions that begin in [lo, hi); */
	uintptr_t hi;     /* 0: no upper end */
	size_t size;      /* only of the class that has this size; or 0 */
	unsigned arena;   /* index, or WALK_ALL_ARENAS */
	int (*report)(void *context, const struct walk_region *region);
	void *context;
};

enum walk_result { WALK_DONE, WALK_BAD, WALK_NO_MEMORY, WALK_INSIDE };

/**
 * Walks.
 * @param visited  out: the number of calls of report()
 * @return         WALK_INSIDE: the caller is inside the allocator
 */
enum walk_result walk_run(const struct walk *walk, uint64_t *visited);

/* What is at `addr`, which may be any address. */
enum walk_result walk_look(uintptr_t addr, struct walk_region *region);

#endif
