/*
 * arena: bins, large objects and pages that some threads share.
 *
 * Owns:       struct arena (memory from metadata).
 * Invariants: memory that was taken from an arena returns to it, whichever
 *             thread frees it.
 * Locking:    its parts have their own locks; the arena table's lock protects
 *             nthreads and name.
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
	bool manual; /* the program made it; not for all threads */
	char name[ARENA_NAME_SIZE];
	/* Larger requests go to the arena for oversized ones; 0 = none do. */
	size_t oversize_threshold;
	struct arena *next_spare;
	uintptr_t maker; /* the thread that is making it */
	uint64_t created_ns;
	/*
	 * For each cache bin, the objects that the program got without a cache:
	 * no cache counts these.
	 */
	_Atomic uint64_t requests[CACHE_BINS_MAX];
	struct page_source pages;
	/* Unused bytes when upkeep last looked, or the minimum since then. */
	_Atomic size_t unused_seen;
	struct large large;
	_Atomic unsigned next_shard; /* for the next cache that fills here */
	uint16_t more_at[SMALL_CLASSES_MAX]; /* where shards 1.. start */
	struct bin *more;              /* bins of all shards but the first */
	_Atomic(struct bin *) samples; /* one per class; NULL until needed */
	struct bin bins[SMALL_CLASSES_MAX]; /* shard 0 of each class */
};

/*
 * The number of bins that each arena has for a class: opt.bin_shards. If the
 * heap profile has taken samples, there is one more bin for them, and this
 * number is its index.
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

/* The number of all bins of a class, including that of samples. */
static inline unsigned
arena_nbins(const struct arena *arena, unsigned size_class)
{
	return arena_nshards(size_class) +
	    (atomic_load_explicit(&arena->samples, memory_order_acquire) !=
		NULL);
}

/* Makes the bins for samples; false: there is no memory. */
bool arena_need_samples(struct arena *arena);

/*
 * The settings of arenas that are made from now on. They begin with the values
 * of the options; the program may change them.
 */
struct arena_defaults {
	_Atomic ssize_t dirty_decay_ms;
	_Atomic ssize_t muzzy_decay_ms;
	_Atomic int dss; /* enum dss */
};

extern HIDDEN struct arena_defaults arena_defaults;

void arena_defaults_init(void);

/* Memory for an arena, or NULL. May call the kernel. */
struct arena *arena_create(void);

/* Makes an empty arena of that memory, without a system call. */
void arena_init(struct arena *arena, unsigned index);

/* Makes it a manual arena, which can be reset and destroyed. */
void arena_make_manual(struct arena *arena);

/*
 * Upcall for each sampled object that a reset frees, so that the heap profile
 * forgets it. `sample` is that of a large object, or NULL: then the profile
 * finds the sample by the object.
 */
extern HIDDEN void (*arena_sample_ended)(void *sample, const void *object);

/*
 * Frees all objects of a manual arena at once. Nobody may use it meanwhile,
 * and no cache may hold an object of it.
 */
void arena_reset(struct arena *arena);

/*
 * Resets it and returns its memory. Pages that the kernel refuses go to `heir`.
 */
void arena_destroy(struct arena *arena, struct arena *heir);

/*
 * Ages the arena's unused pages if something is due; a call of the program
 * should not take long, so it purges one piece of them. If background threads
 * do this, wakes them if they ask for it. Returns whether it has purged any.
 */
bool arena_tick(struct arena *arena, uint64_t now_ns);

/* The same; from time to time it sweeps all silent arenas before. */
bool arena_tick_and_sweep(struct arena *arena, uint64_t now_ns);

/*
 * What arenas and caches know of src/upkeep, which is a higher layer. The
 * background threads set the flags; the functions are set once, by api/boot.
 */
struct arena_upkeep {
	_Atomic bool by_threads;   /* background threads age pages */
	_Atomic bool wants_pages;  /* to be woken for unused pages, */
	_Atomic bool wants_caches; /* for any slow path in a cache */
	/* To be woken if an arena's unused bytes grow by this; SIZE_MAX: no. */
	_Atomic size_t wants_growth;
	/*
	 * To be woken if the caches of threads may hold so much (see
	 * cache/holding.h), but not within `rest_ns` of that time.
	 */
	_Atomic size_t wants_held;
	_Atomic uint64_t rests_since_ns;
	_Atomic uint64_t rest_ns;
	_Atomic uint64_t swept_ns; /* the last sweep */
	void (*wake)(void);
	/* Returns whether it has purged anything. NULL: nothing is swept. */
	bool (*sweep)(uint64_t now_ns);
};

extern HIDDEN struct arena_upkeep arena_upkeep;

/* Does one step of fork (os/lock.h) for all locks of the arena. */
void arena_fork(struct arena *arena, void (*step)(struct lock *));

/*
 * For the child of a fork, after its locks were made new. Threads that worked
 * on the arena do not exist here.
 */
void arena_fork_child(struct arena *arena);

/* Figures of one or several arenas; sizes are in bytes. */
struct arena_summary {
	size_t active; /* pages of slabs and large objects */
	size_t dirty;  /* these three: free pages, by state */
	size_t muzzy;
	size_t retained;
	size_t mapped;        /* address space, whatever its state */
	size_t nextents_free; /* dirty and muzzy runs of pages */
	uint64_t purged;      /* given back to the kernel so far */
	size_t small_size;    /* small objects taken: sum of class sizes */
	size_t nsmall;
	size_t nregions_free; /* in slabs */
	size_t large_size;    /* large objects taken: sum of usable sizes */
	size_t nlarge;
};

/* The regions of a class, summed over all shards. */
struct bin_usage arena_bin_usage(struct arena *arena, unsigned size_class);

/* Adds the figures of `arena`; takes its locks one at a time. */
void arena_summary_add(struct arena *arena, struct arena_summary *sum);

void arena_check(struct arena *arena);

#endif
