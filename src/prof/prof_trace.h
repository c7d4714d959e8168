/*
 * prof_trace: stacks that records of samples keep, each of them once.
 *
 * Owns:       the stacks, by contents.
 * Invariants: a stack is there as long as somebody has it. It does not know the
 *             counts of prof_table, and a reset of those does not touch it.
 * Locking:    LOCK_PROF_TRACES. Memory is fetched without it.
 */
#ifndef PROF_PROF_TRACE_H
#define PROF_PROF_TRACE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct lock;

struct prof_trace {
	struct prof_trace *next;	/* in its bucket */
	uint64_t hash;
	_Atomic uint32_t holders;
	uint32_t depth;
	/* Of prof_log, and under its lock. */
	uint32_t log_run;		/* which has it; 0: none */
	uint32_t log_index;
	struct prof_trace *log_next;
	void *pcs[];			/* innermost first */
};

void prof_trace_init(void);

/* The stack with these return addresses; NULL: no memory. */
struct prof_trace *prof_trace_take(void *const *pcs, unsigned depth);

/* One holder more, of a stack that the caller holds; NULL stays NULL. */
static inline struct prof_trace *
prof_trace_share(struct prof_trace *trace)
{
	if (trace != NULL)
		atomic_fetch_add_explicit(&trace->holders, 1,
		    memory_order_relaxed);
	return trace;
}

/* One less; NULL is nothing. */
void prof_trace_give(struct prof_trace *trace);

struct lock *prof_trace_lock(void);

#endif
