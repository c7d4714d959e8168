/*
 * arena: bins, large objects and pages that share a set of threads.
 *
 * Owns:       struct arena (memory from metadata).
 * Invariants: what was taken from an arena returns to it, whoever frees it.
 * Locking:    its parts lock themselves; nthreads and name are the arena
 *             table's.
 */
#ifndef ARENA_ARENA_H
#define ARENA_ARENA_H

#include "arena/bin.h"
#include "arena/large.h"
#include "conf/options.h"
#include "pages/page_source.h"

#define ARENA_NAME_SIZE 32

struct arena {
	unsigned index;
	unsigned nthreads;
	bool manual;		/* made by the program, not for threads at large */
	char name[ARENA_NAME_SIZE];
	size_t oversize_threshold;	/* larger requests go elsewhere; 0 = none */
	struct arena *next_spare;
	uintptr_t maker;	/* the thread that is making it */
	uint64_t created_ns;
	/* By cache bin: objects handed to the program that no cache counts. */
	_Atomic uint64_t requests[CACHE_BINS_MAX];
	struct page_source pages;
	struct large large;
	_Atomic unsigned next_shard;	/* for the next cache that fills here */
	uint16_t more_at[SMALL_CLASSES_MAX];	/* where shards 1.. start */
	struct bin *more;		/* bins of all shards but the first */
	_Atomic(struct bin *) samples;	/* one a class; NULL until needed */
	struct bin bins[SMALL_CLASSES_MAX];	/* shard 0 of each class */
};

/*
 * How many bins each arena has for a class: opt.bin_shards. One more, with this
 * index, has the samples of the heap profile, if there have been any.
 */
static inline unsigned
arena_nshards(unsigned size_class)
{
	return opt.bin_shards[size_class] > 1 ? opt.bin_shards[size_class] : 1;
}

static inline struct bin *
arena_bin(struct arena *arena, unsigned size_class, unsigned shard)
{
	if (likely(shard == 0))
		return &arena->bins[size_class];
	if (unlikely(shard == arena_nshards(size_class)))
		return &atomic_load_explicit(&arena->samples,
		    memory_order_acquire)[size_class];
	return &arena->more[arena->more_at[size_class] + shard - 1];
}

/* All bins of a class: how many there are now, with that of samples. */
static inline unsigned
arena_nbins(const struct arena *arena, unsigned size_class)
{
	return arena_nshards(size_class) +
	    (atomic_load_explicit(&arena->samples, memory_order_acquire) !=
	    NULL);
}

/* Makes the bins for samples; false: no memory. */
bool arena_need_samples(struct arena *arena);

/*
 * What arenas have that are made from now on. At first what the options say,
 * which the program may change.
 */
struct arena_defaults {
	_Atomic ssize_t dirty_decay_ms;
	_Atomic ssize_t muzzy_decay_ms;
	_Atomic int dss;	/* enum dss */
};

extern HIDDEN struct arena_defaults arena_defaults;

void arena_defaults_init(void);

/* Memory for an arena, or NULL. May call the kernel. */
struct arena *arena_create(void);

/* Makes it an empty arena. No system call. */
void arena_init(struct arena *arena, unsigned index);

/* From now on it can be reset. */
void arena_make_manual(struct arena *arena);

/*
 * Who is told of the samples of the heap profile that a reset frees. `sample`:
 * that of a large object; NULL: the object alone tells.
 */
extern HIDDEN void (*arena_sample_ended)(void *sample, const void *object);

/*
 * Frees all objects of a manual arena at once. Nobody may use it meanwhile,
 * and no cache may hold an object of it.
 */
void arena_reset(struct arena *arena);

/* Resets it and returns its memory; what the kernel refuses goes to `heir`. */
void arena_destroy(struct arena *arena, struct arena *heir);

/* Ages the arena's unused pages if something is due, or has it done. */
void arena_tick(struct arena *arena, uint64_t now_ns);

/* Who ages pages and trims caches; set by arena/background and api/boot. */
struct arena_ageing {
	_Atomic bool by_threads;	/* of its own, not by those who tick */
	_Atomic bool watched;	/* and they want to know of unused pages */
	void (*wake)(void);
	bool (*trim_silent)(uint64_t before_ns);	/* see cache/trim */
};

extern HIDDEN struct arena_ageing arena_ageing;

/* The three steps of fork (os/lock.h) for all locks of the arena. */
void arena_fork(struct arena *arena, void (*step)(struct lock *));

/* In a new process, when its locks are new: nobody else works on it. */
void arena_fork_child(struct arena *arena);

/* Figures of one or several arenas. Sizes are bytes. */
struct arena_summary {
	size_t active;		/* pages of slabs and large objects */
	size_t dirty;		/* free pages by state */
	size_t muzzy;
	size_t retained;
	size_t mapped;		/* address space, whatever its state */
	size_t nextents_free;	/* dirty and muzzy runs of pages */
	uint64_t purged;	/* given back to the kernel, ever */
	size_t small_size;	/* small objects that left, by class */
	size_t nsmall;
	size_t nregions_free;	/* in slabs */
	size_t large_size;	/* large objects that left, usable size */
	size_t nlarge;
};

/* Regions of a class, all shards. */
struct bin_usage arena_bin_usage(struct arena *arena, unsigned size_class);

/* Adds the figures of `arena`, taking its locks one at a time. */
void arena_summary_add(struct arena *arena, struct arena_summary *sum);

/* Usable bytes that have left the arena and not returned. */
size_t arena_allocated(struct arena *arena);

void arena_check(struct arena *arena);

#endif
