/*
 * heap: the runs of pages of one allocator in the target, and the objects in
 * them.
 *
 * Owns:       struct heap: the runs, the cached objects, the faults that were
 *             found.
 * Invariants: runs are sorted and do not overlap. All data of the target are
 *             checked before they are used. Inconsistent data are left out and
 *             counted. All loops are bounded by the memory of the target.
 * Locking:    none.
 */
#ifndef HEAP_HEAP_H
#define HEAP_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

enum run_type {
	RUN_SLAB,
	RUN_LARGE,
	RUN_GUARD,
	RUN_DIRTY,
	RUN_MUZZY,
	RUN_RETAINED,
	RUN_BUSY,
	RUN_OTHER, /* active without an object that counts */
	RUN_TYPES,
};

struct run {
	uint64_t start, size;
	uint64_t record;    /* of the extent, or of the slot of a guard */
	uint16_t kind;      /* in the page map */
	uint8_t type;       /* enum run_type */
	uint8_t size_class; /* of a slab */
	uint32_t arena;
};

enum region_state { REGION_LIVE, REGION_CACHED, REGION_FREE };

struct region {
	uint64_t address, size;
	uint64_t readable; /* bytes of it; a guard may lie behind them */
	enum region_state state;
	const struct run *run;
	unsigned index; /* in its slab */
};

struct geometry {
	uint64_t region_size, slab_size;
	unsigned nregions;
};

/* Who holds objects that are free for the program. */
enum owner_kind {
	OWNER_THREAD,
	OWNER_LOST,
	OWNER_SPARE,
	OWNER_EXPLICIT,
	OWNER_QUARANTINE,
	OWNER_TRIM,
};

struct owner {
	enum owner_kind kind;
	uint32_t tid;          /* 0: not known */
	const char *name;      /* or NULL */
	unsigned number;       /* of an explicit cache */
	uint64_t address;      /* of its cache */
	uint64_t count, bytes; /* filled in by heap_count_cached() */
};

struct cached {
	uint64_t address; /* of the object */
	uint32_t owner;
	uint16_t bin;
	bool in_flight;
	bool top; /* the last one of its stack */
};

/* One bin of one cache. */
struct stash {
	uint32_t owner;
	uint16_t bin;
	uint32_t count, limit;
	uint64_t size; /* of an object; 0: various */
};

struct heap {
	struct target *target;
	struct layout *layout;
	struct geometry *geometry;
	size_t ngeometry;
	uint64_t *sizes; /* of all classes, ascending */
	size_t nsizes;
	struct run *runs;
	size_t nruns;
	struct cached *cached; /* sorted by address */
	size_t ncached;
	struct owner *owners;
	size_t nowners;
	struct stash *stashes;
	size_t nstashes;
	uint64_t uncertain; /* objects in flight */
	uint64_t unreadable_data;
	char **findings; /* the first faults */
	size_t nfindings;
	uint64_t wrong; /* all faults */
	uint64_t locks_held;
	/*
	 * For each arena and class: was its bin locked? Behind the classes is
	 * the lock of large objects.
	 */
	bool *bin_locked;
	unsigned slow_paths;       /* threads that were in one */
	unsigned narenas;          /* slots that may be used */
	bool counted_busy;         /* heap_each() has counted uncertain ones */
	struct slab *slab;         /* the last one that heap_find() read, */
	const struct run *slab_of; /* and of which run */
};

/* Reads all but the objects themselves. */
struct heap *heap_open(struct target *target, struct layout *layout);

/* Was the lock held that protects the objects of this run? */
bool heap_is_locked(const struct heap *heap, const struct run *run);

/* Notes that something in the target is wrong. */
void heap_finding(struct heap *heap, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Calls `visit` for each region in the order of addresses, also for those that
 * are cached or free, until it returns false. `arena` is -1: of all arenas.
 */
typedef bool heap_visit(void *context, const struct region *region);
void heap_each(struct heap *heap, int64_t arena, heap_visit *visit,
    void *context);

/* The region that has this address; false: none. */
bool heap_find(struct heap *heap, uint64_t address, struct region *region);
/* The run that has it, or NULL. */
const struct run *heap_run(const struct heap *heap, uint64_t address);
/* The entry of a cached object, or NULL. */
const struct cached *heap_cached(const struct heap *heap, uint64_t address);

/* The address of an arena's structure, or 0. */
uint64_t heap_arena(struct heap *heap, unsigned index);

/*
 * Calls `visit` for each block of the allocator's own records, until it returns
 * false; returns whether one did.
 */
bool heap_metadata(struct heap *heap,
    bool (*visit)(void *context, uint64_t start, uint64_t size), void *context);
bool heap_is_metadata(struct heap *heap, uint64_t address);

/* What the page map says about an address. */
struct heap_entry {
	uint64_t kind, extent;
};

struct heap_entry heap_pagemap(struct heap *heap, uint64_t address);

/* Parts of heap_open(), in this order. */
void heap_read_cached(struct heap *heap);
void heap_read_runs(struct heap *heap);

/* Follows a chain in the target, which may be a cycle. */
struct chain {
	uint64_t mark, steps, power;
};

/* False: the chain has been here before. */
static inline bool
chain_step(struct chain *chain, uint64_t at)
{
	if (at == chain->mark)
		return false;
	if (++chain->steps >= chain->power) {
		chain->mark = at;
		chain->steps = 0;
		chain->power = 2 * chain->power + 1;
	}
	return true;
}

#endif
