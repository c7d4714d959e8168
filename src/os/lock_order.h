/*
 * lock_order: every lock of the library, outermost first.
 *
 * Owns:       the ranks; a debug build aborts when a thread takes a lock whose
 *             rank is not above that of the last one it took.
 * Invariants: locks follow the layers from top to bottom. No lock is held over
 *             a system call or over a user's hook.
 * Locking:    none; these are constants.
 */
#ifndef OS_LOCK_ORDER_H
#define OS_LOCK_ORDER_H

enum lock_rank {
	LOCK_FORK,          /* one fork at a time */
	LOCK_BACKGROUND,    /* start and end of background threads */
	LOCK_TCACHE_TABLE,  /* explicit caches */
	LOCK_THREADS,       /* registry of thread records */
	LOCK_THREAD_EVENTS, /* callbacks by bytes allocated */
	LOCK_LISTENER,      /* callback of the soft limit */
	LOCK_QUARANTINE,    /* freed objects that are held back */
	LOCK_ARENA_TABLE,   /* index -> arena, thread counts */
	LOCK_DECAY,         /* ageing of one arena's pages */
	LOCK_BIN,           /* one size class of one arena */
	LOCK_LARGE,         /* counters of one arena's large objects */
	LOCK_HUGE_CACHE,    /* cached runs of huge pages of one arena */
	LOCK_HUGE,          /* huge pages of one arena */
	LOCK_PAGES,         /* free extents of one arena */
	LOCK_RECORDS,       /* spare extent records */
	LOCK_LEDGER,        /* spare ledgers of slabs */
	LOCK_PROF_NAMES,    /* names of profile dumps */
	LOCK_PROF_LIVE,     /* samples by address */
	LOCK_PROF_TABLE,    /* stacks and their samples */
	LOCK_PROF_OBJECTS,  /* files that code in samples came from */
	LOCK_PROF_STATS,    /* samples by size class */
	LOCK_PROF_RECENT,   /* the last samples */
	LOCK_PROF_LOG,      /* log of samples: begin and end */
	LOCK_PROF_TRACES,   /* stacks for the two above */
	LOCK_GUARD,         /* idle slots of guarded objects */
	LOCK_STATS,         /* list of snapshots */
	LOCK_METADATA,      /* the library's own memory */
	LOCK_RANKS,
};

#endif
